//! The table `draft`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::documents::stored_kind;
use super::tenant_tx::TenantTx;
use crate::domain::document::DocumentKind;
use crate::domain::ids::{DocumentId, DraftId};

/// A draft, with its document's name.
#[derive(Debug, Clone)]
pub struct DraftRow {
    pub id: DraftId,
    pub document: DocumentId,
    pub kind: DocumentKind,
    /// The document's key.
    pub key: String,
    /// The version that it started from, or was last merged with.
    pub base_version: Option<i32>,
    /// What it is about, for people.
    pub title: String,
    /// The content, which sealing makes a version.
    pub content: Map<String, Value>,
    pub author: String,
    /// Everybody who wrote in it.
    pub contributors: Vec<String>,
    /// Incremented by each write.
    pub revision: i64,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A draft about to be opened.
#[derive(Debug)]
pub struct NewDraft<'a> {
    pub id: DraftId,
    pub document: DocumentId,
    /// The version it starts from.
    pub base_version: Option<i32>,
    pub title: &'a str,
    pub content: &'a Map<String, Value>,
    /// Who opens it.
    pub author: &'a str,
    /// The same, and the person behind.
    pub contributors: &'a [String],
    pub at: DateTime<Utc>,
}

impl TenantTx {
    pub async fn draft(&mut self, id: DraftId) -> Result<Option<DraftRow>, StoreError> {
        let drafts = self.drafts_where(Some(id), None).await?;
        Ok(drafts.into_iter().next())
    }

    /// The drafts of a document, oldest first.
    pub async fn drafts_of(&mut self, document: DocumentId) -> Result<Vec<DraftRow>, StoreError> {
        self.drafts_where(None, Some(document)).await
    }

    async fn drafts_where(
        &mut self,
        id: Option<DraftId>,
        document: Option<DocumentId>,
    ) -> Result<Vec<DraftRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select f.id, f.document_id, d.kind, d.key, f.base_version, f.title,
                      f.content as "content: Json<Map<String, Value>>", f.author, f.contributors, f.revision,
                      f.created_at, f.updated_at
               from draft f join document d on d.tenant_id = f.tenant_id and d.id = f.document_id
               where f.tenant_id = $1 and ($2::uuid is null or f.id = $2) and ($3::uuid is null or f.document_id = $3)
               order by f.created_at, f.id limit 200"#,
            tenant,
            id.map(|id| id.0),
            document.map(|id| id.0)
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(DraftRow {
                    id: DraftId(row.id),
                    document: DocumentId(row.document_id),
                    kind: stored_kind(&row.kind)?,
                    key: row.key,
                    base_version: row.base_version,
                    title: row.title,
                    content: row.content.0,
                    author: row.author,
                    contributors: row.contributors,
                    revision: row.revision,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                })
            })
            .collect()
    }

    /// How many drafts a document has.
    pub async fn count_drafts(&mut self, document: DocumentId) -> Result<i64, StoreError> {
        let tenant = self.tenant().0;
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from draft where tenant_id = $1 and document_id = $2"#,
            tenant,
            document.0
        )
        .fetch_one(self.connection())
        .await?;
        Ok(count)
    }

    /// Opens a draft.
    pub async fn insert_draft(&mut self, draft: &NewDraft<'_>) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into draft (tenant_id, id, document_id, base_version, title, content, author, contributors, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            tenant,
            draft.id.0,
            draft.document.0,
            draft.base_version,
            draft.title,
            Json(draft.content) as _,
            draft.author,
            draft.contributors,
            draft.at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes a draft that still has this revision; gives whether it had.
    pub async fn update_draft(
        &mut self,
        draft: &DraftRow,
        contributors: &[String],
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            "update draft set base_version = $4, title = $5, content = $6, revision = revision + 1, updated_at = $8,
                 contributors = (select array_agg(distinct who order by who) from unnest(contributors || $7::text[]) who)
             where tenant_id = $1 and id = $2 and revision = $3",
            tenant,
            draft.id.0,
            draft.revision,
            draft.base_version,
            draft.title,
            Json(&draft.content) as _,
            contributors,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a draft that still has this revision; gives whether it had.
    pub async fn delete_draft(&mut self, id: DraftId, revision: i64) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            "delete from draft where tenant_id = $1 and id = $2 and revision = $3",
            tenant,
            id.0,
            revision
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
