//! The table `api_key`: admin keys, stored as hashes.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::token::TokenHash;
use crate::domain::ids::{ApiKeyId, TenantId};
use crate::domain::role::Role;

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

/// An API key that is good now, and whose.
#[derive(Debug, Clone)]
pub struct ApiKeyRow {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether the tenant is served.
    pub tenant_active: bool,
    /// The key.
    pub id: ApiKeyId,
    /// What its holder may.
    pub role: Role,
    /// Its first characters.
    pub prefix: String,
}

impl PlatformTx {
    /// The key with this SHA-256, unless it was revoked or has expired.
    pub async fn api_key(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiKeyRow>, StoreError> {
        let row = sqlx::query!(
            r#"select k.tenant_id, k.id, k.role, k.prefix, t.status = 'active' as "active!"
               from api_key k join tenant t on t.id = k.tenant_id
               where k.hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2)"#,
            hash.as_bytes().as_slice(),
            now
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            Ok(ApiKeyRow {
                tenant: TenantId(row.tenant_id),
                tenant_active: row.active,
                id: ApiKeyId(row.id),
                role: parse_role(&row.role)?,
                prefix: row.prefix,
            })
        })
        .transpose()
    }
}

/// A role as stored.
pub(super) fn parse_role(text: &str) -> Result<Role, StoreError> {
    Role::parse(text).ok_or_else(|| StoreError::Unreadable(format!("role {text}")))
}
