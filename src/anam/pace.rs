//! How many tokens of one tenant may be asked for at the same time while Anam is slow: fewer, so that it can catch up, and whoever is one
//! too many learns it at once instead of after a long wait.
//!
//! An answer is slow if it takes a second longer than twice the shortest of late. So a slowness that has nothing to do with how much is
//! asked is the usual pace after a minute, and nobody is refused for it any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ids::TenantId;

/// An answer is slow if it takes this much longer than twice the shortest.
const SLACK: Duration = Duration::from_secs(1);
/// How long the shortest is remembered, at least.
const OF_LATE: Duration = Duration::from_secs(30);
/// A tenant's limit is changed this often at most.
const PULSE: Duration = Duration::from_millis(100);
/// Where it begins, and so the most that it ever is; and the least.
const LIMITS: (usize, usize) = (256, 16);
/// What is known of a tenant that asked for nothing in this time is forgotten.
const STALE: Duration = Duration::from_mins(1);
/// When whoever is one too many may try again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Anam's pace, and the tenants that it is slow for. Those alone are kept, so at peace a mint takes no lock.
#[derive(Debug)]
pub(super) struct Pace {
    shortest: Shortest,
    kept: AtomicUsize,
    slowed: Mutex<HashMap<TenantId, Flow>>,
}

/// The shortest answer of late.
#[derive(Debug)]
struct Shortest {
    base: Instant,
    /// When the present time began, milliseconds after `base`.
    began: AtomicU64,
    /// Microseconds; in the present time, and in the one before.
    now: AtomicU64,
    before: AtomicU64,
}

/// How many of one tenant are asked for, and may be.
#[derive(Debug)]
struct Flow {
    asking: usize,
    limit: usize,
    changed: Instant,
}

/// A token that is asked for.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pace: &'a Pace,
    tenant: TenantId,
    /// Whether it is among those that are counted.
    is_counted: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            shortest: Shortest {
                base: Instant::now(),
                began: AtomicU64::new(0),
                now: AtomicU64::new(u64::MAX),
                before: AtomicU64::new(u64::MAX),
            },
            kept: AtomicUsize::new(0),
            slowed: Mutex::default(),
        }
    }
}

