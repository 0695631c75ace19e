//! A test call: a session token for somebody who administers, to hear what a user would, with drafts or versions in place of what is live.
//! It goes the way of a user's mint from the decision on ([`crate::sessions::mint`]). What is different is who asks, and what is written
//! down: the audit trail says who talked as whom with which content, and the ledger that no user did.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::examine::Examiner;
use super::preview::PreviewRequest;
use super::scenario::{DRAFT, Overlay};
use super::uses::{self, Use};
use crate::anam::wire::MintBody;
use crate::domain::caller::Caller;
use crate::domain::decide::{Decision, Moment};
use crate::domain::document::DocumentKind;
use crate::domain::fault::Faults;
use crate::domain::finding::Finding;
use crate::domain::ids::RequestId;
use crate::domain::kept_test::TestUser;
use crate::domain::key::Key;
use crate::domain::snapshot::Snapshot;
use crate::domain::tool::Tool;
use crate::gateway::Gateway;
use crate::limits::TooMany;
use crate::sessions::mint::{MintError, Minted, Ready, new_moment, take_place};
use crate::sessions::record::{self, Inputs};
use crate::sessions::timings::Timings;
use crate::sessions::written::WrittenConfig;
use crate::sources::SourceError;
use crate::store::StoreError;
use crate::store::documents::VersionRow;
use crate::store::sessions::Requested;
use crate::telemetry::traces::RequestTrace;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::subjects;

/// Contents that were put in place are kept with the session up to this size together, in bytes of JSON: what is larger can't be shown again.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// Why there is no test call.
#[derive(Debug, thiserror::Error)]
pub enum TestCallError {
    /// Something that the request names does not exist, or has faults.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The reasons of a user's mint.
    #[error(transparent)]
    Mint(#[from] MintError),
}

impl From<SourceError> for TestCallError {
    fn from(error: SourceError) -> Self {
        Self::Mint(error.into())
    }
}

impl From<StoreError> for TestCallError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<TooMany> for TestCallError {
    fn from(error: TooMany) -> Self {
        Self::Mint(error.into())
    }
}

/// A test call that is decided and in the audit trail. Nothing was asked of Anam yet.
#[derive(Debug)]
pub struct TestCall {
    caller: Caller,
    decision: Decision,
    config: WrittenConfig,
    moment: Moment,
    row: Requested,
    left_out: Vec<String>,
    started: Instant,
}

/// A token to talk with.
#[derive(Debug)]
pub struct TestMinted {
    pub minted: Minted,
    pub decision: Decision,
    /// Names of tools that the persona does without here: they send a secret, and no release has sent it so.
    pub left_out: Vec<String>,
}

impl TestCall {
    /// Decides as a mint of the user would, and writes it into the audit trail. To be called on a work thread.
    pub async fn decide(
        gateway: &Gateway,
        admin: &Admin,
        asked: &PreviewRequest,
    ) -> Result<Self, TestCallError> {
        let started = Instant::now();
        let mut tx = gateway.database.tenant(admin.tenant).await?;
        let at = match asked.at {
            Some(at) => at,
            None => tx.moment().await?,
        };
        let rows = uses::read(&mut tx, at, "/use", &asked.uses).await?;
        let overlays = rows.overlays().to_vec();
        let examiner = Examiner::at(&mut tx, at, &overlays).await?;
        tx.commit().await?;
        let scenario = rows.build()?;
        refuse_unfit(&examiner, &overlays)?;

        let session = new_moment(gateway);
        let moment = Moment {
            now: asked.at.unwrap_or(session.now),
            ..session
        };
        let user = scenario.user(&asked.user).ok_or(Refusal::NotFound)?;
        let caller = user.caller(admin.tenant);
        let decided = scenario.decide(&caller, &user.preferences, &asked.request, moment);
        let mut decision = decided.map_err(MintError::from)?;
        let live = gateway.sources.tenant(admin.tenant).await?;
        let left_out = unreleased(&decision, &live.snapshot);
        let mark = TestMark::new(admin, asked, &overlays, left_out);
        mark.leave_out(&mut decision);
        let config = WrittenConfig::new(&decision);
        let inputs = Inputs {
            caller: &caller,
            preferences: &user.preferences,
            request: &asked.request,
            moment: session,
        };
        let policy = &scenario.snapshot.policy;
        let row = record::requested(inputs, policy, &decision, &config, request_of(admin));
        let row = Requested {
            test: Some(json!(mark).to_string()),
            // Those who try things out take nothing from users.
            counted: None,
            ..row
        };
        let call = Self {
            caller,
            decision,
            config,
            moment: session,
            row,
            left_out: mark.left_out,
            started,
        };
        call.audit(gateway, admin, asked).await?;
        Ok(call)
    }

