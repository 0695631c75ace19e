//! `/v1/admin/audit`: who changed what, and the means to prove that nobody rewrote it.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::filters::Filters;
use super::versions::PageQuery;
use crate::api::answers::{Acting, Listing, Reading};
use crate::api::{only, reading};
use crate::crypto::seal::KeyRing;
use crate::domain::ids::TenantId;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::audit_checkpoints::CheckpointRow;
use crate::store::audit_read::{AuditFilter, AuditRow};
use crate::tenants::audit::checkpoint::{CheckpointError, checkpoint};
use crate::tenants::audit::export::Export;
use crate::tenants::refusal::Refusal;
use crate::tenants::subjects::targets;
use crate::web::Problem;
use crate::web::admin::{May, Own, View};
use crate::web::codes::Code;
use crate::web::page::{Page, PageBody, query};
use crate::web::work::{Pieces, in_pieces};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/audit").route(reading().to(search)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/audit/export").route(reading().to(export)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/audit/checkpoints")
                .route(reading().to(checkpoints))
                .route(web::post().to(mark)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/audit/keys").route(reading().to(keys)),
            "GET, HEAD",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(search, export, checkpoints, mark, keys))]
pub struct Doc;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct SearchQuery {
    /// Changes not before this moment.
    #[param(nullable = false)]
    from: Option<DateTime<Utc>>,
    /// Changes before this moment.
    #[param(nullable = false)]
    to: Option<DateTime<Utc>>,
    /// By this actor.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 300,
        example = "person:kim@example.com"
    )]
    actor: Option<String>,
    /// Actions that begin like this.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 300,
        example = "persona."
    )]
    action: Option<String>,
    /// Of this.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 300,
        example = "persona/support-agent"
    )]
    target: Option<String>,
    /// Of this user, by the `sub` of their tokens: the trail itself knows users under other names only.
    #[param(nullable = false, min_length = 1, max_length = 255)]
    user: Option<String>,
    /// Items of a page, 50 unless set.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl SearchQuery {
    fn filter(self, keys: &KeyRing, tenant: TenantId) -> Result<AuditFilter, Refusal> {
        let mut read = Filters::default();
        let target = read.text("target", self.target);
        let user = self.user.and_then(|user| read.subject("user", &user));
        if target.is_some() && user.is_some() {
            read.fault("user", "can't be asked for together with a target");
        }
        let filter = AuditFilter {
            from: read.moment("from", self.from),
            to: read.moment("to", self.to),
            actor: read.text("actor", self.actor),
            action: read.text("action", self.action),
            targets: match user {
                Some(user) => Some(targets(keys, tenant, &user)?),
                None => target.map(|target| vec![target]),
            },
        };
        read.finish()?;
        Ok(filter)
    }
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct AuditItem {
    /// Counts from 1 within the tenant, without a gap.
    #[schema(example = 42)]
    seq: i64,
    /// Its id.
    id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// Who.
    #[schema(example = "key:pgk_Ab3dE9xQ")]
    actor: String,
    /// What was done.
    #[schema(example = "persona.release")]
    action: String,
    /// To what.
    #[schema(example = "persona/support-agent")]
    target: String,
    /// SHA-256 of what was before, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    before_hash: Option<String>,
    /// SHA-256 of what is now, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after_hash: Option<String>,
    /// The `X-Request-Id` of the answer to the request that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
    /// Anything else worth knowing.
    #[schema(value_type = Object)]
    details: Value,
    /// Its link in the chain, hex.
    hash: String,
}

impl From<AuditRow> for AuditItem {
    fn from(row: AuditRow) -> Self {
        Self {
            seq: row.seq,
            id: row.id,
            at: row.at,
            actor: row.actor,
            action: row.action,
            target: row.target,
            before_hash: row.before_hash.map(hex::encode),
            after_hash: row.after_hash.map(hex::encode),
            request_id: row.request_id,
            details: row.details,
            hash: hex::encode(row.hash),
        }
    }
}

/// A signed mark in the trail: the rows up to it can't be rewritten without its showing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct CheckpointItem {
    /// The row that it marks.
    #[schema(example = 42)]
    seq: i64,
    /// The hash of that row, hex.
    hash: String,
    /// When.
    at: DateTime<Utc>,
    /// Which of the keys signed.
    #[schema(example = "3f1c9a7be0d24458")]
    key_id: String,
    /// Ed25519, hex.
    signature: String,
}

impl From<CheckpointRow> for CheckpointItem {
    fn from(row: CheckpointRow) -> Self {
        Self {
            seq: row.seq,
            hash: hex::encode(row.hash),
            at: row.at,
            key_id: row.key_id,
            signature: hex::encode(row.signature),
        }
    }
}

/// The keys that verify checkpoints.
#[derive(Debug, Serialize, ToSchema)]
struct VerifyingKeys {
    /// The one that signs now first.
    items: Vec<VerifyingKeyItem>,
}

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VerifyingKeyItem {
    /// The start of its SHA-256, as checkpoints name it.
    #[schema(example = "3f1c9a7be0d24458")]
    id: String,
    /// `ed25519`.
    algorithm: &'static str,
    /// 32 bytes, hex: what `audit verify --public-key` takes.
    public_key: String,
}

