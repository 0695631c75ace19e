//! Reads a request's body within bounds of size and time, and as strict JSON.

use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpMessage, HttpRequest, web};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::Problem;
use super::admin::Tenant;
use super::codes::Code;
use crate::domain::fault::Fault;
use crate::domain::json;
use crate::domain::request::BodyFault;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;

/// Longer bodies, in bytes, are read by a work thread.
const LARGE: usize = 64 * 1024;

/// Bounds on bodies.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Largest body, bytes.
    pub max_bytes: usize,
    /// Longest time that a body may take to arrive.
    pub timeout: Duration,
}

/// Bounds on the bodies of admins, who send whole documents.
#[derive(Debug, Clone, Copy)]
pub struct AdminBodyLimits(pub BodyLimits);

/// The body's bytes. One that is not empty must be of one of the media types.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    limits: BodyLimits,
    media_types: &[&str],
) -> Result<web::Bytes, BodyFault> {
    if announced(request.headers()).is_some_and(|bytes| bytes > limits.max_bytes) {
        return Err(BodyFault::TooLarge {
            max_bytes: limits.max_bytes,
        });
    }
    let bytes = tokio::time::timeout(limits.timeout, collect(payload, limits.max_bytes))
        .await
        .map_err(|_elapsed| BodyFault::TimedOut)??;
    if !bytes.is_empty() {
        check_media_type(request, media_types)?;
    }
    Ok(bytes)
}

/// Reads the bytes of a body; a work thread reads those of large ones.
pub(super) async fn on_the_side<T: Send + 'static>(
    request: &HttpRequest,
    bytes: web::Bytes,
    read: impl FnOnce(&[u8]) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let gateway = request.app_data::<web::Data<Gateway>>();
    let tenant = request.extensions().get::<Tenant>().copied();
    match (gateway, tenant) {
        (Some(gateway), Some(Tenant(tenant))) if bytes.len() > LARGE => {
            gateway.work(tenant, async move || read(&bytes)).await?
        }
        _ => read(&bytes),
    }
}

/// A body that is a JSON object.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match json::parse(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(Problem::new(Code::InvalidRequest).errors(vec![Fault::new(
            "",
            Wrong::Object.worded("the body must be a JSON object"),
        )])),
    }
}

/// How many bytes the body has, where the head says so.
pub fn announced(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    Some(length.parse().unwrap_or(usize::MAX))
}

async fn collect(mut payload: web::Payload, max_bytes: usize) -> Result<web::Bytes, BodyFault> {
    let mut body = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_broken| BodyFault::BrokeOff)?;
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyFault::TooLarge { max_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Whether the body is of one of the media types, and not compressed.
pub fn check_media_type(request: &HttpRequest, allowed: &[&str]) -> Result<(), BodyFault> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let essence = header(CONTENT_TYPE)
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let plain =
        header(CONTENT_ENCODING).is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
    if plain && allowed.contains(&essence.as_str()) {
        return Ok(());
    }
    Err(BodyFault::MediaType {
        allowed: allowed.join(" or "),
    })
}
