-- The ledger: one row a requested token before it leaves, one row for what became of it.
-- Partitioned by month of the session's own time, so that a month is dropped in one step and no foreign key
-- stands in its way. Rights are on the parents only: no partition can be reached around its parent's policy.

create table session (
    tenant_id        uuid not null references tenant (id),
    id               uuid not null,
    -- The time inside the UUIDv7 id.
    at               timestamptz not null,
    issuer_id        uuid not null,
    subject          text collate "C" not null,
    context_key      text not null,
    persona_key      text not null,
    persona_version  integer not null,
    -- SHA-256 of the persona configuration sent to Anam, and the trace that explains it.
    config_hash      bytea not null,
    trace            jsonb not null,
    primary key (tenant_id, id, at)
) partition by range (at);

create index session_by_subject on session (tenant_id, subject, at desc);
-- Rows come in the order of time: a few bytes for each block are enough for the sweep to find the last minutes.
create index session_by_time on session using brin (at);

create table session_outcome (
    tenant_id   uuid not null,
    session_id  uuid not null,
    at          timestamptz not null,
    recorded_at timestamptz not null default now(),
    outcome     text not null check (outcome in ('issued', 'failed', 'unknown')),
    -- The problem code of a failure.
    code        text,
    -- SHA-256 of the token; the token itself is never stored.
    token_hash  bytea,
    expires_at  timestamptz,
    anam_ms     integer,
    primary key (tenant_id, session_id, at)
) partition by range (at);

-- What a replay needs (facts, preferences, metadata): personal data, so it has an end that the tenant's policy sets.
create table session_inputs (
    tenant_id   uuid not null,
    session_id  uuid not null,
    at          timestamptz not null,
    keep_until  timestamptz not null,
    inputs      jsonb not null,
    primary key (tenant_id, session_id, at)
) partition by range (at);

create index session_inputs_by_end on session_inputs (keep_until);

-- Makes the partitions of `months` months from the one of `first` on; those that exist stay.
create procedure ensure_session_partitions(first timestamptz, months integer)
    language plpgsql
    as $$
declare
    parent text;
    lower_bound timestamptz;
    part text;
begin
    foreach parent in array array['session', 'session_outcome', 'session_inputs'] loop
        for i in 0 .. months - 1 loop
            lower_bound := (date_trunc('month', first at time zone 'UTC') + make_interval(months => i)) at time zone 'UTC';
            part := format('%s_%s', parent, to_char(lower_bound at time zone 'UTC', 'YYYY_MM'));
            if to_regclass(part) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)', part, parent, lower_bound,
                               ((lower_bound at time zone 'UTC') + interval '1 month') at time zone 'UTC');
                execute format('alter table %I enable row level security', part);
                execute format('alter table %I force row level security', part);
            end if;
        end loop;
    end loop;
end $$;

-- Drops the partitions whose last moment is before `horizon`: a month goes in one step, without a row deleted.
create procedure drop_session_partitions(horizon timestamptz)
    language plpgsql
    as $$
declare
    part record;
begin
    for part in
        select c.oid::regclass as name, to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' as ends
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('session'::regclass, 'session_outcome'::regclass, 'session_inputs'::regclass)
    loop
        if part.ends at time zone 'UTC' <= horizon then
            execute format('drop table %s', part.name);
        end if;
    end loop;
end $$;

call isolate_tenants('session', 'tenant_id');
call isolate_tenants('session_outcome', 'tenant_id');
call isolate_tenants('session_inputs', 'tenant_id');
call make_append_only('session');
call make_append_only('session_outcome');

-- The ledger writes for many tenants at once, and the sweep looks at all of them.
create policy platform_append on session for insert to gateway_platform with check (true);
create policy platform_read on session for select to gateway_platform using (true);
create policy platform_append on session_outcome for insert to gateway_platform with check (true);
create policy platform_read on session_outcome for select to gateway_platform using (true);
create policy platform_append on session_inputs for insert to gateway_platform with check (true);
create policy platform_sweep on session_inputs for delete to gateway_platform using (keep_until < now());
create policy platform_read on session_inputs for select to gateway_platform using (keep_until < now());

grant select on session, session_outcome, session_inputs to gateway_tenant;
grant insert on session, session_outcome, session_inputs to gateway_platform;
grant select (tenant_id, id, at) on session to gateway_platform;
grant select (tenant_id, session_id, at) on session_outcome to gateway_platform;
grant select (tenant_id, session_id, at, keep_until), delete on session_inputs to gateway_platform;
