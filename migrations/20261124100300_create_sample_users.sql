-- Users whom a tenant's admins made up, to preview documents and to test them with: archetypes, not people.

create table sample_user (
    tenant_id    uuid not null references tenant (id),
    key          text collate "C" not null check (key ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    description  text not null default '' check (char_length(description) <= 200),
    -- The document of src/domain/sample_user.rs: subject, facts, preferences.
    content      jsonb not null check (jsonb_typeof(content) = 'object'),
    -- Grows with each write of any of the tenant's sample users: the ETag, also of one that was deleted and made again.
    version      bigint not null generated always as identity,
    updated_at   timestamptz not null default now(),
    primary key (tenant_id, key)
);

call isolate_tenants('sample_user', 'tenant_id');

grant select, insert, delete on sample_user to gateway_tenant;
grant update (description, content, version, updated_at) on sample_user to gateway_tenant;
