//! The table `api_key`: admin keys, stored as hashes.

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::ApiKeyId;

impl TenantTx {
    /// Adds a key by its SHA-256.
    pub async fn insert_api_key(
        &mut self,
        id: ApiKeyId,
        name: &str,
        role: &str,
        prefix: &str,
        hash: &[u8],
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into api_key (tenant_id, id, name, role, prefix, hash) values ($1, $2, $3, $4, $5, $6)",
            tenant,
            id.0,
            name,
            role,
            prefix,
            hash
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
