//! `/_emulator/requests`, and how calls are recorded.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};
use bytes::Bytes;

use crate::dev::emulator::access::bearer;
use crate::dev::emulator::answer::{Refusal, ok};
use crate::dev::emulator::requests::StoredRequest;
use crate::dev::emulator::shared::Shared;

/// Where the caller's bearer token was in a body.
const REDACTED: &str = "[bearer token]";

/// Notes every call but preflights, upgrades' streams and the emulator's own endpoints.
pub(crate) async fn record(
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
        traceparent: request
            .headers()
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
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
pub(crate) async fn list(shared: web::Data<Shared>) -> HttpResponse {
    ok(shared.requests.recorded())
}
