//! The table `release`: which version is live from when. Nothing in it ever changes.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::{DocumentId, ReleaseId, VersionId};

/// How a release came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Somebody released a version.
    Release,
    /// Somebody went back to an earlier one.
    Rollback,
    /// Somebody called a scheduled release off.
    Cancel,
}

impl Way {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Rollback => "rollback",
            Self::Cancel => "cancel",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        let ways = [Self::Release, Self::Rollback, Self::Cancel];
        ways.into_iter()
            .find(|way| way.as_str() == text)
            .ok_or_else(|| StoreError::Unreadable(format!("way of a release {text}")))
    }
}

/// A release about to be made.
#[derive(Debug)]
pub struct NewRelease<'a> {
    /// Its id.
    pub id: ReleaseId,
    /// Of which document.
    pub document: DocumentId,
    /// Which version.
    pub version: VersionId,
    /// From when.
    pub live_from: DateTime<Utc>,
    /// How it came about.
    pub way: Way,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub note: &'a str,
}

/// A release.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// The release.
    pub id: ReleaseId,
    /// The number of the version.
    pub version: i32,
    /// From when.
    pub live_from: DateTime<Utc>,
    /// How it came about.
    pub way: Way,
    /// Who.
    pub actor: String,
    /// Why.
    pub note: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Counts releases up: of two with the same `live_from` the later row wins.
    pub seq: i64,
}

impl TenantTx {
    /// Makes a version live from a moment on.
    pub async fn insert_release(&mut self, release: &NewRelease<'_>) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into release (tenant_id, id, document_id, version_id, live_from, way, actor, note)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            tenant,
            release.id.0,
            release.document.0,
            release.version.0,
            release.live_from,
            release.way.as_str(),
            release.actor,
            release.note
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// A document's releases, the newest row first, before row `before`.
    pub async fn releases(
        &mut self,
        document: DocumentId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ReleaseRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            "select r.id, v.number, r.live_from, r.way, r.actor, r.note, r.created_at, r.seq
             from release r
             join document_version v on v.tenant_id = r.tenant_id and v.document_id = r.document_id and v.id = r.version_id
             where r.tenant_id = $1 and r.document_id = $2 and ($3::bigint is null or r.seq < $3)
             order by r.seq desc limit $4",
            tenant,
            document.0,
            before,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ReleaseRow {
                    id: ReleaseId(row.id),
                    version: row.number,
                    live_from: row.live_from,
                    way: Way::parse(&row.way)?,
                    actor: row.actor,
                    note: row.note,
                    created_at: row.created_at,
                    seq: row.seq,
                })
            })
            .collect()
    }

    /// The moments after `now` at which some release of the tenant takes effect, earliest first.
    pub async fn coming_moments(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            "select distinct live_from from release where tenant_id = $1 and live_from > $2 order by 1",
            tenant,
            now
        )
        .fetch_all(self.connection())
        .await?)
    }
}
