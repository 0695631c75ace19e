//! Preparing a database, and the service's refusal to run on one that is not as it must be.

use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::app::App;
use persona_gateway::clock::Clock;
use persona_gateway::store::migrate::MigrateError;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use url::Url;

use super::months::TwoYears;
use crate::harness::logs;
use crate::harness::postgres::{TestDatabase, migrate, with_roles};
use crate::harness::problem;
use crate::harness::sql;
use crate::harness::tenants::{Tenant, settings, store};
use crate::harness::wait::until;
use crate::harness::wire::Wire;

/// Everything that a migration could have made or changed.
async fn picture(owner: &mut PgConnection) -> Vec<String> {
    sql::texts(
        owner,
        "select 'class ' || relname || relkind::text || relrowsecurity || relforcerowsecurity || coalesce(relacl::text, '') from pg_class
             where relnamespace = 'public'::regnamespace
         union all select 'migration ' || to_jsonb(m)::text from _sqlx_migrations m
         union all select 'policy ' || polrelid::regclass || polname from pg_policy
         union all select 'trigger ' || tgrelid::regclass || tgname from pg_trigger where not tgisinternal
         union all select 'constraint ' || conrelid::regclass || conname from pg_constraint
         union all select 'function ' || proname || prosrc from pg_proc where pronamespace = 'public'::regnamespace
         order by 1",
    )
    .await
}

/// The same database, as another role.
fn as_role(url: &SecretString, role: &str) -> SecretString {
    let mut url = Url::parse(url.expose_secret()).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("secret")).unwrap();
    SecretString::from(url.to_string())
}

/// A name for a role of one test: roles belong to the whole server.
fn role_of(database: &TestDatabase, what: &str) -> String {
    format!("{}_{what}", database.name)
}

#[tokio::test]
async fn eight_instances_migrate_an_empty_database_at_once() {
    let database = TestDatabase::create_empty().await;
    let login = as_role(&database.login_url, &role_of(&database, "eight"));
    let migrating = (0..8).map(|_| migrate(&database.owner_url, Some(&login)));
    for outcome in join_all(migrating).await {
        outcome.unwrap();
    }
    store(&login).check_rights().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_migration_waits_for_a_lock_others_get_theirs() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let months = TwoYears::from_now(&mut owner).await;
    sql::run(
        &mut owner,
        "do $$ begin
             execute (select 'drop table ' || max(relname) from pg_class where relname ~ '^session_[0-9_]+$');
         end $$",
    )
    .await
    .unwrap();
    // Somebody reads for long; a new month needs the table for itself.
    let mut reader = database.owner().await;
    sql::run(&mut reader, "begin; select from session limit 1")
        .await
        .unwrap();
    let patience = Duration::from_secs(10);
    let meanwhile = async {
        for _ in 0..3 {
            until("the migration waits", patience, || async {
                let waits =
                    "select pid from pg_locks where not granted and relation = 'session'::regclass";
                database.rows(waits).await.pop()
            })
            .await;
            let another = database.rows("select 1 as one from session");
            tokio::time::timeout(patience, another)
                .await
                .expect("it is not held up by who waits");
        }
        sql::run(&mut reader, "rollback").await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrate(&database.owner_url, None), meanwhile);
    migrated.unwrap();
    assert_eq!(months.missing("session", &mut owner).await, [""; 0]);
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    // A copy gets roles of its own first.
    migrate(&database.owner_url, None).await.unwrap();
    let before = picture(&mut owner).await;
    migrate(&database.owner_url, Some(&database.login_url))
        .await
        .unwrap();
    assert_eq!(picture(&mut owner).await, before);
    assert!(before.len() > 300, "{}", before.len());
}

async fn password_of(owner: &mut PgConnection, role: &str) -> String {
    let query = format!("select rolpassword from pg_authid where rolname = '{role}'");
    sql::texts(owner, &query).await.concat()
}

#[tokio::test]
async fn a_new_login_is_made_with_a_verifier_so_that_its_password_is_in_no_log() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let role = role_of(&database, "fresh");
    // A server that would have kept passwords in another way shows that none was sent.
    let set = format!(
        "alter database {} set password_encryption = 'md5'",
        database.name
    );
    sql::run(&mut owner, set).await.unwrap();
    let login = as_role(&database.login_url, &role);
    migrate(&database.owner_url, Some(&login)).await.unwrap();
    let kept = password_of(&mut owner, &role).await;
    assert!(kept.starts_with("SCRAM-SHA-256$4096:"), "{kept}");
    store(&login).check_rights().await.unwrap();
}

