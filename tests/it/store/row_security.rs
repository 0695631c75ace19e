//! Two tenants in every table. Neither can read, add to, change or delete what is the other's, by any statement.

use sqlx::PgConnection;

use super::filling::{ALPHA, BETA, fill, id_of, tenant_tables};
use crate::harness::postgres::TestDatabase;
use crate::harness::sql::{self, attempt, begin_as, refusal};

const TENANT: &str = "gateway_tenant";
const PLATFORM: &str = "gateway_platform";

async fn filled() -> (TestDatabase, PgConnection, PgConnection) {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    fill(&mut owner).await;
    let login = database.login().await;
    (database, owner, login)
}

#[tokio::test]
async fn every_tenant_table_holds_rows_of_both_tenants_in_these_tests() {
    let (_database, mut owner, _) = filled().await;
    for (table, column) in tenant_tables(&mut owner).await {
        for tenant in [ALPHA, BETA] {
            let count = format!("select count(*) from {table} where {column} = '{tenant}'");
            let count = sql::number(&mut owner, &count).await.unwrap();
            assert!(count > 0, "{table} has no row: add one to filling.rs");
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_no_others_in_every_table() {
    let (_database, mut owner, mut login) = filled().await;
    for (table, column) in tenant_tables(&mut owner).await {
        for (me, other) in [(ALPHA, BETA), (BETA, ALPHA)] {
            begin_as(&mut login, TENANT, Some(me)).await;
            // No WHERE that would help: this is the query that forgot its tenant.
            let all = sql::number(&mut login, &format!("select count(*) from {table}")).await;
            let theirs = format!("select count(*) from {table} where {column} = '{other}'");
            let theirs = sql::number(&mut login, &theirs).await;
            sql::run(&mut login, "rollback").await.unwrap();
            let mine = format!("select count(*) from {table} where {column} = '{me}'");
            let mine = sql::number(&mut owner, &mine).await.unwrap();
            assert_eq!(all.unwrap(), mine, "{table}");
            assert_eq!(theirs.unwrap(), 0, "{table}");
        }
    }
}

#[tokio::test]
async fn a_tenant_changes_and_deletes_nothing_of_another_in_any_table() {
    let (_database, mut owner, mut login) = filled().await;
    for (table, column) in tenant_tables(&mut owner).await {
        for (me, other) in [(ALPHA, BETA), (BETA, ALPHA)] {
            let columns = sql::texts(
                &mut owner,
                &format!(
                    "select attname::text from pg_attribute
                     where attrelid = '{table}'::regclass and attnum > 0 and attgenerated = '' and attidentity = ''"
                ),
            )
            .await;
            for changed in columns {
                let update =
                    format!("update {table} set {changed} = {changed} where {column} = '{other}'");
                none_or_forbidden(&table, attempt(&mut login, TENANT, Some(me), update).await);
            }
            let delete = format!("delete from {table} where {column} = '{other}'");
            none_or_forbidden(&table, attempt(&mut login, TENANT, Some(me), delete).await);
            let take_over =
                format!("update {table} set {column} = '{other}' where {column} = '{me}'");
            let (code, message) = refusal(attempt(&mut login, TENANT, Some(me), take_over).await);
            assert_eq!(code, "42501", "{table}: {message}");
        }
    }
}

/// Either the right is missing altogether, or no row is in reach.
fn none_or_forbidden(table: &str, outcome: Result<u64, sqlx::Error>) {
    match outcome {
        Ok(touched) => assert_eq!(touched, 0, "{table}"),
        Err(error) => assert_eq!(refusal::<u64>(Err(error)).0, "42501", "{table}"),
    }
}

#[tokio::test]
async fn a_tenant_adds_no_row_to_another_in_any_table() {
    let (_database, mut owner, mut login) = filled().await;
    for (table, column) in tenant_tables(&mut owner).await {
        for (me, other) in [(ALPHA, BETA), (BETA, ALPHA)] {
            let query = format!("select * from {table} where {column} = '{other}' limit 1");
            let row = sql::rows(&mut owner, &query).await.unwrap().remove(0);
            let row = row.to_string().replace('\'', "''");
            let insert = format!(
                "insert into {table} overriding system value
                 select * from jsonb_populate_record(null::{table}, '{row}')"
            );
            let (code, message) = refusal(attempt(&mut login, TENANT, Some(me), insert).await);
            assert_eq!(code, "42501", "{table}: {message}");
            let may = format!("select has_table_privilege('{TENANT}', '{table}', 'insert')::int");
            if sql::number(&mut owner, &may).await.unwrap() == 1 {
                assert!(message.contains("row-level security"), "{table}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_tenant_there_are_no_rows_on_a_fresh_and_on_a_used_connection() {
    let (database, mut owner, _) = filled().await;
    for (table, _) in tenant_tables(&mut owner).await {
        let count = format!("select count(*) from {table}");
        let mut login = database.login().await;
        begin_as(&mut login, TENANT, None).await;
        let fresh = sql::number(&mut login, &count).await;
        assert_eq!(fresh.unwrap(), 0, "{table} on a fresh connection");
        sql::run(&mut login, "rollback").await.unwrap();

        begin_as(&mut login, TENANT, Some(ALPHA)).await;
        assert!(sql::number(&mut login, &count).await.unwrap() > 0);
        sql::run(&mut login, "commit").await.unwrap();

        begin_as(&mut login, TENANT, None).await;
        let left = sql::texts(&mut login, "select current_setting('app.tenant', true)").await;
        assert_eq!(left, [""], "a used setting is empty, not null");
        let used = sql::number(&mut login, &count).await;
        assert_eq!(used.unwrap(), 0, "{table} on a used connection");
        sql::run(&mut login, "rollback").await.unwrap();
    }
}

#[tokio::test]
async fn a_forged_tenant_is_an_error_and_shows_nothing() {
    let (_database, _owner, mut login) = filled().await;
    for forged in ["x' or true --", "*", "aaaaaaaa", "null"] {
        begin_as(&mut login, TENANT, None).await;
        let set = format!("set local app.tenant = '{}'", forged.replace('\'', "''"));
        sql::run(&mut login, set).await.unwrap();
        let seen = sql::rows(&mut login, "select id from tenant").await;
        assert_eq!(refusal(seen).0, "22P02", "{forged}");
        sql::run(&mut login, "rollback").await.unwrap();
    }
}

#[tokio::test]
async fn the_login_role_itself_reads_nothing_and_makes_nothing() {
    let (_database, mut owner, mut login) = filled().await;
    let tables = sql::texts(
        &mut owner,
        "select oid::regclass::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')",
    )
    .await;
    assert!(tables.len() > 60, "{}: partitions too", tables.len());
    for table in tables {
        let read = sql::rows(&mut login, &format!("select 1 as one from {table}")).await;
        assert_eq!(refusal(read).0, "42501", "{table}");
    }
    let make = sql::run(&mut login, "create table loot (id int)").await;
    assert_eq!(refusal(make).0, "42501");
    let gone = sql::run(&mut login, "drop table preference").await;
    assert_eq!(refusal(gone).0, "42501");
}

#[tokio::test]
async fn the_run_time_roles_make_and_empty_nothing() {
    let (_database, mut owner, mut login) = filled().await;
    let tables = tenant_tables(&mut owner).await;
    for role in [TENANT, PLATFORM] {
        for (table, _) in &tables {
            for statement in [
                format!("truncate {table}"),
                format!("alter table {table} disable row level security"),
                format!("alter table {table} disable trigger all"),
                format!("drop policy tenant_isolation on {table}"),
            ] {
                let outcome = attempt(&mut login, role, Some(ALPHA), statement.as_str()).await;
                assert_eq!(refusal(outcome).0, "42501", "{role}: {statement}");
            }
        }
        for statement in [
            "create table loot (id int)",
            "create role intruder superuser",
            "set role postgres",
            "copy preference to program 'cat'",
        ] {
            let outcome = attempt(&mut login, role, Some(ALPHA), statement).await;
            assert_eq!(refusal(outcome).0, "42501", "{role}: {statement}");
        }
    }
}

#[tokio::test]
async fn a_partition_can_not_be_reached_around_its_parent() {
    let (_database, mut owner, mut login) = filled().await;
    let partitions = sql::texts(
        &mut owner,
        "select relname::text from pg_class where relispartition and relkind = 'r'",
    )
    .await;
    assert!(partitions.len() >= 18, "{}", partitions.len());
    for partition in partitions {
        for role in [TENANT, PLATFORM] {
            let read = format!("select * from {partition}");
            let outcome = attempt(&mut login, role, Some(ALPHA), read).await;
            assert_eq!(refusal(outcome).0, "42501", "{role}: {partition}");
        }
    }
}

#[tokio::test]
async fn a_reference_to_another_tenants_row_breaks_a_foreign_key() {
    let (_database, _owner, mut login) = filled().await;
    let (document, version, issuer) = (id_of(BETA, "02"), id_of(BETA, "03"), id_of(BETA, "01"));
    for statement in [
        format!(
            "insert into release (tenant_id, document_id, version_id) values ('{ALPHA}', '{document}', '{version}')"
        ),
        format!(
            "insert into release (tenant_id, document_id, version_id) values ('{ALPHA}', '{}', '{version}')",
            id_of(ALPHA, "02")
        ),
        format!(
            "insert into document_version (tenant_id, document_id, content) values ('{ALPHA}', '{document}', '{{}}')"
        ),
        format!(
            "insert into issuer_audience (tenant_id, issuer_id, issuer_url, audience)
             values ('{ALPHA}', '{issuer}', 'https://elsewhere.example', 'x')"
        ),
    ] {
        let outcome = attempt(&mut login, TENANT, Some(ALPHA), statement.as_str()).await;
        assert_eq!(refusal(outcome).0, "23503", "{statement}");
    }
}

#[tokio::test]
async fn an_issuer_with_its_audience_belongs_to_one_tenant_in_the_whole_installation() {
    let (_database, _owner, mut login) = filled().await;
    let claim = |audience: &str| {
        format!(
            r#"insert into issuer (tenant_id, config) values ('{ALPHA}',
               '{{"issuer": "https://issuer.example", "audiences": ["mine", "{audience}"]}}')"#
        )
    };
    // Registered, it is pending, and keeps nobody away; claimed, it belongs to one.
    let take = "; set local role gateway_platform;
                update issuer_audience set claimed_at = now(), claimed_by = 'operator' where claimed_at is null";
    for (audience, code) in [("b", Some("23505")), ("c", None)] {
        let registered = attempt(&mut login, TENANT, Some(ALPHA), claim(audience)).await;
        assert_eq!(registered.unwrap(), 1);
        let claimed = claim(audience) + take;
        let claimed = attempt(&mut login, TENANT, Some(ALPHA), claimed).await;
        assert_eq!(
            claimed
                .err()
                .map(|error| refusal(Err::<u64, _>(error)).0)
                .as_deref(),
            code
        );
    }
    // The tenant's door claims nothing: neither later, nor with the row, nor by a change of the issuer.
    let later = "update issuer_audience set claimed_at = now(), claimed_by = 'operator'";
    let refused = attempt(&mut login, TENANT, Some(ALPHA), later).await;
    assert_eq!(refusal(refused).0, "42501");
    let issuer = id_of(ALPHA, "01");
    for change in [
        format!(
            "insert into issuer_audience (tenant_id, issuer_id, issuer_url, audience, claimed_at, claimed_by)
             values ('{ALPHA}', '{issuer}', 'https://elsewhere.example', 'b', now(), 'operator')"
        ),
        r#"update issuer set config = jsonb_set(config, '{audiences}', '["b"]')"#.to_owned(),
    ] {
        let checked = format!(
            "do $$ begin {change}; if exists (select from issuer_audience where audience = 'b' and claimed_at is not null)
             then raise 'claimed'; end if; end $$"
        );
        attempt(&mut login, TENANT, Some(ALPHA), checked).await.unwrap();
    }
}

#[tokio::test]
async fn the_platform_role_sees_only_what_it_is_for() {
    let (_database, mut owner, mut login) = filled().await;
    for (table, column) in tenant_tables(&mut owner).await {
        let whole = matches!(
            table.as_str(),
            "tenant"
                | "config_revision"
                | "issuer"
                | "issuer_audience"
                | "api_key"
                | "membership"
                | "place"
                | "place_share"
                | "place_wait"
                | "quota_hold"
                | "quota_use"
                | "refusal"
        );
        let read = format!("select * from {table}");
        let outcome = attempt(&mut login, PLATFORM, None, read).await;
        if whole {
            assert!(outcome.unwrap() >= 2, "{table}");
        } else if table == "audit_event" {
            assert_eq!(outcome.unwrap(), 0, "no tenant's trail");
        } else {
            assert_eq!(refusal(outcome).0, "42501", "{table}");
        }
        let delete = format!("delete from {table} where {column} = '{ALPHA}'");
        let outcome = attempt(&mut login, PLATFORM, None, delete).await;
        if matches!(
            table.as_str(),
            "session_inputs"
                | "given_answer"
                | "place"
                | "place_wait"
                | "quota_hold"
                | "quota_use"
                | "refusal"
                | "sso_attempt"
        ) {
            assert_eq!(
                outcome.unwrap(),
                1,
                "{table}: what has had its time is swept"
            );
        } else if matches!(table.as_str(), "catalogue_sync" | "invitation") {
            assert_eq!(outcome.unwrap(), 0, "{table}: its time is not over");
        } else {
            assert_eq!(refusal(outcome).0, "42501", "{table}");
        }
    }
    for (column, table) in [
        ("subject", "session"),
        ("token_hash", "session_outcome"),
        ("inputs", "session_inputs"),
    ] {
        let read = format!("select {column} from {table}");
        assert_eq!(
            refusal(attempt(&mut login, PLATFORM, None, read).await).0,
            "42501"
        );
    }
    let rename = "update tenant set name = 'x'";
    assert_eq!(
        refusal(attempt(&mut login, PLATFORM, None, rename).await).0,
        "42501"
    );
}

#[tokio::test]
async fn inputs_that_may_still_be_kept_are_not_swept() {
    let (_database, mut owner, mut login) = filled().await;
    sql::run(
        &mut owner,
        "insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
         select tenant_id, gen_random_uuid(), at, now() + interval '1 day', inputs from session_inputs",
    )
    .await
    .unwrap();
    let swept = attempt(&mut login, PLATFORM, None, "delete from session_inputs").await;
    assert_eq!(swept.unwrap(), 2, "the one of each tenant that is over");
}

#[tokio::test]
async fn a_shared_issuers_tokens_can_not_be_taken_and_it_takes_no_tenants() {
    let (_database, _owner, mut login) = filled().await;
    let shared = |audience: &str| {
        format!(
            r#"insert into shared_issuer (config, tenant_claim) values
               ('{{"issuer": "https://issuer.example", "audiences": ["{audience}"]}}', 'org')"#
        )
    };
    let taken = attempt(&mut login, PLATFORM, None, shared("b")).await;
    assert_eq!(refusal(taken).0, "23505");
    begin_as(&mut login, PLATFORM, None).await;
    sql::run(&mut login, shared("shared")).await.unwrap();
    sql::run(
        &mut login,
        "insert into audit_event (tenant_id, at, actor, action, target, details)
         values ('00000000-0000-0000-0000-000000000000', now(), 'test', 'shared_issuer.create', 'shared_issuer/x', '{}')",
    )
    .await
    .unwrap();
    sql::run(&mut login, "commit").await.unwrap();

    let own = format!(
        r#"insert into issuer (tenant_id, config) values ('{ALPHA}',
           '{{"issuer": "https://issuer.example", "audiences": ["mine", "shared"]}}')"#
    );
    let taken = attempt(&mut login, TENANT, Some(ALPHA), own).await;
    assert_eq!(refusal(taken).0, "23505");
    let change = r#"update issuer set config = jsonb_set(config, '{audiences}', '["shared"]')"#;
    let taken = attempt(&mut login, TENANT, Some(ALPHA), change).await;
    assert_eq!(refusal(taken).0, "23505");
    for forbidden in [
        "delete from shared_issuer_audience",
        "update shared_issuer_audience set audience = 'x'",
        "select * from shared_issuer",
    ] {
        let outcome = attempt(&mut login, TENANT, Some(ALPHA), forbidden).await;
        assert_eq!(refusal(outcome).0, "42501", "{forbidden}");
    }
}
