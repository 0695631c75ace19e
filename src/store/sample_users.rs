//! The table `sample_user`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::key::Key;
use crate::domain::sample_user::SampleUser;

/// A sample user as stored.
#[derive(Debug, Clone)]
pub struct SampleUserRow {
    pub key: String,
    pub description: String,
    /// Its document; see `domain::sample_user`.
    pub content: Map<String, Value>,
    /// Another number after each write.
    pub version: i64,
    pub updated_at: DateTime<Utc>,
}

impl TenantTx {
    /// Up to `limit` sample users by key, from the one after `after` on.
    pub async fn sample_users(
        &mut self,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<SampleUserRow>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            SampleUserRecord,
            r#"select key, description, content as "content: Json<Map<String, Value>>", version, updated_at
               from sample_user where tenant_id = $1 and ($2::text is null or key > $2) order by key limit $3"#,
            tenant,
            after,
            limit
        )
        .fetch_all(self.connection())
        .await?
        .into_iter()
        .map(SampleUserRow::from)
        .collect())
    }

    pub async fn sample_user(&mut self, key: &Key) -> Result<Option<SampleUserRow>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            SampleUserRecord,
            r#"select key, description, content as "content: Json<Map<String, Value>>", version, updated_at
               from sample_user where tenant_id = $1 and key = $2"#,
            tenant,
            key.as_str()
        )
        .fetch_optional(self.connection())
        .await?
        .map(SampleUserRow::from))
    }

    /// How many sample users there are.
    pub async fn count_sample_users(&mut self) -> Result<i64, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            r#"select count(*) as "count!" from sample_user where tenant_id = $1"#,
            tenant
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Adds a sample user, or changes the one with this key.
    pub async fn put_sample_user(
        &mut self,
        key: &Key,
        description: &str,
        user: &SampleUser,
        now: DateTime<Utc>,
    ) -> Result<SampleUserRow, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            SampleUserRecord,
            r#"insert into sample_user (tenant_id, key, description, content, updated_at) values ($1, $2, $3, $4, $5)
               on conflict (tenant_id, key) do update
               set description = excluded.description, content = excluded.content, version = default,
                   updated_at = excluded.updated_at
               returning key, description, content as "content: Json<Map<String, Value>>", version, updated_at"#,
            tenant,
            key.as_str(),
            description,
            Json(user.to_document()) as _,
            now
        )
        .fetch_one(self.connection())
        .await?
        .into())
    }

    /// Removes a sample user.
    pub async fn delete_sample_user(&mut self, key: &Key) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from sample_user where tenant_id = $1 and key = $2",
            tenant,
            key.as_str()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

struct SampleUserRecord {
    key: String,
    description: String,
    content: Json<Map<String, Value>>,
    version: i64,
    updated_at: DateTime<Utc>,
}

impl From<SampleUserRecord> for SampleUserRow {
    fn from(record: SampleUserRecord) -> Self {
        Self {
            key: record.key,
            description: record.description,
            content: record.content.0,
            version: record.version,
            updated_at: record.updated_at,
        }
    }
}
