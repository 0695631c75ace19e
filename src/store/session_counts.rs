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
        let rows = sqlx::query!(
            // Ids are in the order of time. Each outcome is looked up: a new month's partition has no statistics to plan a join by.
            r#"with newest as (
                   select s.id, s.at, s.context_key, s.persona_key from session s
                   where s.tenant_id = $1 and s.at >= $2 and s.test is null order by s.id desc limit $3
               )
               select (n.at at time zone 'UTC')::date as day, n.context_key as "context?", n.persona_key as "persona?",
                      o.outcome as "outcome?", o.code as "code?", count(*) as "sessions!",
                      percentile_disc(0.5) within group (order by o.anam_ms) as p50,
                      percentile_disc(0.95) within group (order by o.anam_ms) as p95,
                      percentile_disc(0.5) within group (order by o.total_ms) as mint_p50,
                      percentile_disc(0.95) within group (order by o.total_ms) as mint_p95
               from newest n
               left join lateral (select o.outcome, o.code,
                                         coalesce(o.anam_us / 1000.0, o.anam_ms)::float8 as anam_ms,
                                         (case when o.outcome = 'issued' then o.total_us / 1000.0 end)::float8 as total_ms
                                  from session_outcome o
                                  where o.tenant_id = $1 and o.session_id = n.id and o.at = n.at limit 1) o on true
               group by grouping sets ((1, 2, 3, 4, 5), ())
               order by 1, 6 desc"#,
            tenant,
            since,
            most
        )
        .fetch_all(self.connection())
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
            if let (Some(day), Some(context), Some(persona)) = (row.day, row.context, row.persona) {
                counted.counts.push(SessionCount {
                    day,
                    context,
                    persona,
                    outcome: row.outcome,
                    code: row.code,
                    sessions: row.sessions,
                });
            } else {
                counted.sessions = row.sessions;
                counted.mint_ms_p50 = row.mint_p50;
                counted.mint_ms_p95 = row.mint_p95;
                counted.anam_ms_p50 = row.p50;
                counted.anam_ms_p95 = row.p95;
            }
        }
        Ok(counted)
    }
}
