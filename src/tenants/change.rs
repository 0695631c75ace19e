//! Stand-in.
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::admin::Admin;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::crypto::seal::KeyRing;
use crate::gateway::Gateway;
use crate::store::audit::AuditEvent;
use crate::store::tenant_tx::TenantTx;

#[derive(Debug)]
pub struct Change {
    pub tx: TenantTx,
    pub admin: Admin,
    pub now: DateTime<Utc>,
    pub clock: Clock,
    pub keys: KeyRing,
    pub request_id: Option<String>,
}

impl Change {
    pub async fn begin(gateway: &Gateway, admin: &Admin) -> Result<Self, Refusal> {
        Ok(Self {
            tx: gateway.database.tenant(admin.tenant).await?,
            admin: admin.clone(),
            now: gateway.clock.now(),
            clock: gateway.clock.clone(),
            keys: gateway.keys.clone(),
            request_id: None,
        })
    }

    pub async fn note(
        &mut self,
        action: &str,
        target: &str,
        details: Value,
    ) -> Result<(), Refusal> {
        let event = AuditEvent {
            id: self.clock.new_id(),
            at: self.now,
            actor: &self.admin.actor.label,
            action,
            target,
            before_hash: None,
            after_hash: None,
            details,
        };
        Ok(self.tx.audit(&event).await?)
    }

    pub async fn commit(self) -> Result<(), Refusal> {
        Ok(self.tx.commit().await?)
    }
}
