//! Decides a session again, from the inputs that were kept of it: with the versions that were live then, with what is live now, or with
//! drafts and other versions in their places.
//!
//! Each time the moment and the id of the session are its own, so rules about the time hold as they did and the prompt's fences
//! are the same: what differs comes from the documents.

use serde_json::{Map, Value, json};

use super::scenario::{Overlay, Rollouts, Scenario, ScenarioRows};
use super::test_call::TestMark;
use super::uses::{Use, overlay, read, read_over};
use crate::domain::caller::{Caller, Subject};
use crate::domain::decide::{Decision, Moment, Undecided, decide_again};
use crate::domain::diff::{self, Change};
use crate::domain::document::DocumentKind;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::request::{Metadata, MintRequest};
use crate::domain::trace::Trace;
use crate::domain::wrong::Wrong;
use crate::sessions::written::WrittenConfig;
use crate::store::Database;
use crate::store::documents::VersionRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;

/// The versions that a session is decided again with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    Live,
    /// The versions that were live then, as the trace names them.
    Then,
}

impl Base {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Then => "then",
        }
    }
}

#[derive(Debug)]
pub struct Replayed {
    /// The original decision, made again; or why it can't be.
    pub then: Result<Decision, Undecided>,
    /// Whether that is exactly what Anam was sent: the hashes are the same.
    pub exact: bool,
    /// The decision with the requested versions.
    pub now: Result<Decision, Undecided>,
    /// Whether both decisions give the same request to Anam.
    pub same: bool,
    /// Differences of the requests to Anam; empty where either is undecided.
    pub differences: Vec<Change>,
}

/// A session decided again with the versions that were live then.
#[derive(Debug)]
pub struct OriginalReplay {
    pub decided: Result<Decision, Undecided>,
    /// Whether that is exactly what Anam was sent.
    pub exact: bool,
}

/// Decides a session again with the versions that were live then.
pub async fn then(
    database: &Database,
    tenant: TenantId,
    id: SessionId,
) -> Result<OriginalReplay, Refusal> {
    let mut tx = database.tenant(tenant).await?;
    let kept = StoredInputs::read(&mut tx, id).await?;
    let rows = kept.rows_of_then(&mut tx).await?;
    tx.commit().await?;
    let decided = kept.decide(&rows.build()?, kept.trace.as_ref());
    Ok(OriginalReplay {
        exact: kept.is_what_was_sent(&decided),
        decided,
    })
}

pub async fn replay(
    database: &Database,
    tenant: TenantId,
    id: SessionId,
    base: Base,
    uses: &[Use],
) -> Result<Replayed, Refusal> {
    // What is needed is read first: nothing of the database is held while it is decided.
    let mut tx = database.tenant(tenant).await?;
    let kept = StoredInputs::read(&mut tx, id).await?;
    let then = kept.rows_of_then(&mut tx).await?;
    let (at, of_then) = (kept.moment.now, kept.of_then.clone());
    let again = match base {
        Base::Then if uses.is_empty() => None,
        Base::Then => {
            let rows = read_over(&mut tx, at, of_then, "/use", uses).await?;
            Some((rows, kept.trace.as_ref()))
        }
        Base::Live => {
            let now = tx.moment().await?;
            Some((read(&mut tx, now, "/use", uses).await?, None))
        }
    };
    tx.commit().await?;
    let then = kept.decide(&then.build()?, kept.trace.as_ref());
    let again = match again {
        None => then.clone(),
        Some((rows, trace)) => kept.decide(&rows.build()?, trace),
    };
    Ok(Replayed {
        exact: kept.is_what_was_sent(&then),
        same: kept.is_what_was_sent(&again),
        differences: differences(&then, &again)?,
        then,
        now: again,
    })
}

/// What is kept of a session: the user's facts and preferences, the page's request, the versions, and what was decided.
struct StoredInputs {
    caller: Caller,
    preferences: Preferences,
    request: MintRequest,
    moment: Moment,
    of_then: Vec<Overlay>,
    trace: Option<Trace>,
    config_hash: Vec<u8>,
    /// Of a test call; one of nobody otherwise.
    test: TestMark,
}

impl StoredInputs {
    async fn read(tx: &mut TenantTx, id: SessionId) -> Result<Self, Refusal> {
        let detail = tx.session(id).await?.ok_or(Refusal::NotFound)?;
        let gone = |why: Wrong| Refusal::InputsExpired(why.into());
        let session = &detail.session;
        let Some(subject) = session.subject.as_deref().and_then(Subject::parse) else {
            return Err(gone(Wrong::UserErased));
        };
        let Some((inputs, _)) = &detail.inputs else {
            return Err(gone(Wrong::InputsGone));
        };
        let member = |name: &str| inputs.get(name).cloned().unwrap_or_default();
        let facts = serde_json::from_value(member("facts"))
            .map_err(|_old_form| gone(Wrong::InputsUnread))?;
        let trace = serde_json::from_value::<Trace>(detail.trace).ok();
        let mut of_then = match &trace {
            Some(trace) => versions_of_then(tx, trace).await?,
            None => Vec::new(),
        };
        let test = TestMark::of(detail.test.as_ref()).unwrap_or_default();
        for used in &test.uses {
            if let Ok(used) = Use::parse(used.clone()) {
                of_then.push(overlay(tx, &used).await?);
            }
        }
        Ok(Self {
            caller: Caller {
                tenant: tx.tenant(),
                issuer: session.issuer,
                subject,
                facts,
                // Earlier releases kept none.
                left_out: serde_json::from_value(member("leftOut")).unwrap_or_default(),
            },
            preferences: Preferences::from_stored(members(member("preferences"))),
            request: MintRequest {
                context: member("context").as_str().map(ToOwned::to_owned),
                metadata: Metadata::from(members(member("metadata"))),
            },
            moment: Moment {
                now: test.at.unwrap_or(session.at),
                session: session.id,
            },
            test,
            of_then,
            trace,
            config_hash: detail.config_hash,
        })
    }

    /// The rows to decide with the versions that were live then.
    async fn rows_of_then(&self, tx: &mut TenantTx) -> Result<ScenarioRows, Refusal> {
        let (at, overlays) = (self.moment.now, self.of_then.clone());
        Ok(ScenarioRows::read(tx, at, overlays, Rollouts::Nobody).await?)
    }

    fn is_what_was_sent(&self, outcome: &Result<Decision, Undecided>) -> bool {
        outcome
            .as_ref()
            .is_ok_and(|decision| WrittenConfig::new(decision).hash() == self.config_hash)
    }

    /// Decides; recorded draws are kept.
    fn decide(&self, scenario: &Scenario, recorded: Option<&Trace>) -> Result<Decision, Undecided> {
        let decided = decide_again(
            &scenario.snapshot,
            &self.caller,
            &self.preferences,
            &self.request,
            self.moment,
            recorded,
        );
        decided.map(|mut decision| {
            self.test.leave_out(&mut decision);
            decision
        })
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The context and the persona that decided; the persona pins its snippets.
async fn versions_of_then(tx: &mut TenantTx, trace: &Trace) -> Result<Vec<Overlay>, Refusal> {
    let mut overlays = Vec::new();
    for (kind, used) in [
        (DocumentKind::Context, &trace.context),
        (DocumentKind::Persona, &trace.persona),
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
            number: version.number,
            content: version.content,
            hash: version.hash,
        })
    }))
}

/// The request that Anam would get.
pub fn anam_request(decision: &Decision) -> Value {
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
    diff::diff(&members(anam_request(then)), &members(anam_request(now)))
        .map_err(|too_large| Refusal::Conflict(Wrong::from(too_large).into()))
}
