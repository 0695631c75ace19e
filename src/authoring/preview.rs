//! What a user would get, with drafts or versions in place. Nothing is minted, and nothing recorded.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::scenario::{NO_SESSION, Scenario};
use super::uses::{self, Use};
use crate::anam::wire::MintBody;
use crate::domain::decide::{Decision, Moment, Undecided};
use crate::domain::diff::{self, Change};
use crate::domain::ids::TenantId;
use crate::domain::kept_test::TestUser;
use crate::domain::request::MintRequest;
use crate::store::Database;
use crate::tenants::refusal::Refusal;

#[derive(Debug)]
pub struct PreviewRequest {
    /// What is put in place of what is live.
    pub uses: Vec<Use>,
    /// What the outcome is compared with: nothing put in place is what is live.
    pub against: Option<Vec<Use>>,
    pub user: TestUser,
    pub request: MintRequest,
    /// When; now, unless it is given.
    pub at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub struct Preview {
    /// The decision with `uses` in place.
    pub outcome: Result<Decision, Undecided>,
    /// The other outcome, and what differs.
    pub against: Option<PreviewBaseline>,
}

/// An outcome that another is compared with.
#[derive(Debug)]
pub struct PreviewBaseline {
    /// The decision with `against` in place.
    pub outcome: Result<Decision, Undecided>,
    /// What Anam gets differently; empty where it is the same, or where one of the two is no decision.
    pub changes: Vec<Change>,
    /// The two prompts line by line as a unified diff; `None` where they are the same.
    pub prompt: Option<String>,
}

/// Decides a preview. What it needs is read first: nothing of the database is held while it is tried.
pub async fn preview(
    database: &Database,
    tenant: TenantId,
    asked: &PreviewRequest,
) -> Result<Preview, Refusal> {
    let mut tx = database.tenant(tenant).await?;
    let at = match asked.at {
        Some(at) => at,
        None => tx.moment().await?,
    };
    let with = uses::read(&mut tx, at, "/use", &asked.uses).await?;
    let against = match &asked.against {
        None => None,
        Some(uses) => Some(uses::read(&mut tx, at, "/against", uses).await?),
    };
    tx.commit().await?;
    let outcome = outcome(&with.build()?, asked, at)?;
    let against = match against {
        None => None,
        Some(rows) => Some(compare(self::outcome(&rows.build()?, asked, at)?, &outcome)),
    };
    Ok(Preview { outcome, against })
}

fn outcome(
    scenario: &Scenario,
    asked: &PreviewRequest,
    now: DateTime<Utc>,
) -> Result<Result<Decision, Undecided>, Refusal> {
    let user = scenario.user(&asked.user).ok_or(Refusal::NotFound)?;
    let moment = Moment {
        now,
        session: NO_SESSION,
    };
    let caller = user.caller(scenario.snapshot.tenant);
    Ok(scenario.decide(&caller, &user.preferences, &asked.request, moment))
}

fn compare(
    before: Result<Decision, Undecided>,
    after: &Result<Decision, Undecided>,
) -> PreviewBaseline {
    let (changes, prompt) = match (&before, after) {
        (Ok(before), Ok(after)) => (
            changes(before, after),
            diff::lines(&before.config.system_prompt, &after.config.system_prompt),
        ),
        _ => (Vec::new(), None),
    };
    PreviewBaseline {
        outcome: before,
        changes,
        prompt,
    }
}

/// What Anam would be sent for a decision, byte for byte but for the session's id.
pub fn anam_request(decision: &Decision) -> Map<String, Value> {
    let body = MintBody {
        client_label: NO_SESSION.to_string(),
        persona_config: &decision.config,
        session_options: &decision.session_options,
    };
    match json!(body) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What Anam would get differently.
pub(super) fn changes(before: &Decision, after: &Decision) -> Vec<Change> {
    // What Anam gets is far smaller than what can be compared.
    diff::diff(&anam_request(before), &anam_request(after)).unwrap_or_default()
}
