//! The table `audit_event`; its trigger numbers and chains the rows. Each tenant has a trail, and the platform has one.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::lease::Lease;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::ids::TenantId;

/// Whose trail the platform's own is: the id that no tenant has.
pub const PLATFORM: TenantId = TenantId(Uuid::nil());

/// One change, written in the transaction of the change itself.
#[derive(Debug)]
pub struct AuditEvent<'a> {
    /// Id of the row.
    pub id: Uuid,
    pub at: DateTime<Utc>,
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
    /// Adds a row to the tenant's chain. It waits for whoever else has added one and not finished.
    pub async fn audit(&mut self, event: &AuditEvent<'_>) -> Result<(), StoreError> {
        let tenant = self.tenant();
        // The trigger takes the same, and would wait no longer than a statement may.
        self.take("audit_event").await?;
        insert(self.connection(), tenant, event).await
    }

    /// Adds a row to the platform's chain, in this tenant's transaction: for what operators do to a tenant.
    pub async fn audit_platform(&mut self, event: &AuditEvent<'_>) -> Result<(), StoreError> {
        let mut step = self.platform_step().await?;
        insert(step.connection(), PLATFORM, event).await?;
        step.end().await
    }
}

impl PlatformTx {
    /// Adds a row to the platform's chain.
    pub async fn audit(&mut self, event: &AuditEvent<'_>) -> Result<(), StoreError> {
        insert(self.connection(), PLATFORM, event).await
    }
}

async fn insert(
    connection: &mut Lease,
    trail: TenantId,
    event: &AuditEvent<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into audit_event (tenant_id, id, at, actor, action, target, before_hash, after_hash, request_id, details)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        trail.0,
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
    .execute(connection)
    .await?;
    Ok(())
}
