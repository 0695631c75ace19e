-- A trail's rows had no word on whether their tenant is there: a change that waited for a deletion could leave one behind it. Whoever adds
-- a row now shares the tenant's own until the end of the transaction, as a foreign key would; the platform's trail has no tenant.

create or replace function chain_audit_event() returns trigger
    language plpgsql
    as $$
begin
    -- Of whom somebody speaks whose row it can't be, row security says.
    if new.tenant_id = app_tenant() and new.tenant_id <> '00000000-0000-0000-0000-000000000000' then
        perform from tenant t where t.id = new.tenant_id for key share;
        if not found then
            raise exception 'the tenant % is not there', new.tenant_id
                using errcode = 'foreign_key_violation', constraint = 'audit_event_of_a_tenant';
        end if;
    end if;
    -- One writer a tenant at a time: a chain has no branches.
    perform pg_advisory_xact_lock(hashtextextended('audit_event ' || new.tenant_id, 0));
    select e.seq + 1, e.hash into new.seq, new.prev_hash
        from audit_event e where e.tenant_id = new.tenant_id order by e.seq desc limit 1;
    new.seq := coalesce(new.seq, 1);
    new.prev_hash := coalesce(new.prev_hash, '\x'::bytea);
    new.hash := sha256(new.prev_hash || convert_to(audit_record(new), 'UTF8'));
    return new;
end $$;
