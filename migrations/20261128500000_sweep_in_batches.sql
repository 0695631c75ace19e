-- Tidying in small steps that remember how far they came, and a ledger that takes a session of any month.

-- How far the sweep has looked: of all sessions before this moment what became of them is known.
create table sweep_mark (
    name  text primary key,
    at    timestamptz not null
);

-- Belongs to no tenant.
grant select, insert, update on sweep_mark to gateway_platform;

-- What ends by itself may go: by the platform's role, and only once it has ended.
create policy platform_sweep on catalogue_sync for delete to gateway_platform
    using (started_at < now() - interval '90 days');
grant delete on catalogue_sync to gateway_platform;
create policy platform_sweep on invitation for delete to gateway_platform
    using (expires_at < now() - interval '90 days');
grant delete on invitation to gateway_platform;
create policy platform_sweep on sso_attempt for delete to gateway_platform using (expires_at < now());
create policy platform_read on sso_attempt for select to gateway_platform using (expires_at < now());
grant select (tenant_id, id, expires_at), delete on sso_attempt to gateway_platform;

create index catalogue_sync_by_age on catalogue_sync (started_at);
create index invitation_by_end on invitation (expires_at);
create index sso_attempt_by_end on sso_attempt (expires_at);

-- Where a session goes whose month nobody has made: a token is never refused for that.
create table session_default partition of session default;
create table session_outcome_default partition of session_outcome default;
create table session_inputs_default partition of session_inputs default;
alter table session_default enable row level security;
alter table session_default force row level security;
alter table session_outcome_default enable row level security;
alter table session_outcome_default force row level security;
alter table session_inputs_default enable row level security;
alter table session_inputs_default force row level security;

-- Makes the partitions of `months` months from the one of `first` on; those that exist stay. What waits in the default
-- partition for one of these months moves there. The owner is subject to row security like everybody, so it lifts that
-- from the default partition for as long as it moves rows, behind a lock that lets nobody else look.
create or replace procedure ensure_session_partitions(first timestamptz, months integer)
    language plpgsql
    as $$
declare
    parent text;
    waiting text;
    lower_bound timestamptz;
    upper_bound timestamptz;
    part text;
    moves boolean;
begin
    foreach parent in array array['session', 'session_outcome', 'session_inputs'] loop
        waiting := parent || '_default';
        for i in 0 .. months - 1 loop
            lower_bound := (date_trunc('month', first at time zone 'UTC') + make_interval(months => i)) at time zone 'UTC';
            upper_bound := ((lower_bound at time zone 'UTC') + interval '1 month') at time zone 'UTC';
            part := format('%s_%s', parent, to_char(lower_bound at time zone 'UTC', 'YYYY_MM'));
            continue when to_regclass(part) is not null;
            moves := pg_relation_size(waiting) > 0;
            if moves then
                execute format('alter table %I disable row level security', waiting);
                execute format('create table %I (like %I including all)', part, parent);
                execute format('alter table %I disable trigger user', waiting);
                execute format('with moved as (delete from %I where at >= %L and at < %L returning *) insert into %I select * from moved',
                               waiting, lower_bound, upper_bound, part);
                execute format('alter table %I enable trigger user', waiting);
                execute format('alter table %I enable row level security', waiting);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, lower_bound, upper_bound);
            else
                execute format('create table %I partition of %I for values from (%L) to (%L)', part, parent, lower_bound, upper_bound);
            end if;
            execute format('alter table %I enable row level security', part);
            execute format('alter table %I force row level security', part);
        end loop;
    end loop;
end $$;

-- Drops the partitions of months whose last moment is before `horizon`: a month goes in one step, without a row deleted.
create or replace procedure drop_session_partitions(horizon timestamptz)
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
          and c.relname ~ '_\d{4}_\d{2}$'
    loop
        if part.ends at time zone 'UTC' <= horizon then
            execute format('drop table %s', part.name);
        end if;
    end loop;
end $$;
