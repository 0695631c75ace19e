//! Conditional requests (RFC 9110, section 13) on something that has a version number.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use serde_json::Value;

use super::Problem;
use super::codes::Code;
use crate::crypto::digest::sha256_hex;

/// The conditions of a request, to be judged away from it.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    if_match: Option<Vec<String>>,
    if_none_match: Option<Vec<String>>,
}

impl From<&HttpRequest> for Conditions {
    fn from(request: &HttpRequest) -> Self {
        Self {
            if_match: listed(request, &IF_MATCH),
            if_none_match: listed(request, &IF_NONE_MATCH),
        }
    }
}

/// What conditions are judged by: whether there is anything, and the strong validator of what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    exists: bool,
    tag: String,
}

impl Validator {
    /// Of a version (0 means that there is nothing yet) and its content. Numbers may start anew after a deletion; with
    /// the content beside it, an old tag cannot be taken for a new one.
    pub fn new(version: i64, content: &[u8]) -> Self {
        let digest: String = sha256_hex(content).chars().take(16).collect();
        Self {
            exists: version > 0,
            tag: format!("\"{version}-{digest}\""),
        }
    }

    /// The value of `ETag`.
    pub fn etag(&self) -> &str {
        &self.tag
    }

    /// `If-Match` and `If-None-Match` of a write: it goes on only if what is stored is what the client knows.
    pub fn check_write(&self, sent: impl Into<Conditions>) -> Result<(), Problem> {
        let sent = sent.into();
        let names_this = |tag: &String| match tag.as_str() {
            "*" => self.exists,
            tag => tag == self.tag,
        };
        let fits = sent.if_match.is_none_or(|tags| tags.iter().any(names_this));
        let absent = !sent
            .if_none_match
            .is_some_and(|tags| tags.iter().any(names_this));
        if fits && absent {
            Ok(())
        } else {
            Err(Problem::new(Code::PreconditionFailed).detail(format!(
                "It changed meanwhile: its ETag is {} now. Read it again, then write.",
                self.tag
            )))
        }
    }

    /// `If-Match` of an admin's change, which must be there: nobody overwrites what they haven't seen. The answer to one
    /// that no longer holds shows what is there now.
    pub fn require(
        &self,
        sent: impl Into<Conditions>,
        current: impl FnOnce() -> Value,
    ) -> Result<(), Problem> {
        let sent = sent.into();
        if sent.if_match.is_none() {
            return Err(Problem::new(Code::PreconditionRequired)
                .detail("Read it first, then send its ETag as `If-Match` with the change."));
        }
        self.check_write(sent)
            .map_err(|problem| problem.current(current()))
    }

    /// `If-Match` or `If-None-Match` of an admin's write to an address where there may be nothing yet: one of them must be there.
    pub fn require_any(
        &self,
        sent: Conditions,
        current: impl FnOnce() -> Value,
    ) -> Result<(), Problem> {
        if sent.if_none_match.is_none() {
            return self.require(sent, current);
        }
        self.check_write(sent)
            .map_err(|problem| problem.current(current()))
    }
}

/// `If-None-Match` of a read: whether the client has this very content already, by the value of its `ETag`.
pub fn is_known(request: &HttpRequest, etag: &str) -> bool {
    listed(request, &IF_NONE_MATCH).is_some_and(|tags| {
        tags.iter()
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    })
}

fn listed(request: &HttpRequest, name: &HeaderName) -> Option<Vec<String>> {
    let header = request.headers().get(name)?;
    let text = header.to_str().unwrap_or_default();
    Some(text.split(',').map(|tag| tag.trim().to_owned()).collect())
}
