//! Previews, impact, sample users, the tests in documents, and the findings of an examination.

mod examining;
mod impact;
mod preview;
mod sample_users;
mod test_calls;
mod webhooks;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::admins::{body, state};

/// The content of the version that is live of a document, such as `persona/assistant`.
async fn live(app: &TestApp, key: &str, document: &str) -> Value {
    let path = format!("/v1/admin/documents/{document}");
    let row = body(app.ask(Method::GET, &path, key).await, 200).await;
    let version = format!("{path}/versions/{}", row["liveVersion"]);
    body(app.ask(Method::GET, &version, key).await, 200).await["content"].clone()
}

/// Opens a draft of a document with this content; gives its id and its `ETag`.
async fn draft(app: &TestApp, key: &str, document: &str, content: &Value) -> (String, String) {
    let path = format!("/v1/admin/documents/{document}/drafts");
    let asked = json!({ "content": content });
    let (etag, draft) = state(app.tell(Method::POST, &path, key, &asked).await, 201).await;
    (draft["id"].as_str().unwrap().to_owned(), etag)
}

/// Makes a document with a first draft; gives the draft's id and its `ETag`.
async fn new_document(
    app: &TestApp,
    admin: &str,
    document: &str,
    content: &Value,
) -> (String, String) {
    let (kind, key) = document.split_once('/').unwrap();
    let new = json!({ "kind": kind, "key": key, "content": content });
    let answer = app
        .tell(Method::POST, "/v1/admin/documents", admin, &new)
        .await;
    let (etag, draft) = state(answer, 201).await;
    (draft["id"].as_str().unwrap().to_owned(), etag)
}

/// Seals a draft; gives the version's number.
async fn seal(app: &TestApp, key: &str, (id, etag): &(String, String)) -> i64 {
    let path = format!("/v1/admin/drafts/{id}:seal");
    let answer = app
        .tell_if(Method::POST, &path, key, etag, &json!({}))
        .await;
    body(answer, 201).await["number"].as_i64().unwrap()
}

async fn release(app: &TestApp, key: &str, document: &str, asked: &Value) -> reqwest::Response {
    let path = format!("/v1/admin/documents/{document}/releases");
    app.tell(Method::POST, &path, key, asked).await
}

async fn preview(app: &TestApp, key: &str, asked: &Value) -> reqwest::Response {
    app.tell(Method::POST, "/v1/admin/preview", key, asked)
        .await
}
