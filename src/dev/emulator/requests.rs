//! What the emulator received, for tests to look at: the last 1000 calls, never a key.

use std::collections::VecDeque;
use std::sync::Mutex;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::access::bearer;
use super::answer::{Refusal, ok};
use super::shared::{Shared, lock};

/// Calls that are kept; older ones are forgotten.
const KEPT: usize = 1000;

/// Where the caller's bearer token was in a body.
const REDACTED: &str = "[bearer token]";

/// One call that the emulator received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The body: JSON where it parses, else a string, `null` where it was empty.
    pub body: Value,
    /// When it arrived.
    pub at: DateTime<Utc>,
}

/// A call as it is kept: the body is parsed only when somebody looks.
#[derive(Debug)]
struct StoredRequest {
    method: Method,
    path: String,
    query: Option<String>,
    body: Bytes,
    at: DateTime<Utc>,
}

impl StoredRequest {
    fn recorded(&self) -> RecordedRequest {
        let body = if self.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&self.body).unwrap_or_else(|_not_json| {
                Value::String(String::from_utf8_lossy(&self.body).into_owned())
            })
        };
        RecordedRequest {
            method: self.method.to_string(),
            path: self.path.clone(),
            query: self.query.clone(),
            body,
            at: self.at,
        }
    }
}

/// The calls received since the start or the last clearing.
#[derive(Debug)]
pub(super) struct Recorder {
    kept: Mutex<VecDeque<StoredRequest>>,
    received: watch::Sender<u64>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            received: watch::Sender::new(0),
        }
    }

    fn record(&self, call: StoredRequest) {
        let mut kept = lock(&self.kept);
        kept.push_front(call);
        kept.truncate(KEPT);
        drop(kept);
        self.received.send_modify(|count| *count += 1);
    }

    /// Newest first.
    pub(super) fn recorded(&self) -> Vec<RecordedRequest> {
        lock(&self.kept)
            .iter()
            .map(StoredRequest::recorded)
            .collect()
    }

    pub(super) fn clear(&self) {
        lock(&self.kept).clear();
    }

    /// Changes with every call that arrives.
    pub(super) fn received(&self) -> watch::Receiver<u64> {
        self.received.subscribe()
    }
}

/// Notes every call but preflights, upgrades' streams and the emulator's own endpoints.
pub(super) async fn record(
    shared: web::Data<Shared>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.path().starts_with("/_emulator/") {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let body = if request.headers().contains_key(header::UPGRADE) {
        Bytes::new()
    } else {
        match request.extract::<Bytes>().await {
            Ok(body) => {
                request.set_payload(Payload::from(body.clone()));
                body
            }
            Err(error) => {
                let refusal = Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "Payload too large",
                    error.to_string(),
                );
                let response = request.into_response(refusal.error_response());
                return Ok(response.map_into_right_body());
            }
        }
    };
    shared.requests.record(StoredRequest {
        method: request.method().clone(),
        path: request.path().to_owned(),
        query: Some(request.query_string())
            .filter(|query| !query.is_empty())
            .map(str::to_owned),
        body: without(body, bearer(request.request())),
        at: shared.config.clock.now(),
    });
    Ok(next.call(request).await?.map_into_left_body())
}

/// The body with the caller's bearer token blotted out, should it be in there.
fn without(body: Bytes, secret: Option<&str>) -> Bytes {
    match (std::str::from_utf8(&body), secret) {
        (Ok(text), Some(secret)) if text.contains(secret) => {
            Bytes::from(text.replace(secret, REDACTED))
        }
        _ => body,
    }
}

/// `GET /_emulator/requests`
pub(super) async fn list(shared: web::Data<Shared>) -> HttpResponse {
    ok(shared.requests.recorded())
}
