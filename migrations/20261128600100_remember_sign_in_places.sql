-- From where somebody has signed in with their password before: marks of (address of the account, network address) by the master
-- key, newest first, so that no address stands here. Who tries passwords elsewhere uses up the tries of strangers, not theirs.
alter table admin
    add column sign_in_places bytea[] not null default '{}' check (cardinality(sign_in_places) <= 8);

-- What must be remembered of a browser that leaves for its tenant's provider goes with it, in a sealed cookie. A row is written only
-- when somebody came back whom the provider vouches for, so that the same way back is not taken twice. The columns that are null
-- from now on are still filled by instances of the release before; they go in a later one.
alter table sso_attempt
    alter column browser_hash drop not null,
    alter column nonce drop not null,
    alter column pkce_verifier drop not null,
    alter column provider drop not null,
    alter column revision drop not null,
    alter column redirect_uri drop not null;
