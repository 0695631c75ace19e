//! `/v1/admin/audit`: who changed what, and the means to prove that nobody rewrote it.

use std::fmt;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{LocalBoxStream, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::crypto::seal::KeyRing;
use crate::domain::caller::Subject;
use crate::domain::ids::TenantId;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::audit_checkpoints::CheckpointRow;
use crate::store::audit_read::{AuditFilter, AuditRow};
use crate::tenants::audit::checkpoint::{CheckpointError, checkpoint};
use crate::tenants::audit::export::Export;
use crate::tenants::refusal::Refusal;
use crate::tenants::subjects::targets;
use crate::web::Problem;
use crate::web::admin::{Own, View};
use crate::web::codes::Code;
use crate::web::input::{Moment, SearchText, input};
use crate::web::operation::{Answer, Call, Described, Json, Output, Page, PageOf, operations};
use crate::web::work::{Pieces, in_pieces};

operations! {
    "Admin: audit";

    "/v1/admin/audit" {
        /// Searches the audit trail, newest first.
        GET searchAudit => search;
    }
    "/v1/admin/audit/export" {
        /// Exports the whole audit trail as NDJSON, with its checkpoints: the input of `persona-gateway audit verify`, which needs
        /// no database. The answer is streamed and may have any size; its last line counts the others.
        GET exportAudit => export;
    }
    "/v1/admin/audit/checkpoints" {
        /// Lists the signed checkpoints, newest first. A trail that grows gets one each hour.
        GET listCheckpoints => checkpoints;
        /// Makes a checkpoint of the newest row now. If that row has one already, it is returned.
        POST makeCheckpoint => mark;
    }
    "/v1/admin/audit/keys" {
        /// Lists the public keys that verify checkpoints. Keep a copy elsewhere: a key that comes with a forged trail proves
        /// nothing.
        GET listAuditKeys => keys;
    }
}

input! {
    /// Which changes.
    pub(in crate::api) struct AuditSearch {
        /// Changes not before this moment.
        from: Option<Moment>,
        /// Changes before this moment.
        to: Option<Moment>,
        /// Only events of this actor.
        #[example("person:kim@example.com")]
        actor: Option<SearchText>,
        /// Actions with this prefix.
        #[example("persona.")]
        action: Option<SearchText>,
        /// Only events about this target.
        #[example("persona/support-agent")]
        target: Option<SearchText>,
        /// Of this user, by the `sub` of their tokens: the trail itself knows users under other names only.
        user: Option<Subject>,
    }
}

impl AuditSearch {
    fn to_filter(&self, keys: &KeyRing, tenant: TenantId) -> Result<AuditFilter, Refusal> {
        let text = |sought: &Option<SearchText>| sought.clone().map(String::from);
        let targets = match (text(&self.target), &self.user) {
            (Some(_), Some(_)) => {
                let (name, other) = ("user", "target");
                return Err(Refusal::fault("/user", Wrong::NotBoth { name, other }));
            }
            (target, None) => target.map(|target| vec![target]),
            (None, Some(user)) => Some(targets(keys, tenant, user)?),
        };
        Ok(AuditFilter {
            from: self.from.map(Moment::get),
            to: self.to.map(Moment::get),
            actor: text(&self.actor),
            action: text(&self.action),
            targets,
        })
    }
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct AuditItem {
    /// Counts from 1 within the tenant, without a gap.
    #[schema(example = 42)]
    seq: i64,
    id: Uuid,
    /// When it happened.
    at: DateTime<Utc>,
    /// Who did it.
    #[schema(example = "key:pgk_Ab3dE9xQ")]
    actor: String,
    /// The action, such as `persona.release`.
    #[schema(example = "persona.release")]
    action: String,
    /// What it was done to, such as `persona/guide`.
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
    /// The `seq` of the last row that it covers.
    #[schema(example = 42)]
    seq: i64,
    /// The hash of that row, hex.
    hash: String,
    /// When it happened.
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
    /// How it signs.
    #[schema(example = "ed25519", pattern = "^ed25519$")]
    algorithm: &'static str,
    /// 32 bytes, hex: what `audit verify --public-key` takes.
    public_key: String,
}

/// A whole trail, written while it is read.
pub(in crate::api) struct TrailFile(LocalBoxStream<'static, Result<Bytes, Refusal>>);

impl fmt::Debug for TrailFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrailFile").finish_non_exhaustive()
    }
}

const NDJSON: &str = "application/x-ndjson";

impl Output for TrailFile {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .content_type(NDJSON)
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
            .streaming(self.0)
    }

    fn describe(operation: &mut Described<'_>) {
        let response = json!({
            "description": "The trail: a line for each row and each checkpoint",
            "content": { NDJSON: { "schema": { "type": "string" } } },
        });
        operation.answers(200, &response);
    }
}

async fn search(call: Call<View>, page: PageOf<AuditSearch>) -> Answer<Page<AuditItem>> {
    page_of(call.gateway(), &page, call.tenant).await
}

/// A page of a trail.
pub(in crate::api) async fn page_of(
    gateway: &Gateway,
    page: &PageOf<AuditSearch>,
    trail: TenantId,
) -> Answer<Page<AuditItem>> {
    let filter = page.filter.to_filter(&gateway.keys, trail)?;
    let mut tx = gateway.database.tenant(trail).await?;
    let rows = tx
        .search_audit(&filter, page.after_number(), page.rows())
        .await?;
    tx.commit().await?;
    Ok(page.of(rows, |row| row.seq.to_string(), AuditItem::from))
}

async fn export(call: Call<Own>) -> Answer<TrailFile> {
    let (gateway, trail) = (call.gateway().clone(), call.tenant);
    trail_file(gateway, trail, call).await
}

/// A whole trail, for somebody who was admitted.
pub(in crate::api) async fn trail_file<A: 'static>(
    gateway: Data<Gateway>,
    trail: TenantId,
    admitted: A,
) -> Answer<TrailFile> {
    let now = gateway.clock.now();
    let export = Export::new(gateway.database.clone(), trail, now);
    let pieces = in_pieces(gateway, trail, admitted, export).await?;
    Ok(TrailFile(pieces.boxed_local()))
}

async fn checkpoints(call: Call<View>, page: PageOf<()>) -> Answer<Page<CheckpointItem>> {
    let mut tx = call.read().await?;
    let rows = tx
        .checkpoints_before(page.after_number(), page.rows())
        .await?;
    tx.commit().await?;
    Ok(page.of(rows, |row| row.seq.to_string(), CheckpointItem::from))
}

async fn mark(call: Call<Own>) -> Answer<Json<CheckpointItem>> {
    newest_checkpoint(call.gateway(), call.tenant).await
}

/// Marks the last row of a trail.
pub(in crate::api) async fn newest_checkpoint(
    gateway: &Gateway,
    trail: TenantId,
) -> Answer<Json<CheckpointItem>> {
    let mut tx = gateway.database.tenant(trail).await?;
    let made = checkpoint(&mut tx, &gateway.keys, &gateway.clock).await?;
    tx.commit().await?;
    let made = made.ok_or_else(|| Refusal::Conflict(Wrong::TrailEmpty.into()))?;
    Ok(Json::new(&CheckpointItem::from(made)))
}

async fn keys(call: Call<View>) -> Answer<Json<VerifyingKeys>> {
    let keys = call.gateway().keys.verifying_keys();
    let keys = keys.map_err(CheckpointError::from)?.into_iter();
    let items = keys.map(|key| VerifyingKeyItem {
        id: key.id(),
        algorithm: "ed25519",
        public_key: key.to_hex(),
    });
    Ok(Json::new(&VerifyingKeys {
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
