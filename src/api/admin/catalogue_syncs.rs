//! `/v1/admin/catalogue:sync` and `/v1/admin/catalogue-syncs`: readings of Anam's lists.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::versions::PageQuery;
use crate::api::answers::{Acting, Listing};
use crate::api::{only, reading};
use crate::domain::ids::CatalogueSyncId;
use crate::gateway::Gateway;
use crate::store::catalogue_sync::CatalogueSyncRow;
use crate::tenants::catalogue::sync;
use crate::web::Problem;
use crate::web::admin::{May, Publish, View};
use crate::web::page::{Page, PageBody, query};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/catalogue:sync").route(web::post().to(synchronise)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/catalogue-syncs").route(reading().to(syncs)),
            "GET, HEAD",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(synchronise, syncs))]
pub struct Doc;

/// A reading of Anam's lists.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueSync)]
pub(super) struct SyncBody {
    /// The reading.
    id: Uuid,
    /// Who asked for it; `gateway:schedule` where the policy did.
    #[schema(example = "gateway:schedule")]
    actor: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    finished_at: Option<DateTime<Utc>>,
    /// `running`; `done`; `partial`: some lists could not be read, and their kinds were left alone; `failed`: none could.
    #[schema(example = "done")]
    outcome: String,
    /// By kind: `listed`, `new`, `changed`, `retired` and `returned` (each with `count` and the first hundred `ids`),
    /// `unreadable` rows, whether the list was `whole`, and whether what is missing from it was `doubted`; or `error`, a
    /// problem's code.
    #[schema(value_type = Object)]
    report: Map<String, Value>,
}

impl From<CatalogueSyncRow> for SyncBody {
    fn from(row: CatalogueSyncRow) -> Self {
        Self {
            id: row.id.0,
            actor: row.actor,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: row.outcome,
            report: row.report,
        }
    }
}

/// Reads Anam's lists now. New things come in as not allowed (unless the policy says `allowNew`), known ones get their new
/// names and pictures, and what Anam no longer lists is retired.
#[utoipa::path(
    post, path = "/v1/admin/catalogue:sync", tag = "Admin: catalogue", operation_id = "syncCatalogue", security(("adminKey" = [])),
    extensions(("x-permission" = json!("publish"))),
    responses((status = 200, description = "What was read, and what became of it", body = SyncBody), Acting)
)]
async fn synchronise(
    may: May<Publish>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    gateway.admit_try_out(may.tenant)?;
    let row = sync::sync(&gateway.into_inner(), &may).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SyncBody::from(row)))
}

/// Readings of Anam's lists, newest first.
#[utoipa::path(
    get, path = "/v1/admin/catalogue-syncs", tag = "Admin: catalogue", operation_id = "listCatalogueSyncs", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(PageQuery),
    responses(
        (status = 200, description = "A page of readings", body = PageBody<SyncBody>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn syncs(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: PageQuery = query(&request)?;
    let keys = &gateway.keys;
    let cursor = asked.cursor.as_deref();
    let page = Page::read(&request, keys, may.tenant, asked.limit, cursor)?;
    let before = page.after.as_deref().and_then(|position| {
        let (at, id) = position.split_once(' ')?;
        let at = DateTime::parse_from_rfc3339(at).ok()?.to_utc();
        Some((at, CatalogueSyncId(Uuid::try_parse(id).ok()?)))
    });
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.catalogue_syncs(before, page.rows()).await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| format!("{} {}", row.started_at.to_rfc3339(), row.id),
        SyncBody::from,
    ))
}
