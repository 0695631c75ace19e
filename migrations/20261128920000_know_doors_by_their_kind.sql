-- Each database has roles of its own, whose names end with its number: the door shows by how they begin.

-- What a new pair is, as in prove_issuer_audiences.
create or replace function settle_issuer_audience() returns trigger
    language plpgsql
    as $$
begin
    -- One writer an issuer URL at a time, or each of two would miss the other's row.
    perform pg_advisory_xact_lock(hashtextextended('issuer_audience ' || new.issuer_url, 0));
    if tg_op = 'INSERT' then
        new.claimed_by := case
            when new.audience = 'persona-gateway/' || (select slug from tenant where id = new.tenant_id) then 'audience'
            when new.audience like 'persona-gateway/%' then 'theirs'
            when not starts_with(current_user, 'gateway_tenant') then 'operator'
        end;
        new.claimed_at := case when new.claimed_by is not null then now() end;
    end if;
    if new.claimed_by = 'theirs'
       or (tg_op = 'INSERT' or new.claimed_at is not null) and exists (
           select from shared_issuer_audience s where s.issuer_url = new.issuer_url and s.audience = new.audience) then
        raise exception 'tokens of % for % belong to another issuer', new.issuer_url, new.audience
            using errcode = 'unique_violation', constraint = 'issuer_audience_taken';
    end if;
    return new;
end $$;
