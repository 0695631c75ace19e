//! The table `secret`: what a tenant's webhook tools refer to, sealed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::key::Key;

/// A secret as stored.
#[derive(Debug, Clone)]
pub struct SecretRow {
    /// Its id, which is sealed with it.
    pub id: Uuid,
    pub name: String,
    pub sealed: Vec<u8>,
    /// Its end, to tell secrets apart.
    pub last_four: String,
    /// When it was given this value.
    pub set_at: DateTime<Utc>,
    pub set_by: String,
}

impl TenantTx {
    /// All secrets, by name.
    pub async fn secrets(&mut self) -> Result<Vec<SecretRow>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            SecretRow,
            "select id, name, sealed, last_four, set_at, set_by from secret where tenant_id = $1 order by name",
            tenant
        )
        .fetch_all(self.connection())
        .await?)
    }

    pub async fn secret_names(&mut self) -> Result<Vec<String>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "select name from secret where tenant_id = $1 order by name",
            tenant
        )
        .fetch_all(self.connection())
        .await?)
    }

    pub async fn secrets_named(&mut self, names: &[String]) -> Result<Vec<SecretRow>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            SecretRow,
            "select id, name, sealed, last_four, set_at, set_by from secret where tenant_id = $1 and name = any($2)",
            tenant,
            names
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Adds a secret, or gives the one with this id another value.
    pub async fn put_secret(&mut self, row: &SecretRow) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into secret (tenant_id, id, name, sealed, last_four, set_at, set_by) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (tenant_id, id) do update
             set sealed = excluded.sealed, last_four = excluded.last_four, set_at = excluded.set_at, set_by = excluded.set_by",
            tenant,
            row.id,
            row.name,
            row.sealed,
            row.last_four,
            row.set_at,
            row.set_by
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Forgets a secret.
    pub async fn delete_secret(&mut self, name: &Key) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from secret where tenant_id = $1 and name = $2",
            tenant,
            name.as_str()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
