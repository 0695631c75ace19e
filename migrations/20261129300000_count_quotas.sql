-- What a tenant as a whole and each of its users used in the day and the month that are counted, for the quotas of its policy. The
-- ledger's writers lock these rows, judge and write them in the transaction that adds the session's row.
create table quota_use (
    tenant_id      uuid not null references tenant (id) on delete cascade,
    -- Empty: the tenant as a whole.
    subject        text collate "C" not null,
    day            date not null,
    day_sessions   bigint not null default 0,
    day_seconds    bigint not null default 0,
    -- Its first day.
    month          date not null,
    month_sessions bigint not null default 0,
    month_seconds  bigint not null default 0,
    primary key (tenant_id, subject)
) with (fillfactor = 50);

create index quota_use_by_month on quota_use (month);

call isolate_tenants('quota_use', 'tenant_id');

create policy platform_read on quota_use for select to gateway_platform using (true);
create policy platform_insert on quota_use for insert to gateway_platform with check (true);
create policy platform_update on quota_use for update to gateway_platform using (true) with check (true);
create policy platform_delete on quota_use for delete to gateway_platform
    using (month < (date_trunc('month', now() at time zone 'UTC') - interval '1 month')::date);

grant select, delete on quota_use to gateway_tenant;
grant select, insert, delete on quota_use to gateway_platform;
grant update (day, day_sessions, day_seconds, month, month_sessions, month_seconds) on quota_use to gateway_platform;

-- Sessions that were counted with their longest length, until Anam tells how long they were.
create table quota_hold (
    tenant_id  uuid not null references tenant (id) on delete cascade,
    session_id uuid not null,
    at         timestamptz not null,
    -- Of the user whose use was counted; empty where only the tenant's was, or the user was erased.
    subject    text collate "C" not null,
    -- Whether the tenant's was.
    of_tenant  boolean not null,
    -- What was counted.
    seconds    integer not null check (seconds > 0),
    -- When Anam is to be asked next.
    check_at   timestamptz not null,
    primary key (tenant_id, session_id)
);

create index quota_hold_due on quota_hold (check_at);
create index quota_hold_of on quota_hold (tenant_id, subject);

call isolate_tenants('quota_hold', 'tenant_id');

create policy platform_read on quota_hold for select to gateway_platform using (true);
create policy platform_insert on quota_hold for insert to gateway_platform with check (true);
create policy platform_update on quota_hold for update to gateway_platform using (true) with check (true);
create policy platform_delete on quota_hold for delete to gateway_platform using (true);

grant select on quota_hold to gateway_tenant;
grant update (subject) on quota_hold to gateway_tenant;
grant select, insert, delete on quota_hold to gateway_platform;
grant update (check_at) on quota_hold to gateway_platform;
-- Until when a token can start a conversation.
grant select (expires_at) on session_outcome to gateway_platform;
