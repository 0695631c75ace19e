//! `/v1/admin/me`: who the credential belongs to.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::api::answers::Reading;
use crate::api::{only, reading};
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, View};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(only(
        web::resource("/v1/admin/me").route(reading().to(get)),
        "GET, HEAD",
    ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// Who acts, and where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Me {
    /// As the audit trail says it.
    #[schema(example = "key:pgk_Ab3dE9xQ")]
    actor: String,
    /// `viewer`, `editor`, `publisher` or `owner`.
    #[schema(example = "editor")]
    role: &'static str,
    /// The tenant's name in bundles.
    #[schema(example = "demo")]
    tenant: String,
    /// The tenant's name for people.
    #[schema(example = "Demo Inc.")]
    tenant_name: String,
}

/// Who the credential belongs to, and what it may.
#[utoipa::path(
    get, path = "/v1/admin/me", tag = "Admin: access", operation_id = "getMe", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses(
        (status = 200, description = "Who", body = Me),
        Reading,
    )
)]
async fn get(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let tenant = tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Me {
            actor: may.actor.label.clone(),
            role: may.role.as_str(),
            tenant: tenant.slug,
            tenant_name: tenant.name,
        }))
}
