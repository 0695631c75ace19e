//! What the database holds of one user, across tables: to show it, and to forget it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::StoreError;
use super::tenant_tx::TenantTx;
use crate::domain::caller::Subject;
use crate::domain::ids::SessionId;

/// A session of a user with all that is kept of it.
#[derive(Debug, Clone)]
pub struct SubjectSession {
    pub id: SessionId,
    pub at: DateTime<Utc>,
    /// The key of the context that was used.
    pub context: String,
    pub persona: String,
    pub persona_version: i32,
    /// `issued`, `failed` or `unknown`.
    pub outcome: Option<String>,
    /// The problem code of a failure.
    pub code: Option<String>,
    /// Why the decision was what it was.
    pub trace: Value,
    /// Facts, preferences and metadata, while they are kept.
    pub inputs: Option<Value>,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    pub preferences: bool,
    /// Sessions that no longer say whose they were.
    pub sessions: u64,
    /// Sessions whose inputs were deleted.
    pub inputs: u64,
}

impl TenantTx {
    /// A user's sessions, oldest first; `after` is the last one of the page before.
    pub async fn sessions_of_subject(
        &mut self,
        subject: &Subject,
        after: Option<(DateTime<Utc>, SessionId)>,
        limit: i64,
    ) -> Result<Vec<SubjectSession>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select s.id as "id!", s.at as "at!", s.context_key as "context!", s.persona_key as "persona!",
                      s.persona_version as "persona_version!", s.trace as "trace!",
                      o.outcome as "outcome?", o.code as "code?", i.inputs as "inputs?"
               from session s
               left join lateral (select * from session_outcome o
                                  where o.tenant_id = s.tenant_id and o.session_id = s.id and o.at = s.at limit 1) o on true
               left join lateral (select * from session_inputs i
                                  where i.tenant_id = s.tenant_id and i.session_id = s.id and i.at = s.at limit 1) i on true
               where s.tenant_id = $1 and s.subject = $2
                 and ($3::timestamptz is null or s.at >= $3 and (s.at, s.id) > ($3, $4::uuid))
               order by s.at, s.id limit $5"#,
            tenant,
            subject.as_str(),
            after.map(|(at, _)| at),
            after.map(|(_, id)| id.0),
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let sessions = rows.into_iter().map(|row| SubjectSession {
            id: SessionId(row.id),
            at: row.at,
            context: row.context,
            persona: row.persona,
            persona_version: row.persona_version,
            outcome: row.outcome,
            code: row.code,
            trace: row.trace,
            inputs: row.inputs,
        });
        Ok(sessions.collect())
    }

    /// Deletes the inputs of up to `limit` of a user's sessions and takes the user's name off them; gives how many of both.
    /// The erased rows are found no more, so that the next call takes the next ones.
    pub async fn unlink_sessions(
        &mut self,
        subject: &Subject,
        limit: i64,
    ) -> Result<(u64, u64), StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            r#"with picked as (
                   select id, at from session where tenant_id = $1 and subject = $2 limit $3
               ), forgotten as (
                   delete from session_inputs i using picked p
                   where i.tenant_id = $1 and i.session_id = p.id and i.at = p.at returning 1
               ), unlinked as (
                   update session s set subject = '' from picked p
                   where s.tenant_id = $1 and s.id = p.id and s.at = p.at and s.subject = $2 returning 1
               )
               select (select count(*) from unlinked) as "sessions!", (select count(*) from forgotten) as "inputs!""#,
            tenant,
            subject.as_str(),
            limit
        )
        .fetch_one(self.connection())
        .await?;
        Ok((done.sessions.unsigned_abs(), done.inputs.unsigned_abs()))
    }
}
