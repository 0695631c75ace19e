//! In every test's database, a change without a row in the audit trail of its own transaction is an error at its commit, and so is
//! a row that the console has no words for. So whatever the tests make the gateway do proves that it is audited, and rolled back where it can't be.

/// Tenant tables whose changes are no admin's, and why.
const NOT_TOLD: [(&str, &str); 12] = [
    ("audit_event", "the trail itself"),
    ("audit_checkpoint", "signed marks in the trail"),
    (
        "catalogue_sync",
        "the record of a reading; what it changes is audited",
    ),
    ("config_revision", "counts what others change"),
    ("given_answer", "the answers of changes that are audited"),
    ("issuer_audience", "follows its issuer by trigger"),
    (
        "preference",
        "users' own; what admins do with them has tests of its own",
    ),
    ("refusal", "counts who was refused"),
    ("session", "the ledger"),
    (
        "sso_attempt",
        "ways back from a provider that were taken; the sign-in that they end in is audited",
    ),
    ("session_inputs", "the ledger"),
    ("session_outcome", "the ledger"),
];
/// Columns that change by themselves.
const NOT_A_CHANGE: [&str; 5] = [
    "last_used_at",
    "mail_failure",
    "mail_state",
    "seen_at",
    "sign_in_places",
];

/// Adds the rule to a migrated database, for what tenants and what operators own, and for tables that nobody has written yet, too.
/// It holds for the run-time role only: a test that arranges something as the owner needs no trail.
pub(super) fn rule() -> String {
    let tables = NOT_TOLD.map(|(table, _)| format!("'{table}'")).join(", ");
    let columns = NOT_A_CHANGE.map(|column| format!("'{column}'")).join(", ");
    let words: Vec<String> = include_str!("../../../src/console/texts/en.ftl")
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(name, _)| name.starts_with("did-") || name.starts_with("detail-"))
        .map(|(name, _)| format!("'{name}'"))
        .collect();
    let words = words.join(", ");
    format!(
        "create function must_be_told() returns trigger language plpgsql as $$
         declare
             changed jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
             whose uuid := coalesce(changed ->> 'tenant_id', changed ->> 'id')::uuid;
         begin
             if tg_op = 'UPDATE' and to_jsonb(new) - array[{columns}] = to_jsonb(old) - array[{columns}] then
                 return null;
             end if;
             if not exists (select from audit_event e where e.tenant_id = whose and e.xmin = pg_current_xact_id()::xid) then
                 raise exception 'a change of % has no row in the audit trail (tests/it/harness/audit_guard.rs)', tg_table_name;
             end if;
             return null;
         end $$;
         create function platform_must_be_told() returns trigger language plpgsql as $$
         begin
             if tg_op = 'UPDATE' and to_jsonb(new) - array[{columns}] = to_jsonb(old) - array[{columns}] then
                 return null;
             end if;
             if not exists (select from audit_event e where e.xmin = pg_current_xact_id()::xid) then
                 raise exception 'a change of % has no row in the platform''s audit trail (tests/it/harness/audit_guard.rs)', tg_table_name;
             end if;
             return null;
         end $$;
         create function must_have_words() returns trigger language plpgsql as $$
         declare
             done text := replace(replace(new.action, '_', '-'), '.', '-');
             untold text;
         begin
             select name into untold
                 from (select 'did-' || regexp_replace(done, '^(persona|context|snippet)-', 'document-')
                       union all
                       select 'detail-' || lower(regexp_replace(key, '([A-Z])', '-\\1', 'g'))
                           from jsonb_object_keys(new.details) key where key ~ '^[A-Za-z]+$') needed (name)
                 where name <> all (array[{words}]) limit 1;
             if untold is not null then
                 raise exception 'the console has no text % for % (src/console/texts)', untold, new.action;
             end if;
             return null;
         end $$;
         create trigger must_have_words after insert on audit_event
             for each row when (starts_with(current_user, 'gateway_')) execute function must_have_words();
         do $$ declare t regclass; begin
             foreach t in array array['shared_issuer', 'admin', 'issuer_audience']::regclass[] loop
                 execute format('create constraint trigger platform_must_be_told after insert or update or delete on %s
                                 deferrable initially deferred for each row when (starts_with(current_user, ''gateway_platform''))
                                 execute function platform_must_be_told()', t);
             end loop;
             for t in select c.oid::regclass from pg_class c
                      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relispartition
                        and c.relname not in ({tables})
                        and (c.relname = 'tenant' or exists (select from pg_attribute a
                             where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
             loop
                 execute format('create constraint trigger must_be_told after insert or update or delete on %s
                                 deferrable initially deferred for each row when (starts_with(current_user, ''gateway_tenant''))
                                 execute function must_be_told()', t);
             end loop;
         end $$"
    )
}