#[tokio::test]
async fn an_existing_login_keeps_its_password() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let role = role_of(&database, "old");
    let make = format!("create role {role} login noinherit password 'its own'");
    sql::run(&mut owner, make).await.unwrap();
    let before = password_of(&mut owner, &role).await;
    let login = as_role(&database.login_url, &role);
    for _ in 0..2 {
        migrate(&database.owner_url, Some(&login)).await.unwrap();
        assert_eq!(password_of(&mut owner, &role).await, before);
    }
    store(&login).check_rights().await.unwrap();
}

#[tokio::test]
async fn an_existing_login_that_inherits_is_refused_with_what_to_run() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let role = role_of(&database, "heir");
    let make = format!("create role {role} login inherit password 'secret'");
    sql::run(&mut owner, make).await.unwrap();
    let login = as_role(&database.login_url, &role);
    let refused = migrate(&database.owner_url, Some(&login)).await;
    let remedy = format!("alter role \"{role}\" noinherit");
    let said = refused.expect_err("it is refused").to_string();
    assert!(said.ends_with(&remedy), "{said}");
    sql::run(&mut owner, remedy).await.unwrap();
    migrate(&database.owner_url, Some(&login)).await.unwrap();
    store(&login).check_rights().await.unwrap();
}

#[tokio::test]
async fn a_column_of_another_type_costs_nobody_an_error() {
    let database = TestDatabase::create().await;
    let store = store(&database.login_url);
    let mut tx = store.platform().await.unwrap();
    tx.tenants_page(None, 1).await.unwrap();
    tx.commit().await.unwrap();
    let change = "alter table tenant alter column name type varchar(1000)";
    database.sql(change).await;
    let mut tx = store.platform().await.unwrap();
    tx.tenants_page(None, 1)
        .await
        .expect("it is asked again in another transaction");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_older_program_starts_on_a_newer_schema() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    sql::run(
        &mut owner,
        "insert into _sqlx_migrations values (29990101000000, 'from the future', now(), true, 'x', 0)",
    )
    .await
    .unwrap();
    migrate(&database.owner_url, None).await.unwrap();
    store(&database.login_url).check_rights().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_refused() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    sql::run(&mut owner, "update _sqlx_migrations set checksum = 'x'")
        .await
        .unwrap();
    let refused = migrate(&database.owner_url, None).await;
    assert!(
        matches!(refused, Err(MigrateError::Migration(_))),
        "{refused:?}"
    );
    // The lock is given back: the next one does not wait.
    let again = migrate(&database.owner_url, None).await;
    assert!(
        matches!(again, Err(MigrateError::Migration(_))),
        "{again:?}"
    );
}

