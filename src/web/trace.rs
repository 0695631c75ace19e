//! Around every request: an id, one log line, the counters, and the headers that every answer has.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tracing::Instrument;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::telemetry::metrics::Metrics;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, for handlers: it stands in the audit trail too.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Traces a request. Path and query stay out of the log: only the route's pattern is told, so no text of a caller.
pub async fn trace<B: MessageBody>(
    clock: web::Data<Clock>,
    lifecycle: web::Data<Lifecycle>,
    metrics: web::Data<Metrics>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let id = clock.new_id().to_string();
    let method = request.method().clone();
    let span = tracing::info_span!("http.request", request.id = %id);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.call(request).instrument(span.clone()).await?;

    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "none".into());
    let status = response.status().as_u16();
    let duration = started.elapsed();
    metrics.http_request(&route, status);
    span.in_scope(|| {
        tracing::info!(http.method = %method, http.route = route, http.status = status, duration_ms = duration.as_millis(), "answered");
    });
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::try_from(id) {
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
