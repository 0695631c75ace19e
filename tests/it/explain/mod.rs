//! What admins learn about sessions afterwards, and what they can make the gateway forget.

mod counts;
mod prompt;
mod replay;
mod search;
mod session;
mod subjects;

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::admins::body;
use crate::harness::wait::until;

/// Mints for a user of the demo tenant; gives the session's id once its outcome is written.
async fn minted(app: &TestApp, token: &str, asked: &Value) -> String {
    let answer = app.mint(token, asked).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let id = answer["sessionId"].as_str().unwrap().to_owned();
    settled(app, &id).await;
    id
}

/// Waits for the outcome of a session: it is written behind the answer.
async fn settled(app: &TestApp, id: &str) {
    let sql = format!("select 1 as one from session_outcome where session_id = '{id}'");
    until(
        "the outcome is written",
        Duration::from_secs(10),
        || async { app.database.rows(&sql).await.pop() },
    )
    .await;
}

async fn explained(app: &TestApp, id: &str) -> Value {
    let key = app.admin_key("demo", Role::Viewer).await;
    let path = format!("/v1/admin/sessions/{id}");
    body(app.ask(Method::GET, &path, &key).await, 200).await
}
