//! `/v1/me/preferences`: a user's own choices.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::openapi::{Preferences, PreferencesPatch};
use crate::gateway::Gateway;
use crate::store::preferences::StoredPreferences;
use crate::tenants::preferences::{Change, WriteError, write};
use crate::tenants::visit::{Visit, visit};
use crate::web::Problem;
use crate::web::body::{self, BodyLimits};
use crate::web::codes::Code;
use crate::web::cors::foreign_origin;
use crate::web::etag::Validator;
use crate::web::user::user_call;

const JSON: &[&str] = &["application/json"];
const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

pub(super) async fn enter(request: &HttpRequest, gateway: &Gateway) -> Result<Visit, Problem> {
    let origin = foreign_origin(request);
    let call = user_call(request, origin.as_deref())?;
    Ok(visit(gateway, call).await?)
}

/// The user's choices; `{}` where they made none.
#[utoipa::path(
    get, path = "/v1/me/preferences", tag = "Me", operation_id = "getPreferences", security(("userJwt" = [])),
    params(("If-None-Match" = Option<String>, Header, description = "An ETag seen before: answers 304 while it is still true")),
    responses(
        (status = 200, description = "The choices", body = Preferences, headers(("ETag" = String, description = "Version of the choices"))),
        (status = 304, description = "Nothing changed since"),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 503, response = crate::api::openapi::Failed),
    )
)]
pub async fn get(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let visit = enter(&request, &gateway).await?;
    let stored = gateway
        .sources
        .preferences(visit.caller.tenant, &visit.caller.subject)
        .await?;
    let validator = validator(&stored);
    if validator.is_known_to(&request) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, validator.etag()))
            .finish());
    }
    Ok(answer(&stored))
}

/// Replaces all choices.
#[utoipa::path(
    put, path = "/v1/me/preferences", tag = "Me", operation_id = "putPreferences", security(("userJwt" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag that the change is based on: 412 if it is no longer true")),
    request_body(content = Preferences, content_type = "application/json"),
    responses(
        (status = 200, description = "The choices as they are now", body = Preferences, headers(("ETag" = String, description = "Version of the choices"))),
        (status = 400, response = crate::api::openapi::MalformedRequest),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 408, response = crate::api::openapi::Refused),
        (status = 412, response = crate::api::openapi::Refused),
        (status = 413, response = crate::api::openapi::Refused),
        (status = 415, response = crate::api::openapi::Refused),
        (status = 422, response = crate::api::openapi::Invalid),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 503, response = crate::api::openapi::Failed),
    )
)]
pub async fn put(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<BodyLimits>,
) -> Result<HttpResponse, Problem> {
    let visit = enter(&request, &gateway).await?;
    let members = body::read_object(&request, payload, **limits, JSON).await?;
    Ok(answer(
        &change(&request, &gateway, &visit, Change::Replace(members)).await?,
    ))
}

/// Changes some choices: a JSON merge patch (RFC 7396), where null takes a choice away.
#[utoipa::path(
    patch, path = "/v1/me/preferences", tag = "Me", operation_id = "patchPreferences", security(("userJwt" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag that the change is based on: 412 if it is no longer true")),
    request_body(content = PreferencesPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The choices as they are now", body = Preferences, headers(("ETag" = String, description = "Version of the choices"))),
        (status = 400, response = crate::api::openapi::MalformedRequest),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 408, response = crate::api::openapi::Refused),
        (status = 412, response = crate::api::openapi::Refused),
        (status = 413, response = crate::api::openapi::Refused),
        (status = 415, response = crate::api::openapi::Refused),
        (status = 422, response = crate::api::openapi::Invalid),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 503, response = crate::api::openapi::Failed),
    )
)]
pub async fn patch(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<BodyLimits>,
) -> Result<HttpResponse, Problem> {
    let visit = enter(&request, &gateway).await?;
    let members = body::read_object(&request, payload, **limits, MERGE_PATCH).await?;
    Ok(answer(
        &change(&request, &gateway, &visit, Change::Merge(members)).await?,
    ))
}

/// Forgets all choices.
#[utoipa::path(
    delete, path = "/v1/me/preferences", tag = "Me", operation_id = "deletePreferences", security(("userJwt" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag that the change is based on: 412 if it is no longer true")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 412, response = crate::api::openapi::Refused),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 503, response = crate::api::openapi::Failed),
    )
)]
pub async fn delete(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let visit = enter(&request, &gateway).await?;
    change(&request, &gateway, &visit, Change::Clear).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn change(
    request: &HttpRequest,
    gateway: &Gateway,
    visit: &Visit,
    change: Change,
) -> Result<StoredPreferences, Problem> {
    write(gateway, visit, change, |stored| {
        validator(stored).check_write(request)
    })
    .await
    .map_err(|error| match error {
        WriteError::Invalid(faults) => Problem::new(Code::PreferenceInvalid)
            .detail("See errors for what to change; GET /v1/me/options lists what can be chosen.")
            .errors(faults),
        WriteError::Condition(problem) => problem,
        WriteError::Store(error) => error.into(),
    })
}

fn answer(stored: &StoredPreferences) -> HttpResponse {
    let choices: Map<String, Value> = stored.preferences.to_document();
    HttpResponse::Ok()
        .insert_header((ETAG, validator(stored).etag()))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .json(choices)
}

/// The state of a user's choices, for conditions.
pub(super) fn validator(stored: &StoredPreferences) -> Validator {
    let content = Value::Object(stored.preferences.to_document()).to_string();
    Validator::new(stored.version, content.as_bytes())
}
