-- What may be chosen, and what users chose.

create table catalogue_entry (
    tenant_id   uuid not null references tenant (id),
    kind        text not null check (kind in ('avatar', 'voice', 'llm', 'language', 'tool')),
    id          text collate "C" not null check (char_length(id) between 1 and 100),
    name        text not null check (char_length(name) between 1 and 200),
    -- What Anam's lists say beside the name: a voice's provider, an avatar's models, a picture.
    attributes  jsonb not null default '{}' check (jsonb_typeof(attributes) = 'object'),
    position    integer not null default 0,
    retired_at  timestamptz,
    primary key (tenant_id, kind, id)
);

create table preference (
    tenant_id   uuid not null references tenant (id),
    subject     text collate "C" not null check (char_length(subject) between 1 and 255),
    choices     jsonb not null check (jsonb_typeof(choices) = 'object'),
    -- Grows with each write: the ETag.
    version     bigint not null default 1,
    updated_at  timestamptz not null default now(),
    primary key (tenant_id, subject)
);

call isolate_tenants('catalogue_entry', 'tenant_id');
call isolate_tenants('preference', 'tenant_id');
call track_config_revision('catalogue_entry', 'tenant_id');

grant select, insert, update, delete on catalogue_entry, preference to gateway_tenant;
