//! Turns of requests that are no tenant's.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::gateway::Gateway;
use crate::telemetry::has_tenant;
use crate::turns::Nobodys;

/// Lets whoever is not known to be of a tenant wait for a turn before the answer: strangers' floods wait for themselves. A tenant's requests take their
/// turns where it is known what they are.
pub async fn strangers_wait<B: MessageBody>(
    gateway: web::Data<Gateway>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let is_preflight = request.method() == Method::OPTIONS;
    let response = next.call(request).await?;
    if !has_tenant() {
        let status = response.status();
        let is_refused = status.is_client_error() || status.is_server_error();
        gateway
            .limits
            .wait_as(match (is_refused, is_preflight) {
                (true, _) => Nobodys::Refused,
                (false, true) => Nobodys::Preflight,
                (false, false) => Nobodys::Page,
            })
            .await;
    }
    Ok(response)
}
