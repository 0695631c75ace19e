-- What admins work on before anything is sealed, what others say of what was sealed, and the answers of creating calls.

-- Everybody who wrote in the drafts that a version was sealed from: none of them may approve it.
alter table document_version add column contributors text[] not null default '{}';

-- How a release came about; going back skips what was gone back from.
alter table release add column way text not null default 'release' check (way in ('release', 'rollback', 'cancel'));

create table draft (
    tenant_id     uuid not null,
    id            uuid not null default gen_random_uuid(),
    document_id   uuid not null,
    -- The version that the draft started from, or was last merged with; null where there was none.
    base_version  integer check (base_version > 0),
    title         text not null default '' check (char_length(title) <= 200),
    content       jsonb not null check (jsonb_typeof(content) = 'object'),
    author        text not null,
    contributors  text[] not null default '{}',
    -- Grows with each write: the ETag.
    revision      bigint not null default 1,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id) references document (tenant_id, id)
);

create index draft_by_document on draft (tenant_id, document_id, created_at);

-- What others say of a sealed version. A version never changes, so neither does what was approved.
create table review (
    tenant_id    uuid not null,
    id           uuid not null default gen_random_uuid(),
    document_id  uuid not null,
    version_id   uuid not null,
    reviewer     text not null,
    verdict      text not null check (verdict in ('approve', 'reject')),
    comment      text not null default '' check (char_length(comment) <= 2000),
    created_at   timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id, version_id) references document_version (tenant_id, document_id, id)
);

create index review_by_version on review (tenant_id, document_id, version_id, created_at);

-- The answer of a creating call, for whoever asks again with the same Idempotency-Key. Sealed: it may hold a new key.
create table given_answer (
    tenant_id     uuid not null references tenant (id),
    actor         text not null,
    key           text collate "C" not null check (char_length(key) between 1 and 255),
    -- SHA-256 of method, path and body.
    request_hash  bytea not null check (octet_length(request_hash) = 32),
    id            uuid not null default gen_random_uuid(),
    -- Sealed, AAD (given_answer, sealed, tenant, id); null only inside the transaction that makes it.
    sealed        bytea,
    created_at    timestamptz not null default now(),
    primary key (tenant_id, actor, key)
);

create index given_answer_by_age on given_answer (created_at);

call isolate_tenants('draft', 'tenant_id');
call isolate_tenants('review', 'tenant_id');
call isolate_tenants('given_answer', 'tenant_id');
call make_append_only('review');

grant select, insert, delete on draft to gateway_tenant;
grant update (base_version, title, content, contributors, revision, updated_at) on draft to gateway_tenant;
grant select, insert on review to gateway_tenant;
grant select, insert on given_answer to gateway_tenant;
grant update (sealed) on given_answer to gateway_tenant;
-- Answers are kept for a day.
create policy platform_sweep on given_answer for delete to gateway_platform using (created_at < now() - interval '1 day');
create policy platform_read on given_answer for select to gateway_platform using (created_at < now() - interval '1 day');
grant select (tenant_id, actor, key, created_at), delete on given_answer to gateway_platform;
