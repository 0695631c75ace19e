//! Faults on demand: make the next calls to one part of Anam fail, hang or break off.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lock::lock;

/// The longest delay of a fault, in milliseconds.
const LONGEST_DELAY: u64 = 600_000;

/// A part of Anam that can fail on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultTarget {
    /// `POST /v1/auth/session-token`
    Mint,
    /// `POST /v1/engine/session`
    Engine,
    /// `/v1/avatars`, `/v1/voices`, `/v1/llms`, `/v1/tools`, `/v1/personas`
    Catalogue,
    /// `/v1/sessions`
    Sessions,
}

impl FaultTarget {
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/v1/")?.split('/');
        match (parts.next()?, parts.next()) {
            ("auth", Some("session-token")) => Some(Self::Mint),
            ("engine", Some("session")) => Some(Self::Engine),
            ("avatars" | "voices" | "llms" | "tools" | "personas", _) => Some(Self::Catalogue),
            ("sessions", _) => Some(Self::Sessions),
            _ => None,
        }
    }
}

/// What a fault answers with: a JSON string is sent raw as `text/html`, anything else as JSON.
pub type FaultBody = Value;

/// What should go wrong, in the form that `POST /_emulator/faults` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(expecting = "an object with on, status, body, delayMs, drop, times")]
pub struct Fault {
    on: FaultTarget,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<FaultBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delay_ms: Option<u64>,
    #[serde(default)]
    drop: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
}

impl Fault {
    fn on(target: FaultTarget) -> Self {
        Self {
            on: target,
            status: None,
            body: None,
            delay_ms: None,
            drop: false,
            times: None,
        }
    }

    /// Answers with this status instead of the real answer.
    pub fn status(target: FaultTarget, status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::on(target)
        }
    }

    /// Closes the connection without an answer.
    pub fn dropped(target: FaultTarget) -> Self {
        Self {
            drop: true,
            ..Self::on(target)
        }
    }

    /// Answers as usual, but this much later.
    pub fn slow(target: FaultTarget, delay: Duration) -> Self {
        Self::on(target).after(delay)
    }

    /// Answers with this body: a string as a raw page, anything else as JSON.
    #[must_use]
    pub fn with_body(self, body: impl Into<FaultBody>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    /// Waits before it strikes.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self {
            delay_ms: Some(u64::try_from(delay.as_millis()).unwrap_or(LONGEST_DELAY)),
            ..self
        }
    }

    /// Strikes this often; without this, until it is cleared.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Says what makes this fault impossible, if anything.
    pub(super) fn objection(&self) -> Option<&'static str> {
        if self.status.is_none() && self.delay_ms.is_none() && !self.drop {
            return Some("say what should happen: one of `status`, `delayMs`, `drop`");
        }
        if self.drop && (self.status.is_some() || self.body.is_some()) {
            return Some("`drop` sends no answer, so it goes with neither `status` nor `body`");
        }
        if self.body.is_some() && self.status.is_none() {
            return Some("`body` needs a `status`");
        }
        if self.status.is_some_and(|code| !(200..=599).contains(&code)) {
            return Some("`status` must be from 200 to 599");
        }
        if self.body.is_some() && matches!(self.status, Some(204 | 205 | 304)) {
            return Some("a 204, 205 or 304 has no body");
        }
        if self.delay_ms.is_some_and(|delay| delay > LONGEST_DELAY) {
            return Some("`delayMs` must be at most 600000");
        }
        if self.times == Some(0) {
            return Some("`times` must be at least 1; leave it out for `until cleared`");
        }
        None
    }

    /// The answer that stands in for the real one; `None` when the real one is to follow.
    pub(super) fn answer(&self) -> Option<HttpResponse> {
        if self.drop {
            return Some(broken_off());
        }
        let status = self
            .status
            .and_then(|code| StatusCode::from_u16(code).ok())?;
        let mut answer = HttpResponse::build(status);
        Some(match &self.body {
            Some(Value::String(page)) => {
                answer.content_type(ContentType::html()).body(page.clone())
            }
            Some(body) => answer.json(body),
            None if status.is_client_error() || status.is_server_error() => answer.json(json!({
                "error": status.canonical_reason().unwrap_or("Error"),
                "message": "A fault that was requested at /_emulator/faults.",
            })),
            None if matches!(status.as_u16(), 204 | 205 | 304) => answer.finish(),
            None => answer.json(json!({})),
        })
    }
}

/// An answer whose body fails before its first byte: the server then closes the connection, and
/// nothing of the answer has been sent.
fn broken_off() -> HttpResponse {
    let failure = Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    HttpResponse::Ok().streaming(stream::iter([failure]))
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    in_force: Mutex<VecDeque<Fault>>,
}

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        let mut faults = lock(&self.in_force);
        if fault.times.is_none() {
            faults.retain(|old| old.on != fault.on || old.times.is_some());
        }
        faults.push_back(fault);
    }

    pub(super) fn clear(&self) {
        lock(&self.in_force).clear();
    }

    pub(super) fn listed(&self) -> Vec<Fault> {
        lock(&self.in_force).iter().cloned().collect()
    }

    /// Takes the fault that strikes this call: counted ones first, oldest first.
    pub(super) fn take(&self, target: FaultTarget) -> Option<Fault> {
        let mut faults = lock(&self.in_force);
        let counted = faults
            .iter()
            .position(|fault| fault.on == target && fault.times.is_some());
        let Some(index) = counted else {
            return faults.iter().find(|fault| fault.on == target).cloned();
        };
        let fault = faults.get_mut(index)?;
        fault.times = fault.times.map(|left| left.saturating_sub(1));
        let struck = fault.clone();
        if struck.times == Some(0) {
            faults.remove(index);
        }
        Some(struck)
    }
}
