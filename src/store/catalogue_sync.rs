//! The table `catalogue_sync`: each reading of Anam's lists.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::ids::{CatalogueSyncId, TenantId};

/// A row of `catalogue_sync`.
#[derive(Debug, Clone)]
pub struct CatalogueSyncRow {
    pub id: CatalogueSyncId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    pub actor: String,
    /// `running`, `done`, `partial` or `failed`.
    pub outcome: String,
    /// What it found, kind by kind.
    pub report: Map<String, Value>,
}

/// A tenant whose lists should be read.
#[derive(Debug, Clone, Copy)]
pub struct DueSync {
    pub tenant: TenantId,
    /// The reading whose time is over; `None` where there was none.
    pub last: Option<CatalogueSyncId>,
}

impl PlatformTx {
    /// Tenants whose policy wants their lists read and whose turn it is, those that wait longest first. A failed reading
    /// is tried again after an hour; one that never ended, after a quarter of one. Turns of tenants that began together
    /// drift apart by up to a tenth of their time.
    pub async fn tenants_due_for_catalogue_sync(
        &mut self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<DueSync>, StoreError> {
        let rows = sqlx::query!(
            r#"select t.id as tenant, r.id as "last?" from tenant t
               cross join lateral (select make_interval(secs => 3600 *
                   case when jsonb_typeof(t.policy #> '{catalogueSync,everyHours}') = 'number'
                        then (t.policy #>> '{catalogueSync,everyHours}')::float8 else 24 end) as every) w
               left join lateral (
                   select s.id, s.started_at, s.outcome from catalogue_sync s
                   where s.tenant_id = t.id order by s.started_at desc, s.id desc limit 1) r on true
               where t.status = 'active' and jsonb_typeof(t.policy -> 'catalogueSync') = 'object'
                 and (t.policy #>> '{catalogueSync,enabled}') is distinct from 'false'
                 and (r.started_at is null or r.started_at <= $1::timestamptz - case r.outcome
                      when 'running' then interval '15 minutes'
                      when 'failed' then least(w.every, interval '1 hour')
                      else w.every * (1 + (hashtext(t.id::text) & 1023) / 10240.0) end)
               order by r.started_at nulls first, t.id limit $2"#,
            now,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let due = rows.into_iter().map(|row| DueSync {
            tenant: TenantId(row.tenant),
            last: row.last.map(CatalogueSyncId),
        });
        Ok(due.collect())
    }
}

impl TenantTx {
    /// Nobody else who asks for this lock begins a reading for the tenant until this transaction ends.
    pub async fn lock_catalogue_sync(&mut self) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended('catalogue_sync ' || $1::uuid, 0))",
            tenant
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Records the start of a sync.
    pub async fn begin_catalogue_sync(
        &mut self,
        id: CatalogueSyncId,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into catalogue_sync (tenant_id, id, started_at, actor) values ($1, $2, $3, $4)",
            tenant,
            id.0,
            now,
            actor
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Records the end of a sync.
    pub async fn end_catalogue_sync(
        &mut self,
        id: CatalogueSyncId,
        outcome: &str,
        report: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update catalogue_sync set outcome = $3, report = $4, finished_at = $5 where tenant_id = $1 and id = $2",
            tenant,
            id.0,
            outcome,
            Json(report) as _,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Readings before a moment and id, newest first, `limit` at most.
    pub async fn catalogue_syncs(
        &mut self,
        before: Option<(DateTime<Utc>, CatalogueSyncId)>,
        limit: i64,
    ) -> Result<Vec<CatalogueSyncRow>, StoreError> {
        let tenant = self.tenant().0;
        let (at, id) = before.unzip();
        let rows = sqlx::query!(
            r#"select id, started_at, finished_at, actor, outcome, report as "report: Json<Map<String, Value>>"
               from catalogue_sync
               where tenant_id = $1 and ($2::timestamptz is null or (started_at, id) < ($2, $3::uuid))
               order by started_at desc, id desc limit $4"#,
            tenant,
            at,
            id.map(|id| id.0),
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let syncs = rows.into_iter().map(|row| CatalogueSyncRow {
            id: CatalogueSyncId(row.id),
            started_at: row.started_at,
            finished_at: row.finished_at,
            actor: row.actor,
            outcome: row.outcome,
            report: row.report.0,
        });
        Ok(syncs.collect())
    }
}