impl Shortest {
    /// Notes an answer, and says whether it is slow. Only those with a token tell the usual pace: a refusal is quick, and one tenant's bad key
    /// must not make others' answers slow.
    fn note(&self, took: Duration, has_token: bool, now: Instant) -> bool {
        let at = millis(now.saturating_duration_since(self.base));
        let began = self.began.load(Ordering::Relaxed);
        let is_over = at.saturating_sub(began) >= millis(OF_LATE);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if has_token
            && is_over
            && self
                .began
                .compare_exchange(began, at, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            let last = self.now.swap(took, Ordering::Relaxed);
            self.before.store(last, Ordering::Relaxed);
        }
        if has_token {
            self.now.fetch_min(took, Ordering::Relaxed);
        }
        let shortest = self.now.load(Ordering::Relaxed);
        let shortest = shortest.min(self.before.load(Ordering::Relaxed));
        let slack = u64::try_from(SLACK.as_micros()).unwrap_or(u64::MAX);
        took > shortest.saturating_mul(2).saturating_add(slack)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Flow {
    fn new(now: Instant) -> Self {
        Self {
            asking: 0,
            limit: LIMITS.0,
            changed: now.checked_sub(PULSE).unwrap_or(now),
        }
    }

    fn note(&mut self, is_slow: bool, now: Instant) {
        if now.saturating_duration_since(self.changed) < PULSE {
            return;
        }
        self.changed = now;
        self.limit = if is_slow {
            (self.limit - self.limit / 4).max(LIMITS.1)
        } else {
            (self.limit + self.limit / 8).min(LIMITS.0)
        };
    }

    /// Whether nothing is to be remembered.
    fn is_as_new(&self) -> bool {
        self.limit == LIMITS.0 && self.asking == 0
    }
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Flow>> {
        self.slowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a tenant has as many under way as it may now.
    pub(super) fn is_full(&self, tenant: TenantId) -> bool {
        self.kept.load(Ordering::Acquire) > 0
            && self
                .lock()
                .get(&tenant)
                .is_some_and(|flow| flow.asking >= flow.limit)
    }

    /// Counts one in; `None` where there are as many as there may be.
    pub(super) fn begin(&self, tenant: TenantId) -> Option<Asking<'_>> {
        let mut is_counted = false;
        if self.kept.load(Ordering::Acquire) > 0
            && let Some(flow) = self.lock().get_mut(&tenant)
        {
            if flow.asking >= flow.limit {
                return None;
            }
            flow.asking += 1;
            is_counted = true;
        }
        Some(Asking {
            pace: self,
            tenant,
            is_counted,
        })
    }

    fn note(&self, tenant: TenantId, took: Duration, has_token: bool, now: Instant) {
        let is_slow = self.shortest.note(took, has_token, now);
        if !is_slow && self.kept.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut slowed = self.lock();
        let flow = if is_slow {
            Some(slowed.entry(tenant).or_insert_with(|| Flow::new(now)))
        } else {
            slowed.get_mut(&tenant)
        };
        if let Some(flow) = flow {
            flow.note(is_slow, now);
            if flow.is_as_new() {
                slowed.remove(&tenant);
            }
        }
        self.kept.store(slowed.len(), Ordering::Release);
    }

    /// Forgets tenants that ask for nothing any more.
    pub(super) fn forget_idle(&self) {
        let mut slowed = self.lock();
        slowed.retain(|_, flow| flow.asking > 0 || flow.changed.elapsed() < STALE);
        slowed.shrink_to_fit();
        self.kept.store(slowed.len(), Ordering::Release);
    }
}

impl Asking<'_> {
    /// Anam answered, or did not in time.
    pub(super) fn took(self, took: Duration, has_token: bool) {
        let (pace, tenant) = (self.pace, self.tenant);
        drop(self);
        pace.note(tenant, took, has_token, Instant::now());
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.is_counted
            && let Some(flow) = self.pace.lock().get_mut(&self.tenant)
        {
            flow.asking = flow.asking.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const QUICK: Duration = Duration::from_millis(50);
    const SLOW: Duration = Duration::from_secs(3);

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    /// Tells a pace of an answer each pulse.
    fn tell(pace: &Pace, now: &mut Instant, took: Duration, times: u32) {
        for _ in 0..times {
            *now += PULSE;
            pace.note(tenant(1), took, true, *now);
        }
    }

    fn limit(pace: &Pace) -> Option<usize> {
        pace.lock().get(&tenant(1)).map(|flow| flow.limit)
    }

    #[test]
    fn fewer_are_let_in_while_anam_is_slow_and_all_again_when_it_is_not() {
        let (pace, mut now) = (Pace::default(), Instant::now());
        tell(&pace, &mut now, QUICK, 10);
        assert_eq!(limit(&pace), None, "at peace nothing is kept");
        tell(&pace, &mut now, SLOW, 60);
        assert_eq!(limit(&pace), Some(LIMITS.1));
        let all: Vec<_> = (0..LIMITS.1).map(|_| pace.begin(tenant(1))).collect();
        assert!(all.iter().all(Option::is_some));
        assert!(pace.is_full(tenant(1)) && pace.begin(tenant(1)).is_none());
        assert!(
            pace.begin(tenant(2)).is_some(),
            "another tenant's is another matter"
        );
        drop(all);
        assert!(!pace.is_full(tenant(1)));
        tell(&pace, &mut now, QUICK, 60);
        assert_eq!(limit(&pace), None);
    }

    #[test]
    fn what_was_slow_is_usual_after_a_minute() {
        let (pace, mut now) = (Pace::default(), Instant::now());
        tell(&pace, &mut now, QUICK, 1);
        tell(&pace, &mut now, SLOW, 100);
        assert_eq!(limit(&pace), Some(LIMITS.1));
        tell(&pace, &mut now, SLOW, 600);
        assert_eq!(limit(&pace), None);
    }

    #[test]
    fn quick_refusals_of_one_make_nobodys_answers_slow() {
        let (pace, mut now) = (Pace::default(), Instant::now());
        let usual = Duration::from_millis(900);
        tell(&pace, &mut now, usual, 1);
        pace.note(tenant(2), Duration::from_millis(1), false, now);
        tell(&pace, &mut now, usual * 2, 10);
        assert_eq!(limit(&pace), None);
    }

    proptest! {
        /// Whatever comes, a tenant has at least a few under way, never more than may be, and nothing is left when all are over.
        #[test]
        fn the_limit_stays_within_its_bounds(steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..300_u64), 0..200)) {
            let (pace, mut now) = (Pace::default(), Instant::now());
            pace.note(tenant(1), QUICK, true, now);
            let mut under_way = Vec::new();
            for (begins, is_slow, pause) in steps {
                now += Duration::from_millis(pause);
                if begins {
                    under_way.extend(pace.begin(tenant(1)));
                } else {
                    drop(under_way.pop());
                    pace.note(tenant(1), if is_slow { SLOW } else { QUICK }, true, now);
                }
                if let Some(flow) = pace.lock().get(&tenant(1)) {
                    prop_assert!((LIMITS.1..=LIMITS.0).contains(&flow.limit));
                    prop_assert!(flow.asking <= under_way.len());
                }
            }
            under_way.clear();
            tell(&pace, &mut now, QUICK, 60);
            prop_assert_eq!(limit(&pace), None);
        }
    }
}
