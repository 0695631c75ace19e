//! What requests take beside waiting for Anam, what the way to the main runtime and back takes, and whether that is long.

use std::time::Duration;

use tokio::time::Instant;

/// A request's own time is long if it is this much longer than twice the shortest of late, or this part of what Anam takes, if that is
/// more: who waits for Anam so long does not notice.
const LONG: (Duration, u32) = (Duration::from_millis(1), 16);
/// The way is long from here, or from this part of what Anam takes: a request goes it several times.
const LONG_WAY: (Duration, u32) = (Duration::from_micros(500), 64);
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

/// What requests take of late, and the way.
#[derive(Debug)]
pub(super) struct Delay {
    /// A moving average.
    now: Duration,
    /// The same of waiting for Anam.
    anam: Duration,
    noted: Instant,
    /// A moving average of what the way takes.
    way: Duration,
    way_noted: Instant,
    /// The shortest since `since`, and in the time before.
    shortest: [Duration; 2],
    since: Instant,
}

impl Delay {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: Duration::ZERO,
            anam: Duration::ZERO,
            noted: now,
            way: Duration::ZERO,
            way_noted: now,
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

    /// The way from a web worker to the main runtime and back took so long.
    pub(super) fn note_way(&mut self, took: Duration, now: Instant) {
        self.way = (self.way * 15 + took) / 16;
        self.way_noted = now;
    }

    /// Whether it is long; `None` where it is neither long nor short, or where nothing is known although something is in progress.
    pub(super) fn is_long(&self, in_progress: usize, now: Instant) -> Option<bool> {
        let [shortest, before] = self.shortest;
        let shortest = shortest.min(before).saturating_mul(2);
        let beside_anam = |(least, part): (Duration, u32)| least.max(self.anam / part);
        let long = shortest.saturating_add(beside_anam(LONG));
        let all = [
            (self.now, self.noted, long),
            (self.way, self.way_noted, beside_anam(LONG_WAY)),
        ];
        let mut is_short = true;
        for (took, noted, long) in all {
            if now.duration_since(noted) < SILENCE {
                if took > long {
                    return Some(true);
                }
                is_short &= took < long * 3 / 4;
            }
        }
        let is_silent = now.duration_since(self.noted) >= SILENCE.max(self.anam * 2);
        (is_short && !(is_silent && in_progress > 0)).then_some(false)
    }
}