    async fn audit(
        &self,
        gateway: &Gateway,
        admin: &Admin,
        asked: &PreviewRequest,
    ) -> Result<(), Refusal> {
        let mut change = Change::begin(gateway, admin).await?;
        let user = match &asked.user {
            TestUser::Sample(key) => json!({ "sample": key.as_str() }),
            TestUser::Typed(user) => match &user.subject {
                Some(subject) => json!({ "user": subjects::target(&change, subject)? }),
                None => json!({}),
            },
        };
        let placed: Vec<Value> = asked.uses.iter().map(named).collect();
        let details = json!({
            "as": user,
            "use": placed,
            "context": self.decision.context.as_str(),
            "persona": self.decision.persona.as_str(),
            "version": self.decision.version,
        });
        change.note(
            "session.test",
            &format!("session/{}", self.moment.session),
            details,
        );
        Ok(change.commit().await?)
    }

    /// Records the session and asks Anam, as for a user.
    pub async fn mint(self, gateway: &Gateway) -> Result<TestMinted, TestCallError> {
        let tenant = self.caller.tenant;
        let live = gateway.sources.tenant(tenant).await?;
        let key = live.anam_key()?.clone();
        if let Some(retry_after) = gateway.anam.pause(tenant, &key) {
            return Err(MintError::Paused { retry_after }.into());
        }
        let body = MintBody {
            client_label: self.moment.session.to_string(),
            persona_config: live
                .secrets
                .reveal(&self.decision.config, &self.config.persona)?,
            session_options: &self.config.session_options,
        };
        let body = body.to_json();
        let admitted = gateway.enter_test_call(tenant).await?;
        let place = take_place(gateway, &self.caller, &live, &self.decision, self.moment).await?;
        let decided = self.started.elapsed();
        let ready = Box::new(Ready {
            is_test: true,
            ledger: gateway.ledger.clone(),
            anam: gateway.anam.clone(),
            metrics: gateway.metrics.clone(),
            body,
            key,
            row: self.row,
            caller: self.caller,
            decision: self.decision.clone(),
            moment: self.moment,
            started: self.started,
            timings: Timings {
                decide: decided,
                ..Timings::default()
            },
            decided,
            admitted,
            place,
            claim: None,
            waited: Duration::ZERO,
            trace: RequestTrace::current(),
        });
        Ok(TestMinted {
            minted: ready.run(&gateway.finisher).await?,
            decision: self.decision,
            left_out: self.left_out,
        })
    }
}

/// What a release would refuse a persona for, tests left aside: the catalogue's and the policy's limits hold for test calls too.
fn refuse_unfit(examiner: &Examiner, overlays: &[Overlay]) -> Result<(), Refusal> {
    let mut faults = Faults::new();
    for (index, overlay) in overlays.iter().enumerate() {
        let (kind, key, content) = match overlay {
            Overlay::Draft { kind, key, content } => (*kind, Some(key.clone()), content),
            Overlay::Version(row) => (row.kind, Key::parse(&row.key).ok(), &row.content),
        };
        let (DocumentKind::Persona, Some(key)) = (kind, key) else {
            continue;
        };
        let found = examiner.examine_content(kind, &key, content);
        let errors = found.findings.iter().filter(|finding| finding.is_error());
        faults.extend_under(&format!("/use/{index}"), errors.map(Finding::to_fault));
    }
    faults.into_result(()).map_err(Refusal::documents)
}

/// Names of the decision's tools that send a secret and are not live exactly as they are here. Otherwise a draft could have any secret sent to
/// any address, although nobody who may release, or must approve, has seen it.
fn unreleased(decision: &Decision, live: &Snapshot) -> Vec<String> {
    let rollouts = live.rollouts.personas.values();
    let personas = live.personas.values();
    let personas = personas.chain(rollouts.map(|rollout| &rollout.version));
    let in_use: Vec<_> = personas
        .flat_map(|persona| persona.settings.tools.iter().flatten())
        .collect();
    let tools = decision.config.settings.tools.iter().flatten();
    tools
        .filter(|tool| !tool.references().is_empty() && !in_use.contains(tool))
        .map(|tool| tool.name().unwrap_or_default().to_owned())
        .collect()
}

/// What stays with the session of a test call: who made it, and what its decision needs to be made again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestMark {
    /// The actor's label.
    pub by: String,
    /// What was put in place, as [`Use::parse`] reads it: versions, and the contents of drafts as they were. Empty where they were too large.
    #[serde(default, rename = "use", skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Value>,
    /// The moment for rules and texts, if it was not that of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Names of tools that the persona did without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl TestMark {
    fn new(
        admin: &Admin,
        asked: &PreviewRequest,
        overlays: &[Overlay],
        left_out: Vec<String>,
    ) -> Self {
        let mut placed: Vec<Value> = overlays.iter().map(placed).collect();
        let size: usize = placed.iter().map(|one| one.to_string().len()).sum();
        if size > MAX_KEPT_BYTES {
            placed.clear();
        }
        Self {
            by: admin.actor.label.clone(),
            uses: placed,
            at: asked.at,
            left_out,
        }
    }

