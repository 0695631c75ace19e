-- Secrets that personas' webhook tools refer to by name: `${secret:crm-token}` in a header or a URL.

create table secret (
    tenant_id  uuid not null references tenant (id),
    id         uuid not null default gen_random_uuid(),
    name       text collate "C" not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    -- Sealed, AAD (secret, sealed, tenant, id). Never read back over any interface.
    sealed     bytea not null,
    last_four  text not null check (char_length(last_four) <= 4),
    set_at     timestamptz not null,
    set_by     text not null,
    primary key (tenant_id, id),
    unique (tenant_id, name)
);

call isolate_tenants('secret', 'tenant_id');
-- What a mint sends follows a new value at once.
call track_config_revision('secret', 'tenant_id');

grant select, insert, delete on secret to gateway_tenant;
grant update (sealed, last_four, set_at, set_by) on secret to gateway_tenant;
