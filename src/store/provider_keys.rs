//! The table `provider_key`: a tenant's Anam keys, sealed.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::ProviderKeyId;

/// A key as stored.
#[derive(Debug, Clone)]
pub struct ProviderKeyRow {
    pub id: ProviderKeyId,
    pub label: String,
    pub sealed: Vec<u8>,
    /// Its end, to tell keys apart.
    pub last_four: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderKeyInfo {
    pub id: ProviderKeyId,
    pub label: String,
    /// Its end, to tell keys apart.
    pub last_four: String,
    /// Whether it may be used; the newest of those is.
    pub active: bool,
    /// Since when it is stored.
    pub created_at: DateTime<Utc>,
}

impl TenantTx {
    /// All keys, newest first; the first active one is in use.
    pub async fn provider_keys(&mut self) -> Result<Vec<ProviderKeyInfo>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            "select id, label, last_four, active, created_at from provider_key where tenant_id = $1
             order by created_at desc, id desc",
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        let keys = rows.into_iter().map(|row| ProviderKeyInfo {
            id: ProviderKeyId(row.id),
            label: row.label,
            last_four: row.last_four,
            active: row.active,
            created_at: row.created_at,
        });
        Ok(keys.collect())
    }

    /// One key, sealed.
    pub async fn provider_key(
        &mut self,
        id: ProviderKeyId,
    ) -> Result<Option<ProviderKeyRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select id, label, sealed, last_four from provider_key where tenant_id = $1 and id = $2",
            tenant,
            id.0
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| ProviderKeyRow {
            id: ProviderKeyId(row.id),
            label: row.label,
            sealed: row.sealed,
            last_four: row.last_four,
        }))
    }

    /// Forgets a key that is out of use; false where it is still in use, or there is none.
    pub async fn delete_retired_provider_key(
        &mut self,
        id: ProviderKeyId,
    ) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            "delete from provider_key where tenant_id = $1 and id = $2 and not active",
            tenant,
            id.0
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The newest active key.
    pub async fn active_provider_key(&mut self) -> Result<Option<ProviderKeyRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select id, label, sealed, last_four from provider_key where tenant_id = $1 and active
             order by created_at desc, id desc limit 1",
            tenant
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| ProviderKeyRow {
            id: ProviderKeyId(row.id),
            label: row.label,
            sealed: row.sealed,
            last_four: row.last_four,
        }))
    }

    /// Adds a key; it is used from now on.
    pub async fn insert_provider_key(&mut self, key: &ProviderKeyRow) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into provider_key (tenant_id, id, label, sealed, last_four) values ($1, $2, $3, $4, $5)",
            tenant,
            key.id.0,
            key.label,
            key.sealed,
            key.last_four
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes a key out of use.
    pub async fn retire_provider_key(&mut self, id: ProviderKeyId) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update provider_key set active = false where tenant_id = $1 and id = $2",
            tenant,
            id.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
