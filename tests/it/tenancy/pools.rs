//! Who waits holds nobody else's connections: mints go on while admins and other users wait for locks.

use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::seed;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, spawn_with, sql};

const PATIENCE: Duration = Duration::from_secs(20);

async fn patient() -> TestApp {
    let env = [
        // A tenant has half of them.
        ("ADMIN_CONNECTIONS", "4"),
        ("USER_CONNECTIONS", "4"),
        ("LOCK_TIMEOUT_MS", "60000"),
        ("STATEMENT_TIMEOUT_MS", "60000"),
        ("TRANSACTION_TIMEOUT_MS", "60000"),
    ];
    let env = env.map(|(name, value)| (format!("GATEWAY__DATABASE__{name}"), value.to_owned()));
    spawn_with(TestOptions {
        env: env.into(),
        ..TestOptions::default()
    })
    .await
}

async fn waiting(app: &TestApp, many: i64) {
    let count = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and wait_event_type = 'Lock'",
        app.database.name
    );
    until(
        "all connections of a kind wait for a lock",
        PATIENCE,
        || async {
            let rows = app.database.rows(&count).await;
            (rows[0]["count"] == many).then_some(())
        },
    )
    .await;
}

async fn mints(app: &TestApp) {
    let body = context("support");
    let token = app.user("somebody else");
    for answer in join_all((0..16).map(|_| app.mint(&token, &body))).await {
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_who_wait_for_a_lock_on_every_connection_stop_no_mint() {
    let app = patient().await;
    let key = app.admin_key(seed::TENANT, Role::Viewer).await;
    let mut blocker = app.database.owner().await;
    sql::run(&mut blocker, "begin; lock table sample_user")
        .await
        .unwrap();
    let asked = join_all((0..12).map(|_| app.ask(Method::GET, "/v1/admin/sample-users", &key)));
    let meanwhile = async {
        waiting(&app, 2).await;
        mints(&app).await;
        waiting(&app, 2).await;
        sql::run(&mut blocker, "rollback").await.unwrap();
    };
    let (answers, ()) = tokio::join!(asked, meanwhile);
    let served = answers
        .iter()
        .filter(|answer| answer.status() == 200)
        .count();
    assert!(served >= 2, "those that waited were served: {served}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_who_wait_for_their_own_rows_stop_no_mint() {
    let app = patient().await;
    let token = app.user("ann");
    app.prefer(&token, &json!({ "displayName": "Ann" })).await;
    let mut blocker = app.database.owner().await;
    let hold = "begin; select from preference where subject = 'ann' for update";
    sql::run(&mut blocker, hold).await.unwrap();
    let choices = json!({ "displayName": "Anna" });
    let asked = join_all((0..12).map(|_| {
        let request = app.request(Method::PUT, "/v1/me/preferences", &token);
        request.json(&choices).send()
    }));
    let meanwhile = async {
        waiting(&app, 2).await;
        mints(&app).await;
        waiting(&app, 2).await;
        sql::run(&mut blocker, "rollback").await.unwrap();
    };
    let (answers, ()) = tokio::join!(asked, meanwhile);
    let served = answers
        .iter()
        .filter(|answer| answer.as_ref().unwrap().status() == 200)
        .count();
    assert!(served >= 2, "those that waited were served: {served}");
    app.stop().await;
}
