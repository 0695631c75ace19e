//! The ledger read back: one session with all that is known of it, and pages of sessions.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::documents::stored_kind;
use super::sessions::Timings;
use super::tenant_tx::TenantTx;
use super::time_range::TimeRange;
use crate::domain::document::DocumentKind;
use crate::domain::ids::{IssuerId, RequestId, SessionId, VersionId};

#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: SessionId,
    /// The request for it; `None` in rows of older releases.
    pub request: Option<RequestId>,
    /// When the token was requested.
    pub at: DateTime<Utc>,
    /// The issuer of the user's token.
    pub issuer: IssuerId,
    /// The user; `None` once they were erased.
    pub subject: Option<String>,
    /// What the token called the user: the fact `name`, else `email`. `None` where neither is given, or not kept any more.
    pub user_name: Option<String>,
    /// The key of the context that was used.
    pub context: String,
    pub persona: String,
    pub persona_version: i32,
    /// `issued`, `failed` or `unknown`; `None` while there is no outcome yet.
    pub outcome: Option<String>,
    /// The problem code of a failure.
    pub code: Option<String>,
    /// Until when the token can start a conversation.
    pub expires_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub timings: Timings,
    /// Whoever administers and made this test call; `None` of a user's own session.
    pub tested_by: Option<String>,
}

struct SessionMatch {
    id: Uuid,
    request_id: Option<Uuid>,
    at: DateTime<Utc>,
    issuer_id: Uuid,
    subject: String,
    user_name: Option<String>,
    context_key: String,
    persona_key: String,
    persona_version: i32,
    outcome: Option<String>,
    code: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    auth_us: Option<i32>,
    decide_us: Option<i32>,
    anam_us: Option<i32>,
    total_us: Option<i32>,
    tested_by: Option<String>,
}

impl From<SessionMatch> for SessionRow {
    fn from(row: SessionMatch) -> Self {
        Self {
            id: SessionId(row.id),
            request: row.request_id.map(RequestId),
            at: row.at,
            issuer: IssuerId(row.issuer_id),
            subject: unless_erased(row.subject),
            user_name: row.user_name,
            context: row.context_key,
            persona: row.persona_key,
            persona_version: row.persona_version,
            outcome: row.outcome,
            code: row.code,
            expires_at: row.expires_at,
            timings: Timings {
                auth: row.auth_us,
                decide: row.decide_us,
                anam: row.anam_us,
                total: row.total_us,
            },
            tested_by: row.tested_by,
        }
    }
}

/// A session with its explanation.
#[derive(Debug, Clone)]
pub struct SessionDetail {
    pub session: SessionRow,
    /// SHA-256 of what Anam was sent.
    pub config_hash: Vec<u8>,
    pub trace: Value,
    /// SHA-256 of the token.
    pub token_hash: Option<Vec<u8>>,
    /// What a replay needs, and until when it is kept.
    pub inputs: Option<(Value, DateTime<Utc>)>,
    /// Of a test call: who made it, and with what in place of what was live, as `authoring/test_call.rs` wrote it.
    pub test: Option<Value>,
}

/// Which sessions are looked for; `None` members filter nothing.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub to: Option<DateTime<Utc>>,
    /// Of this user.
    pub subject: Option<String>,
    /// Answered by this context.
    pub context: Option<String>,
    pub persona: Option<String>,
    pub version: Option<i32>,
    pub outcome: Option<String>,
    /// Failed with this code.
    pub code: Option<String>,
    pub request: Option<RequestId>,
    /// Test calls only, or users' sessions only.
    pub test: Option<bool>,
}

/// A sealed version that a decision was made from.
#[derive(Debug, Clone)]
pub struct VersionState {
    pub kind: DocumentKind,
    pub key: String,
    pub number: i32,
    pub id: VersionId,
    /// SHA-256 of its content.
    pub hash: Vec<u8>,
    /// Whether the document was taken out of use.
    pub archived: bool,
}

