//! `/v1/operator/audit`: what operators did, in a trail of its own that nobody can rewrite unseen.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::OpenApi;

use crate::api::admin::audit::{self, AuditItem, CheckpointItem, SearchQuery};
use crate::api::answers::{Acting, Listing, Reading};
use crate::api::{only, reading};
use crate::gateway::Gateway;
use crate::store::audit::PLATFORM;
use crate::web::Problem;
use crate::web::page::PageBody;
use crate::web::people::Operator;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/operator/audit").route(reading().to(search)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/operator/audit/export").route(reading().to(export)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/operator/audit/checkpoints").route(web::post().to(mark)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(search, export, mark))]
pub struct Doc;

/// What was done to the installation: tenants, shared issuers, accounts, whose tokens are whose; the newest first. What admins did in
/// a tenant stands in the tenant's own trail.
#[utoipa::path(
    get, path = "/v1/operator/audit", tag = "Operator", operation_id = "searchPlatformAudit", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))), params(SearchQuery),
    responses(
        (status = 200, description = "A page of changes", body = PageBody<AuditItem>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn search(
    _operator: Operator,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    audit::page_of(&gateway, &request, PLATFORM).await
}

/// The whole trail as NDJSON, with its checkpoints: what `persona-gateway audit verify` takes, without a database.
#[utoipa::path(
    get, path = "/v1/operator/audit/export", tag = "Operator", operation_id = "exportPlatformAudit", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    responses(
        (status = 200, description = "The trail: a line for each row and each checkpoint", body = String, content_type = "application/x-ndjson"),
        Reading,
    )
)]
async fn export(operator: Operator, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    audit::export_of(gateway, PLATFORM, operator).await
}

/// Marks the last row now. Where it is marked already, that mark is given again.
#[utoipa::path(
    post, path = "/v1/operator/audit/checkpoints", tag = "Operator", operation_id = "makePlatformCheckpoint", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    responses((status = 200, description = "The checkpoint of the last row", body = CheckpointItem), Acting)
)]
async fn mark(_operator: Operator, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    audit::mark_of(&gateway, PLATFORM).await
}
