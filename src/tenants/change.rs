//! One change of an admin: a transaction in which every verb leaves its row in the audit trail.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::admin::Admin;
use crate::clock::Clock;
use crate::crypto::seal::KeyRing;
use crate::gateway::Gateway;
use crate::store::audit::AuditEvent;
use crate::store::tenant_tx::TenantTx;
use crate::store::{Database, StoreError};

/// A change under way. Dropped without [`Change::commit`], it never was.
#[derive(Debug)]
pub struct Change {
    /// The tenant's rows.
    pub tx: TenantTx,
    /// Who changes them.
    pub admin: Admin,
    /// The moment that all of the change has.
    pub now: DateTime<Utc>,
    /// Seals secrets.
    pub keys: KeyRing,
    clock: Clock,
}

impl Change {
    /// Begins a change of the admin's own tenant.
    pub async fn begin(gateway: &Gateway, admin: &Admin) -> Result<Self, StoreError> {
        Self::with(
            &gateway.database,
            &gateway.clock,
            &gateway.keys,
            admin.clone(),
        )
        .await
    }

    /// The same without a running service.
    pub async fn with(
        database: &Database,
        clock: &Clock,
        keys: &KeyRing,
        admin: Admin,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            tx: database.tenant(admin.tenant).await?,
            now: clock.now(),
            keys: keys.clone(),
            clock: clock.clone(),
            admin,
        })
    }

    /// From here on nobody else changes the tenant's documents until this change ends. The moment is taken anew, from the database:
    /// what the others did while this one waited lies before it, on whichever instance.
    pub async fn lock_authoring(&mut self) -> Result<(), StoreError> {
        self.tx.lock_authoring().await?;
        self.now = self.tx.moment().await?;
        Ok(())
    }

    /// A new id.
    pub fn new_id(&self) -> Uuid {
        self.clock.new_id()
    }

    /// Tells the audit trail what is done (such as `persona.release`) to what (such as `persona/support`).
    pub async fn note(
        &mut self,
        action: &str,
        target: &str,
        details: Value,
    ) -> Result<(), StoreError> {
        self.note_hashes(action, target, None, None, details).await
    }

    /// The same, with the SHA-256 of what was before and of what is now.
    pub async fn note_hashes(
        &mut self,
        action: &str,
        target: &str,
        before_hash: Option<&[u8]>,
        after_hash: Option<&[u8]>,
        details: Value,
    ) -> Result<(), StoreError> {
        let event = AuditEvent {
            id: self.clock.new_id(),
            at: self.now,
            actor: &self.admin.actor.label,
            action,
            target,
            before_hash,
            after_hash,
            request_id: self.admin.request_id.as_deref(),
            details,
        };
        self.tx.audit(&event).await
    }

    /// Tells the platform's trail what an operator does to the tenant.
    pub async fn note_platform(
        &mut self,
        action: &str,
        target: &str,
        details: Value,
    ) -> Result<(), StoreError> {
        let event = AuditEvent {
            id: self.clock.new_id(),
            at: self.now,
            actor: &self.admin.actor.label,
            action,
            target,
            before_hash: None,
            after_hash: None,
            request_id: self.admin.request_id.as_deref(),
            details,
        };
        self.tx.audit_platform(&event).await
    }

    /// Makes it last.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}
