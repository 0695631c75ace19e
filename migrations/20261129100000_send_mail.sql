-- How the mail with an invitation goes; null where none was sent. Noted by whoever delivers it, after the invitation was made.
alter table invitation
    add column mail_state text check (mail_state in ('sending', 'sent', 'failed')),
    -- Why it failed, for whoever invited.
    add column mail_failure text check (char_length(mail_failure) <= 300);

grant update (mail_state, mail_failure) on invitation to gateway_tenant;

-- Links to choose a new password: whoever has the token may, once. All of a person's go when one is used, and when the password
-- changes otherwise.
create table password_reset (
    -- SHA-256 of the token.
    hash        bytea primary key check (octet_length(hash) = 32),
    admin_id    uuid not null references admin (id) on delete cascade,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null
);
create index password_reset_admin on password_reset (admin_id);

grant select, insert, delete on password_reset to gateway_platform;
