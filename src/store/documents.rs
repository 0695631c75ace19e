//! The table `document`, and what is live.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::StoreError;
use super::releases::percent;
use super::tenant_tx::TenantTx;
use crate::domain::document::DocumentKind;
use crate::domain::ids::DocumentId;

/// A sealed version together with its document.
#[derive(Debug, Clone)]
pub struct VersionRow {
    pub document: DocumentId,
    pub kind: DocumentKind,
    pub key: String,
    pub number: i32,
    pub content: Map<String, Value>,
    /// SHA-256 of the content.
    pub hash: Vec<u8>,
}

/// A version, as a query of all kinds gives it.
macro_rules! version_row {
    ($row:ident) => {
        VersionRow {
            document: DocumentId($row.document_id),
            kind: stored_kind(&$row.kind)?,
            key: $row.key,
            number: $row.number,
            content: $row.content.0,
            hash: $row.content_hash,
        }
    };
}

/// A version of a snippet, as queries of snippets alone give it.
struct SnippetVersion {
    document_id: Uuid,
    key: String,
    number: i32,
    content: Json<Map<String, Value>>,
    content_hash: Vec<u8>,
}

impl From<SnippetVersion> for VersionRow {
    fn from(row: SnippetVersion) -> Self {
        Self {
            document: DocumentId(row.document_id),
            kind: DocumentKind::Snippet,
            key: row.key,
            number: row.number,
            content: row.content.0,
            hash: row.content_hash,
        }
    }
}

#[derive(Debug, Clone)]
pub struct DocumentRow {
    pub id: DocumentId,
    pub kind: DocumentKind,
    pub key: String,
    /// When it was taken out of use.
    pub archived_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// The newest sealed version.
    pub latest_version: Option<i32>,
    /// Of a persona: what its newest version calls it, or a draft where none is sealed.
    pub name: Option<String>,
    /// How many drafts there are.
    pub drafts: i64,
}

/// Which documents to list.
#[derive(Debug, Default)]
pub struct DocumentFilter<'a> {
    pub kind: Option<DocumentKind>,
    pub key: Option<&'a str>,
    /// Documents whose key contains this text.
    pub holds: Option<&'a str>,
    /// Includes archived documents.
    pub archived: bool,
    /// Behind this kind and key.
    pub after: Option<(&'a str, &'a str)>,
}

