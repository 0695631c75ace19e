//! The table `release`: which version is live from when. Nothing in it ever changes.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::ids::{DocumentId, ReleaseId, VersionId};
use crate::domain::timeline::{Release, Way};

impl Way {
    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|way| way.as_str() == text)
            .ok_or_else(|| StoreError::Unreadable(format!("way of a release {text}")))
    }
}

/// A release about to be made.
#[derive(Debug)]
pub struct NewRelease<'a> {
    pub id: ReleaseId,
    pub document: DocumentId,
    pub version: VersionId,
    pub live_from: DateTime<Utc>,
    pub way: Way,
    /// The release that a cancellation calls off.
    pub cancels: Option<ReleaseId>,
    /// How many of a hundred users get it; `None` for everybody.
    pub percent: Option<u8>,
    pub created_at: DateTime<Utc>,
    pub actor: &'a str,
    pub note: &'a str,
}

#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// What it makes live, and from when.
    pub release: Release,
    /// The cancellation that called it off.
    pub cancelled_by: Option<ReleaseId>,
    pub actor: String,
    pub note: String,
    pub created_at: DateTime<Utc>,
}

/// The database allows nothing else than 1 to 99.
pub(super) fn percent(number: i16) -> Result<u8, StoreError> {
    u8::try_from(number).map_err(|_range| StoreError::Unreadable(format!("a share of {number} %")))
}

/// What a tenant has scheduled.
#[derive(Debug, Clone, Copy)]
pub struct Scheduled {
    /// How many releases.
    pub releases: i64,
    /// Whether one of them is for the given moment.
    pub at_that_moment: bool,
    /// For how many different moments.
    pub moments: i64,
}

impl TenantTx {
    /// The tenant's time, by which everybody tells what is live: the database's, and never before the last release was made. So
    /// it is the same for all instances, and a release made after another one is later, also where the database moved to
    /// a machine whose clock is behind.
    pub async fn moment(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            r#"select greatest(clock_timestamp(), (select max(created_at) from release where tenant_id = $1)) as "moment!""#,
            tenant
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Makes a version live from a moment on, or calls a release off.
    pub async fn insert_release(&mut self, release: &NewRelease<'_>) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into release (tenant_id, id, document_id, version_id, live_from, way, cancels, percent, actor, note, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            tenant,
            release.id.0,
            release.document.0,
            release.version.0,
            release.live_from,
            release.way.as_str(),
            release.cancels.map(|id| id.0),
            release.percent.map(i16::from),
            release.actor,
            release.note,
            release.created_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// How many releases of a document there are, cancellations among them, and how many of them lie not after `now`. What is live
    /// can't change without one of the two.
    pub async fn count_releases(
        &mut self,
        document: DocumentId,
        now: DateTime<Utc>,
    ) -> Result<(i64, i64), StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            r#"select count(*) as "all!", count(*) filter (where live_from <= $3) as "begun!"
               from release where tenant_id = $1 and document_id = $2"#,
            tenant,
            document.0,
            now
        )
        .fetch_one(self.connection())
        .await?;
        Ok((row.all, row.begun))
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
            r#"select r.id as "id!", v.number, r.live_from as "live_from!", r.way as "way!", r.cancels, r.cancelled_by, r.percent,
                      r.actor as "actor!", r.note as "note!", r.created_at as "created_at!", r.seq as "seq!"
               from release_history r
               join document_version v on v.tenant_id = r.tenant_id and v.document_id = r.document_id and v.id = r.version_id
               where r.tenant_id = $1 and r.document_id = $2 and ($3::bigint is null or r.seq < $3)
               order by r.seq desc limit $4"#,
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
                    release: Release {
                        id: ReleaseId(row.id),
                        seq: row.seq,
                        live_from: row.live_from,
                        version: row.number,
                        way: Way::parse(&row.way)?,
                        cancels: row.cancels.map(ReleaseId),
                        percent: row.percent.map(percent).transpose()?,
                    },
                    cancelled_by: row.cancelled_by.map(ReleaseId),
                    actor: row.actor,
                    note: row.note,
                    created_at: row.created_at,
                })
            })
            .collect()
    }

    /// The moments after `now` at which some release of the tenant takes effect, earliest first; those of archived documents
    /// too, which may be brought back.
    pub async fn coming_moments(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_scalar!(
            r#"select distinct live_from as "live_from!" from release_history
               where tenant_id = $1 and live_from > $2 and way <> 'cancel' and cancelled_by is null order by 1"#,
            tenant,
            now
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// What the tenant has scheduled after `now`, and whether any of it is for `moment`.
    pub async fn scheduled(
        &mut self,
        now: DateTime<Utc>,
        moment: DateTime<Utc>,
    ) -> Result<Scheduled, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            Scheduled,
            r#"select count(*) as "releases!", count(distinct live_from) as "moments!",
                      coalesce(bool_or(live_from = $3), false) as "at_that_moment!"
               from release_history
               where tenant_id = $1 and live_from > $2 and way <> 'cancel' and cancelled_by is null"#,
            tenant,
            now,
            moment
        )
        .fetch_one(self.connection())
        .await?)
    }
}
