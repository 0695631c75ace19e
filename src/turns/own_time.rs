//! What requests take beside waiting for Anam, and whether that is long.

use std::time::Duration;

use tokio::time::Instant;

/// A request's own time is long if it is this much longer than twice the shortest of late, or this part of what Anam takes, if that is
/// more: who waits for Anam so long does not notice.
const LONG: (Duration, u32) = (Duration::from_millis(1), 16);
/// How long the shortest is remembered, at least.
pub(super) const OF_LATE: Duration = Duration::from_secs(30);
/// Without a request that ended in this time, nothing is known of how long they take.
const SILENCE: Duration = Duration::from_millis(200);

/// What one request took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    /// Waiting for Anam.
    pub(super) anam: Duration,
    /// Beside that.
    pub(super) own: Duration,
}

/// What requests take beside waiting for Anam.
#[derive(Debug)]
pub(super) struct OwnTime {
    /// A moving average.
    now: Duration,
    /// The same of waiting for Anam.
    anam: Duration,
    noted: Instant,
    /// The shortest since `since`, and in the time before.
    shortest: [Duration; 2],
    since: Instant,
}

impl OwnTime {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: Duration::ZERO,
            anam: Duration::ZERO,
            noted: now,
            shortest: [Duration::MAX; 2],
            since: now,
        }
    }

    pub(super) fn note(&mut self, took: Took, now: Instant) {
        let Took { anam, own: took } = took;
        let [shortest, _] = self.shortest;
        if now.duration_since(self.since) >= OF_LATE {
            self.shortest = [took, shortest];
            self.since = now;
        } else {
            self.shortest[0] = shortest.min(took);
        }
        self.now = (self.now * 15 + took) / 16;
        self.anam = (self.anam * 15 + anam) / 16;
        self.noted = now;
    }

    /// Whether it is long; `None` where it is neither long nor short.
    pub(super) fn is_long(&self, now: Instant) -> Option<bool> {
        if now.duration_since(self.noted) >= SILENCE {
            return Some(false);
        }
        let ([shortest, before], (least, part)) = (self.shortest, LONG);
        let long = shortest
            .min(before)
            .saturating_mul(2)
            .saturating_add(least.max(self.anam / part));
        if self.now > long {
            Some(true)
        } else {
            (self.now < long * 3 / 4).then_some(false)
        }
    }
}
