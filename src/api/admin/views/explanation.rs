//! A session explained, as the API shows it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::anam;
use crate::authoring::test_call::TestMark;
use crate::domain::ids::IssuerId;
use crate::sessions::explain::{self, VersionStatus};
use crate::store::explain::SessionRow;
use crate::store::sessions::Timings;

/// A session of the ledger, explained.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct Explanation {
    /// The session; Anam's `clientLabel`.
    id: Uuid,
    /// The `X-Request-Id` of the request for it; null in sessions of older releases.
    request_id: Option<Uuid>,
    /// When the token was requested.
    at: DateTime<Utc>,
    /// The user of the session.
    user: UserKnown,
    /// What the decision was made from beside the released versions.
    inputs: InputsKnown,
    /// The key of the context that was used.
    #[schema(example = "support")]
    context: String,
    /// The persona of the session.
    persona: PersonaGiven,
    /// Why: rules tried, the draw of a split, which source won each field, preferences passed over.
    #[schema(value_type = Object)]
    trace: Value,
    /// The versions that went into the decision.
    versions: Vec<VersionUsed>,
    /// Whether a token was issued.
    outcome: OutcomeKnown,
    /// How long each part took, milliseconds; null while there is no outcome, and of a killed instance's sessions.
    timings: Option<TimingsMs>,
    /// SHA-256 of the configuration that Anam was sent, hex. A replay of the same versions gives the same.
    #[schema(example = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9")]
    config_hash: String,
    /// What Anam knows of it.
    anam: AnamKnown,
    /// What this test call was made with; absent of a user's own session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    test: Option<TestKnown>,
}

/// A test call of somebody who administers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TestKnown {
    /// Who made it.
    #[schema(example = "person:ann@example.com")]
    by: String,
    /// What was put in place of what was live: versions, and the contents of drafts as they were. Empty also where they were too large to
    /// be kept.
    #[schema(value_type = Vec<Object>)]
    r#use: Vec<Value>,
    /// The moment for rules and texts, if it was not that of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    at: Option<DateTime<Utc>>,
    /// Tools that the persona did without.
    left_out_tools: Vec<String>,
}

impl From<TestMark> for TestKnown {
    fn from(mark: TestMark) -> Self {
        Self {
            by: mark.by,
            r#use: mark.uses,
            at: mark.at,
            left_out_tools: mark.left_out,
        }
    }
}

/// The user of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct UserKnown {
    /// The issuer of their token.
    issuer: IssuerKnown,
    /// The `sub` of their token; null once they were erased.
    #[schema(example = "user-1")]
    subject: Option<String>,
    /// What their token called them: the fact `name`, else `email`. Absent where neither is given, or no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Ann Lee")]
    name: Option<String>,
}

/// An issuer of users' tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::admin) struct IssuerKnown {
    /// The issuer's id.
    id: Uuid,
    /// The issuer's URL; null once the issuer was removed.
    #[schema(example = "https://login.example.com")]
    url: Option<String>,
}

/// A persona at a version.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::admin) struct PersonaGiven {
    /// The persona's key.
    #[schema(example = "support-agent")]
    pub(in crate::api::admin) key: String,
    /// The version's number.
    #[schema(example = 3)]
    pub(in crate::api::admin) version: i32,
}

/// Facts, preferences and metadata, as long as the tenant's policy keeps them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct InputsKnown {
    /// Whether the inputs are still kept.
    kept: bool,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// When the inputs will be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<DateTime<Utc>>,
    /// `facts` of the token, `preferences`, and the request's `context` and `metadata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    values: Option<Value>,
}

/// A sealed version that a decision was made from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct VersionUsed {
    /// `context`, `persona` or `snippet`.
    kind: &'static str,
    /// The document's key.
    #[schema(example = "support-agent")]
    key: String,
    /// The version's number.
    #[schema(example = 3)]
    version: i32,
    /// The version's id.
    id: Uuid,
    /// SHA-256 of its content, hex.
    hash: String,
    /// What is served of the version now.
    state: VersionNow,
    /// The number that is live now; null where none is.
    live_version: Option<i32>,
}

/// What is served of a version now. `rollout`: a share of the users gets it. A snippet is `pinned`: personas name its exact version, whatever is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) enum VersionNow {
    Live,
    Rollout,
    Superseded,
    Archived,
    Pinned,
}

/// The outcome of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct OutcomeKnown {
    /// `issued`, `failed`, `unknown` (its instance died), or `pending` while there is no outcome.
    #[schema(example = "issued", pattern = "^(issued|failed|unknown|pending)$")]
    result: String,
    /// The problem code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "upstream_timeout", nullable = false)]
    code: Option<String>,
    /// When the token expires: until then it can start a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
    /// SHA-256 of the token, hex: tells whether a token that was found is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_hash: Option<String>,
}