impl TenantTx {
    /// For each document that is not archived, its releases to everybody up to `now`, newest first, at most `depth` of them: the
    /// first is live, the others are behind it should it turn out unreadable.
    pub async fn released_versions(
        &mut self,
        now: DateTime<Utc>,
        depth: i64,
    ) -> Result<Vec<VersionRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select d.id as document_id, d.kind, d.key, v.number,
                      v.content as "content: Json<Map<String, Value>>", v.content_hash
               from document d
               cross join lateral (
                   select r.version_id, r.live_from, r.seq from release_history r
                   where r.tenant_id = d.tenant_id and r.document_id = d.id and r.live_from <= $2
                     and r.way <> 'cancel' and r.cancelled_by is null and r.percent is null
                   order by r.live_from desc, r.seq desc limit $3
               ) r
               join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id and v.id = r.version_id
               where d.tenant_id = $1 and d.archived_at is null
               order by d.kind, d.key, r.live_from desc, r.seq desc"#,
            tenant,
            now,
            depth
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(|row| Ok(version_row!(row))).collect()
    }

    /// The versions that a share of the users gets at `now` beside what is live, by kind and key, each with how many of a
    /// hundred users.
    pub async fn rollouts(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Vec<(VersionRow, u8)>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select d.id as document_id, d.kind, d.key, v.number,
                      v.content as "content: Json<Map<String, Value>>", v.content_hash, r.percent as "percent!"
               from document d
               cross join lateral (
                   select r.version_id, r.percent from release_history r
                   where r.tenant_id = d.tenant_id and r.document_id = d.id and r.live_from <= $2
                     and r.way <> 'cancel' and r.cancelled_by is null
                   order by r.live_from desc, r.seq desc limit 1
               ) r
               join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id and v.id = r.version_id
               where d.tenant_id = $1 and d.archived_at is null and r.percent is not null
               order by d.kind, d.key"#,
            tenant,
            now
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let version = version_row!(row);
                Ok((version, percent(row.percent)?))
            })
            .collect()
    }

    /// When the next scheduled release of a document in use goes live.
    pub async fn next_release(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "select min(r.live_from) from release_history r
             join document d on d.tenant_id = r.tenant_id and d.id = r.document_id
             where r.tenant_id = $1 and r.live_from > $2 and r.way <> 'cancel' and r.cancelled_by is null and d.archived_at is null",
            tenant,
            now
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// All versions of all snippets: personas pin exact ones.
    pub async fn snippet_versions(&mut self) -> Result<Vec<VersionRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query_as!(
            SnippetVersion,
            r#"select d.id as document_id, d.key, v.number, v.content as "content: Json<Map<String, Value>>", v.content_hash
               from document d
               join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id
               where d.tenant_id = $1 and d.kind = 'snippet'
               order by d.key, v.number"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(VersionRow::from).collect())
    }

    /// These versions of snippets, of those that there are.
    pub async fn pinned_snippets(
        &mut self,
        pins: &BTreeSet<(String, i32)>,
    ) -> Result<Vec<VersionRow>, StoreError> {
        let tenant = self.tenant().0;
        let (keys, numbers): (Vec<String>, Vec<i32>) = pins.iter().cloned().unzip();
        let rows = sqlx::query_as!(
            SnippetVersion,
            r#"select d.id as document_id, d.key, v.number, v.content as "content: Json<Map<String, Value>>", v.content_hash
               from unnest($2::text[], $3::integer[]) as pin (key, number)
               join document d on d.tenant_id = $1 and d.kind = 'snippet' and d.key = pin.key
               join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id and v.number = pin.number
               order by d.key, v.number"#,
            tenant,
            &keys,
            &numbers
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(VersionRow::from).collect())
    }

    /// The document of this kind and key, archived or not.
    pub async fn find_document(
        &mut self,
        kind: DocumentKind,
        key: &str,
    ) -> Result<Option<DocumentId>, StoreError> {
        let tenant = self.tenant().0;
        let id = sqlx::query_scalar!(
            "select id from document where tenant_id = $1 and kind = $2 and key = $3",
            tenant,
            kind.as_str(),
            key
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(id.map(DocumentId))
    }

    /// Adds a document without versions.
    pub async fn insert_document(
        &mut self,
        id: DocumentId,
        kind: DocumentKind,
        key: &str,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into document (tenant_id, id, kind, key) values ($1, $2, $3, $4)",
            tenant,
            id.0,
            kind.as_str(),
            key
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes a document out of use, or back into it.
    pub async fn archive_document(
        &mut self,
        id: DocumentId,
        archived_at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update document set archived_at = $3 where tenant_id = $1 and id = $2",
            tenant,
            id.0,
            archived_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives a document that was never released another key.
    pub async fn rename_document(&mut self, id: DocumentId, key: &str) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update document set key = $3 where tenant_id = $1 and id = $2",
            tenant,
            id.0,
            key
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Removes a document that was never released, with its drafts, versions and reviews.
    pub async fn delete_document(&mut self, id: DocumentId) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from document where tenant_id = $1 and id = $2",
            tenant,
            id.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// A persona with a sealed version that pins the snippet of this key.
    pub async fn pinned_by(&mut self, snippet: &str) -> Result<Option<String>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "select d.key from document d
             join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id
             where d.tenant_id = $1 and d.kind = 'persona' and v.content -> 'snippets' ? $2
             order by d.key limit 1",
            tenant,
            snippet
        )
        .fetch_optional(self.connection())
        .await?)
    }

    /// Documents in the order of kind and key.
    pub async fn documents(
        &mut self,
        filter: &DocumentFilter<'_>,
        limit: i64,
    ) -> Result<Vec<DocumentRow>, StoreError> {
        let tenant = self.tenant().0;
        let (after_kind, after_key) = filter.after.unzip();
        let rows = sqlx::query!(
            r#"select d.id, d.kind, d.key, d.archived_at, d.created_at,
                      (select max(v.number) from document_version v
                       where v.tenant_id = d.tenant_id and v.document_id = d.id) as latest_version,
                      case when d.kind = 'persona' then coalesce(
                          (select v.content->>'name' from document_version v
                           where v.tenant_id = d.tenant_id and v.document_id = d.id order by v.number desc limit 1),
                          (select f.content->>'name' from draft f
                           where f.tenant_id = d.tenant_id and f.document_id = d.id order by f.updated_at desc limit 1))
                      end as name,
                      (select count(*) from draft f where f.tenant_id = d.tenant_id and f.document_id = d.id) as "drafts!"
               from document d
               where d.tenant_id = $1 and ($2::text is null or d.kind = $2) and ($3::text is null or d.key = $3)
                 and ($4::text is null or strpos(d.key, $4) > 0) and ($5 or d.archived_at is null)
                 and ($6::text is null or (d.kind, d.key) > ($6, $7))
               order by d.kind, d.key limit $8"#,
            tenant,
            filter.kind.map(DocumentKind::as_str),
            filter.key,
            filter.holds,
            filter.archived,
            after_kind,
            after_key,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(DocumentRow {
                    id: DocumentId(row.id),
                    kind: stored_kind(&row.kind)?,
                    key: row.key,
                    archived_at: row.archived_at,
                    created_at: row.created_at,
                    latest_version: row.latest_version,
                    name: row.name,
                    drafts: row.drafts,
                })
            })
            .collect()
    }

    /// How many documents the tenant has.
    pub async fn count_documents(&mut self) -> Result<i64, StoreError> {
        let tenant = self.tenant().0;
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from document where tenant_id = $1"#,
            tenant
        )
        .fetch_one(self.connection())
        .await?;
        Ok(count)
    }

    /// One document, archived or not.
    pub async fn document(
        &mut self,
        kind: DocumentKind,
        key: &str,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let filter = DocumentFilter {
            kind: Some(kind),
            key: Some(key),
            archived: true,
            ..DocumentFilter::default()
        };
        Ok(self.documents(&filter, 1).await?.into_iter().next())
    }
}

pub(super) fn stored_kind(text: &str) -> Result<DocumentKind, StoreError> {
    DocumentKind::named(text).ok_or_else(|| StoreError::Unreadable(format!("document kind {text}")))
}
