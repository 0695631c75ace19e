//! `/_emulator/faults`, and the faults' way into the calls.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use bytes::Bytes;

use crate::dev::emulator::answer::{Refusal, ok};
use crate::dev::emulator::faults::{Fault, FaultTarget};
use crate::dev::emulator::shared::Shared;

/// Adds the latency of every call, then the requested fault, if any.
pub(crate) async fn strike(
    shared: web::Data<Shared>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(target) = FaultTarget::of_path(request.path()) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let fault = shared.faults.take(target);
    let delay = fault.as_ref().and_then(|fault| fault.delay_ms).unwrap_or(0);
    let wait = shared.config.latency + Duration::from_millis(delay);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    match fault.as_ref().and_then(Fault::answer) {
        Some(answer) => Ok(request.into_response(answer).map_into_right_body()),
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}

/// `POST /_emulator/faults`: 201 with all faults in force, 400 with what to correct.
pub(crate) async fn add(shared: web::Data<Shared>, body: Bytes) -> Result<HttpResponse, Refusal> {
    let fault: Fault = serde_json::from_slice(&body).map_err(|error| {
        Refusal::bad_request(format!(
            "{error}. A fault looks like \
             {{\"on\":\"mint\"|\"engine\"|\"catalogue\"|\"sessions\",\"status\":503,\"body\":any,\
             \"delayMs\":1000,\"drop\":true,\"times\":2}}; `on` and one of `status`, `delayMs`, \
             `drop` are needed."
        ))
    })?;
    if let Some(objection) = fault.objection() {
        return Err(Refusal::bad_request(objection));
    }
    shared.faults.add(fault);
    Ok(HttpResponse::Created().json(shared.faults.listed()))
}

/// `GET /_emulator/faults`: those in force.
pub(crate) async fn list(shared: web::Data<Shared>) -> HttpResponse {
    ok(shared.faults.listed())
}

/// `DELETE` on the faults or on the requests clears both.
pub(crate) async fn clear(shared: web::Data<Shared>) -> HttpResponse {
    shared.faults.clear();
    shared.requests.clear();
    HttpResponse::NoContent().finish()
}
