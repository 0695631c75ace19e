//! How often each tenant asked of late.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::TenantId;

/// For how long requests are counted together.
const WINDOW: Duration = Duration::from_millis(250);
/// A tenant asks for far less than another if the other asks this many times as often.
const FAR_LESS: u32 = 8;
/// Fewer requests in a window are no flood, and chance makes a large difference between tenants that ask for as much.
const FLOOD: u32 = 16;

/// Requests of each tenant in the window that goes on, and in the one before.
#[derive(Debug)]
pub(super) struct Lately {
    now: HashMap<TenantId, u32>,
    before: HashMap<TenantId, u32>,
    /// Of one tenant in the window before.
    most: u32,
    since: Instant,
}

impl Lately {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: HashMap::new(),
            before: HashMap::new(),
            most: 0,
            since: now,
        }
    }

    pub(super) fn note(&mut self, tenant: TenantId, now: Instant) {
        let passed = now.duration_since(self.since);
        if passed >= WINDOW {
            self.before = std::mem::take(&mut self.now);
            if passed >= WINDOW * 2 {
                self.before.clear();
            }
            self.most = self.before.values().copied().max().unwrap_or(0);
            self.since = now;
        }
        let count = self.now.entry(tenant).or_default();
        *count = count.saturating_add(1);
    }

    fn before(&self, tenant: TenantId) -> u32 {
        self.before.get(&tenant).copied().unwrap_or(0)
    }

    /// Whether a tenant asks for far less than another.
    pub(super) fn is_calm(&self, tenant: TenantId) -> bool {
        self.most >= FLOOD && self.before(tenant).saturating_mul(FAR_LESS) <= self.most
    }

    /// Whether a tenant is one of those that ask for the most.
    pub(super) fn floods(&self, tenant: TenantId) -> bool {
        self.most >= FLOOD && self.before(tenant).saturating_mul(2) >= self.most
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    #[test]
    fn who_asks_far_less_often_than_another_is_calm_and_the_other_floods() {
        let mut now = Instant::now();
        let mut lately = Lately::new(now);
        for (counts, calm, flooding) in [
            (&[(1, 1_000)][..], &[2_u128][..], &[1_u128][..]),
            (&[(1, 100), (2, 12), (3, 13)], &[2], &[1]),
            (&[(1, 100), (2, 50), (3, 49)], &[], &[1, 2]),
            (&[(1, 30), (2, 30), (3, 30)], &[], &[1, 2, 3]),
            (&[(1, 15), (2, 1), (3, 1)], &[], &[]),
        ] {
            for (number, count) in counts {
                for _ in 0..*count {
                    lately.note(tenant(*number), now);
                }
            }
            now += WINDOW;
            // Who asks now is not among those of the window before.
            lately.note(tenant(9), now);
            let [is_calm, floods] = [Lately::is_calm, Lately::floods].map(|is| {
                let found = (1..4).filter(|number| is(&lately, tenant(*number)));
                found.collect::<Vec<_>>()
            });
            let absent = |number: &u128| counts.iter().all(|(known, _)| known != number);
            let asking = |found: Vec<u128>| -> Vec<u128> {
                let there = found.into_iter();
                there
                    .filter(|number| *number == 2 || !absent(number))
                    .collect()
            };
            assert_eq!(asking(is_calm), calm, "{counts:?}");
            assert_eq!(floods, flooding, "{counts:?}");
            now += WINDOW * 2;
            lately.note(tenant(9), now);
            assert!(!lately.is_calm(tenant(1)) && !lately.floods(tenant(1)));
            now += WINDOW * 2;
            lately.note(tenant(9), now);
        }
    }
}
