//! Requests for a token with an `Idempotency-Key`.

use reqwest::{Method, Response};
use serde_json::Value;

use super::app::TestApp;

pub(crate) async fn mint_with(app: &TestApp, token: &str, key: &str, body: &Value) -> Response {
    let request = app.request(Method::POST, "/v1/session-token", token);
    let request = request.header("idempotency-key", key).json(body);
    request.send().await.unwrap()
}

/// The body of an answer with a token.
pub(crate) async fn answer(response: Response) -> Value {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}
