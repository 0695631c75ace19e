-- An opaque token names neither issuer nor audience: the request names the tenant, whose own issuer is asked. So an issuer whose keys are
-- `introspection` claims no pair, and takes none from anybody. As in claim_by_the_same_claim otherwise.
create or replace function sync_issuer_audience() returns trigger
    language plpgsql
    as $$
declare
    by_another boolean := tg_op = 'UPDATE'
        and coalesce(old.config ->> 'audienceClaim', 'aud') <> coalesce(new.config ->> 'audienceClaim', 'aud');
    opaque boolean := coalesce(new.config -> 'keys' ? 'introspection', false);
begin
    delete from issuer_audience p
        where p.tenant_id = new.tenant_id and p.issuer_id = new.id
          and (by_another or opaque or not (p.issuer_url = new.config ->> 'issuer' and new.config -> 'audiences' ? p.audience));
    insert into issuer_audience (tenant_id, issuer_id, issuer_url, audience)
        select distinct new.tenant_id, new.id, new.config ->> 'issuer', a
        from jsonb_array_elements_text(new.config -> 'audiences') a
        where not opaque
          and not exists (select from issuer_audience p
                          where p.tenant_id = new.tenant_id and p.issuer_id = new.id and p.audience = a);
    return null;
end $$;

-- Which of two should be asked, nobody could say.
create unique index issuer_introspecting on issuer (tenant_id) where config -> 'keys' ? 'introspection';
