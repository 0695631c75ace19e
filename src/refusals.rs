//! Who was refused, and why, for the admins of the tenant whose users they would have been.
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

/// How often they are written.
const EACH: Duration = Duration::from_secs(5);
/// Different ones of a tenant and reason between two writings; the others are counted together.
const DISTINCT: usize = 8;
/// Different ones of all tenants between two writings; the others are counted together by tenant and reason.
const DISTINCT_OF_ALL: usize = 1_000;
/// Entries in memory at most. Beyond, refusals are in metrics and log alone.
const ENTRIES: usize = 2_000;
/// Different ones that are kept of a tenant and reason: the newest.
pub const KEPT: i64 = 20;
/// How long one is kept after it last happened.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);
/// Longest origin, characters.
const MAX_ORIGIN_CHARS: usize = 200;
/// Refusals that wait for whoever watches.
const WATCHED: usize = 64;

/// Why somebody was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The token.
    Token(Refusal),
    /// The issuer's keys can't be had, so the token was not judged.
    KeysUnavailable,
    /// The issuer's introspection endpoint gave no answer, so the token was not judged.
    IntrospectionUnavailable,
    /// The page's origin is not among the tenant's.
    Origin,
}

impl Why {
    /// Stable name for the log, metrics and the API.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.as_label(),
            Self::KeysUnavailable => "keys_unavailable",
            Self::IntrospectionUnavailable => "introspection_unavailable",
            Self::Origin => "origin_not_allowed",
        }
    }

    /// All reasons.
    pub fn all() -> impl Iterator<Item = Self> {
        let tokens = Refusal::ALL.iter().copied().map(Self::Token);
        tokens.chain([
            Self::KeysUnavailable,
            Self::IntrospectionUnavailable,
            Self::Origin,
        ])
    }

    /// The reason of this name.
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
                "Look what the endpoint answers: POST /v1/admin/issuers/{issuer}:check asks it. One that is slow, or asked more often than auth.introspections_per_second, is answered for so, too."
            }
            Self::Origin => {
                "Add the origin to the policy's allowedOrigins if the page is yours: scheme, host and port must be the same."
            }
        }
    }
}

/// One refusal. Its texts are clean lines of at most 200 characters, empty where there is none.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Why.
    pub why: Why,
    /// What the token claims to be, and whose users it would name.
    pub claimed: Claimed,
    /// The page's origin.
    pub origin: String,
    /// The request.
    pub request: Option<RequestId>,
}

impl Refused {
    /// Of a token.
    pub fn token(why: Why, claimed: Claimed, request: Option<RequestId>) -> Self {
        Self {
            why,
            claimed,
            origin: String::new(),
            request,
        }
    }

    /// Of a page.
    pub fn origin(tenant: Option<TenantId>, origin: &str, request: Option<RequestId>) -> Self {
        Self {
            why: Why::Origin,
            claimed: Claimed {
                tenant,
                ..Claimed::default()
            },
            origin: clean_line(origin, MAX_ORIGIN_CHARS).into_owned(),
            request,
        }
    }
}

/// What makes two refusals the same one, seen twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Same {
    tenant: TenantId,
    reason: &'static str,
    /// Issuer, audience, key id, origin; `None` of the others.
    details: Option<[String; 4]>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    count: i64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    request: Option<RequestId>,
}

impl Seen {
    fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.first = self.first.min(more.first);
        if more.last >= self.last {
            (self.last, self.request) = (more.last, more.request);
        }
    }
}

/// What was not written yet.
#[derive(Debug, Default)]
struct Waiting {
    entries: HashMap<Same, Seen>,
    /// How many of a tenant and reason are told apart.
    distinct: HashMap<(TenantId, &'static str), usize>,
}

impl Waiting {
    fn add(&mut self, mut same: Same, seen: Seen) {
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
    /// None yet.
    pub fn new(database: Database, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            database,
            clock,
            waiting: Mutex::default(),
            watcher: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Counts one. Of somebody who would be no tenant's user there is nobody to tell but whoever watches.
    pub fn note(&self, refused: Refused) {
        if let Some(tenant) = refused.claimed.tenant {
            let now = self.0.clock.now();
            let Claimed {
                issuer,
                audience,
                kid,
                ..
            } = refused.claimed.clone();
            let same = Same {
                tenant,
                reason: refused.why.as_label(),
                details: Some([issuer, audience, kid, refused.origin.clone()]),
            };
            let seen = Seen {
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
            // Whoever watches too slowly misses some.
            _ = watcher.try_send(refused);
        }
    }

    /// Gives every refusal from now on to one watcher, those too that belong to no tenant.
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

    /// Writes for ever, and forgets what is old.
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

    /// Writes what waits. Where the database does not take it, it waits on.
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

    async fn write(&self, taken: &HashMap<Same, Seen>) -> Result<(), StoreError> {
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

fn row(same: &Same, seen: Seen) -> RefusalRow {
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
        let same = Same {
            tenant: TenantId(Uuid::from_u128(tenant)),
            reason: "unknown_key",
            details: Some([String::new(), String::new(), kid.to_string(), String::new()]),
        };
        let seen = Seen {
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
            let why = Why::Token(*refusal);
            assert_eq!(Why::named(why.as_label()), Some(why));
            assert!(why.advice().ends_with('.') && !why.meaning().ends_with('.'));
        }
        for why in [
            Why::KeysUnavailable,
            Why::IntrospectionUnavailable,
            Why::Origin,
        ] {
            assert_eq!(Why::named(why.as_label()), Some(why));
            assert!(why.advice().ends_with('.') && !why.meaning().ends_with('.'));
        }
        assert_eq!(Why::named("others"), None);
    }
}
