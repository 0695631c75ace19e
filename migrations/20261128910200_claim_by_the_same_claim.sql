-- What is proven of a pair is proven of the claim that plays the audience: an issuer whose `audienceClaim` changes has its pairs to prove anew.
create or replace function sync_issuer_audience() returns trigger
    language plpgsql
    as $$
declare
    by_another boolean := tg_op = 'UPDATE'
        and coalesce(old.config ->> 'audienceClaim', 'aud') <> coalesce(new.config ->> 'audienceClaim', 'aud');
begin
    delete from issuer_audience p
        where p.tenant_id = new.tenant_id and p.issuer_id = new.id
          and (by_another or not (p.issuer_url = new.config ->> 'issuer' and new.config -> 'audiences' ? p.audience));
    insert into issuer_audience (tenant_id, issuer_id, issuer_url, audience)
        select distinct new.tenant_id, new.id, new.config ->> 'issuer', a
        from jsonb_array_elements_text(new.config -> 'audiences') a
        where not exists (select from issuer_audience p
                          where p.tenant_id = new.tenant_id and p.issuer_id = new.id and p.audience = a);
    return null;
end $$;
