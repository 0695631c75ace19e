//! Decides a session again, from the inputs that were kept of it: with the versions of then, with what is live now, or with
//! drafts and other versions in their places.
//!
//! Each time the moment and the id of the session are its own, so rules about the time hold as they did and the prompt's fences
//! are the same: what differs comes from the documents.

use serde_json::{Map, Value, json};

use super::uses::{Use, read, read_over};
use super::world::{Overlay, Rollouts, World, WorldRows};
use crate::domain::caller::{Caller, Subject};
use crate::domain::decide::{Decision, Moment, Undecided, decide_again};
use crate::domain::diff::{self, Change};
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::request::{Metadata, MintRequest};
use crate::domain::trace::Trace;
use crate::sessions::record::config_hash;
use crate::store::Database;
use crate::store::documents::{DocumentKind, VersionRow};
use crate::store::explain::SessionDetail;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;

/// What a session is decided again with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// What is live now.
    Live,
    /// The versions of then, as the trace names them.
    Then,
}

/// What came out.
#[derive(Debug)]
pub struct Replayed {
    /// What was decided then, made again; what stands in its way otherwise.
    pub then: Result<Decision, Undecided>,
    /// Whether that is exactly what Anam was sent: the hashes are the same.
    pub exact: bool,
    /// What is decided now.
    pub now: Result<Decision, Undecided>,
    /// Whether Anam would be sent exactly what it was sent then.
    pub same: bool,
    /// How what Anam would be sent differs; empty where either is undecided.
    pub differences: Vec<Change>,
}

/// Decides a session again.
pub async fn replay(
    database: &Database,
    tenant: TenantId,
    id: SessionId,
    base: Base,
    uses: &[Use],
) -> Result<Replayed, Refusal> {
    // What is needed is read first: nothing of the database is held while it is decided.
    let mut tx = database.tenant(tenant).await?;
    let detail = tx.session(id).await?.ok_or(Refusal::NotFound)?;
    let inputs = Inputs::of(&tx, &detail)?;
    let of_then = versions_of_then(&mut tx, &detail).await?;
    let at = detail.session.at;
    let trace = serde_json::from_value::<Trace>(detail.trace.clone()).ok();
    let trace = trace.as_ref();
    let then = WorldRows::read(&mut tx, at, of_then.clone(), Rollouts::Nobody).await?;
    let again = match base {
        Base::Then if uses.is_empty() => None,
        Base::Then => Some((read_over(&mut tx, at, of_then, "/use", uses).await?, trace)),
        Base::Live => {
            let now = tx.moment().await?;
            Some((read(&mut tx, now, "/use", uses).await?, None))
        }
    };
    tx.commit().await?;
    let then = inputs.decide(&then.build()?, trace);
    let again = match again {
        None => then.clone(),
        Some((rows, trace)) => inputs.decide(&rows.build()?, trace),
    };
    let is_what_was_sent = |outcome: &Result<Decision, Undecided>| {
        outcome
            .as_ref()
            .is_ok_and(|decision| config_hash(decision) == detail.config_hash)
    };
    Ok(Replayed {
        exact: is_what_was_sent(&then),
        same: is_what_was_sent(&again),
        differences: differences(&then, &again)?,
        then,
        now: again,
    })
}

/// What the user and the page brought along.
struct Inputs {
    caller: Caller,
    preferences: Preferences,
    request: MintRequest,
    moment: Moment,
}

impl Inputs {
    fn of(tx: &TenantTx, detail: &SessionDetail) -> Result<Self, Refusal> {
        let gone = |why: &str| Refusal::InputsExpired(why.to_owned());
        let session = &detail.session;
        let Some(subject) = session.subject.as_deref().and_then(Subject::parse) else {
            return Err(gone(
                "The user was erased, and what they brought along with them.",
            ));
        };
        let Some((inputs, _)) = &detail.inputs else {
            return Err(gone(
                "The facts, preferences and metadata of this session are not kept any more; the policy's retainInputsDays says how long they are.",
            ));
        };
        let member = |name: &str| inputs.get(name).cloned().unwrap_or_default();
        let facts = serde_json::from_value(member("facts")).map_err(|_old_form| {
            gone("What was kept of this session can't be read by this release.")
        })?;
        Ok(Self {
            caller: Caller {
                tenant: tx.tenant(),
                issuer: session.issuer,
                subject,
                facts,
            },
            preferences: Preferences::from_stored(members(member("preferences"))),
            request: MintRequest {
                context: member("context").as_str().map(ToOwned::to_owned),
                metadata: Metadata::from(members(member("metadata"))),
            },
            moment: Moment {
                now: session.at,
                session: session.id,
            },
        })
    }

    /// Decides; what chance gave in `recorded` stays.
    fn decide(&self, world: &World, recorded: Option<&Trace>) -> Result<Decision, Undecided> {
        decide_again(
            &world.snapshot,
            &self.caller,
            &self.preferences,
            &self.request,
            self.moment,
            recorded,
        )
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The context and the persona that decided; the persona pins its snippets.
async fn versions_of_then(
    tx: &mut TenantTx,
    detail: &SessionDetail,
) -> Result<Vec<Overlay>, Refusal> {
    let Ok(trace) = serde_json::from_value::<Trace>(detail.trace.clone()) else {
        return Ok(Vec::new());
    };
    let mut overlays = Vec::new();
    for (kind, used) in [
        (DocumentKind::Context, trace.context),
        (DocumentKind::Persona, trace.persona),
    ] {
        overlays.extend(sealed(tx, kind, &used.key, used.version).await?);
    }
    Ok(overlays)
}

async fn sealed(
    tx: &mut TenantTx,
    kind: DocumentKind,
    key: &Key,
    number: i32,
) -> Result<Option<Overlay>, Refusal> {
    let Some(document) = tx.find_document(kind, key.as_str()).await? else {
        return Ok(None);
    };
    let version = tx.version(document, number).await?;
    Ok(version.map(|version| {
        Overlay::Version(VersionRow {
            document,
            kind,
            key: key.as_str().to_owned(),
            id: version.id,
            number: version.number,
            content: version.content,
            hash: version.hash,
        })
    }))
}

/// What Anam would be sent.
pub fn sent(decision: &Decision) -> Value {
    json!({
        "personaConfig": decision.config,
        "sessionOptions": decision.session_options,
    })
}

fn differences(
    then: &Result<Decision, Undecided>,
    now: &Result<Decision, Undecided>,
) -> Result<Vec<Change>, Refusal> {
    let (Ok(then), Ok(now)) = (then, now) else {
        return Ok(Vec::new());
    };
    diff::diff(&members(sent(then)), &members(sent(now)))
        .map_err(|error| Refusal::Conflict(error.to_string()))
}
