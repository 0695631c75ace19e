//! Conditional requests (RFC 9110, section 13) on something that has a version number.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::Problem;
use super::codes::Code;

/// The strong validator of a version; version 0 means that there is nothing yet.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// `If-Match`: the write goes on only if the stored version is one that the client knows.
pub fn check_if_match(request: &HttpRequest, stored: i64) -> Result<(), Problem> {
    let fits = match listed(request, &IF_MATCH) {
        None => true,
        Some(tags) => tags.iter().any(|tag| {
            if tag == "*" {
                stored > 0
            } else {
                *tag == etag(stored)
            }
        }),
    };
    let absent = match listed(request, &IF_NONE_MATCH) {
        None => true,
        Some(tags) => !tags.iter().any(|tag| {
            if tag == "*" {
                stored > 0
            } else {
                *tag == etag(stored)
            }
        }),
    };
    if fits && absent {
        Ok(())
    } else {
        Err(Problem::new(Code::PreconditionFailed).detail(format!(
            "It changed meanwhile: its ETag is {} now. Read it again, then write.",
            etag(stored)
        )))
    }
}

/// `If-None-Match` of a read: whether the client has this version already.
pub fn is_not_modified(request: &HttpRequest, stored: i64) -> bool {
    listed(request, &IF_NONE_MATCH).is_some_and(|tags| {
        tags.iter()
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag(stored))
    })
}

fn listed(request: &HttpRequest, name: &HeaderName) -> Option<Vec<String>> {
    let header = request.headers().get(name)?;
    let text = header.to_str().unwrap_or_default();
    Some(text.split(',').map(|tag| tag.trim().to_owned()).collect())
}
