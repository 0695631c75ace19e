-- Tenants, the rules that every tenant table obeys, and the audit trail.
--
-- Roles (made by `persona-gateway migrate` before this file runs, see src/store/migrate.rs):
--   gateway_tenant    rows of the one tenant named by `app.tenant`, nothing else
--   gateway_platform  what must look across tenants: finding issuers, the ledger's batches, revisions
-- The login role of the service inherits neither: it must SET LOCAL ROLE, so a query outside the two doors
-- of src/store/ is refused outright.

-- The tenant of this transaction. NULL, hence no row at all, where none was set. After a first SET LOCAL
-- the setting reads as '' instead of NULL on a reused connection: nullif makes both the same.
create function app_tenant() returns uuid
    language sql stable parallel safe
    as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;

create table tenant (
    id          uuid primary key default gen_random_uuid(),
    slug        text collate "C" not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text not null check (char_length(name) between 1 and 200),
    status      text not null default 'active' check (status in ('active', 'suspended')),
    policy      jsonb not null default '{}' check (jsonb_typeof(policy) = 'object'),
    created_at  timestamptz not null default now()
);

-- One number a tenant that grows with every change a snapshot depends on.
create table config_revision (
    tenant_id  uuid primary key references tenant (id) on delete cascade,
    revision   bigint not null
);

-- Statement-level: one bump a statement and tenant, however many rows it touched.
-- NOTIFY carries ids only; who hears it reads the rows again under row security.
create function bump_config_revision() returns trigger
    language plpgsql
    as $$
declare
    touched uuid;
    reached bigint;
begin
    for touched in execute format('select distinct %I from changed', tg_argv[0]) loop
        insert into config_revision as r (tenant_id, revision)
            select touched, 1 where exists (select from tenant where id = touched)
            on conflict (tenant_id) do update set revision = r.revision + 1
            returning revision into reached;
        perform pg_notify('gateway_config', format('v1 %s %s %s', touched, coalesce(reached, 0), tg_table_name));
    end loop;
    return null;
end $$;

-- Calls of this stand in each table's migration, so that none is forgotten.
create procedure track_config_revision(target regclass, tenant_column text)
    language plpgsql
    as $$
begin
    execute format('create trigger config_revision_insert after insert on %s referencing new table as changed
                    for each statement execute function bump_config_revision(%L)', target, tenant_column);
    execute format('create trigger config_revision_update after update on %s referencing new table as changed
                    for each statement execute function bump_config_revision(%L)', target, tenant_column);
    execute format('create trigger config_revision_delete after delete on %s referencing old table as changed
                    for each statement execute function bump_config_revision(%L)', target, tenant_column);
end $$;

-- Row security on a tenant table: enabled, forced (the owner obeys too), one policy for everybody.
create procedure isolate_tenants(target regclass, tenant_column text)
    language plpgsql
    as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format('create policy tenant_isolation on %s using (%I = app_tenant()) with check (%I = app_tenant())',
                   target, tenant_column, tenant_column);
end $$;

create function refuse_change() returns trigger
    language plpgsql
    as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end $$;

-- Append-only by trigger; the missing UPDATE and DELETE grants say the same to the run-time roles.
create procedure make_append_only(target regclass)
    language plpgsql
    as $$
begin
    execute format('create trigger append_only before update or delete on %s
                    for each row execute function refuse_change()', target);
    execute format('create trigger append_only_truncate before truncate on %s
                    for each statement execute function refuse_change()', target);
end $$;

call isolate_tenants('tenant', 'id');
call isolate_tenants('config_revision', 'tenant_id');
call track_config_revision('tenant', 'id');

create policy platform_read on tenant for select to gateway_platform using (true);
create policy platform_status on tenant for update to gateway_platform using (true) with check (true);
create policy platform_read on config_revision for select to gateway_platform using (true);
create policy platform_insert on config_revision for insert to gateway_platform with check (true);
create policy platform_update on config_revision for update to gateway_platform using (true) with check (true);

grant select, insert on tenant to gateway_tenant;
grant update (name, policy) on tenant to gateway_tenant;
grant select, insert, update on config_revision to gateway_tenant;
grant select on tenant to gateway_platform;
grant update (status) on tenant to gateway_platform;
grant select, insert, update on config_revision to gateway_platform;

-- Who changed what. Written in the transaction of the change itself; each row carries the hash of the one before.
create table audit_event (
    tenant_id    uuid not null references tenant (id),
    seq          bigint not null,
    id           uuid not null default gen_random_uuid(),
    at           timestamptz not null,
    actor        text not null,
    action       text not null,
    target       text not null,
    before_hash  bytea,
    after_hash   bytea,
    request_id   text,
    details      jsonb not null default '{}',
    prev_hash    bytea not null,
    hash         bytea not null,
    primary key (tenant_id, seq)
);

create function chain_audit_event() returns trigger
    language plpgsql
    as $$
begin
    -- One writer a tenant at a time: a chain has no branches.
    perform pg_advisory_xact_lock(hashtextextended('audit_event ' || new.tenant_id, 0));
    select e.seq + 1, e.hash into new.seq, new.prev_hash
        from audit_event e where e.tenant_id = new.tenant_id order by e.seq desc limit 1;
    new.seq := coalesce(new.seq, 1);
    new.prev_hash := coalesce(new.prev_hash, '\x'::bytea);
    new.hash := sha256(new.prev_hash || convert_to(jsonb_build_array(
        new.tenant_id, new.seq, new.id, to_char(new.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        new.actor, new.action, new.target, encode(new.before_hash, 'hex'), encode(new.after_hash, 'hex'),
        new.request_id, new.details)::text, 'UTF8'));
    return new;
end $$;

create trigger chain before insert on audit_event for each row execute function chain_audit_event();
call isolate_tenants('audit_event', 'tenant_id');
call make_append_only('audit_event');
grant select, insert on audit_event to gateway_tenant;