#[tokio::test]
async fn the_owner_can_not_be_the_login_too() {
    let database = TestDatabase::create_empty().await;
    let refused = migrate(&database.owner_url, Some(&database.owner_url)).await;
    assert!(
        matches!(refused, Err(MigrateError::LoginUnusable)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_login_whose_name_and_password_need_quoting_is_made_and_serves() {
    let database = TestDatabase::create().await;
    let mut url = Url::parse(database.login_url.expose_secret()).unwrap();
    url.set_username(&format!("{}_o%22; drop", database.name))
        .unwrap();
    url.set_password(Some("it's \\ \"%40 secret")).unwrap();
    let login = SecretString::from(url.to_string());
    migrate(&database.owner_url, Some(&login)).await.unwrap();
    store(&login).check_rights().await.unwrap();
}

#[tokio::test]
async fn an_owner_without_superuser_can_migrate() {
    let database = TestDatabase::create_empty().await;
    let role = role_of(&database, "owner");
    let mut superuser = database.owner().await;
    sql::run(
        &mut superuser,
        format!(
            "create role {role} login createrole password 'secret';
             alter database {} owner to {role}",
            database.name
        ),
    )
    .await
    .unwrap();
    let login = as_role(&database.login_url, &role_of(&database, "app"));
    let owner = as_role(&database.owner_url, &role);
    migrate(&owner, Some(&login)).await.unwrap();
    store(&login).check_rights().await.unwrap();
    sql::run(&mut superuser, format!("alter role {role} nocreaterole"))
        .await
        .unwrap();
    refused(&owner, "owns tables").await;
}

/// The service refuses to start, and its error says so.
async fn refused(url: &SecretString, reason: &str) {
    let error = App::start(&settings(url, &[]), Clock::system())
        .await
        .expect_err("the service refuses")
        .to_string();
    assert!(error.contains(reason), "{error}");
    assert!(
        error.contains("persona-gateway migrate"),
        "says what to do: {error}"
    );
}

#[tokio::test]
async fn the_service_refuses_roles_that_row_security_does_not_bind() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    refused(&database.owner_url, "superuser").await;
    let both = with_roles("gateway_tenant, gateway_platform");
    for (what, make, reason) in [
        ("bypass", format!("create role $ login noinherit bypassrls in role {both} password 'secret'"), "BYPASSRLS"),
        ("inherits", format!("create role $ login inherit in role {both} password 'secret'"), "NOINHERIT"),
        ("maker", format!("create role $ login noinherit createrole in role {both} password 'secret'"), "may make roles"),
        (
            "rises",
            format!("create role $_boss bypassrls; create role $ login noinherit in role $_boss, {both} password 'secret'"),
            "BYPASSRLS",
        ),
        (
            "climbs",
            format!("create role $_admin superuser; create role $ login noinherit in role $_admin, {both} password 'secret'"),
            "superuser",
        ),
        (
            "owns",
            format!(
                "create role $_holder; grant create on schema public to $_holder; alter table preference owner to $_holder;
                 create role $ login noinherit in role $_holder, {both} password 'secret'"
            ),
            "owns",
        ),
        ("weak", "create role $ login noinherit password 'secret'".to_owned(), "may not take the role"),
    ] {
        let role = role_of(&database, what);
        sql::run(&mut owner, make.replace('$', &role)).await.unwrap();
        refused(&as_role(&database.login_url, &role), reason).await;
    }
}

#[tokio::test]
async fn the_service_refuses_a_database_that_is_not_migrated() {
    let database = TestDatabase::create_empty().await;
    refused(&database.login_url, "not prepared").await;

    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    sql::run(
        &mut owner,
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
    )
    .await
    .unwrap();
    refused(&database.login_url, "not prepared").await;
}

async fn readiness(app: &App) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/readyz", app.ops_address);
    client.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_starts_before_its_database_gets_ready_when_that_comes() {
    let database = TestDatabase::create().await;
    let wire = Wire::closed(&database.login_url).await;
    let settings = settings(
        &wire.url(),
        &[("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS", "300")],
    );
    let app = App::start(&settings, Clock::system()).await.unwrap();
    assert_eq!(readiness(&app).await, 503);
    // No token can be judged: that is not the token's fault.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("http://{}/v1/session-token", app.address))
        .bearer_auth(Tenant::new("alpha", None).user("u"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["retry-after"], "2");
    problem(answer, 503, "unavailable").await;
    wire.open().await;
    until("the service is ready", Duration::from_secs(15), || async {
        (readiness(&app).await == 200).then_some(())
    })
    .await;
    assert!(app.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_master_key_is_found_also_when_the_database_comes_late() {
    logs::capture();
    let database = TestDatabase::create().await;
    let right = App::start(&settings(&database.login_url, &[]), Clock::system())
        .await
        .unwrap();
    assert!(right.stop().await);

    let wire = Wire::closed(&database.login_url).await;
    let late = settings(
        &wire.url(),
        &[
            ("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS", "300"),
            (
                "GATEWAY_MASTER_KEY",
                "bGF0ZS1tYXN0ZXIta2V5LW9mLTMyLWJ5dGVzLWxvbmc=",
            ),
        ],
    );
    let app = App::start(&late, Clock::system()).await.unwrap();
    wire.open().await;
    until("the log says it", Duration::from_secs(15), || async {
        logs::logged()
            .contains("its key 1 has other bytes")
            .then_some(())
    })
    .await;
    assert_eq!(readiness(&app).await, 503);
    assert!(app.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_too_powerful_is_refused_also_when_the_database_comes_late() {
    let database = TestDatabase::create().await;
    let wire = Wire::closed(&database.owner_url).await;
    let settings = settings(
        &wire.url(),
        &[("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS", "300")],
    );
    let app = App::start(&settings, Clock::system()).await.unwrap();
    wire.open().await;
    let error = until("the database answers", Duration::from_secs(15), || async {
        match app.gateway.database.platform().await {
            Err(error) if !error.is_transient() => Some(error.to_string()),
            Err(_) => None,
            Ok(_) => Some("let in".to_owned()),
        }
    })
    .await;
    assert!(error.contains("superuser"), "{error}");
    assert_eq!(readiness(&app).await, 503);
    assert!(app.stop().await);
}
