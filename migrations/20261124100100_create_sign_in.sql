-- How people and machines sign in to administer: sessions in a tenant, invitations, single sign-on, keys that rotate.

-- Runs the installation: tenants and shared issuers. Given on the command line only.
alter table admin add column operator boolean not null default false;

-- A session works in one tenant at a time, or in none (an operator's). It ends with the membership it stands on.
alter table console_session
    add column working_tenant uuid,
    -- Signed in through the tenant's own identity provider: what that one says counts in its tenant only, so such a
    -- session never moves to another tenant and has no operator's rights.
    add column by_sso boolean not null default false,
    add constraint console_session_membership foreign key (working_tenant, admin_id)
        references membership (tenant_id, admin_id) on delete cascade,
    add constraint console_session_sso_has_tenant check (not by_sso or working_tenant is not null);

-- Made by the tenant's identity provider. A password opens only memberships that were accepted with that password: else
-- whoever got hold of an address's account in one tenant would walk into every tenant whose provider vouches for it.
alter table membership
    add column by_sso boolean not null default false,
    -- The provider's own name of the person, once they came that way: an address that is given to somebody else does not
    -- inherit the role.
    add column sso_subject text check (char_length(sso_subject) <= 255);
create index console_session_admin on console_session (admin_id);
create index membership_admin on membership (admin_id);

create table invitation (
    tenant_id    uuid not null references tenant (id),
    id           uuid not null default gen_random_uuid(),
    email        text collate "C" not null check (email = lower(email) and char_length(email) <= 320),
    role         text not null check (role in ('owner', 'publisher', 'editor', 'viewer')),
    -- SHA-256 of the token. Unique across tenants: 256 random bits, looked up before the tenant is known.
    hash         bytea not null unique check (octet_length(hash) = 32),
    invited_by   text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    accepted_at  timestamptz,
    revoked_at   timestamptz,
    primary key (tenant_id, id)
);
-- One open invitation an address: a new one takes the old one's place.
create unique index invitation_open on invitation (tenant_id, email) where accepted_at is null and revoked_at is null;

-- A tenant's own OpenID provider for the people who administer it.
create table sso_provider (
    tenant_id        uuid primary key references tenant (id),
    id               uuid not null default gen_random_uuid(),
    issuer           text collate "C" not null check (char_length(issuer) <= 500),
    client_id        text not null check (char_length(client_id) between 1 and 200),
    -- Sealed, AAD (sso_provider, client_secret, tenant, id). Null for a public client. Never read back over any interface.
    client_secret    bytea,
    -- Whose e-mail addresses it may speak for.
    allowed_domains  text[] not null check (cardinality(allowed_domains) between 1 and 20),
    -- What somebody without a membership becomes; null turns them away.
    new_person_role  text check (new_person_role in ('publisher', 'editor', 'viewer')),
    revision         bigint not null default 1,
    updated_at       timestamptz not null default now()
);

-- A browser that was sent to the provider and has not come back yet. Taken out when it does: nothing is used twice.
create table sso_attempt (
    tenant_id      uuid not null references tenant (id),
    id             uuid not null default gen_random_uuid(),
    state_hash     bytea not null check (octet_length(state_hash) = 32),
    -- Of the cookie that binds the attempt to the browser that began it.
    browser_hash   bytea not null check (octet_length(browser_hash) = 32),
    nonce          text not null,
    -- Sealed, AAD (sso_attempt, pkce_verifier, tenant, id).
    pkce_verifier  bytea not null,
    -- What the provider was like when the browser left: a change meanwhile ends the attempt.
    provider       uuid not null,
    revision       bigint not null,
    redirect_uri   text not null,
    expires_at     timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, state_hash)
);

alter table api_key
    -- As the audit trail names them.
    add column created_by text,
    -- The person behind that (`person:EMAIL`): what the key writes counts as theirs where others must approve.
    add column created_by_person text,
    -- The key whose place this one took; that one has `expires_at` set to the end of its grace.
    add column replaces uuid,
    add constraint api_key_replaces foreign key (tenant_id, replaces) references api_key (tenant_id, id);

call isolate_tenants('invitation', 'tenant_id');
call isolate_tenants('sso_provider', 'tenant_id');
call isolate_tenants('sso_attempt', 'tenant_id');

create policy platform_read on invitation for select to gateway_platform using (true);

grant select, insert on invitation to gateway_tenant;
grant update (accepted_at, revoked_at) on invitation to gateway_tenant;
grant select on invitation to gateway_platform;
grant select, insert, update, delete on sso_provider to gateway_tenant;
grant select, insert, delete on sso_attempt to gateway_tenant;
