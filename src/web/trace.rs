//! Around every request: an id, one log line, the counters, and the headers that every answer has.

use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use tracing::{Instrument, field};

use crate::clock::Clock;
use crate::domain::ids::{RequestId, SessionId};
use crate::domain::key::Key;
use crate::lifecycle::Lifecycle;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;
use crate::telemetry::{self, millis};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: it is in the log, in the ledger, in the audit trail, and in the answer's `X-Request-Id`.
pub fn request_id(request: &HttpRequest) -> Option<RequestId> {
    request.extensions().get::<RequestId>().copied()
}

/// What the line of a request says of the session that it got; in the extensions of its answer.
#[derive(Debug)]
pub struct SessionLine {
    pub session: SessionId,
    pub context: Key,
    pub persona: Key,
    pub persona_version: i32,
    /// How long Anam took, with the ledger's commit beside it.
    pub anam: Duration,
}

/// Traces a request. Path and query stay out of the log: only the route is logged, by its name in the `OpenAPI` document, so no
/// text of a caller.
pub async fn trace<B: MessageBody>(
    clock: web::Data<Clock>,
    lifecycle: web::Data<Lifecycle>,
    metrics: web::Data<Metrics>,
    traces: web::Data<Traces>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let id = RequestId(clock.new_id());
    let method = request.method().clone();
    let trace = traces.begin(traceparent(&request));
    trace.set("request.id", id.to_string());
    let span = tracing::info_span!(
        "http.request",
        request.id = %id,
        trace.id = trace.id().map(field::display),
        tenant.id = field::Empty
    );
    request.extensions_mut().insert(id);
    let answer = next.call(request).instrument(span.clone());
    let answer = trace.clone().scope(telemetry::of_one_tenant(answer));
    let mut response = answer.await?;

    let route = response
        .request()
        .match_pattern()
        .map_or_else(|| "none".to_owned(), |pattern| documented(&pattern));
    let status = response.status().as_u16();
    let duration = started.elapsed();
    metrics.http_request(&route, status);
    metrics.http_duration(&route, duration);
    let session = response
        .response_mut()
        .extensions_mut()
        .remove::<SessionLine>();
    let session = session.as_ref();
    trace.answered(method.as_str(), &route, status);
    if let Some(line) = session {
        trace.set("session.id", line.session.to_string());
    }
    span.in_scope(|| {
        tracing::info!(
            http.method = %method,
            http.route = route,
            http.status = status,
            duration_ms = millis(duration),
            session.id = session.map(|line| field::display(line.session)),
            context = session.map(|line| field::display(&line.context)),
            persona = session.map(|line| field::display(&line.persona)),
            persona.version = session.map(|line| line.persona_version),
            anam_ms = session.map(|line| millis(line.anam)),
            "answered"
        );
    });
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(X_REQUEST_ID, id);
    }
    if lifecycle.is_draining() {
        response
            .response_mut()
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Where the caller's own trace is, if one header says so.
fn traceparent(request: &ServiceRequest) -> Option<&str> {
    let mut headers = request.headers().get_all("traceparent");
    let first = headers.next()?.to_str().ok()?;
    headers.next().is_none().then_some(first)
}

/// A route's pattern as the `OpenAPI` document writes it: `{key}`, without the expression that says what a key looks like.
fn documented(pattern: &str) -> String {
    let mut name = String::with_capacity(pattern.len());
    let mut depth = 0_usize;
    let mut in_expression = false;
    for c in pattern.chars() {
        match c {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 1 => in_expression = true,
            _ => {}
        }
        in_expression &= depth > 0;
        if !in_expression {
            name.push(c);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::documented;

    #[test]
    fn a_route_is_named_without_its_expressions() {
        for (pattern, name) in [
            ("/v1/session-token", "/v1/session-token"),
            (
                "/v1/admin/documents/{kind}/{key:[^/:]+}",
                "/v1/admin/documents/{kind}/{key}",
            ),
            (
                "/v1/admin/drafts/{draft:[^/:]+}:seal",
                "/v1/admin/drafts/{draft}:seal",
            ),
            ("/a/{b:[0-9]{1,3}}/c:d", "/a/{b}/c:d"),
        ] {
            assert_eq!(documented(pattern), name);
        }
    }
}
