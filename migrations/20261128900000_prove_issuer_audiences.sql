-- A pair of (issuer, audience) serves a tenant once it is claimed: by the audience's own name, by a token of the issuer that names the
-- tenant, or by an operator's word. Until then it is pending, and any number of tenants may have it so; it serves and blocks nobody.

-- Those that are there were first, and unique: they stay.
alter table issuer_audience
    add column claimed_at timestamptz default now(),
    add column claimed_by text default 'earlier' check (claimed_by in ('audience', 'token', 'operator', 'earlier'));
alter table issuer_audience
    alter column claimed_at drop default,
    alter column claimed_by drop default,
    add constraint issuer_audience_claim check ((claimed_at is null) = (claimed_by is null)),
    drop constraint issuer_audience_issuer_url_audience_key;
create unique index issuer_audience_claimed on issuer_audience (issuer_url, audience) where claimed_at is not null;

-- Pairs that stay keep their claims, whatever else of the issuer changes.
create or replace function sync_issuer_audience() returns trigger
    language plpgsql
    as $$
begin
    delete from issuer_audience p
        where p.tenant_id = new.tenant_id and p.issuer_id = new.id
          and not (p.issuer_url = new.config ->> 'issuer' and new.config -> 'audiences' ? p.audience);
    insert into issuer_audience (tenant_id, issuer_id, issuer_url, audience)
        select distinct new.tenant_id, new.id, new.config ->> 'issuer', a
        from jsonb_array_elements_text(new.config -> 'audiences') a
        where not exists (select from issuer_audience p
                          where p.tenant_id = new.tenant_id and p.issuer_id = new.id and p.audience = a);
    return null;
end $$;

-- What a new pair is. `persona-gateway/SLUG` names its tenant, so nobody else can mean it. What somebody writes who is not the
-- service stands by an operator's word: psql is theirs.
create function settle_issuer_audience() returns trigger
    language plpgsql
    as $$
begin
    -- One writer an issuer URL at a time, or each of two would miss the other's row.
    perform pg_advisory_xact_lock(hashtextextended('issuer_audience ' || new.issuer_url, 0));
    if tg_op = 'INSERT' then
        new.claimed_by := case
            when new.audience = 'persona-gateway/' || (select slug from tenant where id = new.tenant_id) then 'audience'
            when new.audience like 'persona-gateway/%' then 'theirs'
            when current_user <> 'gateway_tenant' then 'operator'
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

drop trigger refuse_taken on issuer_audience;
create trigger settle before insert or update of claimed_by on issuer_audience
    for each row execute function settle_issuer_audience();

-- A pending pair keeps no shared issuer away.
create or replace function refuse_taken_audience() returns trigger
    language plpgsql
    as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('issuer_audience ' || new.issuer_url, 0));
    if exists (select from issuer_audience p
               where p.issuer_url = new.issuer_url and p.audience = new.audience and p.claimed_at is not null) then
        raise exception 'tokens of % for % belong to another issuer', new.issuer_url, new.audience
            using errcode = 'unique_violation', constraint = 'issuer_audience_taken';
    end if;
    return new;
end $$;

-- A claim changes who is served, as an issuer does.
call track_config_revision('issuer_audience', 'tenant_id');

create policy platform_claim on issuer_audience for update to gateway_platform using (true) with check (true);
grant update (claimed_at, claimed_by) on issuer_audience to gateway_platform;
