-- Who may call: issuers of user JWTs, Anam keys, and the people and machines that administer a tenant.

create table issuer (
    tenant_id      uuid not null references tenant (id),
    id             uuid not null default gen_random_uuid(),
    -- The document of src/domain/issuer.rs: issuer, audiences, algorithms, keys, leeway, claim map.
    config         jsonb not null check (jsonb_typeof(config) = 'object'),
    -- HS256 only: sealed, AAD (issuer, shared_secret, tenant, id).
    shared_secret  bytea,
    enabled        boolean not null default true,
    created_at     timestamptz not null default now(),
    primary key (tenant_id, id)
);

-- A token names its tenant by (issuer, audience), so that pair belongs to one tenant in the whole installation.
-- Filled by trigger from `issuer.config`; nothing else writes here.
create table issuer_audience (
    tenant_id   uuid not null,
    issuer_id   uuid not null,
    issuer_url  text collate "C" not null,
    audience    text collate "C" not null,
    primary key (tenant_id, issuer_id, audience),
    unique (issuer_url, audience),
    foreign key (tenant_id, issuer_id) references issuer (tenant_id, id) on delete cascade
);

create function sync_issuer_audience() returns trigger
    language plpgsql
    as $$
begin
    delete from issuer_audience where tenant_id = new.tenant_id and issuer_id = new.id;
    insert into issuer_audience (tenant_id, issuer_id, issuer_url, audience)
        select distinct new.tenant_id, new.id, new.config ->> 'issuer', a
        from jsonb_array_elements_text(new.config -> 'audiences') a;
    return null;
end $$;

-- Issuers that many tenants share; a claim of the verified token names the tenant. Operators only.
create table shared_issuer (
    id            uuid primary key default gen_random_uuid(),
    config        jsonb not null check (jsonb_typeof(config) = 'object'),
    tenant_claim  text not null check (char_length(tenant_claim) between 1 and 200),
    enabled       boolean not null default true,
    created_at    timestamptz not null default now()
);

-- The same for shared issuers. Not secret: every tenant may see which pairs are not its to take.
create table shared_issuer_audience (
    shared_issuer_id  uuid not null references shared_issuer (id) on delete cascade,
    issuer_url        text collate "C" not null,
    audience          text collate "C" not null,
    primary key (issuer_url, audience)
);

create function sync_shared_issuer_audience() returns trigger
    language plpgsql
    as $$
begin
    delete from shared_issuer_audience where shared_issuer_id = new.id;
    insert into shared_issuer_audience (shared_issuer_id, issuer_url, audience)
        select distinct new.id, new.config ->> 'issuer', a
        from jsonb_array_elements_text(new.config -> 'audiences') a;
    return null;
end $$;

create trigger sync_shared_issuer_audience after insert or update of config on shared_issuer
    for each row execute function sync_shared_issuer_audience();

-- A pair stands in one of the two tables only: contested, it would shut out everybody who relies on it.
create function refuse_taken_audience() returns trigger
    language plpgsql
    as $$
declare
    taken boolean;
begin
    -- One writer an issuer URL at a time, or each of two would miss the other's row.
    perform pg_advisory_xact_lock(hashtextextended('issuer_audience ' || new.issuer_url, 0));
    execute format('select exists (select from %I where issuer_url = $1 and audience = $2)', tg_argv[0])
        into taken using new.issuer_url, new.audience;
    if taken then
        raise exception 'tokens of % for % belong to another issuer', new.issuer_url, new.audience
            using errcode = 'unique_violation', constraint = 'issuer_audience_taken';
    end if;
    return new;
end $$;

create trigger refuse_taken before insert on issuer_audience
    for each row execute function refuse_taken_audience('shared_issuer_audience');
create trigger refuse_taken before insert on shared_issuer_audience
    for each row execute function refuse_taken_audience('issuer_audience');

create trigger sync_issuer_audience after insert or update of config on issuer
    for each row execute function sync_issuer_audience();

create function notify_shared_issuer() returns trigger
    language plpgsql
    as $$
begin
    perform pg_notify('gateway_config', format('v1 %s 0 %s', '00000000-0000-0000-0000-000000000000', tg_table_name));
    return null;
end $$;

create trigger notify_change after insert or update or delete on shared_issuer
    for each statement execute function notify_shared_issuer();

create table provider_key (
    tenant_id   uuid not null references tenant (id),
    id          uuid not null default gen_random_uuid(),
    label       text not null check (char_length(label) between 1 and 100),
    -- Sealed, AAD (provider_key, sealed, tenant, id). Never read back over any interface.
    sealed      bytea not null,
    last_four   text not null check (char_length(last_four) <= 4),
    -- The newest active key is used; older ones stay until a rotation is over.
    active      boolean not null default true,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, id)
);

create table admin (
    id             uuid primary key default gen_random_uuid(),
    email          text collate "C" not null unique check (email = lower(email) and char_length(email) <= 320),
    name           text not null,
    password_hash  text,
    disabled_at    timestamptz,
    created_at     timestamptz not null default now()
);

create table membership (
    tenant_id   uuid not null references tenant (id),
    admin_id    uuid not null references admin (id),
    role        text not null check (role in ('owner', 'publisher', 'editor', 'viewer')),
    created_at  timestamptz not null default now(),
    primary key (tenant_id, admin_id)
);

create table api_key (
    tenant_id     uuid not null references tenant (id),
    id            uuid not null default gen_random_uuid(),
    name          text not null check (char_length(name) between 1 and 100),
    role          text not null check (role in ('owner', 'publisher', 'editor', 'viewer')),
    -- The first characters, for people to tell keys apart; the key itself is stored only as its SHA-256.
    prefix        text not null,
    hash          bytea not null unique check (octet_length(hash) = 32),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    created_at    timestamptz not null default now(),
    primary key (tenant_id, id)
);

create table console_session (
    hash        bytea primary key check (octet_length(hash) = 32),
    admin_id    uuid not null references admin (id) on delete cascade,
    created_at  timestamptz not null default now(),
    seen_at     timestamptz not null default now(),
    expires_at  timestamptz not null
);

call isolate_tenants('issuer', 'tenant_id');
call isolate_tenants('issuer_audience', 'tenant_id');
call isolate_tenants('provider_key', 'tenant_id');
call isolate_tenants('membership', 'tenant_id');
call isolate_tenants('api_key', 'tenant_id');
call track_config_revision('issuer', 'tenant_id');
call track_config_revision('provider_key', 'tenant_id');

create policy platform_read on issuer_audience for select to gateway_platform using (true);
create policy platform_read on issuer for select to gateway_platform using (true);
create policy platform_read on api_key for select to gateway_platform using (true);
create policy platform_read on membership for select to gateway_platform using (true);

grant select, insert, update, delete on issuer to gateway_tenant;
grant select, insert, delete on issuer_audience to gateway_tenant;
grant select, insert, delete on provider_key to gateway_tenant;
grant update (label, active) on provider_key to gateway_tenant;
grant select, insert, update, delete on membership to gateway_tenant;
grant select, insert on api_key to gateway_tenant;
grant update (name, expires_at, revoked_at, last_used_at) on api_key to gateway_tenant;

grant select on shared_issuer_audience to gateway_tenant;

grant select on issuer, issuer_audience, api_key, membership to gateway_platform;
grant select, insert, update, delete on shared_issuer, admin, console_session to gateway_platform;
grant select, insert, delete on shared_issuer_audience to gateway_platform;
