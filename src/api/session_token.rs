//! `POST /v1/session-token`.

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::gateway::Gateway;
use crate::sessions::mint::{MintCall, MintError, Minted, Timings, mint as mint_session};
use crate::web::Problem;
use crate::web::body::{self, BodyLimits};
use crate::web::cors::foreign_origin;
use crate::web::user::user_call;

/// What a page sends.
#[derive(Debug, ToSchema)]
#[schema(as = MintRequest)]
#[expect(
    dead_code,
    reason = "documentation only: the body is read by domain::request, strictly"
)]
pub struct MintBody {
    /// The situation, such as `support`. Left out or unknown, the tenant's context `default` answers, if it has one.
    #[schema(nullable = false, example = "support", min_length = 1, max_length = 64)]
    context: Option<String>,
    /// What the context wants to know; see `GET /v1/contexts`.
    #[schema(nullable = false, value_type = Option<Object>)]
    metadata: Option<serde_json::Value>,
}

/// A token, and what it is for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionToken)]
pub struct MintedView {
    /// Anam's session token, for its browser SDK: `createClient(sessionToken)`. It starts one conversation.
    pub session_token: String,
    /// Until when it can start one.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: String,
    /// Our id of the session; Anam's `clientLabel`.
    pub session_id: uuid::Uuid,
    /// Who was given.
    pub persona: PersonaView,
    /// The context that answered.
    #[schema(example = "support")]
    pub context: String,
}

/// The persona of a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionPersona)]
pub struct PersonaView {
    /// Its key.
    #[schema(example = "support-agent")]
    pub key: String,
    /// Its version.
    pub version: i32,
    /// Its display name.
    #[schema(example = "Ava")]
    pub name: String,
}

/// Turns the user's JWT and a context into a personalised Anam session token.
#[utoipa::path(
    post, path = "/v1/session-token", tag = "Sessions", operation_id = "mintSessionToken",
    security(("userJwt" = [])),
    request_body(content = Option<MintBody>, content_type = "application/json"),
    responses(
        (status = 200, description = "A token", body = MintedView),
        (status = 400, response = crate::api::openapi::MalformedRequest),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 408, response = crate::api::openapi::Refused),
        (status = 413, response = crate::api::openapi::Refused),
        (status = 415, response = crate::api::openapi::Refused),
        (status = 422, response = crate::api::openapi::Invalid),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 500, response = crate::api::openapi::Failed),
        (status = 502, response = crate::api::openapi::Failed),
        (status = 503, response = crate::api::openapi::Failed),
        (status = 504, response = crate::api::openapi::Failed),
    )
)]
pub async fn mint(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<BodyLimits>,
) -> Result<HttpResponse, Problem> {
    let minted = from_request(&request, payload, &gateway, **limits).await??;
    Ok(answer(&minted).json(MintedView::from(&minted)))
}

/// Reads the request and does the main job. The outer error is a request that never got that far.
pub(super) async fn from_request(
    request: &HttpRequest,
    payload: web::Payload,
    gateway: &Gateway,
    limits: BodyLimits,
) -> Result<Result<Minted, MintError>, Problem> {
    let origin = foreign_origin(request);
    let by = user_call(request, origin.as_deref())?;
    let body = body::read(request, payload, limits, &["application/json"]);
    Ok(mint_session(gateway, MintCall { by, body }).await)
}

/// The head of a good answer.
pub(super) fn answer(minted: &Minted) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    answer.insert_header((
        HeaderName::from_static("server-timing"),
        server_timing(minted.timings),
    ));
    answer
}

/// W3C Server-Timing, milliseconds.
fn server_timing(timings: Timings) -> String {
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1_000.0;
    format!(
        "auth;dur={:.2}, decide;dur={:.2}, anam;dur={:.2}, total;dur={:.2}",
        ms(timings.auth),
        ms(timings.decide),
        ms(timings.anam),
        ms(timings.total)
    )
}

impl From<&Minted> for MintedView {
    fn from(minted: &Minted) -> Self {
        let decision = &minted.decision;
        Self {
            session_token: minted.token.expose().to_owned(),
            expires_at: rfc3339(minted.token.expires_at),
            session_id: minted.session.0,
            persona: PersonaView {
                key: decision.persona.as_str().to_owned(),
                version: decision.version,
                name: decision.config.name.clone(),
            },
            context: decision.context.as_str().to_owned(),
        }
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