/// Changes, the newest first.
#[utoipa::path(
    get, path = "/v1/admin/audit", tag = "Admin: audit", operation_id = "searchAudit", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(SearchQuery),
    responses(
        (status = 200, description = "A page of changes", body = PageBody<AuditItem>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn search(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    page_of(&gateway, &request, may.tenant).await
}

/// A page of a trail, as its query asks.
pub(in crate::api) async fn page_of(
    gateway: &Gateway,
    request: &HttpRequest,
    trail: TenantId,
) -> Result<HttpResponse, Problem> {
    let asked: SearchQuery = query(request)?;
    let keys = &gateway.keys;
    let (limit, cursor) = (asked.limit, asked.cursor.clone());
    let page = Page::read(request, keys, trail, limit, cursor.as_deref())?;
    let filter = asked.filter(keys, trail)?;
    let below = page.after.as_deref().and_then(|seq| seq.parse().ok());
    let mut tx = gateway.database.tenant(trail).await?;
    let rows = tx.search_audit(&filter, below, page.rows()).await?;
    tx.commit().await?;
    Ok(page.answer(
        request,
        keys,
        rows,
        |row| row.seq.to_string(),
        AuditItem::from,
    ))
}

/// The whole trail as NDJSON, with its checkpoints: what `persona-gateway audit verify` takes, without a database. It comes in
/// pieces, any size; the last line counts the others.
#[utoipa::path(
    get, path = "/v1/admin/audit/export", tag = "Admin: audit", operation_id = "exportAudit", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    responses(
        (status = 200, description = "The trail: a line for each row and each checkpoint", body = String, content_type = "application/x-ndjson"),
        Reading,
    )
)]
async fn export(may: May<Own>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    export_of(gateway, may.tenant, may).await
}

/// A whole trail, for somebody who was admitted.
pub(in crate::api) async fn export_of<A: 'static>(
    gateway: web::Data<Gateway>,
    trail: TenantId,
    admitted: A,
) -> Result<HttpResponse, Problem> {
    let now = gateway.clock.now();
    let export = Export::new(gateway.database.clone(), trail, now);
    let pieces = in_pieces(gateway, trail, admitted, export).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
        .streaming(Box::pin(pieces)))
}

/// Signed marks, the newest first. A trail that grows gets one each hour.
#[utoipa::path(
    get, path = "/v1/admin/audit/checkpoints", tag = "Admin: audit", operation_id = "listCheckpoints", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(PageQuery),
    responses(
        (status = 200, description = "A page of checkpoints", body = PageBody<CheckpointItem>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn checkpoints(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: PageQuery = query(&request)?;
    let keys = &gateway.keys;
    let cursor = asked.cursor.as_deref();
    let page = Page::read(&request, keys, may.tenant, asked.limit, cursor)?;
    let below = page.after.as_deref().and_then(|seq| seq.parse().ok());
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.checkpoints_before(below, page.rows()).await?;
    tx.commit().await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| row.seq.to_string(),
        CheckpointItem::from,
    ))
}

/// Marks the last row now. Where it is marked already, that mark is given again.
#[utoipa::path(
    post, path = "/v1/admin/audit/checkpoints", tag = "Admin: audit", operation_id = "makeCheckpoint", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    responses(
        (status = 200, description = "The checkpoint of the last row", body = CheckpointItem),
        Acting,
    )
)]
async fn mark(may: May<Own>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    mark_of(&gateway, may.tenant).await
}

/// Marks the last row of a trail.
pub(in crate::api) async fn mark_of(
    gateway: &Gateway,
    trail: TenantId,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(trail).await?;
    let made = checkpoint(&mut tx, &gateway.keys, &gateway.clock).await?;
    tx.commit().await?;
    let made = made.ok_or_else(|| {
        Refusal::Conflict("The trail is empty: there is nothing to mark yet.".into())
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(CheckpointItem::from(made)))
}

/// The public keys that verify checkpoints. Note them somewhere else: a key that comes with a forged trail proves nothing.
#[utoipa::path(
    get, path = "/v1/admin/audit/keys", tag = "Admin: audit", operation_id = "listAuditKeys", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses(
        (status = 200, description = "The keys", body = VerifyingKeys),
        Reading,
    )
)]
async fn keys(_may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let keys = gateway
        .keys
        .verifying_keys()
        .map_err(CheckpointError::from)?;
    let items = keys.into_iter().map(|key| VerifyingKeyItem {
        id: key.id(),
        algorithm: "ed25519",
        public_key: key.to_hex(),
    });
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(VerifyingKeys {
            items: items.collect(),
        }))
}

impl Pieces for Export {
    async fn next(&mut self) -> Result<Option<String>, StoreError> {
        Self::next(self).await
    }
}

impl From<CheckpointError> for Problem {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Store(error) => error.into(),
            CheckpointError::Sign(error) => {
                tracing::error!(%error, "the audit trail can't be marked");
                Self::new(Code::Internal)
            }
        }
    }
}
