//! The table `api_key`: admin keys, stored as hashes.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::people::role;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::token::TokenHash;
use crate::domain::ids::{ApiKeyId, TenantId};
use crate::domain::role::Role;

#[derive(Debug, Clone)]
pub struct StoredKey {
    pub id: ApiKeyId,
    pub name: String,
    pub role: Role,
    /// The first characters of the key, for recognising it.
    pub prefix: String,
    /// Who made it, as the audit trail names them.
    pub created_by: Option<String>,
    /// The person who created it, where it was one.
    pub created_by_person: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Until when; none is for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The key whose place it took.
    pub replaces: Option<ApiKeyId>,
}

macro_rules! key_row {
    ($row:expr) => {{
        let row = $row;
        Ok::<_, StoreError>(StoredKey {
            id: ApiKeyId(row.id),
            name: row.name,
            role: role(&row.role)?,
            prefix: row.prefix,
            created_by: row.created_by,
            created_by_person: row.created_by_person,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            replaces: row.replaces.map(ApiKeyId),
        })
    }};
}

impl TenantTx {
    /// Adds a key by its SHA-256.
    pub async fn insert_api_key(
        &mut self,
        key: &StoredKey,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into api_key (tenant_id, id, name, role, prefix, hash, created_by, created_by_person, created_at, expires_at,
                                  replaces)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            tenant,
            key.id.0,
            key.name,
            key.role.as_str(),
            key.prefix,
            hash.as_bytes(),
            key.created_by,
            key.created_by_person,
            key.created_at,
            key.expires_at,
            key.replaces.map(|id| id.0)
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keys, newest first, from after `after` on.
    pub async fn api_keys(
        &mut self,
        after: Option<ApiKeyId>,
        limit: i64,
    ) -> Result<Vec<StoredKey>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            "select id, name, role, prefix, created_by, created_by_person, created_at, expires_at, revoked_at, last_used_at,
                    replaces
             from api_key where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",
            tenant,
            after.map(|id| id.0),
            limit
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(|row| key_row!(row)).collect()
    }

    pub async fn api_key_row(&mut self, id: ApiKeyId) -> Result<Option<StoredKey>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select id, name, role, prefix, created_by, created_by_person, created_at, expires_at, revoked_at, last_used_at,
                    replaces
             from api_key where tenant_id = $1 and id = $2",
            tenant,
            id.0
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| key_row!(row)).transpose()
    }

    /// One key. Nobody else changes it until this transaction ends.
    pub async fn lock_api_key(&mut self, id: ApiKeyId) -> Result<Option<StoredKey>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select id, name, role, prefix, created_by, created_by_person, created_at, expires_at, revoked_at, last_used_at,
                    replaces
             from api_key where tenant_id = $1 and id = $2 for update",
            tenant,
            id.0
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| key_row!(row)).transpose()
    }

    /// Lets a key end at a moment.
    pub async fn set_api_key_expiry(
        &mut self,
        id: ApiKeyId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update api_key set expires_at = $3 where tenant_id = $1 and id = $2",
            tenant,
            id.0,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Notes that a key was used.
    pub async fn touch_api_key(
        &mut self,
        id: ApiKeyId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update api_key set last_used_at = $3
             where tenant_id = $1 and id = $2 and (last_used_at is null or last_used_at < $3)",
            tenant,
            id.0,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes a key back for good.
    pub async fn revoke_api_key(
        &mut self,
        id: ApiKeyId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update api_key set revoked_at = $3 where tenant_id = $1 and id = $2 and revoked_at is null",
            tenant,
            id.0,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// An API key that is good now, and whose.
#[derive(Debug, Clone)]
pub struct ApiKeyRow {
    pub tenant: TenantId,
    /// Whether the tenant is served.
    pub tenant_active: bool,
    pub id: ApiKeyId,
    pub role: Role,
    /// The first characters of the key, for recognising it.
    pub prefix: String,
    /// The label of the person who made it.
    pub created_by_person: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl PlatformTx {
    /// The key with this SHA-256, unless it was revoked or has expired.
    pub async fn api_key(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiKeyRow>, StoreError> {
        let row = sqlx::query!(
            r#"select k.tenant_id, k.id, k.role, k.prefix, k.created_by_person, k.last_used_at, t.status = 'active' as "active!"
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
                role: role(&row.role)?,
                prefix: row.prefix,
                created_by_person: row.created_by_person,
                last_used_at: row.last_used_at,
            })
        })
        .transpose()
    }
}
