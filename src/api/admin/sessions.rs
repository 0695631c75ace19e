//! `/v1/admin/sessions`: which tokens were requested, and why each user got what they got.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::replays;
use super::views::explanation::{Explanation, PersonaGiven, TimingsMs, outcome_word};
use super::views::prompt::PromptKnown;
use crate::authoring::replay::{anam_request, then};
use crate::domain::ids::{RequestId, SessionId, TenantId};
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::sessions::explain::explain;
use crate::store::explain::{SessionFilter, SessionRow};
use crate::tenants::refusal::Refusal;
use crate::web::admin::View;
use crate::web::input::{Moment, SearchText, VersionNumber, WholeNumber, input, words};
use crate::web::operation::{Answer, Call, Json, Page, PageOf, Path, operations};

operations! {
    "Admin: sessions";

    "/v1/admin/sessions" {
        /// Searches sessions, newest first.
        GET searchSessions => search;
    }
    "/v1/admin/sessions/{session}" {
        /// Explains one session: who, what was decided and why, from which versions, the outcome, what Anam knows of it, and the
        /// prompt with the origin of each part. Anam is asked during the request; if it does not answer, the rest is returned all
        /// the same.
        GET explainSession => get;
    }
    "/v1/admin/sessions/{session}:replay" {
        /// Decides a session again from its stored inputs, at its own moment, and returns the differences. No token is requested.
        /// Once the inputs are deleted, the answer is 410 `inputs_expired`.
        POST replaySession => replays::decide;
    }
}

input! {
    /// Filters for sessions.
    struct SessionSearch {
        /// Sessions not before this moment.
        from: Option<Moment>,
        /// Sessions before this moment.
        to: Option<Moment>,
        /// Only sessions of this user: the `sub` of the token.
        subject: Option<SearchText>,
        /// Only sessions in this context.
        context: Option<SearchText>,
        /// Only sessions with this persona.
        persona: Option<SearchText>,
        /// Only sessions with this version of the persona.
        version: Option<VersionNumber>,
        /// Only sessions with this outcome.
        outcome: Option<Outcome>,
        /// Only sessions that failed with this problem code.
        code: Option<SearchText>,
        /// Only test calls, or none of them.
        test: Option<bool>,
        /// Only the session of the request with this id: the `X-Request-Id` of its answer.
        request_id: Option<Uuid>,
    }
}

/// What can become of a session.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Issued,
    Failed,
    Unknown,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

words! {
    Outcome: Issued, Failed, Unknown;
}

impl SessionSearch {
    fn to_filter(&self) -> Result<SessionFilter, Refusal> {
        if self.version.is_some() && self.persona.is_none() {
            let (name, other) = ("version", "persona");
            return Err(Refusal::fault("/version", Wrong::Together { name, other }));
        }
        let text = |sought: &Option<SearchText>| sought.clone().map(String::from);
        Ok(SessionFilter {
            from: self.from.map(Moment::get),
            to: self.to.map(Moment::get),
            subject: text(&self.subject),
            context: text(&self.context),
            persona: text(&self.persona),
            version: self.version.map(WholeNumber::get),
            outcome: self.outcome.map(|outcome| outcome.as_str().to_owned()),
            code: text(&self.code),
            request: self.request_id.map(RequestId),
            test: self.test,
        })
    }
}

/// A session in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionItem {
    /// The session; Anam's `clientLabel`.
    id: Uuid,
    /// The `X-Request-Id` of the request for it; null in sessions of older releases.
    request_id: Option<Uuid>,
    /// When the token was requested.
    at: DateTime<Utc>,
    /// The `sub` of the user's token; null once they were erased.
    #[schema(example = "user-1")]
    subject: Option<String>,
    /// What the token called the user: the fact `name`, else `email`. Absent where neither is given, or no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Ann Lee")]
    user_name: Option<String>,
    /// The key of the context that was used.
    #[schema(example = "support")]
    context: String,
    /// The persona of the session.
    persona: PersonaGiven,
    /// `issued`, `failed`, `unknown` (its instance died), or `pending` while there is no outcome.
    #[schema(example = "issued", pattern = "^(issued|failed|unknown|pending)$")]
    outcome: String,
    /// The problem code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "upstream_timeout")]
    code: Option<String>,
    /// How long each part took, milliseconds.
    timings: Option<TimingsMs>,
    /// Whoever administers and made this test call; absent of a user's own session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "person:ann@example.com")]
    test_by: Option<String>,
}

impl From<SessionRow> for SessionItem {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id.0,
            request_id: row.request.map(|id| id.0),
            at: row.at,
            outcome: outcome_word(&row),
            subject: row.subject,
            user_name: row.user_name,
            context: row.context,
            persona: PersonaGiven {
                key: row.persona,
                version: row.persona_version,
            },
            code: row.code,
            timings: TimingsMs::new(row.timings),
            test_by: row.tested_by,
        }
    }
}

async fn search(call: Call<View>, page: PageOf<SessionSearch>) -> Answer<Page<SessionItem>> {
    let filter = page.filter.to_filter()?;
    let after = page.after().and_then(position_of);
    let now = call.gateway().clock.now();
    let mut tx = call.read().await?;
    let rows = tx.search_sessions(now, &filter, after, page.rows()).await?;
    tx.commit().await?;
    Ok(page.of(
        rows,
        |row| format!("{} {}", row.at.timestamp_micros(), row.id),
        SessionItem::from,
    ))
}

/// Where a row stands, as a cursor keeps it.
fn position_of(position: &str) -> Option<(DateTime<Utc>, SessionId)> {
    let (micros, id) = position.split_once(' ')?;
    let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
    Some((at, SessionId(id.parse().ok()?)))
}

/// A session explained.
#[derive(Debug, Serialize, ToSchema)]
struct ExplainedSession {
    #[serde(flatten)]
    explanation: Explanation,
    /// The prompt that Anam was sent.
    prompt: PromptKnown,
    /// What else Anam was sent, made again as the prompt is: `personaConfig` and `sessionOptions`. Absent where the prompt can't
    /// be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    sent: Option<Value>,
}

async fn get(call: Call<View>, Path(session): Path<SessionId>) -> Answer<Json<ExplainedSession>> {
    let tenant = call.tenant;
    let explanation = explain(call.gateway(), tenant, session)
        .await?
        .ok_or(Refusal::NotFound)?;
    call.work(async move |gateway| {
        let (prompt, sent) = sent(gateway, tenant, session).await?;
        Ok(Json::new(&ExplainedSession {
            explanation: explanation.into(),
            prompt,
            sent,
        }))
    })
    .await
}

async fn sent(
    gateway: &Gateway,
    tenant: TenantId,
    session: SessionId,
) -> Result<(PromptKnown, Option<Value>), Refusal> {
    match then(&gateway.database, tenant, session).await {
        Ok(then) => Ok(match &then.decided {
            Ok(decision) => (
                PromptKnown::from_decision(decision, then.exact),
                Some(beside_the_prompt(anam_request(decision))),
            ),
            Err(undecided) => {
                let why = format!(
                    "the versions that were live then give no persona any more: {undecided}"
                );
                (PromptKnown::missing(why), None)
            }
        }),
        Err(Refusal::InputsExpired(why)) => Ok((PromptKnown::missing(why.sentence()), None)),
        Err(refusal) => Err(refusal),
    }
}

/// A request to Anam without the prompt, which the explanation has in parts.
fn beside_the_prompt(mut request: Value) -> Value {
    let config = request.get_mut("personaConfig");
    if let Some(members) = config.and_then(Value::as_object_mut) {
        members.remove("systemPrompt");
    }
    request
}
