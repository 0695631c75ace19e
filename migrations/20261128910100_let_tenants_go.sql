-- A tenant may go, with everything of it: `persona-gateway tenant delete`, as the owner of the tables. The run-time roles can't: they have
-- no right to delete what is append-only, and its triggers let rows go only while their owner deletes their tenant.

-- Whether the owner of this table is deleting this tenant, in this transaction.
create function goes_with_tenant(target oid, tenant uuid) returns boolean
    language sql stable
    as $$
        select coalesce(nullif(current_setting('app.deleted_tenant', true), '')::uuid = tenant, false)
            and current_user = (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = target)
    $$;

create or replace function refuse_change() returns trigger
    language plpgsql
    as $$
begin
    if tg_op = 'UPDATE' and tg_nargs > 0
       and to_jsonb(new) - tg_argv = to_jsonb(old) - tg_argv
       and not exists (select from unnest(tg_argv) erased where to_jsonb(new) ->> erased is distinct from '') then
        return new;
    end if;
    if tg_op = 'DELETE' and goes_with_tenant(tg_relid, old.tenant_id) then
        return old;
    end if;
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end $$;

create or replace function refuse_change_without_document() returns trigger
    language plpgsql
    as $$
begin
    if tg_op = 'DELETE'
        and (goes_with_tenant(tg_relid, old.tenant_id)
             or not exists (select from document d where d.tenant_id = old.tenant_id and d.id = old.document_id)) then
        return old;
    end if;
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end $$;

-- Deletes a tenant with every row of every table that names it, and the accounts that belong nowhere else; gives how many rows went, by
-- table. It asks the catalogue which tables there are, so none is forgotten; what refers to others goes before them.
create function delete_tenant(doomed uuid) returns jsonb
    language plpgsql
    as $$
declare
    waiting oid[];
    people uuid[];
    person uuid;
    target oid;
    gone bigint;
    counts jsonb := '{}';
begin
    perform set_config('app.tenant', doomed::text, true), set_config('app.deleted_tenant', doomed::text, true);
    select array_agg(m.admin_id) into people from membership m where m.tenant_id = doomed;
    select array_agg(c.oid) into waiting
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = (select t.relnamespace from pg_class t where t.oid = 'tenant'::regclass)
          and c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'tenant_id' and not a.attisdropped;
    while cardinality(waiting) > 0 loop
        select t into strict target from unnest(waiting) t
            where not exists (select from pg_constraint k
                where k.contype = 'f' and k.confrelid = t and k.conrelid <> t and k.conrelid = any (waiting))
            limit 1;
        execute format('delete from %s where tenant_id = $1', target::regclass) using doomed;
        get diagnostics gone = row_count;
        if gone > 0 then
            counts := counts || jsonb_build_object(target::regclass::text, gone);
        end if;
        waiting := array_remove(waiting, target);
    end loop;
    delete from tenant where id = doomed;
    gone := 0;
    foreach person in array coalesce(people, '{}') loop
        begin
            delete from admin a where a.id = person and not a.operator;
            if found then
                gone := gone + 1;
            end if;
        exception when foreign_key_violation then
            -- Of another tenant too.
        end;
    end loop;
    perform set_config('app.deleted_tenant', '', true);
    return counts || jsonb_build_object('admin', gone);
end $$;

revoke execute on function delete_tenant(uuid) from public;