    /// As the ledger keeps it; `None` of a user's session.
    pub fn of(stored: Option<&Value>) -> Option<Self> {
        serde_json::from_value(stored?.clone()).ok()
    }

    /// The decision without the tools that were left out.
    pub fn leave_out(&self, decision: &mut Decision) {
        let left_out = |tool: &Tool| {
            let name = tool.name().unwrap_or_default();
            self.left_out.iter().any(|left| left == name)
        };
        let tools = decision.config.settings.tools.take();
        let kept = tools.map(|tools| tools.into_iter().filter(|tool| !left_out(tool)).collect());
        decision.config.settings.tools = kept.filter(|kept: &Vec<Tool>| !kept.is_empty());
    }
}

fn request_of(admin: &Admin) -> Option<RequestId> {
    let id = Uuid::try_parse(admin.request_id.as_deref()?).ok()?;
    Some(RequestId(id))
}

/// An overlay as [`Use::parse`] reads it back.
fn placed(overlay: &Overlay) -> Value {
    match overlay {
        Overlay::Draft { kind, key, content } => {
            json!({ "kind": kind.as_str(), "key": key.as_str(), "content": content })
        }
        Overlay::Version(VersionRow {
            kind, key, number, ..
        }) => json!({ "kind": kind.as_str(), "key": key, "version": number }),
    }
}

/// What was put in place, without the words of it.
fn named(used: &Use) -> Value {
    match used {
        Use::Draft(id) => json!({ "draft": id.0 }),
        Use::Version { kind, key, number } => {
            json!({ "kind": kind.as_str(), "key": key.as_str(), "version": number })
        }
        Use::Content { kind, key, .. } => {
            json!({ "kind": kind.as_str(), "key": key.as_str(), "version": DRAFT })
        }
    }
}
