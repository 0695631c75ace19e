//! Refused callers, with the reasons, for the admins of the tenant that they belong to.
//!
//! Refusals are counted in memory and written behind, all tenants' together, so that nobody can make the gateway write by being
//! refused. What they tell of themselves is claimed, not verified: a flood of made-up ones fills its tenant's few places for that
//! reason, and is counted in one row beyond.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use crate::auth::{Claimed, Refusal};
use crate::clock::Clock;
use crate::crypto::digest::sha256;
use crate::domain::ids::{RequestId, TenantId};
use crate::domain::text::clean_line;
use crate::store::refusals::RefusalRow;
use crate::store::{Database, StoreError, log_not_done};

/// Time between two writes to the database.
const EACH: Duration = Duration::from_secs(5);
/// Most different refusals of a tenant and reason between two writes; the others are counted together.
const DISTINCT: usize = 8;
/// Most different refusals of all tenants between two writes; the others are counted together by tenant and reason.
const DISTINCT_OF_ALL: usize = 1_000;
/// Most entries in memory. Beyond, refusals are in metrics and log alone.
const ENTRIES: usize = 2_000;
/// Most different refusals that are kept of a tenant and reason: the newest.
pub const KEPT: i64 = 20;
/// How long a refusal is kept after it last happened.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);
/// Longest origin, characters.
const MAX_ORIGIN_CHARS: usize = 200;
/// Refusals buffered for subscribers.
const WATCHED: usize = 64;

/// Why a caller was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    Token(Refusal),
    /// The issuer's keys are unavailable, so the token was not judged.
    KeysUnavailable,
    /// The issuer's introspection endpoint gave no answer, so the token was not judged.
    IntrospectionUnavailable,
    /// The page's origin is not among the tenant's.
    Origin,
    /// A quota is used up.
    Quota,
    /// More requests than a rate allows.
    TooOften,
    /// All places for conversations are taken.
    PlacesTaken,
}

impl RefusalReason {
    /// Stable name for the log, metrics and the API.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.as_label(),
            Self::KeysUnavailable => "keys_unavailable",
            Self::IntrospectionUnavailable => "introspection_unavailable",
            Self::Origin => "origin_not_allowed",
            Self::Quota => "quota_reached",
            Self::TooOften => "rate_limited",
            Self::PlacesTaken => "places_taken",
        }
    }

    pub fn all() -> impl Iterator<Item = Self> {
        let tokens = Refusal::ALL.iter().copied().map(Self::Token);
        tokens.chain([
            Self::KeysUnavailable,
            Self::IntrospectionUnavailable,
            Self::Origin,
            Self::Quota,
            Self::TooOften,
            Self::PlacesTaken,
        ])
    }

    pub fn named(label: &str) -> Option<Self> {
        Self::all().find(|why| why.as_label() == label)
    }

    /// What it means, in one sentence without a final stop.
    pub fn meaning(self) -> String {
        match self {
            Self::Token(refusal) => refusal.to_string(),
            Self::KeysUnavailable => "the issuer's signing keys can't be fetched".to_owned(),
            Self::IntrospectionUnavailable => {
                "the issuer's introspection endpoint gave no answer that can be used".to_owned()
            }
            Self::Origin => "the page's origin is not in the policy's allowedOrigins".to_owned(),
            Self::Quota => "a quota of sessions or minutes is used up".to_owned(),
            Self::TooOften => "there were more requests than a rate allows".to_owned(),
            Self::PlacesTaken => "all places for conversations are taken".to_owned(),
        }
    }

    /// What to do about it, in whole sentences.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.advice(),
            Self::KeysUnavailable => {
                "Look whether the issuer's key set can be reached; POST /v1/admin/issuers/{issuer}:check says what comes back."
            }
            Self::IntrospectionUnavailable => {
                "See what the endpoint answers: POST /v1/admin/issuers/{issuer}:check sends it a request. This is also the reason where it is slow, or gets more requests than auth.introspections_per_second."
            }
            Self::Origin => {
                "Add the origin to the policy's allowedOrigins if the page is yours: scheme, host and port must be the same."
            }
            Self::Quota => {
                "Raise `quotas` in the policy, or ask the gateway's operator where theirs is used up: GET /v1/admin/quotas says what is left."
            }
            Self::TooOften => {
                "See whether a page asks in a loop; else raise `limits` in the policy, or ask the gateway's operator."
            }
            Self::PlacesTaken => {
                "More conversations at once need a larger plan at Anam, or a larger share of the platform's: ask the gateway's operator."
            }
        }
    }
}

