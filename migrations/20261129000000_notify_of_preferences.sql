-- Instances keep the preferences of users who called lately in memory. Each write is reported: by the user's digest, since a subject is
-- personal data and a payload has ids only; or, where one statement writes those of many, by the tenant alone.

create function notify_of_preferences() returns trigger
    language plpgsql
    as $$
declare
    touched record;
begin
    for touched in select tenant_id, count(*) as users from changed group by tenant_id loop
        if touched.users > 20 then
            perform pg_notify('gateway_preferences', format('v1 %s *', touched.tenant_id));
        else
            perform pg_notify('gateway_preferences', format('v1 %s %s', tenant_id, encode(sha256(convert_to(subject, 'UTF8')), 'hex')))
                from changed where tenant_id = touched.tenant_id;
        end if;
    end loop;
    return null;
end $$;

create trigger notify_of_insert after insert on preference
    referencing new table as changed for each statement execute function notify_of_preferences();
create trigger notify_of_update after update on preference
    referencing new table as changed for each statement execute function notify_of_preferences();
-- In case a row was given to another user.
create trigger notify_of_what_was after update on preference
    referencing old table as changed for each statement execute function notify_of_preferences();
create trigger notify_of_delete after delete on preference
    referencing old table as changed for each statement execute function notify_of_preferences();

-- A table has no rows left after it, and no transition table.
create function notify_of_no_preferences() returns trigger
    language plpgsql
    as $$
begin
    perform pg_notify('gateway_preferences', 'v1 * *');
    return null;
end $$;

create trigger notify_of_truncate after truncate on preference
    for each statement execute function notify_of_no_preferences();
