-- Signed marks in the audit trail: who rewrites the whole chain behind one can't sign it again.

-- The text whose hash stands in the row: the hash is SHA-256 of the previous row's hash followed by this, in UTF-8.
-- Exports carry it as it is, so that a chain can be verified without Postgres.
create function audit_record(event audit_event) returns text
    language sql stable parallel safe
    as $$
        select jsonb_build_array(
            event.tenant_id, event.seq, event.id, to_char(event.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
            event.actor, event.action, event.target, encode(event.before_hash, 'hex'), encode(event.after_hash, 'hex'),
            event.request_id, event.details)::text
    $$;

-- As before, with the text made in one place.
create or replace function chain_audit_event() returns trigger
    language plpgsql
    as $$
begin
    -- One writer a tenant at a time: a chain has no branches.
    perform pg_advisory_xact_lock(hashtextextended('audit_event ' || new.tenant_id, 0));
    select e.seq + 1, e.hash into new.seq, new.prev_hash
        from audit_event e where e.tenant_id = new.tenant_id order by e.seq desc limit 1;
    new.seq := coalesce(new.seq, 1);
    new.prev_hash := coalesce(new.prev_hash, '\x'::bytea);
    new.hash := sha256(new.prev_hash || convert_to(audit_record(new), 'UTF8'));
    return new;
end $$;

-- What people look for in a long trail.
create index audit_event_by_target on audit_event (tenant_id, target, seq desc);
create index audit_event_by_actor on audit_event (tenant_id, actor, seq desc);

create table audit_checkpoint (
    tenant_id  uuid not null,
    -- The row that it marks, and the hash of that row.
    seq        bigint not null,
    hash       bytea not null check (octet_length(hash) = 32),
    at         timestamptz not null,
    -- The first 16 hexadecimal digits of the SHA-256 of the public key.
    key_id     text not null check (key_id ~ '^[0-9a-f]{16}$'),
    -- Ed25519 over the text that src/crypto/sign.rs describes.
    signature  bytea not null check (octet_length(signature) = 64),
    primary key (tenant_id, seq),
    foreign key (tenant_id, seq) references audit_event (tenant_id, seq)
);

call isolate_tenants('audit_checkpoint', 'tenant_id');
call make_append_only('audit_checkpoint');
grant select, insert on audit_checkpoint to gateway_tenant;
