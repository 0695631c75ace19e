//! How often each tenant asked of late.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;
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
    now: Window,
    before: Window,
    since: Instant,
}

#[derive(Debug, Default)]
struct Window {
    asked: HashMap<TenantId, u32>,
    /// Of one tenant.
    most: u32,
}

impl Window {
    fn add(&mut self, tenant: TenantId, count: u32) {
        let asked = self.asked.entry(tenant).or_default();
        *asked = asked.saturating_add(count);
        self.most = self.most.max(*asked);
    }

    fn of(&self, tenant: TenantId) -> u32 {
        self.asked.get(&tenant).copied().unwrap_or(0)
    }
}

impl Lately {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: Window::default(),
            before: Window::default(),
            since: now,
        }
    }

    /// Whether the window is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= WINDOW
    }

    /// Begins the next window. Who waits since the last one asks for that in this one too.
    pub(super) fn begin_next(
        &mut self,
        waiting: impl Iterator<Item = (TenantId, usize)>,
        now: Instant,
    ) {
        self.before = std::mem::take(&mut self.now);
        if now.duration_since(self.since) >= WINDOW * 2 {
            self.before = Window::default();
        }
        for (tenant, count) in waiting {
            self.now
                .add(tenant, u32::try_from(count).unwrap_or(u32::MAX));
        }
        self.since = now;
    }

    pub(super) fn note(&mut self, tenant: TenantId) {
        self.now.add(tenant, 1);
    }

    fn most(&self) -> u32 {
        self.now.most.max(self.before.most)
    }

    /// Whether one asks for so much that it may be far more than another.
    pub(super) fn has_flood(&self) -> bool {
        self.most() >= FLOOD
    }

    /// Whether a tenant asks for far less than another.
    pub(super) fn is_calm(&self, tenant: TenantId) -> bool {
        let asks = self.now.of(tenant).max(self.before.of(tenant));
        self.has_flood() && asks.saturating_mul(FAR_LESS) <= self.most()
    }

    /// As fast as all others asked who are not calm; never slower than one in `longest`.
    pub(super) fn pace(&self, longest: Duration, now: Instant) -> Option<Pace> {
        let passed = now.duration_since(self.since).max(WINDOW / 4);
        let of = |window: &Window, time| {
            let asked = window.asked.iter();
            let others = asked.filter(|(tenant, _)| !self.is_calm(**tenant));
            let all = others.fold(0_u32, |all, (_, asked)| all.saturating_add(*asked));
            (all > 0).then(|| Pace::new(all, time, longest, now))
        };
        of(&self.before, WINDOW).or_else(|| of(&self.now, passed))
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
    fn who_asks_far_less_often_than_another_is_calm_also_in_the_window_after() {
        for (counts, calm) in [
            (&[1_000_u32, 0][..], &[2_u128][..]),
            (&[100, 12, 13], &[2]),
            (&[100, 50, 49], &[]),
            (&[30, 30, 30], &[]),
            (&[15, 1, 1], &[]),
        ] {
            let mut now = Instant::now();
            let mut lately = Lately::new(now);
            for (number, count) in (1..).zip(counts) {
                for _ in 0..*count {
                    lately.note(tenant(number));
                }
            }
            let all = || (1..).take(counts.len());
            for windows in [0_u32, 1, 2] {
                let expected = if windows < 2 { calm } else { &[] };
                let found: Vec<_> = all()
                    .filter(|number| lately.is_calm(tenant(*number)))
                    .collect();
                assert_eq!(found, expected, "{counts:?}, {windows} later");
                now += WINDOW;
                assert!(lately.is_over(now));
                lately.begin_next(std::iter::empty(), now);
            }
        }
    }

    #[test]
    fn who_waits_asks_for_that_too_and_a_pause_forgets_it() {
        let mut now = Instant::now();
        let mut lately = Lately::new(now);
        lately.note(tenant(2));
        assert!(!lately.has_flood());
        now += WINDOW;
        lately.begin_next([(tenant(1), 64)].into_iter(), now);
        assert!(lately.is_calm(tenant(2)) && !lately.is_calm(tenant(1)));
        let pace = lately.pace(WINDOW, now).unwrap();
        assert!((900..1_100).contains(&pace.per_second()), "{pace:?}");
        now += WINDOW * 2;
        lately.begin_next(std::iter::empty(), now);
        assert!(!lately.has_flood() && lately.pace(WINDOW, now).is_none());
    }
}
