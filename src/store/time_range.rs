//! Stretches of the ledger's time.
//!
//! The ledger has a partition for each month, and Postgres plans a query for every one that it may touch: for three years of
//! them that takes longer than reading a page. So queries name a stretch of time, the newest first, and go on to older ones
//! only where it held too little.

use chrono::{DateTime, TimeDelta, Utc};

/// How long each stretch is; the one after the last goes back to the beginning.
const LENGTHS: [TimeDelta; 2] = [TimeDelta::days(32), TimeDelta::days(96)];

/// How far another instance's clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// A stretch of time: its first moment, and the first one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// Inclusive.
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
    floor: DateTime<Utc>,
    step: usize,
}

impl TimeRange {
    /// The newest stretch of all the time there is.
    pub fn newest(now: DateTime<Utc>) -> Self {
        Self::back_from(
            now.checked_add_signed(AHEAD).unwrap_or(now),
            DateTime::UNIX_EPOCH,
        )
    }

    /// The same, without what is before `from`, or not before `to`.
    #[must_use]
    pub fn within(self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        Self::back_from(
            to.map_or(self.to, |to| to.min(self.to)),
            from.map_or(self.floor, |from| from.max(self.floor)),
        )
    }

    /// The stretch before it; `None` where there is nothing more.
    #[must_use]
    pub fn older(self) -> Option<Self> {
        (self.from > self.floor).then(|| Self::step(self.from, self.floor, self.step + 1))
    }

    fn back_from(to: DateTime<Utc>, floor: DateTime<Utc>) -> Self {
        Self::step(to, floor, 0)
    }

    fn step(to: DateTime<Utc>, floor: DateTime<Utc>, step: usize) -> Self {
        let from = LENGTHS
            .get(step)
            .and_then(|length| to.checked_sub_signed(*length))
            .unwrap_or(floor);
        Self {
            from: from.max(floor),
            to,
            floor,
            step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(newest: TimeRange) -> Vec<TimeRange> {
        std::iter::successors(Some(newest), |stretch| stretch.older()).collect()
    }

    #[test]
    fn stretches_follow_each_other_back_to_the_beginning() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let all = all(TimeRange::newest(now));
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].to, now + AHEAD);
        assert_eq!(all[1].to, all[0].from);
        assert_eq!(all[2].to, all[1].from);
        assert_eq!(all[2].from, DateTime::UNIX_EPOCH);
    }

    #[test]
    fn a_stretch_ends_where_nobody_asks_further() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (week, hour) = (TimeDelta::days(7), TimeDelta::hours(1));
        let one = TimeRange::newest(now).within(Some(now - week), Some(now - hour));
        assert_eq!((one.from, one.to), (now - week, now - hour));
        assert_eq!(one.older(), None);
        let none = TimeRange::newest(now).within(Some(now), Some(now - hour));
        assert_eq!(none.older(), None);
    }
}
