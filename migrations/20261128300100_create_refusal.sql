-- Who was refused at a tenant's door, and why, counted: what its admins need in order to help. Nothing in these rows was verified,
-- so anybody can make the gateway write some; they are few (the newest of each reason, the others in one row) and short. No
-- token is here, and no subject.

create table refusal (
    tenant_id    uuid not null references tenant (id) on delete cascade,
    reason       text collate "C" not null check (reason ~ '^[a-z_]{1,40}$'),
    -- SHA-256 of issuer, audience, key id and origin; empty in the row of the others.
    fingerprint  bytea not null check (octet_length(fingerprint) in (0, 32)),
    issuer       text not null default '' check (char_length(issuer) <= 200),
    audience     text not null default '' check (char_length(audience) <= 200),
    kid          text not null default '' check (char_length(kid) <= 200),
    origin       text not null default '' check (char_length(origin) <= 200),
    count        bigint not null check (count > 0),
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    -- The X-Request-Id of the last one.
    request_id   uuid,
    primary key (tenant_id, reason, fingerprint)
);

create index refusal_by_age on refusal (last_at);

call isolate_tenants('refusal', 'tenant_id');

-- Instances write for many tenants at once, and tidy up behind themselves.
create policy platform_read on refusal for select to gateway_platform using (true);
create policy platform_insert on refusal for insert to gateway_platform with check (true);
create policy platform_update on refusal for update to gateway_platform using (true) with check (true);
create policy platform_delete on refusal for delete to gateway_platform using (true);

grant select on refusal to gateway_tenant;
grant select, insert, delete on refusal to gateway_platform;
grant update (count, first_at, last_at, request_id) on refusal to gateway_platform;
