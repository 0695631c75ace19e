//! What became of a token at Anam: the sessions that were started with it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Anam, AnamError, ApiKey};
use crate::domain::ids::SessionId;

/// A token starts one session; a page that starts it twice makes a few.
const PER_PAGE: &str = "10";
/// Largest answer about concurrency, bytes.
const MAX_SMALL_BODY_BYTES: usize = 64 * 1024;
/// Each of them brings its whole prompt along.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A session as Anam tells it. The prompt that is beside it there is not read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnamSession {
    pub id: Uuid,
    /// When the conversation began.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended; null while it runs.
    pub end_time: Option<DateTime<Utc>>,
    /// How it ended, in Anam's words: `NORMAL_EXIT`, `ERROR`, `CLOSED_BY_ENGINE`.
    pub exit_status: Option<String>,
    /// How long it was, milliseconds.
    pub session_length_ms: Option<i64>,
}

impl AnamSession {
    /// How long it was, milliseconds; `None` while it runs.
    pub fn length_ms(&self) -> Option<u64> {
        let end = self.end_time?;
        let between = || {
            self.start_time
                .map(|start| (end - start).num_milliseconds())
        };
        let length = self.session_length_ms.or_else(between).unwrap_or(0);
        Some(length.max(0).unsigned_abs())
    }
}

/// How many conversations a key's account has at the same time. Anam calls this advice: it may be behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Concurrency {
    /// The most that its plan allows.
    pub limit: Option<u32>,
    /// How many there are.
    pub active: Option<u32>,
}

#[derive(Deserialize)]
struct Page {
    /// Read one by one: the search looks into other members too, and `flatten` reads no exact numbers.
    data: Vec<Value>,
}

impl Anam {
    /// The sessions that were started with the token of one of ours, as Anam lists them; none before its first use.
    pub async fn sessions_of(
        &self,
        key: &ApiKey,
        session: SessionId,
    ) -> Result<Vec<AnamSession>, AnamError> {
        let label = session.to_string();
        let query = [("search", label.as_str()), ("perPage", PER_PAGE)];
        let timeout = self.options.timeout;
        let body = self.get(key, "v1/sessions", &query, MAX_BODY_BYTES, timeout);
        let body = body.await?;
        let page: Page = serde_json::from_slice(&body)
            .map_err(|_may_hold_a_prompt| AnamError::Unexpected { status: 200 })?;
        // The search looks into other members too.
        let ours = page
            .data
            .into_iter()
            .filter(|listed| listed.get("clientLabel").and_then(Value::as_str) == Some(&label));
        ours.map(|listed| {
            serde_json::from_value(listed)
                .map_err(|_may_hold_a_prompt| AnamError::Unexpected { status: 200 })
        })
        .collect()
    }

    /// How many conversations the key's account has, and may have.
    pub async fn concurrency(&self, key: &ApiKey) -> Result<Concurrency, AnamError> {
        let path = "v1/sessions/concurrency";
        let timeout = self.options.timeout;
        let body = self.get::<&str>(key, path, &[], MAX_SMALL_BODY_BYTES, timeout);
        let body = body.await?;
        serde_json::from_slice(&body).map_err(|_no_json| AnamError::Unexpected { status: 200 })
    }
}
