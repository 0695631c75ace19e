//! Explains one session: who, what was decided and why, from which versions, and what became of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::anam::AnamSession;
use crate::domain::ids::{IssuerId, SessionId, TenantId};
use crate::domain::trace::Trace;
use crate::gateway::Gateway;
use crate::sources::{Serving, SourceError};
use crate::store::StoreError;
use crate::store::documents::DocumentKind;
use crate::store::explain::{SessionDetail, SessionRow, VersionState};
use crate::store::sessions::Timings;
use crate::store::tenant_tx::TenantTx;

/// A session with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The session; Anam's `clientLabel`.
    pub id: Uuid,
    /// The `X-Request-Id` of the request that asked for it; null in sessions of older releases.
    pub request_id: Option<Uuid>,
    /// When the token was asked for.
    pub at: DateTime<Utc>,
    /// Who asked.
    pub user: UserKnown,
    /// What the decision was made from beside the released versions.
    pub inputs: InputsKnown,
    /// The context that answered.
    #[schema(example = "support")]
    pub context: String,
    /// The persona given.
    pub persona: PersonaGiven,
    /// Why: rules tried, the draw of a split, who won each field, preferences passed over.
    #[schema(value_type = Object)]
    pub trace: Value,
    /// The versions that went into the decision.
    pub versions: Vec<VersionUsed>,
    /// What became of it.
    pub outcome: OutcomeKnown,
    /// How long each part took, milliseconds; null while there is no outcome, and of a killed instance's sessions.
    pub timings: Option<TimingsMs>,
    /// SHA-256 of the configuration that Anam was sent, hex. A replay of the same versions gives the same.
    #[schema(example = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9")]
    pub config_hash: String,
    /// What Anam knows of it.
    pub anam: AnamKnown,
}

/// The user of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserKnown {
    /// Who vouched for them.
    pub issuer: IssuerKnown,
    /// The `sub` of their token; null once they were erased.
    #[schema(example = "user-1")]
    pub subject: Option<String>,
}

/// An issuer of users' tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuerKnown {
    /// Its id.
    pub id: Uuid,
    /// Its URL; null once it was taken out.
    #[schema(example = "https://login.example.com")]
    pub url: Option<String>,
}

/// A persona at a version.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonaGiven {
    /// Its key.
    #[schema(example = "support-agent")]
    pub key: String,
    /// Its version.
    #[schema(example = 3)]
    pub version: i32,
}

/// Facts, preferences and metadata, as long as the tenant's policy keeps them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputsKnown {
    /// Whether they are there.
    pub kept: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<DateTime<Utc>>,
    /// `facts` of the token, `preferences`, and the request's `context` and `metadata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub values: Option<Value>,
}

/// A sealed version that a decision was made from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionUsed {
    /// `context`, `persona` or `snippet`.
    pub kind: &'static str,
    /// The document's key.
    #[schema(example = "support-agent")]
    pub key: String,
    /// The version's number.
    #[schema(example = 3)]
    pub version: i32,
    /// The version's id.
    pub id: Uuid,
    /// SHA-256 of its content, hex.
    pub hash: String,
    /// How it stands now.
    pub state: VersionNow,
    /// The number that is live now; null where none is.
    pub live_version: Option<i32>,
}

/// How a version stands now. `rollout`: a share of the users gets it. A snippet is `pinned`: personas name its exact version, whatever is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum VersionNow {
    Live,
    Rollout,
    Superseded,
    Archived,
    Pinned,
}

/// What became of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeKnown {
    /// `issued`, `failed`, `unknown` (its instance died), or `pending` while nothing was heard.
    #[schema(example = "issued")]
    pub result: String,
    /// The problem code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "upstream_timeout", nullable = false)]
    pub code: Option<String>,
    /// Until when the token can start a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// SHA-256 of the token, hex: tells whether a token that was found is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_hash: Option<String>,
}

/// How long a mint took, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct TimingsMs {
    /// Verifying the JWT.
    #[schema(example = 0.21)]
    pub auth: Option<f64>,
    /// Reading what is live and deciding.
    #[schema(example = 0.34)]
    pub decide: Option<f64>,
    /// Asking Anam, with the ledger's commit beside it.
    #[schema(example = 212.5)]
    pub anam: Option<f64>,
    /// All of it.
    #[schema(example = 213.1)]
    pub total: Option<f64>,
}

/// What Anam knows of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnamKnown {
    /// Whether it has sessions with this label.
    pub known: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// They, as Anam lists them: one, unless a page started the token twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<AnamSession>,
}

impl AnamKnown {
    fn not(reason: impl Into<String>) -> Self {
        Self {
            known: false,
            reason: Some(reason.into()),
            sessions: Vec::new(),
        }
    }
}

impl TimingsMs {
    /// `None` where nothing was measured.
    pub fn of(timings: Timings) -> Option<Self> {
        let ms = |micros: Option<i32>| micros.map(|micros| f64::from(micros) / 1_000.0);
        (timings != Timings::default()).then(|| Self {
            auth: ms(timings.auth),
            decide: ms(timings.decide),
            anam: ms(timings.anam),
            total: ms(timings.total),
        })
    }
}

/// The word for what became of a session.
pub fn result_of(session: &SessionRow) -> String {
    session
        .outcome
        .clone()
        .unwrap_or_else(|| "pending".to_owned())
}

