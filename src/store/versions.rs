//! The table `document_version`: sealed, immutable, numbered.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::{DocumentId, VersionId};

/// A version about to be sealed.
#[derive(Debug)]
pub struct NewVersion<'a> {
    pub document: DocumentId,
    pub id: VersionId,
    /// The version that its draft was based on.
    pub base_version: Option<i32>,
    pub content: &'a Map<String, Value>,
    pub author: &'a str,
    /// Everybody who wrote in the draft.
    pub contributors: &'a [String],
    pub message: &'a str,
}

/// A sealed version and how it came about.
#[derive(Debug, Clone)]
pub struct SealedVersion {
    pub id: VersionId,
    /// Counts from 1 within the document.
    pub number: i32,
    /// The version that its draft was based on.
    pub base_version: Option<i32>,
    pub content: Map<String, Value>,
    /// SHA-256 of the content.
    pub hash: Vec<u8>,
    pub author: String,
    /// Everybody who wrote in its draft.
    pub contributors: Vec<String>,
    pub message: String,
    pub created_at: DateTime<Utc>,
}

impl TenantTx {
    /// Seals a version; gives its number.
    pub async fn insert_version(&mut self, version: &NewVersion<'_>) -> Result<i32, StoreError> {
        let tenant = self.tenant().0;
        let number = sqlx::query_scalar!(
            "insert into document_version (tenant_id, document_id, id, base_version, content, author, contributors, message)
             values ($1, $2, $3, $4, $5, $6, $7, $8) returning number",
            tenant,
            version.document.0,
            version.id.0,
            version.base_version,
            Json(version.content) as _,
            version.author,
            version.contributors,
            version.message
        )
        .fetch_one(self.connection())
        .await?;
        Ok(number)
    }

    /// One version of a document.
    pub async fn version(
        &mut self,
        document: DocumentId,
        number: i32,
    ) -> Result<Option<SealedVersion>, StoreError> {
        let below = number.checked_add(1);
        let rows = self.versions(document, below, 1).await?;
        Ok(rows.into_iter().find(|row| row.number == number))
    }

    /// The versions of a document with numbers under `below`, newest first.
    pub async fn versions(
        &mut self,
        document: DocumentId,
        below: Option<i32>,
        limit: i64,
    ) -> Result<Vec<SealedVersion>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select id, number, base_version, content as "content: Json<Map<String, Value>>", content_hash, author,
                      contributors, message, created_at
               from document_version
               where tenant_id = $1 and document_id = $2 and ($3::int is null or number < $3)
               order by number desc limit $4"#,
            tenant,
            document.0,
            below,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let versions = rows.into_iter().map(|row| SealedVersion {
            id: VersionId(row.id),
            number: row.number,
            base_version: row.base_version,
            content: row.content.0,
            hash: row.content_hash,
            author: row.author,
            contributors: row.contributors,
            message: row.message,
            created_at: row.created_at,
        });
        Ok(versions.collect())
    }
}
