-- Which master keys have sealed something in this database, and how to recognise each: a wrong key is found when the service
-- starts, and the old one of a rotation may go once nothing is sealed with it.

create table master_key (
    -- Its number in the ring.
    id          integer primary key check (id between 1 and 65535),
    -- A text that everybody knows, sealed, AAD (master_key, sealed, nil, nil): it opens with the bytes of the same key only.
    sealed      bytea not null,
    created_at  timestamptz not null default now(),
    -- Since when nothing is sealed with it any more.
    retired_at  timestamptz
);

-- Belongs to no tenant.
grant select, insert on master_key to gateway_platform;
grant update (retired_at) on master_key to gateway_platform;

-- What was sealed with an older key is sealed again.
grant update (sealed) on provider_key to gateway_tenant;
grant update (pkce_verifier) on sso_attempt to gateway_tenant;
