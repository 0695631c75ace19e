//! The two doors to the database.
//!
//! The login role itself may touch nothing. A transaction takes a role and (for a tenant's rows) a tenant as its first
//! statement, and both end with it: a pooled connection carries nothing over.

use std::fmt;

use sqlx::{PgConnection, Postgres, Transaction};

use super::{Database, StoreError};
use crate::domain::ids::TenantId;

/// A transaction that sees the rows of one tenant. Dropped without [`TenantTx::commit`], it rolls back.
pub struct TenantTx {
    tenant: TenantId,
    inner: Transaction<'static, Postgres>,
}

/// A transaction with the narrower rights that look across tenants.
pub struct PlatformTx {
    inner: Transaction<'static, Postgres>,
}

impl Database {
    /// The door to one tenant's rows.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        self.ensure_checked().await?;
        let mut inner = self.begin().await?;
        sqlx::query!(
            "select set_config('role', 'gateway_tenant', true) as role, set_config('app.tenant', $1, true) as tenant",
            tenant.to_string()
        )
        .fetch_one(&mut *inner)
        .await?;
        Ok(TenantTx { tenant, inner })
    }

    /// The door to what is looked up across tenants: issuers, revisions, the ledger's batches.
    pub async fn platform(&self) -> Result<PlatformTx, StoreError> {
        self.ensure_checked().await?;
        self.platform_unchecked().await
    }

    /// For the check itself.
    pub(super) async fn platform_unchecked(&self) -> Result<PlatformTx, StoreError> {
        let mut inner = self.begin().await?;
        sqlx::query!("select set_config('role', 'gateway_platform', true) as role")
            .fetch_one(&mut *inner)
            .await?;
        Ok(PlatformTx { inner })
    }

    /// Begins on a connection that works. One that the server has closed meanwhile (a restart, a failover) shows it only
    /// now. Nothing was asked of it yet, so the next is tried; all that the pool holds may be dead.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        for _ in 0..self.pool.options().get_max_connections() {
            match self.pool.begin().await {
                Err(error) if is_dead_connection(&error) => {
                    tracing::debug!(%error, "a pooled connection was dead");
                }
                begun => return Ok(begun?),
            }
        }
        Ok(self.pool.begin().await?)
    }
}

fn is_dead_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // admin_shutdown, crash_shutdown: the server's last words on a connection.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02")),
        _ => false,
    }
}

impl TenantTx {
    /// Whose rows.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Goes through the other door for a statement, within this transaction: people belong to no tenant, and what is
    /// changed of them must stand or fall with the tenant's own rows.
    pub(super) async fn platform_step(&mut self) -> Result<PlatformStep<'_>, StoreError> {
        sqlx::query!("select set_config('role', 'gateway_platform', true) as role")
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(PlatformStep(self))
    }

    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }
}

/// Statements with the platform's rights inside a tenant's transaction. One that fails ends the transaction, so only
/// what went well comes back by [`PlatformStep::end`].
pub(super) struct PlatformStep<'a>(&'a mut TenantTx);

impl PlatformStep<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.0.inner
    }

    /// Back to the tenant's own rights.
    pub(super) async fn end(self) -> Result<(), StoreError> {
        sqlx::query!("select set_config('role', 'gateway_tenant', true) as role")
            .fetch_one(&mut *self.0.inner)
            .await?;
        Ok(())
    }
}

impl PlatformTx {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTx")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PlatformTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformTx").finish_non_exhaustive()
    }
}
