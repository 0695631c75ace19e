-- What the Express server keeps: three tables, an index for its admins.
create table personas (
    tenant        text not null,
    context       text not null,
    name          text not null,
    prompt        text not null,
    avatar_id     text not null,
    voice_id      text not null,
    llm_id        text not null,
    language_code text not null,
    max_seconds   integer not null,
    primary key (tenant, context)
);

create table preferences (
    tenant        text not null,
    subject       text not null,
    display_name  text not null,
    avatar_id     text,
    voice_id      text,
    llm_id        text,
    language_code text,
    primary key (tenant, subject)
);

create table sessions (
    id          bigint generated always as identity primary key,
    tenant      text not null,
    subject     text not null,
    context     text not null,
    status      text not null,
    anam_status integer not null,
    took_ms     integer not null,
    created_at  timestamptz not null default now()
);
create index sessions_of_tenant on sessions (tenant, created_at desc);
