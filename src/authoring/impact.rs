//! The impact of a change: recent sessions are decided again, as things are and with drafts or versions in place.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::preview::changes;
use super::scenario::{Rollouts, Scenario, ScenarioRows};
use super::uses::{self, Use};
use crate::domain::caller::{Caller, Subject};
use crate::domain::decide::{Decision, Moment, Undecided};
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::request::MintRequest;
use crate::store::Database;
use crate::store::recent_sessions::RecentSession;
use crate::store::time_range::TimeRange;
use crate::tenants::refusal::Refusal;

/// Default number of sessions of a study.
pub const DEFAULT_SESSIONS: usize = 500;
/// Most sessions of a study.
pub const MAX_SESSIONS: i64 = 2_000;
/// Sessions that are decided in one step.
const AT_ONCE: usize = 50;
/// Most sessions that are listed as examples of one kind of change.
const EXAMPLES: usize = 5;
/// Most kinds of change that are distinguished.
const MAX_KINDS: usize = 50;
/// Most rules and arms that are counted one by one in an answer.
const MAX_REACHED: usize = 500;

/// The result of a study.
#[derive(Debug, Default)]
pub struct Impact {
    /// How many sessions were decided again.
    pub considered: usize,
    /// Sessions whose inputs could not be read.
    pub unreadable: usize,
    /// Sessions for which Anam would get something else.
    pub changed: usize,
    /// The oldest session that was looked at.
    pub oldest: Option<DateTime<Utc>>,
    /// Kinds of change, the most frequent first; at most 50.
    pub kinds: Vec<Kind>,
    /// What decides these sessions now, the most frequent first; at most 500.
    pub before: Vec<Reached>,
    /// What would decide them.
    pub after: Vec<Reached>,
}

/// A rule, or an arm of its split, that decides sessions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct By {
    /// The key of the context that was used.
    pub context: Key,
    /// The rule's position; `None` for the default of the context.
    pub rule: Option<usize>,
    /// The arm's position; `None` where there is no split.
    pub arm: Option<usize>,
    pub persona: Key,
}

/// How many sessions something decides.
#[derive(Debug)]
pub struct Reached {
    pub by: By,
    pub count: usize,
}

/// One kind of change.
#[derive(Debug)]
pub struct Kind {
    /// What these sessions get now.
    pub from: Outcome,
    pub to: Outcome,
    /// What Anam gets differently, as pointers into its request. Empty where one of the two is no decision.
    pub fields: Vec<String>,
    /// How many sessions.
    pub count: usize,
    /// Some of them, the newest.
    pub sessions: Vec<SessionId>,
}

/// What a session gets, in short.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A persona.
    Decided {
        /// The key of the context that was used.
        context: Key,
        persona: Key,
        /// Its version; [`super::scenario::DRAFT`] for a draft.
        version: i32,
    },
    /// No persona, and the reason.
    Undecided(String),
}

/// A study of sessions, a few at a time: between two steps it yields its thread, and holds no connection.
#[derive(Debug)]
pub struct Study {
    database: Database,
    tenant: TenantId,
    live: Scenario,
    changed: Scenario,
    context: Option<Key>,
    /// The position in the list; `None` at its end.
    stretch: Option<TimeRange>,
    before: Option<SessionId>,
    left: usize,
    counted: ImpactCounter,
}

impl Study {
    /// Begins: the newest `sessions` sessions will be decided again, of one context where it is named.
    pub async fn begin(
        database: Database,
        tenant: TenantId,
        uses: &[Use],
        context: Option<Key>,
        sessions: usize,
    ) -> Result<Self, Refusal> {
        let mut tx = database.tenant(tenant).await?;
        let now = tx.moment().await?;
        let changed = uses::read(&mut tx, now, "/use", uses).await?;
        let live = ScenarioRows::read(&mut tx, now, Vec::new(), Rollouts::ByUser).await?;
        tx.commit().await?;
        Ok(Self {
            database,
            tenant,
            live: live.build()?,
            changed: changed.build()?,
            context,
            stretch: Some(TimeRange::newest(now)),
            before: None,
            left: sessions,
            counted: ImpactCounter::default(),
        })
    }

    /// Decides some more; false once all were.
    pub async fn go_on(&mut self) -> Result<bool, Refusal> {
        let Some(stretch) = self.stretch.filter(|_| self.left > 0) else {
            return Ok(false);
        };
        let asked = self.left.min(AT_ONCE);
        let limit = i64::try_from(asked).unwrap_or_default();
        let mut tx = self.database.tenant(self.tenant).await?;
        let context = self.context.as_ref().map(Key::as_str);
        let rows = tx
            .recent_sessions(stretch, context, self.before, limit)
            .await?;
        tx.commit().await?;
        for row in &rows {
            self.counted.count(row, &self.live, &self.changed);
        }
        self.left = self.left.saturating_sub(rows.len());
        if rows.len() == asked {
            self.before = rows.last().map(|row| row.session);
        } else {
            (self.stretch, self.before) = (stretch.older(), None);
        }
        Ok(self.stretch.is_some() && self.left > 0)
    }

