//! Whom a change would reach: recent sessions are decided anew, as things are and with drafts or versions in place.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::preview::changes;
use super::uses::{self, Use};
use super::world::{Rollouts, World, WorldRows};
use crate::domain::caller::{Caller, Subject};
use crate::domain::decide::{Decision, Moment, Undecided};
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::request::MintRequest;
use crate::store::Database;
use crate::store::recent_sessions::RecentSession;
use crate::store::stretch::Stretch;
use crate::tenants::refusal::Refusal;

/// Sessions that are looked at, unless somebody says how many.
pub const DEFAULT_SESSIONS: usize = 500;
/// Most sessions that are looked at.
pub const MAX_SESSIONS: i64 = 2_000;
/// Sessions that are decided in one step.
const AT_ONCE: usize = 50;
/// Sessions that are named as examples of one kind of change.
const EXAMPLES: usize = 5;
/// Kinds of change that are told apart.
const MAX_KINDS: usize = 50;

/// Whom it would reach.
#[derive(Debug, Default)]
pub struct Impact {
    /// Sessions that were decided anew.
    pub considered: usize,
    /// Sessions whose inputs could not be read.
    pub unreadable: usize,
    /// Sessions for which Anam would get something else.
    pub changed: usize,
    /// The oldest session that was looked at.
    pub oldest: Option<DateTime<Utc>>,
    /// What becomes of what, the most frequent first; at most 50 kinds.
    pub kinds: Vec<Kind>,
}

/// One kind of change.
#[derive(Debug)]
pub struct Kind {
    /// What these sessions get as things are.
    pub from: Outcome,
    /// What they would get.
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
        /// The context that answered.
        context: Key,
        /// The persona.
        persona: Key,
        /// Its version; [`super::world::DRAFT`] for a draft.
        version: i32,
    },
    /// Nothing, and why.
    Undecided(String),
}

/// Sessions under study, a few at a time: between two steps others get their turn, and nothing of the database is held.
#[derive(Debug)]
pub struct Study {
    database: Database,
    tenant: TenantId,
    live: World,
    changed: World,
    context: Option<Key>,
    /// Where it is; `None` when all were seen.
    stretch: Option<Stretch>,
    before: Option<SessionId>,
    left: usize,
    counted: Counted,
}

impl Study {
    /// Begins: the newest `sessions` sessions will be decided anew, of one context where it is named.
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
        let live = WorldRows::read(&mut tx, now, Vec::new(), Rollouts::ByUser).await?;
        tx.commit().await?;
        Ok(Self {
            database,
            tenant,
            live: live.build()?,
            changed: changed.build()?,
            context,
            stretch: Some(Stretch::newest(now)),
            before: None,
            left: sessions,
            counted: Counted::default(),
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

    /// What was found.
    pub fn finish(self) -> Impact {
        self.counted.finish()
    }
}

/// From what, to what, and which fields differ.
type Became = (Outcome, Outcome, Vec<String>);
/// How many sessions, and some of them.
type Met = (usize, Vec<SessionId>);

#[derive(Debug, Default)]
struct Counted {
    impact: Impact,
    kinds: BTreeMap<Became, Met>,
}

impl Counted {
    fn count(&mut self, row: &RecentSession, live: &World, changed: &World) {
        self.impact.oldest = Some(row.at);
        let Some(inputs) = Inputs::read(row, live) else {
            self.impact.unreadable += 1;
            return;
        };
        self.impact.considered += 1;
        let (from, to) = (inputs.decide(live), inputs.decide(changed));
        let fields = match (&from, &to) {
            (Ok(from), Ok(to)) => {
                let is_same = from.config == to.config
                    && from.session_options == to.session_options
                    && (&from.context, &from.persona) == (&to.context, &to.persona);
                if is_same {
                    return;
                }
                let told = changes(from, to).into_iter();
                told.map(|change| change.pointer).collect()
            }
            (Err(from), Err(to)) if from == to => return,
            _ => Vec::new(),
        };
        self.impact.changed += 1;
        let kind = (Outcome::of(&from), Outcome::of(&to), fields);
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
        self.impact
    }
}

impl Outcome {
    fn of(outcome: &Result<Decision, Undecided>) -> Self {
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
    fn read(row: &RecentSession, world: &World) -> Option<Self> {
        let member = |name: &str| row.inputs.get(name).cloned().unwrap_or_default();
        let preferences: Map<String, Value> = serde_json::from_value(member("preferences")).ok()?;
        let metadata: Map<String, Value> = serde_json::from_value(member("metadata")).ok()?;
        Some(Self {
            caller: Caller {
                tenant: world.snapshot.tenant,
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

    fn decide(&self, world: &World) -> Result<Decision, Undecided> {
        world.decide(&self.caller, &self.preferences, &self.request, self.moment)
    }
}