/// One refusal. Its texts are clean lines of at most 200 characters, empty where there is none.
#[derive(Debug, Clone)]
pub struct Refused {
    pub why: RefusalReason,
    /// What the token claims to be, and whose users it would name.
    pub claimed: Claimed,
    /// The page's origin.
    pub origin: String,
    pub request: Option<RequestId>,
}

impl Refused {
    /// Of a token.
    pub fn token(why: RefusalReason, claimed: Claimed, request: Option<RequestId>) -> Self {
        Self {
            why,
            claimed,
            origin: String::new(),
            request,
        }
    }

    /// Of a verified user, by a limit.
    pub fn limit(why: RefusalReason, tenant: TenantId, request: Option<RequestId>) -> Self {
        let claimed = Claimed {
            tenant: Some(tenant),
            ..Claimed::default()
        };
        Self::token(why, claimed, request)
    }

    /// A refused web origin.
    pub fn origin(tenant: Option<TenantId>, origin: &str, request: Option<RequestId>) -> Self {
        Self {
            why: RefusalReason::Origin,
            claimed: Claimed {
                tenant,
                ..Claimed::default()
            },
            origin: clean_line(origin, MAX_ORIGIN_CHARS).into_owned(),
            request,
        }
    }
}

/// Refusals with the same key are counted as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RefusalKey {
    tenant: TenantId,
    reason: &'static str,
    /// Issuer, audience, key id, origin; `None` for refusals that are counted together.
    details: Option<[String; 4]>,
}

#[derive(Debug, Clone, Copy)]
struct RefusalCount {
    count: i64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    request: Option<RequestId>,
}

impl RefusalCount {
    fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.first = self.first.min(more.first);
        if more.last >= self.last {
            (self.last, self.request) = (more.last, more.request);
        }
    }
}

/// Refusals counted since the last write.
#[derive(Debug, Default)]
struct Waiting {
    entries: HashMap<RefusalKey, RefusalCount>,
    /// How many of a tenant and reason are distinguished.
    distinct: HashMap<(TenantId, &'static str), usize>,
}

impl Waiting {
    fn add(&mut self, mut same: RefusalKey, seen: RefusalCount) {
        if let Some(known) = self.entries.get_mut(&same) {
            known.add(seen);
            return;
        }
        let reason = (same.tenant, same.reason);
        let distinct = self.distinct.get(&reason).copied().unwrap_or_default();
        if distinct >= DISTINCT || self.entries.len() >= DISTINCT_OF_ALL {
            same.details = None;
        }
        if let Some(others) = self.entries.get_mut(&same) {
            others.add(seen);
        } else if self.entries.len() < ENTRIES {
            if same.details.is_some() {
                self.distinct.insert(reason, distinct + 1);
            }
            self.entries.insert(same, seen);
        }
    }
}

/// Counts refusals. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    clock: Clock,
    waiting: Mutex<Waiting>,
    watcher: Mutex<Option<mpsc::Sender<Refused>>>,
    /// Held while writing.
    writing: tokio::sync::Mutex<()>,
}

impl Refusals {
    pub fn new(database: Database, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            database,
            clock,
            waiting: Mutex::default(),
            watcher: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Counts one. Callers of no tenant are reported only to subscribers.
    pub fn note(&self, refused: Refused) {
        if let Some(tenant) = refused.claimed.tenant {
            let now = self.0.clock.now();
            let Claimed {
                issuer,
                audience,
                kid,
                ..
            } = refused.claimed.clone();
            let same = RefusalKey {
                tenant,
                reason: refused.why.as_label(),
                details: Some([issuer, audience, kid, refused.origin.clone()]),
            };
            let seen = RefusalCount {
                count: 1,
                first: now,
                last: now,
                request: refused.request,
            };
            self.waiting().add(same, seen);
        }
        let watcher = self
            .0
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(watcher) = watcher.as_ref() {
            // A slow subscriber misses some.
            _ = watcher.try_send(refused);
        }
    }

    /// Sends every refusal from now on to one subscriber, including those of no tenant.
    pub fn watch(&self) -> mpsc::Receiver<Refused> {
        let (sender, receiver) = mpsc::channel(WATCHED);
        let mut watcher = self
            .0
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *watcher = Some(sender);
        receiver
    }

    /// Writes refusals until the process stops, and deletes old ones.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(EACH);
        let mut rounds = 0_u32;
        loop {
            ticks.tick().await;
            self.flush().await;
            // Once an hour.
            if rounds.is_multiple_of(720)
                && let Err(error) = self.forget().await
            {
                log_not_done(&error, "old refusals were not forgotten");
            }
            rounds = rounds.wrapping_add(1);
        }
    }

