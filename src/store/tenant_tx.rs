//! The two doors to the database.
//!
//! The login role itself may touch nothing. A transaction takes a role and (for a tenant's rows) a tenant in the same message
//! that begins it, and both end with it: a connection carries nothing over.

use std::time::Duration;

use tokio::time::Instant;

use super::lease::Lease;
use super::roles::Roles;
use super::{Database, StoreError};
use crate::domain::ids::TenantId;
use crate::keyed_semaphore::KeyedPermit;

/// How often is looked whether somebody else has finished.
const LOOK: Duration = Duration::from_millis(20);

/// A transaction that sees the rows of one tenant. Dropped without [`TenantTx::commit`], it rolls back.
#[derive(Debug)]
pub struct TenantTx {
    tenant: TenantId,
    roles: Roles,
    /// How long it waits for what others are changing.
    patience: Duration,
    // Dropped in this order: the connection is given back before the share.
    lease: Lease,
    _share: KeyedPermit<TenantId>,
}

/// A transaction with the narrower rights that look across tenants.
#[derive(Debug)]
pub struct PlatformTx {
    lease: Lease,
}

impl Database {
    /// The door to one tenant's rows.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        let roles = self.checked_roles().await?;
        let share = self.share(tenant).await?;
        let lease = self.pool.begin(Some(&roles.tenant), Some(tenant)).await?;
        Ok(TenantTx {
            tenant,
            roles: roles.clone(),
            patience: self.patience.1,
            lease,
            _share: share,
        })
    }

    /// One of the connections that a tenant may have at the same time: however much is asked for it, others find one.
    async fn share(&self, tenant: TenantId) -> Result<KeyedPermit<TenantId>, StoreError> {
        tokio::time::timeout(self.patience.0, self.shares.take(tenant))
            .await
            .map_err(|_elapsed| sqlx::Error::PoolTimedOut)?
            .ok_or_else(|| sqlx::Error::PoolClosed.into())
    }

    /// The door to what is looked up across tenants: issuers, revisions, the ledger's batches.
    pub async fn platform(&self) -> Result<PlatformTx, StoreError> {
        let roles = self.checked_roles().await?;
        self.platform_as(roles).await
    }

    /// For the check itself.
    pub(super) async fn platform_as(&self, roles: &Roles) -> Result<PlatformTx, StoreError> {
        let lease = self.pool.begin(Some(&roles.platform), None).await?;
        Ok(PlatformTx { lease })
    }
}

impl TenantTx {
    /// The tenant whose rows are visible.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn connection(&mut self) -> &mut Lease {
        &mut self.lease
    }

    /// Nobody else who asks for it changes what `what` names of this tenant until this transaction ends. It looks again and again instead
    /// of waiting in the server: statements have short limits, so that a database that fell silent is soon found out, and who
    /// waits for somebody else's change may wait longer than that.
    pub(super) async fn take(&mut self, what: &str) -> Result<(), StoreError> {
        let name = format!("{what} {}", self.tenant.0);
        let end = Instant::now() + self.patience;
        loop {
            let taken = sqlx::query_scalar!(
                r#"select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as "taken!""#,
                name
            )
            .fetch_one(&mut self.lease)
            .await?;
            if taken {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(StoreError::Taken);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Goes through the other door for a statement, within this transaction: people belong to no tenant, and what is
    /// changed of them must stand or fall with the tenant's own rows.
    pub(super) async fn platform_step(&mut self) -> Result<PlatformStep<'_>, StoreError> {
        let role = self.roles.platform.clone();
        take_role(&mut self.lease, &role).await?;
        Ok(PlatformStep(self))
    }

    /// Remembers the state of things, for [`TenantTx::take_back`].
    pub async fn remember(&mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("savepoint remembered")
            .execute(&mut self.lease)
            .await?;
        Ok(())
    }

    /// Takes back what was changed since [`TenantTx::remember`].
    pub async fn take_back(&mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("rollback to savepoint remembered; release savepoint remembered")
            .execute(&mut self.lease)
            .await?;
        Ok(())
    }

    /// Commits the transaction.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.lease.commit().await?)
    }
}

/// Statements with the platform's rights inside a tenant's transaction. One that fails ends the transaction, so only
/// what went well comes back by [`PlatformStep::end`].
pub(super) struct PlatformStep<'a>(&'a mut TenantTx);

impl PlatformStep<'_> {
    pub(super) fn connection(&mut self) -> &mut Lease {
        &mut self.0.lease
    }

    /// Back to the tenant's own rights.
    pub(super) async fn end(self) -> Result<(), StoreError> {
        let role = self.0.roles.tenant.clone();
        take_role(&mut self.0.lease, &role).await
    }
}

/// Takes a role until the transaction ends.
async fn take_role(lease: &mut Lease, role: &str) -> Result<(), StoreError> {
    sqlx::query!("select set_config('role', $1, true) as role", role)
        .fetch_one(lease)
        .await?;
    Ok(())
}

impl PlatformTx {
    pub(super) fn connection(&mut self) -> &mut Lease {
        &mut self.lease
    }

    /// Commits the transaction.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.lease.commit().await?)
    }
}
