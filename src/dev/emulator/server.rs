//! Starts an emulator: binds, lists the endpoints, serves.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

use super::answer::Refusal;
use super::catalogue::Catalogue;
use super::config::EmulatorConfig;
use super::faults::Faults;
use super::handle::EmulatorHandle;
use super::requests::Recorder;
use super::routes::{catalogue, faults, requests, sessions};
use super::sessions::Sessions;
use super::shared::Shared;
use super::tokens::Tokens;
use super::{engine, engine_page, mint, signalling};
use crate::dev::cors;

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 1 << 20;

/// Why an emulator can't start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The address can't be listened on.
    #[error("the emulator can't listen on {address}: {source}")]
    Bind {
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No randomness for the token key.
    #[error("the machine gives no randomness for the emulator's token key")]
    NoRandomness,
}

/// Starts emulators; see [`EmulatorHandle`] for what a running one can do.
#[derive(Debug, Clone, Copy)]
pub struct Emulator;

impl Emulator {
    /// Listens and serves, on one worker thread, until the handle is stopped or dropped.
    /// Needs a running tokio runtime.
    pub fn start(config: EmulatorConfig) -> Result<EmulatorHandle, EmulatorError> {
        let address = config.bind;
        let shared = web::Data::new(Shared {
            catalogue: Catalogue::stock(),
            tokens: Tokens::new().ok_or(EmulatorError::NoRandomness)?,
            sessions: Sessions::default(),
            faults: Faults::default(),
            requests: Recorder::new(),
            config,
        });
        let served = web::Data::clone(&shared);
        let bind = |source| EmulatorError::Bind { address, source };
        let http = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::clone(&served))
                .app_data(web::PayloadConfig::new(LARGEST_BODY))
                .configure(endpoints)
                .default_service(web::to(unknown))
                .wrap(from_fn(faults::strike))
                .wrap(from_fn(requests::record))
                .wrap(from_fn(cors::open))
        })
        .workers(1)
        .disable_signals()
        .bind(address)
        .map_err(bind)?;
        let address = http.addrs().first().copied().unwrap_or(address);
        let running = http.run();
        let stopper = running.handle();
        tokio::spawn(running);
        Ok(EmulatorHandle::new(address, Arc::clone(&shared), stopper))
    }
}

fn endpoints(app: &mut ServiceConfig) {
    app.route("/v1/auth/session-token", web::post().to(mint::mint))
        .route("/v1/engine/session", web::post().to(engine::start))
        .route(engine::SIGNALLING, web::get().to(signalling::connect))
        .route("/v1/metrics/client", web::post().to(signalling::metrics))
        .route("/talk", web::post().to(signalling::talk))
        .route("/v1/avatars", web::get().to(catalogue::avatars))
        .route(
            "/v1/avatars/{id}",
            web::get().to(catalogue::one("Avatar", Catalogue::avatar)),
        )
        .route("/v1/voices", web::get().to(catalogue::voices))
        .route(
            "/v1/voices/{id}",
            web::get().to(catalogue::one("Voice", Catalogue::voice)),
        )
        .route("/v1/llms", web::get().to(catalogue::llms))
        .route(
            "/v1/llms/{id}",
            web::get().to(catalogue::one("LLM", Catalogue::llm)),
        )
        .route("/v1/tools", web::get().to(catalogue::tools))
        .route(
            "/v1/tools/{id}",
            web::get().to(catalogue::one("Tool", Catalogue::tool)),
        )
        .route("/v1/personas", web::get().to(catalogue::personas))
        .route(
            "/v1/personas/{id}",
            web::get().to(catalogue::one("Persona", Catalogue::persona)),
        )
        .route("/v1/sessions", web::get().to(sessions::list))
        .route(
            "/v1/sessions/concurrency",
            web::get().to(sessions::concurrency),
        )
        .route("/v1/sessions/{id}", web::get().to(sessions::one))
        .route("/v1/sessions/{id}/stop", web::post().to(sessions::stop))
        .route(
            "/v1/sessions/{id}/transcript",
            web::get().to(sessions::transcript),
        )
        .route("/_emulator/engine", web::get().to(engine_page::page))
        .route("/_emulator/engine.js", web::get().to(engine_page::script))
        .route("/_emulator/engine/ws", web::get().to(engine_page::connect))
        .route("/_emulator/requests", web::get().to(requests::list))
        .route("/_emulator/requests", web::delete().to(faults::clear))
        .route("/_emulator/faults", web::get().to(faults::list))
        .route("/_emulator/faults", web::post().to(faults::add))
        .route("/_emulator/faults", web::delete().to(faults::clear));
}

async fn unknown(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    Err(Refusal::not_found(format!(
        "The emulator has no {} {}.",
        request.method(),
        request.path()
    )))
}
