//! `POST /v1/auth/session-token`: a configuration in, a session token out.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::{Value, json};

use super::access::account;
use super::answer::{Refusal, ok};
use super::catalogue::Catalogue;
use super::config::Mode;
use super::schema;
use super::shared::Shared;
use super::tokens::TokenKind;

/// Mints a token; takes no slot.
pub(super) async fn mint(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Refusal> {
    let account = account(&shared.config.api_keys, &request)?;
    let config = json_object(&request, &body)?;
    if shared.config.mode == Mode::Strict {
        schema::check(&config, &shared.catalogue)?;
    }
    let kind = kind(&config, &shared.catalogue)?;
    let clock = &shared.config.clock;
    let token = shared
        .tokens
        .mint(account, kind, clock.new_id(), config, clock.now());
    Ok(ok(json!({ "sessionToken": &*token })))
}

/// Reads a JSON object: 415 for another content type, 400 for anything else.
pub(super) fn json_object(request: &HttpRequest, body: &Bytes) -> Result<Value, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type",
            format!("Content-Type is {essence:?}, must be application/json."),
        ));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The body is no JSON: {error}.")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Refusal::bad_request("The body must be a JSON object."))
    }
}

/// What kind of token Anam makes of this configuration. A stale `personaId` is the one thing that
/// it was seen to refuse at mint.
pub(super) fn kind(config: &Value, catalogue: &Catalogue) -> Result<TokenKind, Refusal> {
    let member = |name: &str| config.pointer(name).filter(|value| !value.is_null());
    if let Some(id) = member("/personaConfig/personaId") {
        let known = id
            .as_str()
            .is_some_and(|id| catalogue.persona(id).is_some());
        return if known {
            Ok(TokenKind::Stateful)
        } else {
            Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "invalid_persona_configuration",
                "Persona not found or unavailable",
            ))
        };
    }
    if member("/personaConfig/llmId").is_some() {
        Ok(TokenKind::Ephemeral)
    } else {
        Ok(TokenKind::Legacy)
    }
}
