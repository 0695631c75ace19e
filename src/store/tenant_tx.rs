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
        let mut inner = self.pool.begin().await?;
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
        let mut inner = self.pool.begin().await?;
        sqlx::query!("select set_config('role', 'gateway_platform', true) as role")
            .fetch_one(&mut *inner)
            .await?;
        Ok(PlatformTx { inner })
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

    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
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
