-- What admins write: personas, contexts and snippets, in sealed versions that releases make live.

create table document (
    tenant_id    uuid not null references tenant (id),
    id           uuid not null default gen_random_uuid(),
    kind         text not null check (kind in ('persona', 'context', 'snippet')),
    key          text collate "C" not null check (key ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    archived_at  timestamptz,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, kind, key)
);

create table document_version (
    tenant_id     uuid not null,
    document_id   uuid not null,
    id            uuid not null default gen_random_uuid(),
    -- Counts from 1 within the document; left out, it is the next.
    number        integer not null check (number > 0),
    base_version  integer,
    content       jsonb not null check (jsonb_typeof(content) = 'object'),
    content_hash  bytea not null,
    author        text not null default current_user,
    message       text not null default '',
    created_at    timestamptz not null default now(),
    primary key (tenant_id, document_id, id),
    unique (tenant_id, document_id, number),
    foreign key (tenant_id, document_id) references document (tenant_id, id)
);

create function seal_document_version() returns trigger
    language plpgsql
    as $$
begin
    if new.number is null then
        select coalesce(max(v.number), 0) + 1 into new.number
            from document_version v where v.tenant_id = new.tenant_id and v.document_id = new.document_id;
    end if;
    new.content_hash := sha256(convert_to(new.content::text, 'UTF8'));
    return new;
end $$;

create trigger seal before insert on document_version for each row execute function seal_document_version();

-- The release with the latest `live_from` that is not in the future is live; of equals, the later row.
-- Publishing, scheduling and rolling back are all inserts.
create table release (
    tenant_id    uuid not null,
    id           uuid not null default gen_random_uuid(),
    document_id  uuid not null,
    version_id   uuid not null,
    live_from    timestamptz not null default now(),
    seq          bigint not null generated always as identity,
    actor        text not null default current_user,
    note         text not null default '',
    created_at   timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id, version_id) references document_version (tenant_id, document_id, id)
);

create index release_live on release (tenant_id, document_id, live_from desc, seq desc);

call isolate_tenants('document', 'tenant_id');
call isolate_tenants('document_version', 'tenant_id');
call isolate_tenants('release', 'tenant_id');
call make_append_only('document_version');
call make_append_only('release');
call track_config_revision('document', 'tenant_id');
call track_config_revision('release', 'tenant_id');

grant select, insert on document to gateway_tenant;
grant update (archived_at) on document to gateway_tenant;
grant select, insert on document_version, release to gateway_tenant;
