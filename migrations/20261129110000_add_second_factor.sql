-- A second factor beside the password: codes of an authenticator app (TOTP, RFC 6238). It is the person's, wherever they work.
create table second_factor (
    admin_id      uuid primary key references admin (id) on delete cascade,
    -- Sealed, AAD (second_factor, secret, no tenant, admin_id). Never read back over any interface.
    secret        bytea not null,
    created_at    timestamptz not null default now(),
    -- Null until a code has shown that the app has the secret: until then it is asked for nowhere.
    confirmed_at  timestamptz,
    -- The newest step of which a code was taken: none counts twice.
    last_step     bigint not null default 0
);

-- What opens an account whose phone is gone: each once. SHA-256 of 80 random bits.
create table recovery_code (
    admin_id  uuid not null references second_factor (admin_id) on delete cascade,
    hash      bytea not null check (octet_length(hash) = 32),
    primary key (admin_id, hash)
);

grant select, insert, update, delete on second_factor to gateway_platform;
grant select, insert, delete on recovery_code to gateway_platform;

alter table console_session
    -- When the second factor was shown in this session.
    add column factor_at timestamptz,
    -- When the person last showed who they are: at the sign-in, or when asked again before something dangerous.
    add column proven_at timestamptz not null default now();
