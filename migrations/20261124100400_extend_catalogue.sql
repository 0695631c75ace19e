-- A catalogue that follows Anam's lists. What users may choose is still the admins' to say: `enabled`.

alter table catalogue_entry
    -- typed: by an admin or a bundle, whose name and attributes stay. anam: found in Anam's lists, and kept like them.
    add column source      text not null default 'typed' check (source in ('typed', 'anam')),
    -- Whether it may be chosen; what Anam lists anew may not, unless the tenant's policy says so.
    add column enabled     boolean not null default true,
    -- When Anam listed it last. Only what was seen once can be missed: `retired_at` is set when Anam lists it no longer.
    add column seen_at     timestamptz,
    -- Grows with each change by an admin: the ETag.
    add column version     bigint not null default 1;

-- Each reading of Anam's lists for a tenant, begun before Anam is asked.
create table catalogue_sync (
    tenant_id    uuid not null references tenant (id),
    id           uuid not null,
    started_at   timestamptz not null,
    finished_at  timestamptz,
    actor        text not null check (char_length(actor) between 1 and 400),
    -- running where it never ended: its instance was stopped.
    outcome      text not null default 'running' check (outcome in ('running', 'done', 'partial', 'failed')),
    -- For each kind what was listed, new, changed, retired, returned; or why it could not be read.
    report       jsonb not null default '{}' check (jsonb_typeof(report) = 'object'),
    primary key (tenant_id, id)
);

create index catalogue_sync_newest on catalogue_sync (tenant_id, started_at desc);

call isolate_tenants('catalogue_sync', 'tenant_id');
-- The scheduler looks for tenants whose turn it is.
create policy platform_read on catalogue_sync for select to gateway_platform using (true);

grant select, insert on catalogue_sync to gateway_tenant;
grant update (finished_at, outcome, report) on catalogue_sync to gateway_tenant;
grant select (tenant_id, id, started_at, outcome) on catalogue_sync to gateway_platform;
