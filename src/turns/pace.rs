//! How fast requests begin.

use std::time::Duration;

use tokio::time::Instant;

/// From one request to the next where requests begin as fast as they come: there is no pace.
const SHORTEST: Duration = Duration::from_micros(20);
/// Requests of this time may begin together, since timers are not exact.
const TOGETHER: Duration = Duration::from_millis(4);
/// Of the gap, what it grows by when requests take long.
const SLOWER: u32 = 16;
/// What it shrinks by when they do not.
const FASTER: u32 = 128;

/// So many requests begin in a time.
#[derive(Debug)]
pub(super) struct Pace {
    /// From one to the next.
    gap: Duration,
    /// At the slowest.
    longest: Duration,
    /// When the next may begin.
    next: Instant,
}

impl Pace {
    /// A pace of so many requests in a time, and never slower than one in `longest`.
    pub(super) fn new(requests: u32, time: Duration, longest: Duration, now: Instant) -> Self {
        let longest = longest.max(SHORTEST);
        Self {
            gap: (time / requests.max(1)).clamp(SHORTEST, longest),
            longest,
            next: now,
        }
    }

    pub(super) fn is_time(&self, now: Instant) -> bool {
        self.next <= now
    }

    pub(super) fn note_begun(&mut self, now: Instant) {
        let earliest = now.checked_sub(TOGETHER).unwrap_or(now);
        self.next = self.next.max(earliest) + self.gap;
    }

    pub(super) fn slower(self) -> Self {
        let gap = self.longest.min(self.gap + self.gap / SLOWER);
        Self { gap, ..self }
    }

    /// Half as fast.
    pub(super) fn much_slower(self) -> Self {
        let gap = self.longest.min(self.gap * 2);
        Self { gap, ..self }
    }

    /// `None` if it would be so fast that it is none.
    pub(super) fn faster(self) -> Option<Self> {
        let gap = self.gap.saturating_sub(self.gap / FASTER);
        (gap >= SHORTEST).then_some(Self { gap, ..self })
    }

    pub(super) fn per_second(&self) -> u32 {
        let gap = u32::try_from(self.gap.as_micros()).unwrap_or(u32::MAX);
        1_000_000 / gap.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_begin_in_a_time_and_a_pause_saves_up_little() {
        let mut now = Instant::now();
        let mut pace = Pace::new(1_000, Duration::from_secs(1), Duration::from_millis(4), now);
        let mut begin = |now: Instant| {
            let begun = std::iter::from_fn(|| pace.is_time(now).then(|| pace.note_begun(now)));
            begun.count()
        };
        assert_eq!(begin(now), 1);
        let in_a_second: usize = (0..1_000)
            .map(|_| {
                now += Duration::from_millis(1);
                begin(now)
            })
            .sum();
        assert_eq!(in_a_second, 1_000);
        assert_eq!(begin(now + Duration::from_hours(1)), 5);
    }
}
