//! Which version of a document is live when: a pure function of its releases.
//!
//! Releases that were called off don't count, and neither do the cancellations themselves. Of the others, the last to everybody
//! that took effect is live; of two for the same moment the later row. If what took effect last of all is a release to a share of the
//! users, they get that version instead: a rollout. So a release to another share takes its place, and one to everybody ends it. The view `release_history` and the queries over it say the same
//! in SQL.

use chrono::{DateTime, Utc};

use super::ids::ReleaseId;

/// How a release came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Somebody released a version.
    Release,
    /// Somebody went back to an earlier one.
    Rollback,
    /// Somebody called a scheduled release off.
    Cancel,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Release, Self::Rollback, Self::Cancel];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Rollback => "rollback",
            Self::Cancel => "cancel",
        }
    }
}

/// A release, as far as it says what is live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub id: ReleaseId,
    /// Counts releases up, in the order in which the database took them in.
    pub seq: i64,
    pub live_from: DateTime<Utc>,
    /// The number of the version.
    pub version: i32,
    pub way: Way,
    /// The release that a cancellation calls off. Cancellations of earlier releases of the gateway name none: they call off
    /// every release for the same moment that was made before them.
    pub cancels: Option<ReleaseId>,
    /// How many of a hundred users get it, 1 to 99; `None` for everybody.
    pub percent: Option<u8>,
}

impl Release {
    /// Whether this calls `other` off.
    fn calls_off(&self, other: &Self) -> bool {
        self.way == Way::Cancel
            && match self.cancels {
                Some(id) => id == other.id,
                None => self.live_from == other.live_from && self.seq > other.seq,
            }
    }
}

/// The releases of one document that count, in the order in which they take effect.
#[derive(Debug)]
pub struct Timeline<'a>(Vec<&'a Release>);

impl<'a> Timeline<'a> {
    /// Of all releases of a document, in any order.
    pub fn new(releases: impl IntoIterator<Item = &'a Release>) -> Self {
        let (cancellations, others): (Vec<_>, Vec<_>) = releases
            .into_iter()
            .partition(|release| release.way == Way::Cancel);
        let stands = |release: &&Release| !cancellations.iter().any(|one| one.calls_off(release));
        let mut standing: Vec<&Release> = others.into_iter().filter(stands).collect();
        standing.sort_by_key(|release| (release.live_from, release.seq));
        Self(standing)
    }

    /// Those that have taken effect by `moment`.
    pub fn until(&self, moment: DateTime<Utc>) -> &[&'a Release] {
        let effective = |release: &&Release| release.live_from <= moment;
        self.0.split_at(self.0.partition_point(effective)).0
    }

    /// The release that is live at `moment`.
    pub fn live(&self, moment: DateTime<Utc>) -> Option<&'a Release> {
        let mut newest_first = self.until(moment).iter().rev();
        newest_first
            .find(|release| release.percent.is_none())
            .copied()
    }

    /// The release to a share of the users that is under way at `moment`, beside the live one.
    pub fn rollout(&self, moment: DateTime<Utc>) -> Option<&'a Release> {
        let last = self.until(moment).last().copied()?;
        let beside = self.live(moment).is_some();
        (beside && last.percent.is_some()).then_some(last)
    }

    /// Those that take effect after `moment`.
    pub fn after(&self, moment: DateTime<Utc>) -> &[&'a Release] {
        self.0.split_at(self.until(moment).len()).1
    }

    #[must_use]
    pub fn without(mut self, id: ReleaseId) -> Self {
        self.0.retain(|release| release.id != id);
        self
    }
}

#[cfg(test)]
mod tests;