/// How long a mint took, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(in crate::api::admin) struct TimingsMs {
    /// Verifying the JWT.
    #[schema(example = 0.21)]
    auth: Option<f64>,
    /// Reading what is live and deciding.
    #[schema(example = 0.34)]
    decide: Option<f64>,
    /// Asking Anam, with the ledger's commit beside it.
    #[schema(example = 212.5)]
    anam: Option<f64>,
    /// From the request to the answer.
    #[schema(example = 213.1)]
    total: Option<f64>,
}

/// What Anam knows of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct AnamKnown {
    /// Whether Anam lists sessions for this one.
    known: bool,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The sessions, as Anam lists them: one, unless a page started the token twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sessions: Vec<AnamSession>,
}

/// A session as Anam tells it. The prompt that is beside it there is not read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct AnamSession {
    /// Anam's own id.
    id: Uuid,
    /// When the conversation began.
    start_time: Option<DateTime<Utc>>,
    /// When it ended; null while it runs.
    end_time: Option<DateTime<Utc>>,
    /// How it ended, in Anam's words: `NORMAL_EXIT`, `ERROR`, `CLOSED_BY_ENGINE`.
    #[schema(example = "NORMAL_EXIT")]
    exit_status: Option<String>,
    /// How long it was, milliseconds.
    #[schema(example = 184_000)]
    session_length_ms: Option<i64>,
}

impl From<explain::Explanation> for Explanation {
    fn from(explanation: explain::Explanation) -> Self {
        let detail = explanation.detail;
        let session = detail.session;
        let IssuerId(issuer) = session.issuer;
        let outcome = outcome_word(&session);
        Self {
            id: session.id.0,
            request_id: session.request.map(|id| id.0),
            at: session.at,
            inputs: InputsKnown::new(detail.inputs, session.subject.is_none()),
            user: UserKnown {
                issuer: IssuerKnown {
                    id: issuer,
                    url: explanation.issuer_url,
                },
                subject: session.subject,
                name: session.user_name,
            },
            context: session.context,
            persona: PersonaGiven {
                key: session.persona,
                version: session.persona_version,
            },
            trace: detail.trace,
            versions: explanation
                .versions
                .into_iter()
                .map(VersionUsed::from)
                .collect(),
            outcome: OutcomeKnown {
                result: outcome,
                code: session.code,
                expires_at: session.expires_at,
                token_hash: detail.token_hash.map(hex::encode),
            },
            timings: TimingsMs::new(session.timings),
            config_hash: hex::encode(detail.config_hash),
            anam: AnamKnown::from(explanation.anam),
            test: TestMark::of(detail.test.as_ref()).map(TestKnown::from),
        }
    }
}

/// `issued`, `failed` or `unknown`; `pending` while the ledger has no outcome.
pub(in crate::api::admin) fn outcome_word(session: &SessionRow) -> String {
    session
        .outcome
        .clone()
        .unwrap_or_else(|| "pending".to_owned())
}

impl InputsKnown {
    fn new(stored: Option<(Value, DateTime<Utc>)>, is_erased: bool) -> Self {
        let (values, kept_until) = stored.unzip();
        let reason = match (&values, is_erased) {
            (Some(_), _) => None,
            (None, true) => Some("the user was erased"),
            (None, false) => Some("the tenant's policy keeps none, or they have expired"),
        };
        Self {
            kept: values.is_some(),
            reason,
            kept_until,
            values,
        }
    }
}

impl From<explain::VersionUsed> for VersionUsed {
    fn from(used: explain::VersionUsed) -> Self {
        let version = used.version;
        Self {
            kind: version.kind.as_str(),
            key: version.key,
            version: version.number,
            id: version.id.0,
            hash: hex::encode(version.hash),
            state: match used.status {
                VersionStatus::Live => VersionNow::Live,
                VersionStatus::Rollout => VersionNow::Rollout,
                VersionStatus::Superseded => VersionNow::Superseded,
                VersionStatus::Archived => VersionNow::Archived,
                VersionStatus::Pinned => VersionNow::Pinned,
            },
            live_version: used.live_version,
        }
    }
}

impl TimingsMs {
    /// `None` where nothing was measured.
    pub(in crate::api::admin) fn new(timings: Timings) -> Option<Self> {
        let ms = |micros: Option<i32>| micros.map(|micros| f64::from(micros) / 1_000.0);
        (timings != Timings::default()).then(|| Self {
            auth: ms(timings.auth),
            decide: ms(timings.decide),
            anam: ms(timings.anam),
            total: ms(timings.total),
        })
    }
}

impl From<Result<Vec<anam::AnamSession>, String>> for AnamKnown {
    fn from(answer: Result<Vec<anam::AnamSession>, String>) -> Self {
        let (sessions, reason) = match answer {
            Ok(sessions) => (sessions, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        Self {
            known: reason.is_none(),
            reason,
            sessions: sessions.into_iter().map(AnamSession::from).collect(),
        }
    }
}

impl From<anam::AnamSession> for AnamSession {
    fn from(session: anam::AnamSession) -> Self {
        Self {
            id: session.id,
            start_time: session.start_time,
            end_time: session.end_time,
            exit_status: session.exit_status,
            session_length_ms: session.session_length_ms,
        }
    }
}
