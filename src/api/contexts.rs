//! `GET /v1/contexts`: which contexts exist, and the metadata each wants.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::preferences::enter;
use crate::gateway::Gateway;
use crate::web::Problem;

/// The tenant's contexts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contexts)]
pub struct ContextsView {
    /// By key.
    pub contexts: Vec<ContextView>,
}

/// One context.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Context)]
pub struct ContextView {
    /// What to put into `context`.
    #[schema(example = "support")]
    pub key: String,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// What the situation is.
    pub description: String,
    /// JSON Schema of `metadata`.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

/// The contexts that a page may ask for.
#[utoipa::path(
    get, path = "/v1/contexts", tag = "Sessions", operation_id = "listContexts", security(("userJwt" = [])),
    responses(
        (status = 200, description = "The contexts", body = ContextsView),
        (status = 401, response = crate::api::openapi::Unauthenticated),
        (status = 403, response = crate::api::openapi::Forbidden),
        (status = 429, response = crate::api::openapi::TooMany),
        (status = 503, response = crate::api::openapi::Failed),
    )
)]
pub async fn list(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let visit = enter(&request, &gateway).await?;
    let contexts = visit
        .tenant
        .snapshot
        .contexts
        .iter()
        .map(|(key, live)| ContextView {
            key: key.as_str().to_owned(),
            aliases: live
                .context
                .aliases
                .iter()
                .map(|alias| alias.as_str().to_owned())
                .collect(),
            description: live.context.description.clone(),
            metadata: live.context.schema.document().clone(),
        });
    let view = ContextsView {
        contexts: contexts.collect(),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .json(view))
}
