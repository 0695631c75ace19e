//! For operators, on a listener of their own: liveness, readiness, metrics.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use crate::auth::KeyState;
use crate::gateway::Gateway;
use crate::lifecycle::Lifecycle;
use crate::store::Database;
use crate::telemetry::metrics::CONTENT_TYPE as METRICS_TYPE;

/// The connections to the database, of each kind.
#[derive(Debug)]
pub struct Databases(pub Vec<Database>);

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
async fn metrics(
    gateway: web::Data<Gateway>,
    lifecycle: web::Data<Lifecycle>,
    databases: web::Data<Databases>,
) -> impl Responder {
    let metrics = &gateway.metrics;
    metrics.ready(lifecycle.not_ready_because().is_empty());
    let keys = gateway.auth.key_health();
    for state in KeyState::ALL {
        let so = || keys.iter().filter(|health| health.state == state);
        let oldest = so().filter_map(|health| health.age).max();
        metrics.issuer_keys(state.as_label(), so().count(), oldest.unwrap_or_default());
    }
    metrics.tenants_in_memory(gateway.sources.tenants_in_memory());
    let turns = gateway.limits.turns_now();
    metrics.turns(turns.in_progress, turns.waiting, turns.per_second);
    let work = gateway.work.now();
    metrics.work(work.in_progress, work.waiting, work.threads);
    for database in &databases.0 {
        metrics.pool(database.pool_now());
    }
    let ledger = gateway.ledger.clone();
    // A disk may be slow.
    match web::block(move || ledger.spool_now()).await {
        Ok(Some(Ok(now))) => metrics.ledger_spool(now),
        Ok(Some(Err(error))) => tracing::warn!(%error, "the spool folder can't be read"),
        Ok(None) | Err(_) => {}
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, METRICS_TYPE))
        .body(metrics.encode())
}