    /// Writes the counted refusals. They stay counted where the database does not take them.
    pub async fn flush(&self) {
        let _one_at_a_time = self.0.writing.lock().await;
        let taken = std::mem::take(&mut *self.waiting()).entries;
        if taken.is_empty() {
            return;
        }
        if let Err(error) = self.write(&taken).await {
            log_not_done(&error, "refusals were not written yet");
            let mut waiting = self.waiting();
            for (same, seen) in taken {
                waiting.add(same, seen);
            }
        }
    }

    async fn write(&self, taken: &HashMap<RefusalKey, RefusalCount>) -> Result<(), StoreError> {
        let rows: Vec<RefusalRow> = taken.iter().map(|(same, seen)| row(same, *seen)).collect();
        let mut tx = self.0.database.platform().await?;
        tx.note_refusals(&rows, KEPT).await?;
        tx.commit().await
    }

    async fn forget(&self) -> Result<(), StoreError> {
        let mut tx = self.0.database.platform().await?;
        tx.forget_refusals(self.0.clock.now() - KEPT_FOR).await?;
        tx.commit().await
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(same: &RefusalKey, seen: RefusalCount) -> RefusalRow {
    let fingerprint = match &same.details {
        Some(details) => sha256(details.join("\n").as_bytes()).to_vec(),
        None => Vec::new(),
    };
    let [issuer, audience, kid, origin] = same.details.clone().unwrap_or_default();
    RefusalRow {
        tenant: same.tenant,
        reason: same.reason.to_owned(),
        fingerprint,
        issuer,
        audience,
        kid,
        origin,
        count: seen.count,
        first_at: seen.first,
        last_at: seen.last,
        request: seen.request,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn add(waiting: &mut Waiting, tenant: u128, kid: usize) {
        let now = DateTime::UNIX_EPOCH;
        let same = RefusalKey {
            tenant: TenantId(Uuid::from_u128(tenant)),
            reason: "unknown_key",
            details: Some([String::new(), String::new(), kid.to_string(), String::new()]),
        };
        let seen = RefusalCount {
            count: 1,
            first: now,
            last: now,
            request: None,
        };
        waiting.add(same, seen);
    }

    #[test]
    fn a_flood_takes_few_places_and_is_counted_to_the_last() {
        let mut waiting = Waiting::default();
        for kid in 0..10_000 {
            add(&mut waiting, 1, kid);
        }
        add(&mut waiting, 2, 1);
        assert_eq!(waiting.entries.len(), DISTINCT + 2);
        let of_one = waiting
            .entries
            .iter()
            .filter(|(same, _)| same.tenant.0.as_u128() == 1);
        assert_eq!(of_one.map(|(_, seen)| seen.count).sum::<i64>(), 10_000);
    }

    #[test]
    fn a_flood_at_many_tenants_is_bounded_too() {
        let mut waiting = Waiting::default();
        for at in 0..100_000 {
            add(&mut waiting, u128::try_from(at % 5_000).unwrap(), at);
        }
        assert_eq!(waiting.entries.len(), ENTRIES);
    }

    #[test]
    fn every_reason_has_a_name_of_its_own_that_finds_it() {
        for refusal in Refusal::ALL {
            let why = RefusalReason::Token(*refusal);
            assert_eq!(RefusalReason::named(why.as_label()), Some(why));
            assert!(why.advice().ends_with('.') && !why.meaning().ends_with('.'));
        }
        for why in [
            RefusalReason::KeysUnavailable,
            RefusalReason::IntrospectionUnavailable,
            RefusalReason::Origin,
        ] {
            assert_eq!(RefusalReason::named(why.as_label()), Some(why));
            assert!(why.advice().ends_with('.') && !why.meaning().ends_with('.'));
        }
        assert_eq!(RefusalReason::named("others"), None);
    }
}
