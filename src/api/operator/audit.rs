//! `/v1/operator/audit`: what operators did, in a trail of its own that nobody can rewrite unseen.

use actix_web::web::Data;

use crate::api::admin::audit::{
    AuditItem, AuditSearch, CheckpointItem, TrailFile, newest_checkpoint, page_of, trail_file,
};
use crate::gateway::Gateway;
use crate::store::audit::PLATFORM;
use crate::web::operation::{Answer, Json, Page, PageOf, operations};
use crate::web::people::Operator;

operations! {
    "Operator";

    "/v1/operator/audit" {
        /// What was done to the installation: tenants, shared issuers, accounts, whose tokens are whose; the newest first. What admins did in
        /// a tenant stands in the tenant's own trail.
        GET searchPlatformAudit => search;
    }
    "/v1/operator/audit/export" {
        /// The whole trail as NDJSON, with its checkpoints: what `persona-gateway audit verify` takes, without a database.
        GET exportPlatformAudit => export;
    }
    "/v1/operator/audit/checkpoints" {
        /// Marks the last row now. Where it is marked already, that mark is given again.
        POST makePlatformCheckpoint => mark;
    }
}

async fn search(
    _operator: Operator,
    gateway: Data<Gateway>,
    page: PageOf<AuditSearch>,
) -> Answer<Page<AuditItem>> {
    page_of(&gateway, &page, PLATFORM).await
}

async fn export(operator: Operator, gateway: Data<Gateway>) -> Answer<TrailFile> {
    trail_file(gateway, PLATFORM, operator).await
}

async fn mark(_operator: Operator, gateway: Data<Gateway>) -> Answer<Json<CheckpointItem>> {
    newest_checkpoint(&gateway, PLATFORM).await
}
