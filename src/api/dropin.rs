//! `POST /api/session-token`: the main job behind the face of Anam's documented Express server, so that a page
//! written for it changes nothing.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::session_token::{answer, from_request};
use crate::anam::AnamError;
use crate::gateway::Gateway;
use crate::sessions::mint::MintError;
use crate::web::Problem;
use crate::web::body::BodyLimits;

/// The answer of the documented server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DropInToken)]
pub struct DropInView {
    /// Anam's session token.
    pub session_token: String,
}

/// Its answer to a failure at Anam.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DropInError)]
pub struct DropInError {
    /// `Authentication failed`, `Invalid configuration`, `Service unavailable` or `Network error`.
    #[schema(example = "Service unavailable")]
    pub error: &'static str,
}

/// The same as `/v1/session-token`, with the answers of Anam's documented Express server.
///
/// Failures at Anam are answered word for word as there; whatever fails before Anam is asked is a problem as in `/v1`.
#[utoipa::path(
    post, path = "/api/session-token", tag = "Sessions", operation_id = "mintSessionTokenDropIn",
    security(("userJwt" = [])),
    request_body(content = Option<super::session_token::MintBody>, content_type = "application/json"),
    responses(
        (status = 200, description = "A token", body = DropInView),
        (status = 400, description = "Anam refused the configuration, or the request is malformed", content(
            (DropInError = "application/json"), (crate::web::problem::ProblemBody = "application/problem+json"))),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 408, response = crate::api::openapi::Refused),
        (status = 413, response = crate::api::openapi::Refused),
        (status = 415, response = crate::api::openapi::Refused),
        (status = 422, response = crate::api::openapi::Invalid),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 500, description = "Any other failure at Anam", body = DropInError),
        (status = 503, response = crate::api::openapi::Failed),
    )
)]
pub async fn mint(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<BodyLimits>,
) -> Result<HttpResponse, Problem> {
    match from_request(&request, payload, &gateway, **limits).await? {
        Ok(minted) => Ok(answer(&minted).json(DropInView {
            session_token: minted.token.expose().to_owned(),
        })),
        Err(MintError::Anam { error, .. }) => Ok(as_documented(&error)),
        Err(error) => Err(error.into()),
    }
}

fn as_documented(error: &AnamError) -> HttpResponse {
    let (status, text) = match error.upstream_status() {
        Some(401) => (StatusCode::INTERNAL_SERVER_ERROR, "Authentication failed"),
        Some(400) => (StatusCode::BAD_REQUEST, "Invalid configuration"),
        Some(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Service unavailable"),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "Network error"),
    };
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(DropInError { error: text })
}
