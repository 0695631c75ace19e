//! The table `provider_key`: a tenant's Anam keys, sealed.

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::ProviderKeyId;

/// A key as stored.
#[derive(Debug, Clone)]
pub struct ProviderKeyRow {
    /// Its id.
    pub id: ProviderKeyId,
    /// What people call it.
    pub label: String,
    /// The sealed key.
    pub sealed: Vec<u8>,
    /// Its end, to tell keys apart.
    pub last_four: String,
}

impl TenantTx {
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
