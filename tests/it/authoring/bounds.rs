//! How many of a thing there may be.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::harness::admins::body;
use crate::harness::{problem, spawn};

const DRAFTS: &str = "/v1/admin/documents/persona/assistant/drafts";
/// Long enough for fifty drafts on a busy machine.
const A_WHILE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_has_fifty_drafts_at_most() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let open = async || app.tell(Method::POST, DRAFTS, &key, &json!({})).await;
    let fifty = async {
        for _ in 0..50 {
            body(open().await, 201).await;
        }
    };
    tokio::time::timeout(A_WHILE, fifty).await.unwrap();
    let told = problem(open().await, 409, "conflict").await;
    assert!(told["detail"].as_str().unwrap().contains("50"), "{told}");
    app.stop().await;
}
