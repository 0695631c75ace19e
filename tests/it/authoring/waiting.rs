//! Two admins at once wait for each other, longer than a statement may take; and not for ever.

use futures_util::future::join_all;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::harness::admins::body;
use crate::harness::{TestApp, TestOptions, problem, spawn, spawn_with, sql};

const DRAFTS: &str = "/v1/admin/documents/persona/assistant/drafts";

/// Another change of the demo tenant's documents that is under way until this ends.
async fn somebody_changes(app: &TestApp) -> sqlx::PgConnection {
    let tenant = app.tenant("demo").await.0;
    let mut other = app.database.owner().await;
    let take =
        format!("begin; select pg_advisory_xact_lock(hashtextextended('authoring {tenant}', 0))");
    sql::run(&mut other, take).await.unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_for_another_that_takes_longer_than_a_statement_may() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let mut other = somebody_changes(&app).await;
    let draft = json!({ "title": "Waits" });
    let asked = app.tell(Method::POST, DRAFTS, &key, &draft);
    let ends = async {
        // Longer than a lock (one second) and a statement (two) may take.
        sql::run(&mut other, "select pg_sleep(2.6); commit")
            .await
            .unwrap();
    };
    let (answer, ()) = tokio::join!(asked, ends);
    assert_eq!(body(answer, 201).await["title"], "Waits");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_waits_in_vain_says_so_and_when_to_try_again() {
    let short = (
        "GATEWAY__DATABASE__LOCK_TIMEOUT_MS".to_owned(),
        "40".to_owned(),
    );
    let app = spawn_with(TestOptions {
        env: vec![short],
        ..TestOptions::default()
    })
    .await;
    let key = app.admin_key("demo", Role::Editor).await;
    let mut other = somebody_changes(&app).await;
    let answer = app
        .tell(Method::POST, DRAFTS, &key, &json!({ "title": "Waits" }))
        .await;
    assert!(answer.headers().contains_key("retry-after"));
    let told = problem(answer, 503, "overloaded").await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("Other changes of this tenant"),
        "{told}"
    );
    sql::run(&mut other, "rollback").await.unwrap();
    body(
        app.tell(Method::POST, DRAFTS, &key, &json!({ "title": "Waits" }))
            .await,
        201,
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_changes_as_a_tenant_may_have_under_way_come_one_after_the_other() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let asked = (0..16).map(|n| {
        let (app, key) = (&app, &key);
        async move {
            let draft = json!({ "title": format!("Draft {n}") });
            app.tell(Method::POST, DRAFTS, key, &draft)
                .await
                .status()
                .as_u16()
        }
    });
    let answers = join_all(asked).await;
    assert_eq!(answers, [201; 16]);
    app.stop().await;
}
