//! The newest sessions of users whose inputs are kept: `session` with `session_inputs`. Test calls are left out.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::TenantTx;
use super::time_range::TimeRange;
use crate::domain::ids::{IssuerId, SessionId};

/// A session with what it was decided from.
#[derive(Debug, Clone)]
pub struct RecentSession {
    pub session: SessionId,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The issuer of the user's token.
    pub issuer: IssuerId,
    /// The user's id in their token.
    pub subject: String,
    /// Facts, preferences, context and metadata, as `sessions/record.rs` wrote them.
    pub inputs: Value,
}

impl TenantTx {
    /// Users' sessions of a stretch of time before the session `before`, the newest first; of one context where it is named.
    pub async fn recent_sessions(
        &mut self,
        stretch: TimeRange,
        context: Option<&str>,
        before: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<RecentSession>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            // Each session is looked up: a new month's partition has no statistics to plan a join by.
            r#"select s.id, s.at, s.issuer_id, s.subject, i.inputs
               from session_inputs i
               cross join lateral (select * from session s
                                   where s.tenant_id = i.tenant_id and s.id = i.session_id and s.at = i.at
                                     and s.at >= $5 and s.at < $6 and s.test is null limit 1) s
               where i.tenant_id = $1 and i.at >= $5 and i.at < $6
                 and i.keep_until > now() and ($2::text is null or s.context_key = $2)
                 and ($3::uuid is null or i.session_id < $3)
               order by i.session_id desc limit $4"#,
            tenant,
            context,
            before.map(|session| session.0) as Option<Uuid>,
            limit,
            stretch.from,
            stretch.to
        )
        .fetch_all(self.connection())
        .await?;
        let sessions = rows.into_iter().map(|row| RecentSession {
            session: SessionId(row.id),
            at: row.at,
            issuer: IssuerId(row.issuer_id),
            subject: row.subject,
            inputs: row.inputs,
        });
        Ok(sessions.collect())
    }
}
