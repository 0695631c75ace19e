//! What requests take beside waiting for Anam, what the way to the main runtime and back takes, and how long that is.

use std::time::Duration;

use tokio::time::Instant;

/// A request's own time is long if it is this much longer than twice the shortest of late, or this part of what Anam takes, if that is
/// more: who waits for Anam so long does not notice.
const LONG: (Duration, u32) = (Duration::from_millis(1), 16);
/// The way is long from here, or from this part of what Anam takes: a request goes it several times.
const LONG_WAY: (Duration, u32) = (Duration::from_micros(500), 64);
/// Very long is so many times what is long.
const VERY: u32 = 4;
/// How long the shortest is remembered, at least.
pub(super) const OF_LATE: Duration = Duration::from_secs(30);
/// How often the way is tried at most.
const TRY: Duration = Duration::from_millis(2);
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

/// How long requests take, or the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Length {
    Short,
    /// Neither short nor long, or nothing is known although something is in progress.
    Unclear,
    Long,
    /// The web workers have more to do than they can, and it gets longer still.
    VeryLong,
}

impl Length {
    fn of(took: Duration, long: Duration) -> Self {
        if took > long.saturating_mul(VERY) {
            Self::VeryLong
        } else if took > long {
            Self::Long
        } else if took >= long / 4 * 3 {
            Self::Unclear
        } else {
            Self::Short
        }
    }
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
    /// When the try that is under way began.
    trying: Option<Instant>,
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
            trying: None,
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

    /// Whether to try the way from a web worker to the main runtime and back: one try at a time, since where the way is long, each makes it longer.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.trying.is_none() && now.duration_since(self.way_noted) >= TRY
    }

    pub(super) fn begin_try(&mut self, now: Instant) {
        self.trying = Some(now);
        self.way_noted = now;
    }

    /// The way took until now, or whoever tried it is gone.
    pub(super) fn end_try(&mut self, now: Instant) {
        self.way = self.way_until(now);
        self.trying = None;
        self.way_noted = now;
    }

    /// What the way takes, with a try that is under way as if it ended now.
    fn way_until(&self, now: Instant) -> Duration {
        match self.trying {
            Some(began) => (self.way * 7 + now.duration_since(began)) / 8,
            None => self.way,
        }
    }

    pub(super) fn length(&self, in_progress: usize, now: Instant) -> Length {
        let [shortest, before] = self.shortest;
        let shortest = shortest.min(before).saturating_mul(2);
        let beside_anam = |(least, part): (Duration, u32)| least.max(self.anam / part);
        let long = shortest.saturating_add(beside_anam(LONG));
        let way_noted = if self.trying.is_some() {
            now
        } else {
            self.way_noted
        };
        let all = [
            (self.now, self.noted, long),
            (
                self.way.max(self.way_until(now)),
                way_noted,
                beside_anam(LONG_WAY),
            ),
        ];
        let is_silent = now.duration_since(self.noted) >= SILENCE.max(self.anam * 2);
        let of_none = if is_silent && in_progress > 0 {
            Length::Unclear
        } else {
            Length::Short
        };
        let recent = all
            .into_iter()
            .filter(|(_, noted, _)| now.duration_since(*noted) < SILENCE);
        recent
            .map(|(took, _, long)| Length::of(took, long))
            .fold(of_none, Length::max)
    }
}
