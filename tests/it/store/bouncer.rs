//! Behind `PgBouncer`: connections that are handed out by session, and by transaction.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persona_gateway::dev::seed;
use persona_gateway::domain::role::Role;
use persona_gateway::store::{Database, DatabaseOptions, StoreError};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::harness::bouncer::Bouncer;
use crate::harness::cli::{environment_of, program};
use crate::harness::postgres::{TestDatabase, migrate, typed};
use crate::harness::tenants::{Bench, Tenant};
use crate::harness::wire::Wire;
use crate::harness::{TestApp, TestOptions, context, spawn_with, sql};

async fn spawn_behind(bouncer: &Bouncer, database: &TestDatabase, direct: bool) -> TestApp {
    let mut env = Vec::new();
    if direct {
        let url = database.login_url.expose_secret().to_owned();
        env.push(("DIRECT_DATABASE_URL".to_owned(), url));
    }
    let behind = database.over(bouncer.url(&database.login_url));
    spawn_with(TestOptions {
        env,
        database: Some(behind),
        ..TestOptions::default()
    })
    .await
}

/// What users and admins do, many times at once.
async fn everything_works(app: &TestApp) {
    let token = app.user("user-1");
    let key = app.admin_key(seed::TENANT, Role::Owner).await;
    let body = context("support");
    for round in 0..5 {
        let mints = join_all((0..8).map(|_| app.mint(&token, &body)));
        let reads = join_all((0..4).map(|_| async {
            let read = app.request(Method::GET, "/v1/admin/documents", &key);
            read.send().await.unwrap().status().as_u16()
        }));
        app.prefer(
            &token,
            &json!({ "languageCode": if round % 2 == 0 { "de" } else { "en" } }),
        )
        .await;
        let (mints, reads) = tokio::join!(mints, reads);
        for answer in mints {
            assert_eq!(answer.status(), 200);
        }
        assert_eq!(reads, [200; 4]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_by_session_need_nothing_else() {
    let database = TestDatabase::create().await;
    let bouncer = Bouncer::start(&database, "session", 40).await;
    let app = spawn_behind(&bouncer, &database, false).await;
    everything_works(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_by_transaction_need_a_direct_url_for_hearing_of_changes() {
    let database = TestDatabase::create().await;
    let bouncer = Bouncer::start(&database, "transaction", 3).await;
    let app = spawn_behind(&bouncer, &database, true).await;
    everything_works(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_it_serve_says_in_one_line_what_is_missing() {
    let bench = Bench::new().await;
    let bouncer = Bouncer::start(&bench.database, "transaction", 3).await;
    let ended = program(&["serve"])
        .envs(&environment_of(&bench))
        .env(
            "DATABASE_URL",
            bouncer.url(&bench.database.login_url).expose_secret(),
        )
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(ended.err.contains("database.direct_url"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrate_refuses_a_pooler_at_once_and_leaves_no_lock_behind() {
    let database = TestDatabase::create().await;
    let bouncer = Bouncer::start(&database, "transaction", 3).await;
    let refused = migrate(&bouncer.url(&database.owner_url), None).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("MIGRATE_DATABASE_URL"), "{refused}");
    migrate(&database.owner_url, Some(&database.login_url))
        .await
        .unwrap();
    let session = Bouncer::start(&database, "session", 3).await;
    for _ in 0..2 {
        migrate(&session.url(&database.owner_url), None)
            .await
            .unwrap();
    }
    let mut owner = database.owner().await;
    let left = "select count(*) from pg_locks where locktype = 'advisory'
                and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(sql::number(&mut owner, left).await.unwrap(), 0);
}

fn store(url: &SecretString, direct: &SecretString) -> Database {
    let options = DatabaseOptions {
        acquire_timeout: Duration::from_secs(20),
        statement_timeout: Duration::from_secs(20),
        lock_timeout: Duration::from_millis(300),
        transaction_timeout: Duration::from_mins(1),
    };
    Database::new(&typed(url), Some(&typed(direct)), "test", 8, options)
}

/// By hand, with what a pooler takes.
async fn connect(url: &SecretString) -> PgConnection {
    let options: PgConnectOptions = url.expose_secret().parse().unwrap();
    PgConnection::connect_with(&options.extra_float_digits(None))
        .await
        .unwrap()
}

/// Looks by hand, so that row security alone keeps the others' rows away.
async fn look(url: &SecretString, tenants: &[String]) {
    let mut connection = connect(url).await;
    for n in 0..40 {
        let tenant = &tenants[n % 2];
        sql::begin_as(&mut connection, "gateway_tenant", Some(tenant)).await;
        let seen = sql::texts(&mut connection, "select distinct tenant_id from document").await;
        assert_eq!(seen, [tenant.as_str()]);
        sql::run(&mut connection, "commit").await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenants_setting_is_left_for_another_and_time_limits_hold() {
    let bench = Bench::new().await;
    let database = &bench.database;
    let mut tenants = Vec::new();
    for name in ["alpha", "beta"] {
        let tenant = Tenant::new(name, None);
        bench.apply(&tenant.bundle().to_string()).await.unwrap();
        tenants.push(bench.tenant(name).await);
    }
    let bouncer = Bouncer::start(database, "transaction", 2).await;
    let url = bouncer.url(&database.login_url);
    let direct = Wire::to(&database.login_url).await;
    let store = store(&url, &direct.url());
    let served = (0..200).map(async |_| {
        let mut tx = store.platform().await.unwrap();
        tx.revisions(None, 1).await.unwrap();
        tx.commit().await.unwrap();
    });
    let looks = (0..4).map(|_| look(&url, &tenants));
    tokio::join!(join_all(served), join_all(looks));
    // The check before the first use compares two connections; a crowd at the start makes no more of them.
    assert_eq!(direct.made(), 2);

    // Whoever comes next on the same server connections finds nothing of them.
    for _ in 0..8 {
        let mut next = connect(&url).await;
        let left = "select concat_ws('|', coalesce(current_setting('app.tenant', true), ''), current_user = session_user,
                           current_setting('lock_timeout')) as left";
        assert_eq!(sql::texts(&mut next, left).await, ["|t|0"]);
        assert_eq!(
            sql::refusal(sql::run(&mut next, "select 1 from document").await).0,
            "42501"
        );
        next.close().await.unwrap();
    }

    // The server gives up waiting for a lock, although the connection was not made with that limit.
    let mut owner = database.owner().await;
    sql::run(&mut owner, "begin; lock table config_revision")
        .await
        .unwrap();
    let begun = Instant::now();
    let mut tx = store.platform().await.unwrap();
    let refused = tx.revisions(None, 1).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(error)
        if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("55P03")),
        "{refused}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}
