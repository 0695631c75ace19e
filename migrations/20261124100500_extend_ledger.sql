-- What explaining a session needs: how long each part took, indexes for searching, and the one change that a row of the
-- ledger may undergo: forgetting whose it was.
--
-- The indexes are built under a lock that holds mints up while it lasts. The ledger is young; on one with many millions of
-- rows, build them `concurrently` on each partition first, under the names that Postgres gives them.

-- Microseconds: verifying the JWT and deciding take well under a millisecond. `anam_ms` is written by the release before
-- this one and read where `anam_us` is missing.
alter table session_outcome
    add column auth_us    integer,
    add column decide_us  integer,
    add column anam_us    integer,
    add column total_us   integer;

-- Newest first, in the order of the pages; each with one filter that may be rare.
create index session_by_page on session (tenant_id, at desc, id desc);
create index session_by_context on session (tenant_id, context_key, at desc, id desc);
create index session_by_persona on session (tenant_id, persona_key, at desc, id desc);
-- Nearly all are issued; these are what people look for.
create index session_outcome_not_issued on session_outcome (tenant_id, at desc, session_id desc) where outcome <> 'issued';

-- As before, and new: columns that a trigger names may become the empty text, if nothing else changes with them. No verified
-- token has an empty subject, so the empty one says "erased" and nothing else.
create or replace function refuse_change() returns trigger
    language plpgsql
    as $$
begin
    if tg_op = 'UPDATE' and tg_nargs > 0
       and to_jsonb(new) - tg_argv = to_jsonb(old) - tg_argv
       and not exists (select from unnest(tg_argv) erased where to_jsonb(new) ->> erased is distinct from '') then
        return new;
    end if;
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end $$;

drop trigger append_only on session;
create trigger append_only before update or delete on session
    for each row execute function refuse_change('subject');

grant update (subject) on session to gateway_tenant;
grant delete on session_inputs to gateway_tenant;
