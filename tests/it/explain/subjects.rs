//! One user: all that is kept of them, and how it is forgotten.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{explained, minted};
use crate::harness::admins::body;
use crate::harness::{TestApp, context, problem, spawn};

/// A user whose name is found nowhere by chance, and needs encoding in an address.
const SUBJECT: &str = "auth0|zoë/4711:erase me";
const ENCODED: &str = "auth0%7Czo%C3%AB%2F4711%3Aerase%20me";

async fn call(app: &TestApp, verb: &str) -> Value {
    let key = app.admin_key("demo", Role::Owner).await;
    let path = format!("/v1/admin/users/{ENCODED}:{verb}");
    body(app.ask(Method::POST, &path, &key).await, 200).await
}

async fn used(app: &TestApp) -> Vec<String> {
    let token = app.user(SUBJECT);
    app.prefer(&token, &json!({ "tone": "formal" })).await;
    let mut ids = Vec::new();
    for name in ["support", "sales"] {
        ids.push(minted(app, &token, &context(name)).await);
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_has_everything_that_is_kept_of_a_user_and_of_nobody_else() {
    let app = spawn().await;
    minted(&app, &app.user("user-1"), &context("support")).await;
    let ids = used(&app).await;
    let told = call(&app, "export").await;
    assert_eq!(told["subject"], SUBJECT);
    assert_eq!(told["preferences"], json!({ "tone": "formal" }));
    let sessions = told["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    for (session, id) in sessions.iter().zip(&ids) {
        assert_eq!(session["id"], *id, "oldest first");
        assert_eq!(session["outcome"], "issued");
        assert_eq!(session["inputs"]["facts"]["plan"], "pro");
        assert!(session["trace"]["persona"].is_object());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_was_never_seen_has_an_empty_export_and_nothing_to_erase() {
    let app = spawn().await;
    let told = call(&app, "export").await;
    assert_eq!(
        (&told["preferences"], &told["sessions"]),
        (&json!({}), &json!([]))
    );
    let nothing = json!({ "preferences": false, "sessions": 0, "inputs": 0 });
    assert_eq!(call(&app, "erase").await, nothing);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_sessions_than_fit_one_page_are_exported_and_erased_all() {
    let app = spawn().await;
    let tenant = app.tenant("demo").await.0;
    let subject = SUBJECT.replace('\'', "''");
    app.database
        .sql(&format!(
            "insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 select '{tenant}', gen_random_uuid(), now() - n / 3 * interval '1 second', '{tenant}', '{subject}', 'c', 'p', 1, '\\x00', '{{}}'
                 from generate_series(1, 1234) n"
        ))
        .await;
    let told = call(&app, "export").await;
    let mut ids: Vec<&str> = told["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1234);
    assert_eq!(call(&app, "erase").await["sessions"], 1234);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_erasure_nothing_in_the_database_names_the_user() {
    let app = spawn().await;
    let kept = minted(&app, &app.user("user-1"), &context("support")).await;
    let ids = used(&app).await;
    assert!(app.database.dump().await.contains("zoë/4711"));
    let erased = call(&app, "erase").await;
    assert_eq!(
        erased,
        json!({ "preferences": true, "sessions": 2, "inputs": 2 })
    );

    let dump = app.database.dump().await;
    assert!(!dump.contains("zoë"), "{dump}");
    let told = explained(&app, &ids[0]).await;
    assert_eq!(told["user"]["subject"], Value::Null);
    assert_eq!(
        told["inputs"],
        json!({ "kept": false, "reason": "the user was erased" })
    );
    assert_eq!(told["outcome"]["result"], "issued", "the ledger stays");
    let key = app.admin_key("demo", Role::Owner).await;
    let path = format!("/v1/admin/sessions/{}:replay", ids[0]);
    problem(
        app.ask(Method::POST, &path, &key).await,
        410,
        "inputs_expired",
    )
    .await;
    assert_eq!(explained(&app, &kept).await["user"]["subject"], "user-1");

    // What comes afterwards is new, and a second call takes only that.
    minted(&app, &app.user(SUBJECT), &context("support")).await;
    assert_eq!(
        call(&app, "export").await["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let again = json!({ "preferences": false, "sessions": 1, "inputs": 1 });
    assert_eq!(call(&app, "erase").await, again);
    let nothing = json!({ "preferences": false, "sessions": 0, "inputs": 0 });
    assert_eq!(call(&app, "erase").await, nothing);

    let rows = app
        .database
        .rows("select action, target, request_id from audit_event where target like 'user/%' order by seq")
        .await;
    let actions: Vec<&str> = rows
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        ["user.erase", "user.export", "user.erase", "user.erase"]
    );
    assert!(
        rows.iter()
            .all(|row| row["target"] == rows[0]["target"] && row["request_id"].is_string())
    );
    let path = format!("/v1/admin/audit?action=user.erase&user={ENCODED}");
    let found = body(app.ask(Method::GET, &path, &key).await, 200).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_lets_a_name_go_and_nothing_else() {
    let app = spawn().await;
    minted(&app, &app.user("user-1"), &context("support")).await;
    let mut owner = app.database.owner().await;
    for statement in [
        "update session set subject = 'somebody-else'",
        "update session set subject = '', persona_key = 'x'",
        "update session set persona_key = 'x'",
        "update session set subject = subject",
        "delete from session",
    ] {
        let outcome = crate::harness::sql::run(&mut owner, statement).await;
        let (code, _) = crate::harness::sql::refusal(outcome);
        assert_eq!(code, "23001", "{statement}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_the_sub_of_a_token_is_at_no_address() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Owner).await;
    let long = "x".repeat(256);
    for subject in ["%00", "a%0Ab", "%E2%80%AE", &long] {
        for verb in ["export", "erase"] {
            let path = format!("/v1/admin/users/{subject}:{verb}");
            problem(app.ask(Method::POST, &path, &key).await, 404, "not_found").await;
        }
    }
    app.stop().await;
}
