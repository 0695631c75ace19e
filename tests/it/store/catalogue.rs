//! What the catalogue of Postgres says of the schema: rules that hold for tables nobody has written yet.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::filling::tenant_tables;
use super::months::TwoYears;
use crate::harness::postgres::{LOGIN, TestDatabase, migrate};
use crate::harness::sql;

/// Tables that belong to the installation, not to a tenant.
const OF_NO_TENANT: [&str; 11] = [
    "_sqlx_migrations",
    "admin",
    "console_session",
    "master_key",
    "password_reset",
    "place_line",
    "recovery_code",
    "second_factor",
    "shared_issuer",
    "shared_issuer_audience",
    "sweep_mark",
];
/// Unique keys that span tenants, and why.
const ACROSS_TENANTS: [(&str, &str); 5] = [
    ("tenant_pkey", "a tenant's id is its own"),
    ("tenant_slug_key", "the name in URLs and bundles"),
    (
        "issuer_audience_claimed",
        "the pair names the tenant of a token",
    ),
    (
        "api_key_hash_key",
        "256 random bits, looked up before the tenant is known",
    ),
    (
        "invitation_hash_key",
        "256 random bits, looked up before the tenant is known",
    ),
];
/// Never changed, never deleted from.
const APPEND_ONLY: [&str; 7] = [
    "audit_checkpoint",
    "audit_event",
    "document_version",
    "release",
    "review",
    "session",
    "session_outcome",
];
/// Policies beyond each tenant's own, all of them for `gateway_platform`.
const PLATFORM_POLICIES: [&str; 49] = [
    "api_key.platform_read r",
    "audit_event.platform_trail *",
    "catalogue_sync.platform_read r",
    "catalogue_sync.platform_sweep d",
    "config_revision.platform_insert a",
    "config_revision.platform_read r",
    "config_revision.platform_update w",
    "given_answer.platform_read r",
    "given_answer.platform_sweep d",
    "invitation.platform_read r",
    "invitation.platform_sweep d",
    "issuer.platform_read r",
    "issuer_audience.platform_claim w",
    "issuer_audience.platform_read r",
    "membership.platform_read r",
    "place.platform_delete d",
    "place.platform_insert a",
    "place.platform_read r",
    "place.platform_update w",
    "place_share.platform_insert a",
    "place_share.platform_read r",
    "place_share.platform_update w",
    "place_wait.platform_delete d",
    "place_wait.platform_insert a",
    "place_wait.platform_read r",
    "place_wait.platform_update w",
    "quota_hold.platform_delete d",
    "quota_hold.platform_insert a",
    "quota_hold.platform_read r",
    "quota_hold.platform_update w",
    "quota_use.platform_delete d",
    "quota_use.platform_insert a",
    "quota_use.platform_read r",
    "quota_use.platform_update w",
    "refusal.platform_delete d",
    "refusal.platform_insert a",
    "refusal.platform_read r",
    "refusal.platform_update w",
    "session.platform_append a",
    "session.platform_read r",
    "session_inputs.platform_append a",
    "session_inputs.platform_read r",
    "session_inputs.platform_sweep d",
    "session_outcome.platform_append a",
    "session_outcome.platform_read r",
    "sso_attempt.platform_read r",
    "sso_attempt.platform_sweep d",
    "tenant.platform_read r",
    "tenant.platform_status w",
];

async fn catalogue() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::create().await;
    let owner = database.owner().await;
    (database, owner)
}

#[tokio::test]
async fn every_table_is_a_tenants_or_is_known_to_be_nobodys() {
    let (_database, mut owner) = catalogue().await;
    let all = sql::texts(
        &mut owner,
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace
         and relkind in ('r', 'p') and not relispartition",
    )
    .await;
    let tenants: Vec<String> = tenant_tables(&mut owner)
        .await
        .into_iter()
        .map(|(table, _)| table)
        .collect();
    let nobodys: BTreeSet<&str> = all
        .iter()
        .filter(|table| !tenants.contains(table))
        .map(String::as_str)
        .collect();
    assert_eq!(nobodys, BTreeSet::from(OF_NO_TENANT));
    assert!(tenants.len() >= 15, "{tenants:?}");
}

