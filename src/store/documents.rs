//! The tables `document`, `document_version` and `release`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::{DocumentId, ReleaseId, VersionId};

/// The kinds of documents; the words in the database and in bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DocumentKind {
    Snippet,
    Persona,
    Context,
}

impl DocumentKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snippet => "snippet",
            Self::Persona => "persona",
            Self::Context => "context",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "snippet" => Ok(Self::Snippet),
            "persona" => Ok(Self::Persona),
            "context" => Ok(Self::Context),
            other => Err(StoreError::Unreadable(format!("document kind {other}"))),
        }
    }
}

/// A sealed version together with its document.
#[derive(Debug, Clone)]
pub struct VersionRow {
    /// The document.
    pub document: DocumentId,
    /// Its kind.
    pub kind: DocumentKind,
    /// Its key.
    pub key: String,
    /// The version.
    pub id: VersionId,
    /// Its number in the document.
    pub number: i32,
    /// What was sealed.
    pub content: Map<String, Value>,
    /// SHA-256 of the content.
    pub hash: Vec<u8>,
}

/// A version about to be sealed.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// The document.
    pub document: DocumentId,
    /// Id of the version.
    pub id: VersionId,
    /// What is sealed.
    pub content: &'a Map<String, Value>,
    /// Who.
    pub author: &'a str,
    /// Why.
    pub message: &'a str,
}

impl TenantTx {
    /// For each document that is not archived, its releases up to `now`, newest first, at most `depth` of them: the
    /// first is live, the others stand behind it should it turn out unreadable.
    pub async fn released_versions(
        &mut self,
        now: DateTime<Utc>,
        depth: i64,
    ) -> Result<Vec<VersionRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select d.id as document_id, d.kind, d.key, v.id, v.number,
                      v.content as "content: Json<Map<String, Value>>", v.content_hash
               from document d
               cross join lateral (
                   select r.version_id, r.live_from, r.seq from release r
                   where r.tenant_id = d.tenant_id and r.document_id = d.id and r.live_from <= $2
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
        rows.into_iter()
            .map(|row| {
                Ok(VersionRow {
                    document: DocumentId(row.document_id),
                    kind: DocumentKind::parse(&row.kind)?,
                    key: row.key,
                    id: VersionId(row.id),
                    number: row.number,
                    content: row.content.0,
                    hash: row.content_hash,
                })
            })
            .collect()
    }

    /// When the next scheduled release goes live.
    pub async fn next_release(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "select min(live_from) from release where tenant_id = $1 and live_from > $2",
            tenant,
            now
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// All versions of all snippets: personas pin exact ones.
    pub async fn snippet_versions(&mut self) -> Result<Vec<VersionRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select d.id as document_id, d.key, v.id, v.number, v.content as "content: Json<Map<String, Value>>", v.content_hash
               from document d
               join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id
               where d.tenant_id = $1 and d.kind = 'snippet'
               order by d.key, v.number"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        let versions = rows.into_iter().map(|row| VersionRow {
            document: DocumentId(row.document_id),
            kind: DocumentKind::Snippet,
            key: row.key,
            id: VersionId(row.id),
            number: row.number,
            content: row.content.0,
            hash: row.content_hash,
        });
        Ok(versions.collect())
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

    /// Seals a version; gives its number.
    pub async fn insert_version(&mut self, version: &NewVersion<'_>) -> Result<i32, StoreError> {
        let tenant = self.tenant().0;
        let number = sqlx::query_scalar!(
            "insert into document_version (tenant_id, document_id, id, content, author, message)
             values ($1, $2, $3, $4, $5, $6) returning number",
            tenant,
            version.document.0,
            version.id.0,
            Json(version.content) as _,
            version.author,
            version.message
        )
        .fetch_one(self.connection())
        .await?;
        Ok(number)
    }

    /// Makes a version live from a moment on.
    pub async fn insert_release(
        &mut self,
        id: ReleaseId,
        document: DocumentId,
        version: VersionId,
        live_from: DateTime<Utc>,
        actor: &str,
        note: &str,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into release (tenant_id, id, document_id, version_id, live_from, actor, note)
             values ($1, $2, $3, $4, $5, $6, $7)",
            tenant,
            id.0,
            document.0,
            version.0,
            live_from,
            actor,
            note
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