impl TenantTx {
    pub async fn session(&mut self, id: SessionId) -> Result<Option<SessionDetail>, StoreError> {
        let tenant = self.tenant().0;
        // The time in its id leads to its month's partition.
        let from = id.at();
        let to = from.and_then(|at| at.checked_add_signed(TimeDelta::milliseconds(1)));
        let row = sqlx::query!(
            r#"select s.at as "at!", s.request_id as "request_id?", s.issuer_id as "issuer_id!", s.subject as "subject!", s.context_key as "context_key!",
                      s.persona_key as "persona_key!", s.persona_version as "persona_version!",
                      s.config_hash as "config_hash!", s.trace as "trace!",
                      o.outcome as "outcome?", o.code as "code?", o.token_hash as "token_hash?", o.expires_at as "expires_at?",
                      o.auth_us as "auth_us?", o.decide_us as "decide_us?",
                      coalesce(o.anam_us, o.anam_ms * 1000) as "anam_us?", o.total_us as "total_us?",
                      i.inputs as "inputs?", i.keep_until as "keep_until?", s.test as "test?", s.test ->> 'by' as "tested_by?"
               from session s
               left join session_outcome o on o.tenant_id = s.tenant_id and o.session_id = s.id and o.at = s.at
               left join session_inputs i on i.tenant_id = s.tenant_id and i.session_id = s.id and i.at = s.at
                                          and i.keep_until >= now()
               where s.tenant_id = $1 and s.id = $2
                 and ($3::timestamptz is null or s.at >= $3 and s.at < $4)"#,
            tenant,
            id.0,
            from,
            to
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| SessionDetail {
            session: SessionRow {
                id,
                request: row.request_id.map(RequestId),
                at: row.at,
                issuer: IssuerId(row.issuer_id),
                subject: unless_erased(row.subject),
                user_name: row.inputs.as_ref().and_then(name_of),
                context: row.context_key,
                persona: row.persona_key,
                persona_version: row.persona_version,
                outcome: row.outcome,
                code: row.code,
                expires_at: row.expires_at,
                timings: Timings {
                    auth: row.auth_us,
                    decide: row.decide_us,
                    anam: row.anam_us,
                    total: row.total_us,
                },
                tested_by: row.tested_by,
            },
            test: row.test,
            config_hash: row.config_hash,
            trace: row.trace,
            token_hash: row.token_hash,
            inputs: row.inputs.zip(row.keep_until),
        }))
    }

    /// Sessions, newest first; `after` is the last one of the page before. There are none after `now`, but for those of
    /// instances whose clock is a little ahead.
    pub async fn search_sessions(
        &mut self,
        now: DateTime<Utc>,
        filter: &SessionFilter,
        after: Option<(DateTime<Utc>, SessionId)>,
        limit: i64,
    ) -> Result<Vec<SessionRow>, StoreError> {
        // Each combination of filters deserves a plan of its own: a plan for all of them would read a tenant's whole ledger.
        sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
            .fetch_one(self.connection())
            .await?;
        let until = after.and_then(|(at, _)| at.checked_add_signed(TimeDelta::microseconds(1)));
        let mut stretch = Some(
            TimeRange::newest(now)
                .within(filter.from, filter.to)
                .within(None, until),
        );
        let (mut found, mut left) = (Vec::new(), limit);
        while let Some(reading) = stretch.filter(|_| left > 0) {
            let rows = self.search_stretch(reading, filter, after, left).await?;
            left = left.saturating_sub_unsigned(rows.len() as u64);
            found.extend(rows);
            stretch = reading.older();
        }
        Ok(found)
    }

    /// A new month's partition has no statistics, so the order of the join is not left to the planner: sessions by time, each
    /// with its outcome looked up; or, where few are wanted of many, outcomes by time, each with its session looked up.
    async fn search_stretch(
        &mut self,
        stretch: TimeRange,
        filter: &SessionFilter,
        after: Option<(DateTime<Utc>, SessionId)>,
        limit: i64,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let tenant = self.tenant().0;
        let (after_at, after_id) = after.map(|(at, id)| (at, id.0)).unzip();
        let is_rare = filter.code.is_some()
            || matches!(filter.outcome.as_deref(), Some(outcome) if outcome != "issued");
        let rows = if is_rare {
            sqlx::query_as!(
                SessionMatch,
                r#"select s.id as "id!", s.at as "at!", s.request_id as "request_id?", s.issuer_id as "issuer_id!", s.subject as "subject!",
                          (select coalesce(case jsonb_typeof(i.inputs #> '{facts,name}') when 'string' then nullif(i.inputs #>> '{facts,name}', '') end,
                                           case jsonb_typeof(i.inputs #> '{facts,email}') when 'string' then nullif(i.inputs #>> '{facts,email}', '') end)
                           from session_inputs i
                           where i.tenant_id = s.tenant_id and i.session_id = s.id and i.at = s.at
                             and i.at >= $2 and i.at < $3 and i.keep_until >= now() limit 1) as "user_name?",
                          s.context_key as "context_key!", s.persona_key as "persona_key!", s.persona_version as "persona_version!",
                          o.outcome as "outcome?", o.code as "code?", o.expires_at as "expires_at?",
                          o.auth_us as "auth_us?", o.decide_us as "decide_us?",
                          coalesce(o.anam_us, o.anam_ms * 1000) as "anam_us?", o.total_us as "total_us?",
                          s.test ->> 'by' as "tested_by?"
                   from session_outcome o
                   cross join lateral (select * from session s
                                       where s.tenant_id = o.tenant_id and s.id = o.session_id and s.at = o.at
                                         and s.at >= $2 and s.at < $3 limit 1) s
                   where o.tenant_id = $1 and o.at >= $2 and o.at < $3 and o.outcome <> 'issued'
                     and ($10::text is null or o.outcome = $10)
                     and ($11::text is null or o.outcome = 'failed' and o.code = $11)
                     and ($4::timestamptz is null or o.at <= $4 and (o.at, o.session_id) < ($4, $5::uuid))
                     and ($6::text is null or s.subject = $6)
                     and ($7::text is null or s.context_key = $7)
                     and ($8::text is null or s.persona_key = $8)
                     and ($9::int is null or s.persona_version = $9)
                     and ($13::uuid is null or s.request_id = $13)
                     and ($14::bool is null or (s.test is not null) = $14)
                   order by o.at desc, o.session_id desc
                   limit $12"#,
                tenant,
                stretch.from,
                stretch.to,
                after_at,
                after_id,
                filter.subject,
                filter.context,
                filter.persona,
                filter.version,
                filter.outcome,
                filter.code,
                limit,
                filter.request.map(|id| id.0),
                filter.test
            )
            .fetch_all(self.connection())
            .await?
        } else {
            sqlx::query_as!(
                SessionMatch,
                r#"select s.id as "id!", s.at as "at!", s.request_id as "request_id?", s.issuer_id as "issuer_id!", s.subject as "subject!",
                          (select coalesce(case jsonb_typeof(i.inputs #> '{facts,name}') when 'string' then nullif(i.inputs #>> '{facts,name}', '') end,
                                           case jsonb_typeof(i.inputs #> '{facts,email}') when 'string' then nullif(i.inputs #>> '{facts,email}', '') end)
                           from session_inputs i
                           where i.tenant_id = s.tenant_id and i.session_id = s.id and i.at = s.at
                             and i.at >= $2 and i.at < $3 and i.keep_until >= now() limit 1) as "user_name?",
                          s.context_key as "context_key!", s.persona_key as "persona_key!", s.persona_version as "persona_version!",
                          o.outcome as "outcome?", o.code as "code?", o.expires_at as "expires_at?",
                          o.auth_us as "auth_us?", o.decide_us as "decide_us?",
                          coalesce(o.anam_us, o.anam_ms * 1000) as "anam_us?", o.total_us as "total_us?",
                          s.test ->> 'by' as "tested_by?"
                   from session s
                   left join lateral (select * from session_outcome o
                                      where o.tenant_id = s.tenant_id and o.session_id = s.id and o.at = s.at
                                        and o.at >= $2 and o.at < $3 limit 1) o on true
                   where s.tenant_id = $1 and s.at >= $2 and s.at < $3
                     and ($4::timestamptz is null or s.at <= $4 and (s.at, s.id) < ($4, $5::uuid))
                     and ($6::text is null or s.subject = $6)
                     and ($7::text is null or s.context_key = $7)
                     and ($8::text is null or s.persona_key = $8)
                     and ($9::int is null or s.persona_version = $9)
                     and ($10::text is null or o.outcome = $10)
                     and ($12::uuid is null or s.request_id = $12)
                     and ($13::bool is null or (s.test is not null) = $13)
                   order by s.at desc, s.id desc
                   limit $11"#,
                tenant,
                stretch.from,
                stretch.to,
                after_at,
                after_id,
                filter.subject,
                filter.context,
                filter.persona,
                filter.version,
                filter.outcome,
                limit,
                filter.request.map(|id| id.0),
                filter.test
            )
            .fetch_all(self.connection())
            .await?
        };
        Ok(rows.into_iter().map(SessionRow::from).collect())
    }

    /// How these versions stand now; those that don't exist are left out.
    pub async fn version_states(
        &mut self,
        wanted: &[(DocumentKind, String, i32)],
    ) -> Result<Vec<VersionState>, StoreError> {
        let tenant = self.tenant().0;
        let kinds: Vec<String> = wanted
            .iter()
            .map(|(kind, ..)| kind.as_str().to_owned())
            .collect();
        let keys: Vec<String> = wanted.iter().map(|(_, key, _)| key.clone()).collect();
        let numbers: Vec<i32> = wanted.iter().map(|(.., number)| *number).collect();
        let rows = sqlx::query!(
            r#"select d.kind as "kind!", d.key as "key!", v.number as "number!", v.id as "id!", v.content_hash as "content_hash!",
                      d.archived_at is not null as "archived!"
               from unnest($2::text[], $3::text[], $4::int[]) with ordinality as w (kind, key, number, position)
               join document d on d.tenant_id = $1 and d.kind = w.kind and d.key = w.key
               join document_version v on v.tenant_id = $1 and v.document_id = d.id and v.number = w.number
               order by w.position"#,
            tenant,
            &kinds,
            &keys,
            &numbers
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(VersionState {
                    kind: stored_kind(&row.kind)?,
                    key: row.key,
                    number: row.number,
                    id: VersionId(row.id),
                    hash: row.content_hash,
                    archived: row.archived,
                })
            })
            .collect()
    }

    /// The URL of an issuer, the tenant's own or a shared one; `None` once it is gone.
    pub async fn issuer_url(&mut self, id: IssuerId) -> Result<Option<String>, StoreError> {
        let tenant = self.tenant().0;
        let url = sqlx::query_scalar!(
            r#"select config ->> 'issuer' as url from issuer where tenant_id = $1 and id = $2
               union all
               select issuer_url from shared_issuer_audience where shared_issuer_id = $2
               limit 1"#,
            tenant,
            id.0
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(url.flatten())
    }
}

/// No verified token has an empty subject: it says that the user was erased.
fn unless_erased(subject: String) -> Option<String> {
    (!subject.is_empty()).then_some(subject)
}

/// What a session's inputs call its user.
fn name_of(inputs: &Value) -> Option<String> {
    let facts = inputs.get("facts")?;
    let text = |name| {
        let text = facts.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    text("name").or_else(|| text("email")).map(str::to_owned)
}
