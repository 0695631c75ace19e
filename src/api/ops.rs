//! For operators, on a listener of their own: liveness, readiness, metrics.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use crate::auth::KeyState;
use crate::gateway::Gateway;
use crate::lifecycle::Lifecycle;
use crate::telemetry::metrics::CONTENT_TYPE as METRICS_TYPE;

/// The operators' routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics));
}

/// The process turns. Asks nothing else, so that a lost database restarts nobody.
async fn healthz() -> impl Responder {
    HttpResponse::Ok().body("ok\n")
}

/// Whether requests may come, and if not, why not: one reason a line.
async fn readyz(lifecycle: web::Data<Lifecycle>) -> impl Responder {
    let reasons = lifecycle.not_ready_because();
    if reasons.is_empty() {
        return HttpResponse::Ok().body("ready\n");
    }
    let lines: Vec<_> = reasons
        .iter()
        .map(|reason| format!("not ready: {reason}\n"))
        .collect();
    HttpResponse::ServiceUnavailable().body(lines.concat())
}

/// What was counted, and what is so at this moment.
async fn metrics(gateway: web::Data<Gateway>) -> impl Responder {
    let keys = gateway.auth.key_health();
    for state in KeyState::ALL {
        let issuers = keys.iter().filter(|health| health.state == state).count();
        gateway.metrics.issuer_keys(state.as_label(), issuers);
    }
    gateway
        .metrics
        .tenants_in_memory(gateway.sources.tenants_in_memory());
    let turns = gateway.limits.turns_now();
    gateway
        .metrics
        .turns(turns.in_progress, turns.waiting, turns.limit);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, METRICS_TYPE))
        .body(gateway.metrics.encode())
}
