//! The two listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::StartError;
use crate::api;
use crate::config::Settings;
use crate::gateway::Gateway;
use crate::lifecycle::Lifecycle;
use crate::telemetry::metrics::Metrics;
use crate::tenants::access::Origins;
use crate::web::address::{TrustedProxies, limit_address};
use crate::web::body::{AdminBodyLimits, BodyLimits};
use crate::web::cors::{OwnOrigin, cors};
use crate::web::path::readable;
use crate::web::trace::trace;

/// What handlers and middleware are given.
pub(super) struct Faces {
    pub(super) gateway: Arc<Gateway>,
    pub(super) origins: Arc<Origins>,
    pub(super) lifecycle: Lifecycle,
    pub(super) metrics: Metrics,
    pub(super) proxies: TrustedProxies,
}

/// The public listener.
pub(super) fn public(
    faces: &Faces,
    settings: &Settings,
) -> Result<(Server, SocketAddr), StartError> {
    let gateway = web::Data::from(faces.gateway.clone());
    let origins = web::Data::from(faces.origins.clone());
    let clock = web::Data::new(faces.gateway.clock.clone());
    let lifecycle = web::Data::new(faces.lifecycle.clone());
    let metrics = web::Data::new(faces.metrics.clone());
    let proxies = web::Data::new(faces.proxies.clone());
    let own_origin = web::Data::new(OwnOrigin(
        settings
            .server
            .public_url
            .as_ref()
            .map(|url| url.origin().ascii_serialization()),
    ));
    let limits = web::Data::new(BodyLimits {
        max_bytes: settings.server.max_body_bytes,
        timeout: settings.server.body_timeout,
    });
    let admin_limits = web::Data::new(AdminBodyLimits(BodyLimits {
        max_bytes: settings.server.max_admin_body_bytes,
        timeout: settings.server.body_timeout,
    }));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(gateway.clone())
            .app_data(origins.clone())
            .app_data(clock.clone())
            .app_data(lifecycle.clone())
            .app_data(metrics.clone())
            .app_data(proxies.clone())
            .app_data(own_origin.clone())
            .app_data(limits.clone())
            .app_data(admin_limits.clone())
            .wrap(from_fn(readable))
            .wrap(from_fn(limit_address))
            .wrap(from_fn(cors))
            .wrap(from_fn(trace))
            .configure(api::routes)
            .default_service(web::to(api::not_found))
    })
    .workers(workers(settings))
    .client_request_timeout(settings.server.client_timeout)
    .keep_alive(settings.server.keep_alive)
    .shutdown_timeout(settings.server.shutdown_timeout.as_secs())
    .disable_signals();
    let address = SocketAddr::new(settings.server.host, settings.server.port);
    let server = server
        .bind(address)
        .map_err(|source| StartError::Listen { address, source })?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}

/// The operators' listener.
pub(super) fn ops(faces: &Faces, settings: &Settings) -> Result<(Server, SocketAddr), StartError> {
    let lifecycle = web::Data::new(faces.lifecycle.clone());
    let metrics = web::Data::new(faces.metrics.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(lifecycle.clone())
            .app_data(metrics.clone())
            .configure(api::ops::routes)
            .default_service(web::to(api::not_found))
    })
    .workers(1)
    .shutdown_timeout(1)
    .disable_signals();
    let address = SocketAddr::new(settings.server.ops_host, settings.server.ops_port);
    let server = server
        .bind(address)
        .map_err(|source| StartError::Listen { address, source })?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}

/// Runs a listener to its end.
pub(super) async fn serve(server: Server) {
    if let Err(error) = server.await {
        tracing::error!(%error, "a listener failed");
    }
}

fn workers(settings: &Settings) -> usize {
    match settings.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    }
}
