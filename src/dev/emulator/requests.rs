//! What the emulator received, for tests to look at: the last 1000 calls, never a key.

use std::collections::VecDeque;
use std::sync::Mutex;

use actix_web::http::Method;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::lock::lock;

/// Calls that are kept; older ones are forgotten.
const KEPT: usize = 1000;

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
    /// The header `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it arrived.
    pub at: DateTime<Utc>,
}

/// A call as it is kept: the body is parsed only when somebody looks.
#[derive(Debug)]
pub(super) struct StoredRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) body: Bytes,
    pub(super) traceparent: Option<String>,
    pub(super) at: DateTime<Utc>,
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
            traceparent: self.traceparent.clone(),
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

    pub(super) fn record(&self, call: StoredRequest) {
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