#[tokio::test]
async fn row_security_is_enabled_and_forced_on_every_tenant_table_and_partition() {
    let (_database, mut owner) = catalogue().await;
    let open = sql::texts(
        &mut owner,
        "select c.relname::text from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'f')
           and (c.relname = 'tenant' or exists (select from pg_attribute a
                where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    .await;
    assert_eq!(open, Vec::<String>::new());
}

#[tokio::test]
async fn each_tenant_table_has_one_policy_for_everybody_and_it_asks_for_the_tenant() {
    let (_database, mut owner) = catalogue().await;
    for (table, column) in tenant_tables(&mut owner).await {
        let policies = sql::rows(
            &mut owner,
            &format!(
                "select polname::text as name, polcmd::text as command, polpermissive as permissive,
                        pg_get_expr(polqual, polrelid) as sees, pg_get_expr(polwithcheck, polrelid) as writes
                 from pg_policy where polrelid = '{table}'::regclass and polroles = '{{0}}'"
            ),
        )
        .await
        .unwrap();
        let condition = format!("({column} = app_tenant())");
        assert_eq!(
            policies,
            [serde_json::json!({
                "name": "tenant_isolation", "command": "*", "permissive": true,
                "sees": condition, "writes": condition,
            })],
            "{table}"
        );
    }
}

#[tokio::test]
async fn what_else_a_policy_allows_is_on_this_list_and_for_the_platform_role_only() {
    let (_database, mut owner) = catalogue().await;
    let policies = sql::texts(
        &mut owner,
        "select polrelid::regclass || '.' || polname || ' ' || polcmd::text from pg_policy
         where polroles <> '{0}' order by 1",
    )
    .await;
    assert_eq!(policies, PLATFORM_POLICIES);
    let others = sql::texts(
        &mut owner,
        "select polname::text from pg_policy
         where polroles <> '{0}' and polroles <> array[(select oid from pg_roles where rolname = 'gateway_platform')]",
    )
    .await;
    assert_eq!(others, Vec::<String>::new());
}

#[tokio::test]
async fn every_key_of_a_tenant_table_starts_with_the_tenant() {
    let (_database, mut owner) = catalogue().await;
    let unique = sql::texts(
        &mut owner,
        "select i.indexrelid::regclass::text from pg_index i
         join pg_class c on c.oid = i.indrelid and c.relnamespace = 'public'::regnamespace and not c.relispartition
         join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
         where i.indisunique and a.attname <> 'tenant_id'
           and (c.relname = 'tenant' or exists (select from pg_attribute t
                where t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped))",
    )
    .await;
    let allowed: BTreeSet<&str> = ACROSS_TENANTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        unique.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        allowed
    );
    let without_key = sql::texts(
        &mut owner,
        "select c.relname::text from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)",
    )
    .await;
    assert_eq!(without_key, Vec::<String>::new());
}

#[tokio::test]
async fn foreign_keys_between_tenant_tables_carry_the_tenant() {
    let (_database, mut owner) = catalogue().await;
    let keys = sql::rows(
        &mut owner,
        "select k.conname::text as name, k.conrelid::regclass::text as from_table, k.confrelid::regclass::text as to_table,
                (select array_agg(a.attname::text order by o.n) from unnest(k.conkey) with ordinality o (num, n)
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = o.num) as from_columns,
                (select array_agg(a.attname::text order by o.n) from unnest(k.confkey) with ordinality o (num, n)
                 join pg_attribute a on a.attrelid = k.confrelid and a.attnum = o.num) as to_columns
         from pg_constraint k where k.contype = 'f' and k.conparentid = 0",
    )
    .await
    .unwrap();
    let tenants: Vec<String> = tenant_tables(&mut owner)
        .await
        .into_iter()
        .map(|(table, _)| table)
        .collect();
    let mut seen = 0;
    for key in keys {
        let (from, to) = (
            key["from_table"].as_str().unwrap(),
            key["to_table"].as_str().unwrap(),
        );
        let is_tenants = |table: &str| tenants.iter().any(|tenant| tenant == table);
        if !is_tenants(from) || !is_tenants(to) {
            continue;
        }
        seen += 1;
        assert_eq!(key["from_columns"][0], "tenant_id", "{key}");
        let tenant_in_target = if to == "tenant" { "id" } else { "tenant_id" };
        assert_eq!(key["to_columns"][0], tenant_in_target, "{key}");
    }
    assert!(seen >= 12, "{seen}");
}

#[tokio::test]
async fn nothing_runs_with_another_ones_rights() {
    let (_database, mut owner) = catalogue().await;
    let definers = sql::texts(
        &mut owner,
        "select proname::text from pg_proc where prosecdef and pronamespace = 'public'::regnamespace",
    )
    .await;
    assert_eq!(definers, Vec::<String>::new());
    let views = sql::texts(
        &mut owner,
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace
         and (relkind = 'm' or relkind = 'v' and not coalesce(reloptions::text[] && '{security_invoker=true,security_invoker=on}', false))",
    )
    .await;
    assert_eq!(views, Vec::<String>::new());
    let rules = sql::texts(
        &mut owner,
        "select rulename::text from pg_rewrite r join pg_class c on c.oid = r.ev_class
         where c.relnamespace = 'public'::regnamespace and c.relkind <> 'v'",
    )
    .await;
    assert_eq!(rules, Vec::<String>::new());
}

#[tokio::test]
async fn append_only_tables_have_no_right_and_a_trigger_against_change() {
    let (_database, mut owner) = catalogue().await;
    for table in APPEND_ONLY {
        for role in ["gateway_tenant", "gateway_platform", LOGIN] {
            for right in ["update", "delete", "truncate"] {
                // A tenant may take the user's name off a session; the trigger sees to it that nothing else changes.
                let held = format!(
                    "select (has_table_privilege('{role}', '{table}', '{right}')
                     or '{right}' = 'update' and exists (select from pg_attribute a
                         where a.attrelid = '{table}'::regclass and a.attnum > 0 and not a.attisdropped
                           and has_column_privilege('{role}', a.attrelid, a.attnum, 'update')
                           and ('{role}', '{table}', a.attname) <> ('gateway_tenant', 'session', 'subject')))::int"
                );
                assert_eq!(
                    sql::number(&mut owner, &held).await.unwrap(),
                    0,
                    "{role} {right} {table}"
                );
            }
        }
        // tgtype: 1 row, 2 before, 8 delete, 16 update, 32 truncate. Row triggers are cloned to each partition.
        let unguarded = sql::texts(
            &mut owner,
            &format!(
                "select t.relid::text from pg_partition_tree('{table}') t
                 where not exists (select from pg_trigger g where g.tgrelid = t.relid and g.tgenabled in ('O', 'A')
                       and g.tgfoid = 'refuse_change'::regproc and g.tgtype & 27 = 27)
                 union all
                 select '{table}' where not exists (select from pg_trigger g where g.tgrelid = '{table}'::regclass
                       and g.tgenabled in ('O', 'A') and g.tgfoid = 'refuse_change'::regproc and g.tgtype & 32 = 32)"
            ),
        )
        .await;
        assert_eq!(unguarded, Vec::<String>::new());
    }
}

#[tokio::test]
async fn even_the_owner_can_not_change_what_is_append_only() {
    let (_database, mut owner) = catalogue().await;
    super::filling::fill(&mut owner).await;
    for table in APPEND_ONLY {
        let column = "tenant_id";
        for statement in [
            format!("update {table} set {column} = {column}"),
            format!("delete from {table}"),
            format!("truncate {table} cascade"),
        ] {
            let (code, message) = sql::refusal(sql::run(&mut owner, statement.as_str()).await);
            assert_eq!(code, "23001", "{statement}: {message}");
            assert!(message.contains("append-only"), "{message}");
        }
    }
}

#[tokio::test]
async fn run_time_roles_own_nothing_and_can_not_rise() {
    let (_database, mut owner) = catalogue().await;
    for role in ["gateway_tenant", "gateway_platform", LOGIN] {
        let attributes = sql::rows(
            &mut owner,
            &format!(
                "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, rolcanlogin
                 from pg_roles where rolname = '{role}'"
            ),
        )
        .await
        .unwrap();
        for (attribute, set) in attributes[0].as_object().unwrap() {
            let wanted = attribute == "rolcanlogin" && role == LOGIN;
            assert_eq!(set, wanted, "{role} {attribute}");
        }
        let possessions = format!(
            "select count(*) from pg_shdepend where refclassid = 'pg_authid'::regclass
             and refobjid = '{role}'::regrole and deptype = 'o'"
        );
        assert_eq!(
            sql::number(&mut owner, &possessions).await.unwrap(),
            0,
            "{role} owns something"
        );
    }
    let members = sql::texts(
        &mut owner,
        &format!(
            "select regexp_replace(roleid::regrole::text, '_[0-9]+$', '') from pg_auth_members
             where member = '{LOGIN}'::regrole and not admin_option
               and roleid::regrole::text in ('gateway_platform', 'gateway_tenant') order by 1"
        ),
    )
    .await;
    assert_eq!(members, ["gateway_platform", "gateway_tenant"]);
}

#[tokio::test]
async fn nobody_but_the_two_roles_was_granted_anything() {
    let (_database, mut owner) = catalogue().await;
    let grants = sql::texts(
        &mut owner,
        "select distinct c.relname || ' to ' || case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                || ': ' || a.privilege_type
         from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace = 'public'::regnamespace and a.grantee <> c.relowner
           and (a.grantee = 0 or a.grantee::regrole::text not in ('gateway_tenant', 'gateway_platform')
                or a.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE') or a.is_grantable or c.relispartition)",
    )
    .await;
    assert_eq!(grants, Vec::<String>::new());
}

#[tokio::test]
async fn partitions_of_the_ledger_stand_ready_for_two_years() {
    let database = TestDatabase::create_as_migrated().await;
    let mut owner = database.owner().await;
    let months = TwoYears::from_now(&mut owner).await;
    // The database that this is a copy of may have been made last month.
    migrate(&database.owner_url, None).await.unwrap();
    for parent in ["session", "session_outcome", "session_inputs"] {
        let missing = months.missing(parent, &mut owner).await;
        assert_eq!(missing, [""; 0], "{parent}");
    }
}
