//! How many sessions of users there were, by day, context, persona and outcome. Test calls are counted apart.

use chrono::{DateTime, NaiveDate, Utc};

use super::StoreError;
use super::tenant_tx::TenantTx;

/// Sessions that have these in common.
#[derive(Debug, Clone)]
pub struct SessionCount {
    /// In UTC.
    pub day: NaiveDate,
    pub context: String,
    pub persona: String,
    /// `None` while there is no outcome.
    pub outcome: Option<String>,
    /// The problem code of failures.
    pub code: Option<String>,
    pub sessions: i64,
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct SessionCounts {
    pub counts: Vec<SessionCount>,
    /// All of them.
    pub sessions: i64,
    /// Test calls, which are none of them.
    pub test_calls: i64,
    /// How long requests took for half of those that were answered with a token, milliseconds.
    pub mint_ms_p50: Option<f64>,
    /// How long they took at most for 95 of a hundred.
    pub mint_ms_p95: Option<f64>,
    /// How long Anam took for half of those that it answered, milliseconds.
    pub anam_ms_p50: Option<f64>,
    /// How long it took at most for 95 of a hundred.
    pub anam_ms_p95: Option<f64>,
}

impl TenantTx {
    /// Counts the newest sessions from `since` on, `most` at most, and as many test calls.
    pub async fn count_sessions(
        &mut self,
        since: DateTime<Utc>,
        most: i64,
    ) -> Result<SessionCounts, StoreError> {
        let tenant = self.tenant().0;
        // As many outcomes as sessions: sorted once, they are joined six times as fast as looked up one by one. Nobody else's plan is
        // to know: a new month's partition has no statistics to choose by. Without `jit`, since a plan that is forced counts as an expensive one.
        sqlx::raw_sql("set local enable_nestloop = off; set local jit = off")
            .execute(self.connection())
            .await?;
        let rows = sqlx::query!(
            // Ids are in the order of time.
            r#"with newest as (
                   select s.id, s.at, s.context_key, s.persona_key from session s
                   where s.tenant_id = $1 and s.at >= $2 and s.test is null order by s.id desc limit $3),
               ended as materialized (
                   select (n.at at time zone 'UTC')::date as day, n.context_key, n.persona_key, o.outcome, o.code,
                          coalesce(o.anam_us, o.anam_ms * 1000) as anam_us,
                          case when o.outcome = 'issued' then o.total_us end as mint_us
                   from newest n left join session_outcome o
                   on o.tenant_id = $1 and o.session_id = n.id and o.at = n.at and o.at >= $2),
               counts as (
                   select day, context_key, persona_key, outcome, code, count(*) as sessions from ended
                   group by day, context_key, persona_key, outcome, code),
               times as (
                   select count(*) as sessions,
                          percentile_disc(array[0.5, 0.95]) within group (order by anam_us) as anam_us,
                          percentile_disc(array[0.5, 0.95]) within group (order by mint_us) as mint_us
                   from ended)
               select c.day as "day?", c.context_key as "context?", c.persona_key as "persona?", c.outcome as "outcome?", c.code as "code?",
                      c.sessions as "sessions?", t.sessions as "all!", t.anam_us as "anam_us?", t.mint_us as "mint_us?"
               from times t left join counts c on true
               order by c.day, c.sessions desc"#,
            tenant,
            since,
            most
        )
        .fetch_all(self.connection())
        .await?;
        sqlx::raw_sql("set local enable_nestloop to default; set local jit to default")
            .execute(self.connection())
            .await?;
        let test_calls = sqlx::query_scalar!(
            r#"select count(*) as "calls!" from (select from session
               where tenant_id = $1 and at >= $2 and test is not null limit $3) calls"#,
            tenant,
            since,
            most
        )
        .fetch_one(self.connection())
        .await?;
        let mut counted = SessionCounts {
            test_calls,
            ..SessionCounts::default()
        };
        for row in rows {
            counted.sessions = row.all;
            [counted.anam_ms_p50, counted.anam_ms_p95] = milliseconds(row.anam_us);
            [counted.mint_ms_p50, counted.mint_ms_p95] = milliseconds(row.mint_us);
            if let (Some(day), Some(context), Some(persona), Some(sessions)) =
                (row.day, row.context, row.persona, row.sessions)
            {
                counted.counts.push(SessionCount {
                    day,
                    context,
                    persona,
                    outcome: row.outcome,
                    code: row.code,
                    sessions,
                });
            }
        }
        Ok(counted)
    }
}

/// Two percentiles; nothing where there is nothing to compare.
fn milliseconds(microseconds: Option<Vec<i32>>) -> [Option<f64>; 2] {
    let mut times = microseconds.into_iter().flatten();
    [(); 2].map(|()| times.next().map(|time| f64::from(time) / 1_000.0))
}
