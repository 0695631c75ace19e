//! The issuer's endpoints: discovery, key set, token.

use std::io;
use std::net::SocketAddr;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use serde_json::{Value, json};

use super::algorithm::SigningAlgorithm;
use super::handle::DevIssuerHandle;
use super::keys::DevIssuerKeys;
use super::shared::Shared;
use super::token::{TokenError, TokenRequest};
use crate::clock::Clock;
use crate::dev::cors;

/// Why the issuer can't start.
#[derive(Debug, thiserror::Error)]
pub enum DevIssuerError {
    /// The address can't be listened on.
    #[error("the local issuer can't listen on {address}: {source}")]
    Bind {
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

/// Starts issuers; see [`DevIssuerHandle`] for what a running one can do.
#[derive(Debug, Clone, Copy)]
pub struct DevIssuer;

impl DevIssuer {
    /// Listens and serves until the handle is stopped or dropped. Port 0 takes a free one;
    /// `audience` goes into tokens that ask for no other. Needs a running tokio runtime.
    pub fn start(
        bind: SocketAddr,
        audience: impl Into<String>,
        keys: DevIssuerKeys,
        clock: Clock,
    ) -> Result<DevIssuerHandle, DevIssuerError> {
        let refused = |source| DevIssuerError::Bind {
            address: bind,
            source,
        };
        let listener = std::net::TcpListener::bind(bind).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let shared = web::Data::new(Shared::new(address, audience.into(), keys, clock));
        let served = web::Data::clone(&shared);
        let running = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::clone(&served))
                .route(
                    "/.well-known/openid-configuration",
                    web::get().to(discovery),
                )
                .route("/jwks.json", web::get().to(key_set))
                .route("/token", web::post().to(token))
                .default_service(web::to(unknown))
                .wrap(from_fn(cors::open))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .map_err(refused)?
        .run();
        let stopper = running.handle();
        tokio::spawn(running);
        Ok(DevIssuerHandle::new(shared.into_inner(), stopper))
    }
}

/// `GET /.well-known/openid-configuration` (`OpenID` Connect Discovery 1.0)
async fn discovery(shared: web::Data<Shared>) -> HttpResponse {
    let issuer = shared.issuer();
    HttpResponse::Ok().json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks.json"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": SigningAlgorithm::ALL,
    }))
}

/// `GET /jwks.json`
async fn key_set(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .json(shared.fetch_keys())
}

/// `POST /token`
async fn token(shared: web::Data<Shared>, body: Bytes) -> HttpResponse {
    let asked = match serde_json::from_slice::<TokenRequest>(&body) {
        Ok(asked) => asked,
        Err(error) => {
            return bad_request(&format!(
                "{error}. Send {{\"sub\": string, \"claims\": object, \
                 \"alg\": \"RS256\"|\"ES256\"|\"EdDSA\", \"expiresIn\": seconds, \
                 \"aud\": string or list}}; only `sub` is needed."
            ));
        }
    };
    match shared.sign(&asked) {
        Ok(token) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(json!({ "token": token })),
        Err(error @ TokenError::Key(_)) => {
            HttpResponse::InternalServerError().json(complaint("server_error", &error.to_string()))
        }
        Err(error) => bad_request(&error.to_string()),
    }
}

async fn unknown() -> HttpResponse {
    HttpResponse::NotFound().json(complaint(
        "not_found",
        "The local issuer has GET /.well-known/openid-configuration, GET /jwks.json, POST /token.",
    ))
}

fn bad_request(what: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(complaint("invalid_request", what))
}

/// An error in the form of OAuth 2.0 (RFC 6749, section 5.2).
fn complaint(error: &str, description: &str) -> Value {
    json!({"error": error, "error_description": description})
}
