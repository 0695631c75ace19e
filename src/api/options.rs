//! `GET /v1/me/options`: what this user may choose.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::preferences::enter;
use crate::domain::catalogue::{Catalogue, CatalogueEntry, CatalogueKind};
use crate::gateway::Gateway;
use crate::web::Problem;

/// What can be chosen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Options)]
pub struct OptionsView {
    /// For `avatarId`.
    pub avatars: Vec<OptionView>,
    /// For `voiceId`.
    pub voices: Vec<OptionView>,
    /// For `llmId`.
    pub llms: Vec<OptionView>,
    /// For `languageCode`.
    pub languages: Vec<OptionView>,
    /// Preferences that this tenant adds, and what each may be.
    #[schema(value_type = Object)]
    pub preferences: Map<String, Value>,
}

/// One thing to choose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Choice)]
pub struct OptionView {
    /// What to put into the preference.
    pub id: String,
    /// What people read.
    pub name: String,
    /// What else is known of it: pictures, provider, description.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

/// What this user may choose from, in the tenant's order.
#[utoipa::path(
    get, path = "/v1/me/options", tag = "Me", operation_id = "getOptions", security(("userJwt" = [])),
    responses(
        (status = 200, description = "The options", body = OptionsView),
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
    let snapshot = &visit.tenant.snapshot;
    let fields = snapshot.policy.preference_fields.iter();
    let view = OptionsView {
        avatars: of(&snapshot.catalogue, CatalogueKind::Avatar),
        voices: of(&snapshot.catalogue, CatalogueKind::Voice),
        llms: of(&snapshot.catalogue, CatalogueKind::Llm),
        languages: of(&snapshot.catalogue, CatalogueKind::Language),
        preferences: fields
            .map(|(name, field)| (name.clone(), field.to_document()))
            .collect(),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .json(view))
}

fn of(catalogue: &Catalogue, kind: CatalogueKind) -> Vec<OptionView> {
    let view = |entry: &CatalogueEntry| {
        let mut attributes = entry.attributes.clone();
        attributes.retain(|name, _| name != "id" && name != "name");
        OptionView {
            id: entry.id.clone(),
            name: entry.name.clone(),
            attributes,
        }
    };
    catalogue.of(kind).iter().map(view).collect()
}
