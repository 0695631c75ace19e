//! The table `audit_event`; its trigger numbers and chains the rows.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::TenantTx;

/// One change, told in the transaction of the change itself.
#[derive(Debug)]
pub struct AuditEvent<'a> {
    /// Id of the row.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: &'a str,
    /// What was done, such as `release.create`.
    pub action: &'a str,
    /// To what, such as `persona/support`.
    pub target: &'a str,
    /// SHA-256 of the state before.
    pub before_hash: Option<&'a [u8]>,
    /// SHA-256 of the state after.
    pub after_hash: Option<&'a [u8]>,
    /// The request that made the change.
    pub request_id: Option<&'a str>,
    /// Anything else worth knowing; never a secret.
    pub details: Value,
}

impl TenantTx {
    /// Adds a row to the tenant's chain.
    pub async fn audit(&mut self, event: &AuditEvent<'_>) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into audit_event (tenant_id, id, at, actor, action, target, before_hash, after_hash, request_id, details)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            tenant,
            event.id,
            event.at,
            event.actor,
            event.action,
            event.target,
            event.before_hash,
            event.after_hash,
            event.request_id,
            event.details
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