/// Explains a session. `None` where the tenant has none of this id. Anam is asked last, and its silence is part of the answer.
pub async fn explain(
    gateway: &Gateway,
    tenant: TenantId,
    id: SessionId,
) -> Result<Option<Explanation>, SourceError> {
    let mut tx = gateway.database.tenant(tenant).await?;
    let Some(detail) = tx.session(id).await? else {
        return Ok(None);
    };
    let states = version_states(&mut tx, &detail.trace).await?;
    let issuer_url = tx.issuer_url(detail.session.issuer).await?;
    tx.commit().await?;
    let serving = gateway.sources.serving(&gateway.database, tenant).await?;
    let versions = states
        .into_iter()
        .map(|state| used(state, &serving))
        .collect();
    let anam = match detail.session.outcome.as_deref() {
        Some("failed") => AnamKnown::not("no token was issued"),
        _ => ask_anam(gateway, tenant, id).await,
    };
    Ok(Some(explanation(detail, issuer_url, versions, anam)))
}

fn explanation(
    detail: SessionDetail,
    issuer_url: Option<String>,
    versions: Vec<VersionUsed>,
    anam: AnamKnown,
) -> Explanation {
    let session = detail.session;
    let IssuerId(issuer) = session.issuer;
    let result = result_of(&session);
    Explanation {
        id: session.id.0,
        request_id: session.request.map(|id| id.0),
        at: session.at,
        inputs: inputs(detail.inputs, session.subject.is_none()),
        user: UserKnown {
            issuer: IssuerKnown {
                id: issuer,
                url: issuer_url,
            },
            subject: session.subject,
        },
        context: session.context,
        persona: PersonaGiven {
            key: session.persona,
            version: session.persona_version,
        },
        trace: detail.trace,
        versions,
        outcome: OutcomeKnown {
            result,
            code: session.code,
            expires_at: session.expires_at,
            token_hash: detail.token_hash.map(hex::encode),
        },
        timings: TimingsMs::of(session.timings),
        config_hash: hex::encode(detail.config_hash),
        anam,
    }
}

fn inputs(stored: Option<(Value, DateTime<Utc>)>, erased: bool) -> InputsKnown {
    let (values, kept_until) = stored.unzip();
    let reason = match (&values, erased) {
        (Some(_), _) => None,
        (None, true) => Some("the user was erased"),
        (None, false) => Some("the tenant's policy keeps none, or their time is over"),
    };
    InputsKnown {
        kept: values.is_some(),
        reason,
        kept_until,
        values,
    }
}

/// The versions that a trace names.
async fn version_states(tx: &mut TenantTx, trace: &Value) -> Result<Vec<VersionState>, StoreError> {
    let Ok(trace) = serde_json::from_value::<Trace>(trace.clone()) else {
        return Ok(Vec::new());
    };
    let mut wanted = vec![
        named(
            DocumentKind::Context,
            trace.context.key.as_str(),
            trace.context.version,
        ),
        named(
            DocumentKind::Persona,
            trace.persona.key.as_str(),
            trace.persona.version,
        ),
    ];
    let snippets = trace.snippets.iter();
    wanted.extend(
        snippets.map(|(key, version)| named(DocumentKind::Snippet, key.as_str(), *version)),
    );
    tx.version_states(&wanted).await
}

fn named(kind: DocumentKind, key: &str, version: i32) -> (DocumentKind, String, i32) {
    (kind, key.to_owned(), version)
}

fn used(state: VersionState, serving: &Serving) -> VersionUsed {
    let served = serving.served(state.kind, &state.key);
    let live = served.version;
    let rolled_out = served.rollout.map(|(version, _)| version);
    let now = match state.kind {
        _ if state.archived => VersionNow::Archived,
        DocumentKind::Snippet => VersionNow::Pinned,
        _ if live == Some(state.number) => VersionNow::Live,
        _ if rolled_out == Some(state.number) => VersionNow::Rollout,
        _ => VersionNow::Superseded,
    };
    VersionUsed {
        kind: state.kind.as_str(),
        key: state.key,
        version: state.number,
        id: state.id.0,
        hash: hex::encode(state.hash),
        state: now,
        live_version: live,
    }
}

async fn ask_anam(gateway: &Gateway, tenant: TenantId, id: SessionId) -> AnamKnown {
    let live = match gateway.sources.tenant(tenant).await {
        Ok(live) => live,
        Err(error) => return AnamKnown::not(no_key(&error)),
    };
    let found = match live.anam_key() {
        Ok(key) => gateway.anam.sessions_of(key, id).await,
        Err(error) => return AnamKnown::not(no_key(&error)),
    };
    match found {
        Ok(sessions) if sessions.is_empty() => AnamKnown::not(
            "Anam lists no session with this label: the token was not used, or it belongs to another account",
        ),
        Ok(sessions) => AnamKnown {
            known: true,
            reason: None,
            sessions,
        },
        Err(error) => AnamKnown::not(error.to_string()),
    }
}

/// What the database says stays in the log.
fn no_key(error: &SourceError) -> &'static str {
    tracing::warn!(%error, "Anam is not asked about a session");
    match error {
        SourceError::NoProviderKey => "the tenant has no Anam API key",
        SourceError::SealBroken => "the tenant's Anam API key can't be opened",
        _ => "the tenant's Anam API key can't be read now",
    }
}
