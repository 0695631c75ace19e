//! Explains one session: who, what was decided and why, from which versions, and its outcome.

use serde_json::Value;

use crate::anam::AnamSession;
use crate::domain::document::DocumentKind;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::trace::Trace;
use crate::gateway::Gateway;
use crate::sources::{Serving, SourceError};
use crate::store::StoreError;
use crate::store::explain::{SessionDetail, VersionState};
use crate::store::tenant_tx::TenantTx;

/// A session of the ledger, with what the tenant's documents and Anam say of it now.
#[derive(Debug)]
pub struct Explanation {
    pub detail: SessionDetail,
    /// `None` where the issuer was removed since.
    pub issuer_url: Option<String>,
    /// The sealed versions that the decision was made from.
    pub versions: Vec<VersionUsed>,
    /// The sessions that Anam lists for this one, or why it lists none.
    pub anam: Result<Vec<AnamSession>, String>,
}

#[derive(Debug)]
pub struct VersionUsed {
    pub version: VersionState,
    pub status: VersionStatus,
    /// The number of the version that is live now.
    pub live_version: Option<i32>,
}

/// What is served of a sealed version now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStatus {
    Live,
    /// A share of the users gets it.
    Rollout,
    Superseded,
    /// Its document is archived.
    Archived,
    /// A snippet's: personas name its exact version, whatever is released.
    Pinned,
}

/// Explains a session. `None` where the tenant has none of this id. Anam is queried last; if it does not answer, the explanation says so.
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
        .map(|state| version_used(state, &serving))
        .collect();
    let anam = match detail.session.outcome.as_deref() {
        Some("failed") => Err("no token was issued".to_owned()),
        _ => anam_sessions(gateway, tenant, id).await,
    };
    Ok(Some(Explanation {
        detail,
        issuer_url,
        versions,
        anam,
    }))
}

/// The versions that a trace names.
async fn version_states(tx: &mut TenantTx, trace: &Value) -> Result<Vec<VersionState>, StoreError> {
    let Ok(trace) = serde_json::from_value::<Trace>(trace.clone()) else {
        return Ok(Vec::new());
    };
    let mut wanted = vec![
        version_key(
            DocumentKind::Context,
            trace.context.key.as_str(),
            trace.context.version,
        ),
        version_key(
            DocumentKind::Persona,
            trace.persona.key.as_str(),
            trace.persona.version,
        ),
    ];
    let snippets = trace.snippets.iter();
    wanted.extend(
        snippets.map(|(key, version)| version_key(DocumentKind::Snippet, key.as_str(), *version)),
    );
    tx.version_states(&wanted).await
}

fn version_key(kind: DocumentKind, key: &str, version: i32) -> (DocumentKind, String, i32) {
    (kind, key.to_owned(), version)
}

fn version_used(state: VersionState, serving: &Serving) -> VersionUsed {
    let served = serving.served(state.kind, &state.key);
    let live = served.version;
    let rolled_out = served.rollout.map(|(version, _)| version);
    let status = match state.kind {
        _ if state.archived => VersionStatus::Archived,
        DocumentKind::Snippet => VersionStatus::Pinned,
        _ if live == Some(state.number) => VersionStatus::Live,
        _ if rolled_out == Some(state.number) => VersionStatus::Rollout,
        _ => VersionStatus::Superseded,
    };
    VersionUsed {
        version: state,
        status,
        live_version: live,
    }
}

async fn anam_sessions(
    gateway: &Gateway,
    tenant: TenantId,
    id: SessionId,
) -> Result<Vec<AnamSession>, String> {
    let live = gateway.sources.tenant(tenant).await;
    let live = live.map_err(|error| no_key(&error))?;
    let key = live.anam_key().map_err(|error| no_key(&error))?;
    let sessions = gateway.anam.sessions_of(key, id).await;
    let sessions = sessions.map_err(|error| error.to_string())?;
    if sessions.is_empty() {
        return Err("Anam lists no session with this label: the token was not used, or it belongs to another account".to_owned());
    }
    Ok(sessions)
}

/// Why there is no key to ask Anam with. What the database says stays in the log.
fn no_key(error: &SourceError) -> String {
    tracing::warn!(%error, "no request to Anam about a session");
    match error {
        SourceError::NoProviderKey => "the tenant has no Anam API key",
        SourceError::SealBroken => "the tenant's Anam API key can't be opened",
        _ => "the tenant's Anam API key can't be read now",
    }
    .to_owned()
}