    pub fn finish(self) -> Impact {
        self.counted.finish()
    }
}

/// Outcome before, outcome after, and the fields that differ.
type Transition = (Outcome, Outcome, Vec<String>);
/// The number of sessions, and some of them.
type Affected = (usize, Vec<SessionId>);

#[derive(Debug, Default)]
struct ImpactCounter {
    impact: Impact,
    kinds: BTreeMap<Transition, Affected>,
    before: BTreeMap<By, usize>,
    after: BTreeMap<By, usize>,
}

impl ImpactCounter {
    fn count(&mut self, row: &RecentSession, live: &Scenario, changed: &Scenario) {
        self.impact.oldest = Some(row.at);
        let Some(inputs) = Inputs::read(row, live) else {
            self.impact.unreadable += 1;
            return;
        };
        self.impact.considered += 1;
        let (from, to) = (inputs.decide(live), inputs.decide(changed));
        for (outcome, counts) in [(&from, &mut self.before), (&to, &mut self.after)] {
            if let Ok(decision) = outcome {
                *counts.entry(By::of(decision)).or_default() += 1;
            }
        }
        let fields = match (&from, &to) {
            (Ok(from), Ok(to)) => {
                let is_same = from.config == to.config
                    && from.session_options == to.session_options
                    && (&from.context, &from.persona) == (&to.context, &to.persona);
                if is_same {
                    return;
                }
                let differing = changes(from, to).into_iter();
                differing.map(|change| change.pointer).collect()
            }
            (Err(from), Err(to)) if from == to => return,
            _ => Vec::new(),
        };
        self.impact.changed += 1;
        let kind = (
            Outcome::from_decision(&from),
            Outcome::from_decision(&to),
            fields,
        );
        let (count, examples) = self.kinds.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(row.session);
        }
    }

    fn finish(mut self) -> Impact {
        let mut kinds: Vec<Kind> = self
            .kinds
            .into_iter()
            .map(|((from, to, fields), (count, sessions))| Kind {
                from,
                to,
                fields,
                count,
                sessions,
            })
            .collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        kinds.truncate(MAX_KINDS);
        self.impact.kinds = kinds;
        self.impact.before = reached(self.before);
        self.impact.after = reached(self.after);
        self.impact
    }
}

fn reached(counts: BTreeMap<By, usize>) -> Vec<Reached> {
    let counts = counts.into_iter().map(|(by, count)| Reached { by, count });
    let mut reached: Vec<_> = counts.collect();
    reached.sort_by_key(|reached| std::cmp::Reverse(reached.count));
    reached.truncate(MAX_REACHED);
    reached
}

impl By {
    fn of(decision: &Decision) -> Self {
        let trace = &decision.trace;
        let holds = trace
            .rules
            .iter()
            .position(|tried| tried.failed_clause.is_none());
        Self {
            context: decision.context.clone(),
            rule: holds,
            arm: trace.split.as_ref().map(|split| split.arm),
            persona: decision.persona.clone(),
        }
    }
}

impl Outcome {
    fn from_decision(outcome: &Result<Decision, Undecided>) -> Self {
        match outcome {
            Ok(decision) => Self::Decided {
                context: decision.context.clone(),
                persona: decision.persona.clone(),
                version: decision.version,
            },
            Err(undecided) => Self::Undecided(undecided.to_string()),
        }
    }
}

/// What a session was decided from.
struct Inputs {
    caller: Caller,
    preferences: Preferences,
    request: MintRequest,
    moment: Moment,
}

impl Inputs {
    /// `None` where a row is not as `sessions/record.rs` writes it.
    fn read(row: &RecentSession, scenario: &Scenario) -> Option<Self> {
        let member = |name: &str| row.inputs.get(name).cloned().unwrap_or_default();
        let preferences: Map<String, Value> = serde_json::from_value(member("preferences")).ok()?;
        let metadata: Map<String, Value> = serde_json::from_value(member("metadata")).ok()?;
        Some(Self {
            caller: Caller {
                tenant: scenario.snapshot.tenant,
                issuer: row.issuer,
                subject: Subject::parse(&row.subject)?,
                facts: serde_json::from_value(member("facts")).ok()?,
                left_out: serde_json::from_value(member("leftOut")).unwrap_or_default(),
            },
            preferences: Preferences::from_stored(preferences),
            request: MintRequest {
                context: serde_json::from_value(member("context")).ok()?,
                metadata: metadata.into(),
            },
            moment: Moment {
                now: row.at,
                session: row.session,
            },
        })
    }

    fn decide(&self, scenario: &Scenario) -> Result<Decision, Undecided> {
        scenario.decide(&self.caller, &self.preferences, &self.request, self.moment)
    }
}
