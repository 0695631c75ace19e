-- The places of Anam's keys: how many conversations each has at the same time, who waits for one, and what tenants that share a key have
-- of it. A key is named by the tenant whose own it is; the platform's, which tenants share, by the nil UUID.

-- One row for each key whose places are counted. Whoever gives or takes places locks it first.
create table place_line (
    key           uuid primary key,
    -- When Anam was last asked about the key, and how many conversations it allows at the same time.
    asked_at      timestamptz,
    places        integer check (places >= 0),
    -- Conversations that the gateway does not know of.
    elsewhere     integer check (elsewhere >= 0),
    -- How long conversations were of late, on average.
    mean_seconds  double precision check (mean_seconds >= 0)
) with (fillfactor = 50);

grant select, insert on place_line to gateway_platform;
grant update (asked_at, places, elsewhere, mean_seconds) on place_line to gateway_platform;

-- What a tenant has of the platform's key.
create table place_share (
    tenant_id  uuid primary key references tenant (id) on delete cascade,
    -- Kept for it while it does not need them.
    guaranteed integer not null default 0 check (guaranteed between 0 and 10000),
    -- The most that it may have; null is all.
    most       integer check (most between 1 and 10000),
    -- When one of its users last got a place.
    served_at  timestamptz,
    check (guaranteed <= most)
) with (fillfactor = 50);

create index place_share_guaranteed on place_share (tenant_id) where guaranteed > 0;

call isolate_tenants('place_share', 'tenant_id');

create policy platform_read on place_share for select to gateway_platform using (true);
create policy platform_insert on place_share for insert to gateway_platform with check (true);
create policy platform_update on place_share for update to gateway_platform using (true) with check (true);

grant select on place_share to gateway_tenant;
grant select, insert on place_share to gateway_platform;
grant update (guaranteed, most, served_at) on place_share to gateway_platform;

-- Places that are taken: from the mint on, until the conversation has ended or was not begun in time.
create table place (
    tenant_id  uuid not null references tenant (id) on delete cascade,
    session_id uuid not null,
    key        uuid not null,
    -- The SHA-256 of the user's subject.
    subject    bytea not null check (length(subject) = 32),
    at         timestamptz not null,
    -- The longest that the conversation may last.
    seconds    integer not null check (seconds > 0),
    -- Whether Anam listed the conversation.
    begun      boolean not null default false,
    -- When the place is free again at the latest.
    until      timestamptz not null,
    -- When Anam is to be asked next.
    check_at   timestamptz not null,
    primary key (tenant_id, session_id)
);

create index place_of_key on place (key, tenant_id);
create index place_due on place (check_at);
create index place_ends on place (until);

call isolate_tenants('place', 'tenant_id');

create policy platform_read on place for select to gateway_platform using (true);
create policy platform_insert on place for insert to gateway_platform with check (true);
create policy platform_update on place for update to gateway_platform using (true) with check (true);
create policy platform_delete on place for delete to gateway_platform using (true);

grant select on place to gateway_tenant;
grant update (subject) on place to gateway_tenant;
grant select, insert, delete on place to gateway_platform;
grant update (begun, until, check_at) on place to gateway_platform;

-- Users who were told to wait, until they have a place or do not come back in time.
create table place_wait (
    tenant_id uuid not null references tenant (id) on delete cascade,
    subject   bytea not null check (length(subject) = 32),
    key       uuid not null,
    since     timestamptz not null,
    until     timestamptz not null,
    primary key (tenant_id, subject)
);

create index place_wait_of_key on place_wait (key, tenant_id);
create index place_wait_ends on place_wait (until);

call isolate_tenants('place_wait', 'tenant_id');

create policy platform_read on place_wait for select to gateway_platform using (true);
create policy platform_insert on place_wait for insert to gateway_platform with check (true);
create policy platform_update on place_wait for update to gateway_platform using (true) with check (true);
create policy platform_delete on place_wait for delete to gateway_platform using (true);

grant select, delete on place_wait to gateway_tenant;
grant select, insert, delete on place_wait to gateway_platform;
grant update (key, since, until) on place_wait to gateway_platform;
