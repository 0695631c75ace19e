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
        /// Searches the platform's audit trail, newest first: tenants, shared issuers, accounts, and which tenant owns which
        /// issuer's tokens. What admins did in a tenant is in that tenant's own trail.
        GET searchPlatformAudit => search;
    }
    "/v1/operator/audit/export" {
        /// Exports the platform's whole audit trail as NDJSON, with its checkpoints: the input of `persona-gateway audit verify`,
        /// which needs no database.
        GET exportPlatformAudit => export;
    }
    "/v1/operator/audit/checkpoints" {
        /// Makes a checkpoint of the newest row now. If that row has one already, it is returned.
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
