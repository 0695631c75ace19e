//! How many sessions and minutes a tenant as a whole, and each of its users, may have in a day and in a month.
//!
//! Days and months are those of UTC. A session takes its longest length in advance; what it did not last is given back when Anam tells
//! its length.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use crate::domain::wrong::Wrong;

/// The largest quota.
pub const MAX_QUOTA: u32 = 1_000_000_000;
/// From this part of a quota on, admins are warned, in percent.
const WARN_AT_PERCENT: i64 = 80;

/// A policy's quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// Of all users together.
    pub tenant: Quota,
    /// Of each user.
    pub user: Quota,
}

/// What may be used; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub sessions_per_day: Option<u32>,
    pub sessions_per_month: Option<u32>,
    pub minutes_per_day: Option<u32>,
    pub minutes_per_month: Option<u32>,
}

/// Whose quota it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    Tenant,
    User,
}

/// What of it is counted, and from when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Measure {
    SessionsPerDay,
    SessionsPerMonth,
    MinutesPerDay,
    MinutesPerMonth,
}

impl Measure {
    pub const ALL: [Self; 4] = [
        Self::SessionsPerDay,
        Self::SessionsPerMonth,
        Self::MinutesPerDay,
        Self::MinutesPerMonth,
    ];

    /// Its name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionsPerDay => "sessionsPerDay",
            Self::SessionsPerMonth => "sessionsPerMonth",
            Self::MinutesPerDay => "minutesPerDay",
            Self::MinutesPerMonth => "minutesPerMonth",
        }
    }

    fn is_daily(self) -> bool {
        matches!(self, Self::SessionsPerDay | Self::MinutesPerDay)
    }

    fn is_time(self) -> bool {
        matches!(self, Self::MinutesPerDay | Self::MinutesPerMonth)
    }

    /// When the next period begins.
    fn resets_at(self, used: &Use) -> DateTime<Utc> {
        let next = if self.is_daily() {
            used.day.checked_add_days(Days::new(1))
        } else {
            used.month.checked_add_months(Months::new(1))
        };
        midnight(next.unwrap_or(NaiveDate::MAX))
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

impl Quota {
    pub fn get(&self, measure: Measure) -> Option<u32> {
        match measure {
            Measure::SessionsPerDay => self.sessions_per_day,
            Measure::SessionsPerMonth => self.sessions_per_month,
            Measure::MinutesPerDay => self.minutes_per_day,
            Measure::MinutesPerMonth => self.minutes_per_month,
        }
    }

    fn member(&mut self, measure: Measure) -> &mut Option<u32> {
        match measure {
            Measure::SessionsPerDay => &mut self.sessions_per_day,
            Measure::SessionsPerMonth => &mut self.sessions_per_month,
            Measure::MinutesPerDay => &mut self.minutes_per_day,
            Measure::MinutesPerMonth => &mut self.minutes_per_month,
        }
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The smaller of each.
    #[must_use]
    pub fn min(mut self, other: &Self) -> Self {
        for measure in Measure::ALL {
            let both = [self.get(measure), other.get(measure)];
            *self.member(measure) = both.into_iter().flatten().min();
        }
        self
    }

    /// Reads the members of a quota; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut quota = Self::default();
        for (name, value) in members {
            let named = Measure::ALL
                .into_iter()
                .find(|measure| measure.as_str() == name);
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            match (named, number) {
                (Some(measure), Some(number)) if (1..=MAX_QUOTA).contains(&number) => {
                    *quota.member(measure) = Some(number);
                }
                (Some(_), _) => faults.add(
                    step(name),
                    Wrong::whole_range(1, MAX_QUOTA).worded(format!("must be a whole number from 1 to {MAX_QUOTA}; leave it out for no limit")),
                ),
                (None, _) => faults.add(
                    step(name),
                    Wrong::Unknown("sessionsPerDay, sessionsPerMonth, minutesPerDay, minutesPerMonth".to_owned()).worded("is unknown; a quota has sessionsPerDay, sessionsPerMonth, minutesPerDay and minutesPerMonth"),
                ),
            }
        }
        faults.into_result(quota)
    }

    /// The document that is read back; what is not limited is left out.
    pub fn to_document(self) -> Map<String, Value> {
        let members = Measure::ALL.into_iter().filter_map(|measure| {
            let most = self.get(measure)?;
            Some((measure.as_str().to_owned(), most.into()))
        });
        members.collect()
    }
}

impl Quotas {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.tenant.is_empty() && self.user.is_empty()
    }

    /// Whether minutes are limited.
    pub fn limit_time(&self) -> bool {
        let limits =
            |quota: &Quota| quota.minutes_per_day.is_some() || quota.minutes_per_month.is_some();
        limits(&self.tenant) || limits(&self.user)
    }

    pub(super) fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut quotas = Self::default();
        for (name, value) in members {
            let at = step(name);
            let part = match name.as_str() {
                "tenant" => &mut quotas.tenant,
                "user" => &mut quotas.user,
                _ => {
                    faults.add(
                        at,
                        Wrong::Unknown("tenant, user".to_owned())
                            .worded("is unknown; quotas are those of tenant and user"),
                    );
                    continue;
                }
            };
            match value {
                Value::Object(members) => {
                    *part = faults.take(&at, Quota::parse(members)).unwrap_or_default();
                }
                _ => faults.add(at, Wrong::Object),
            }
        }
        faults.into_result(quotas)
    }

    /// The document that is read back; what is not limited is left out.
    pub(super) fn to_document(self) -> Map<String, Value> {
        let mut document = Map::new();
        for (name, quota) in [("tenant", self.tenant), ("user", self.user)] {
            if !quota.is_empty() {
                document.insert(name.into(), Value::Object(quota.to_document()));
            }
        }
        document
    }
}

/// Sessions and the seconds that they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Below zero only for a moment: when a session that failed is given back before it was counted.
    pub sessions: i64,
    pub seconds: i64,
}

impl Amount {
    fn add(&mut self, more: Self) {
        self.sessions = self.sessions.saturating_add(more.sessions);
        self.seconds = self.seconds.saturating_add(more.seconds);
    }
}

/// What was used in a day and in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub day: NaiveDate,
    pub in_day: Amount,
    /// Its first day.
    pub month: NaiveDate,
    pub in_month: Amount,
}

/// What is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub scope: Scope,
    pub measure: Measure,
    /// The quota.
    pub most: u32,
    /// In the quota's unit, at least 0.
    pub left: i64,
    /// When all of it is there again.
    pub resets_at: DateTime<Utc>,
}

impl Left {
    /// Whether so much is used that admins are to be warned.
    pub fn is_low(&self) -> bool {
        self.left * 100 <= i64::from(self.most) * (100 - WARN_AT_PERCENT)
    }
}

/// A quota that has too little left for another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the quota is used up")]
pub struct Reached(pub Left);

impl Use {
    /// Nothing was used yet.
    pub fn none(at: DateTime<Utc>) -> Self {
        let day = at.date_naive();
        Self {
            day,
            in_day: Amount::default(),
            month: day.with_day(1).unwrap_or(day),
            in_month: Amount::default(),
        }
    }

    /// Begins a new day or month where one has begun. A time before what is counted already changes nothing: of two clocks, the one
    /// that is ahead counts.
    pub fn go_on(&mut self, at: DateTime<Utc>) {
        let now = Self::none(at);
        if now.day > self.day {
            (self.day, self.in_day) = (now.day, now.in_day);
        }
        if now.month > self.month {
            (self.month, self.in_month) = (now.month, now.in_month);
        }
    }

    fn used(&self, measure: Measure) -> i64 {
        let amount = if measure.is_daily() {
            self.in_day
        } else {
            self.in_month
        };
        if measure.is_time() {
            amount.seconds
        } else {
            amount.sessions
        }
    }

    /// What is left of each part of a quota.
    pub fn left<'a>(&'a self, scope: Scope, quota: &'a Quota) -> impl Iterator<Item = Left> + 'a {
        Measure::ALL.into_iter().filter_map(move |measure| {
            let most = quota.get(measure)?;
            let used = self.used(measure);
            let left = if measure.is_time() {
                // A minute that has begun is used.
                i64::from(most) - used.div_euclid(60) - i64::from(used.rem_euclid(60) > 0)
            } else {
                i64::from(most) - used
            };
            Some(Left {
                scope,
                measure,
                most,
                left: left.clamp(0, i64::from(most)),
                resets_at: measure.resets_at(self),
            })
        })
    }

    /// The part of the quota that a session of so many seconds does not fit in; of several, the one that is reset last.
    fn reached(&self, scope: Scope, quota: &Quota, seconds: u32) -> Option<Reached> {
        let reached = self.left(scope, quota).filter(|left| {
            let used = self.used(left.measure);
            if left.measure.is_time() {
                used + i64::from(seconds) > i64::from(left.most) * 60
            } else {
                used >= i64::from(left.most)
            }
        });
        reached.max_by_key(|left| left.resets_at).map(Reached)
    }

    /// Counts a session of so many seconds.
    pub fn add(&mut self, seconds: u32) {
        let more = Amount {
            sessions: 1,
            seconds: seconds.into(),
        };
        self.in_day.add(more);
        self.in_month.add(more);
    }

    /// Gives back what a session of that time took, where its day or month is still counted.
    pub fn give_back(&mut self, at: DateTime<Utc>, amount: Amount) {
        let less = Amount {
            sessions: -amount.sessions,
            seconds: -amount.seconds,
        };
        let of = Self::none(at);
        if of.day == self.day {
            self.in_day.add(less);
        }
        if of.month == self.month {
            self.in_month.add(less);
        }
    }
}

/// What a tenant and one of its users used; no `Use` where the quota has none of that scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub tenant: Option<Use>,
    pub user: Option<Use>,
}

impl Standing {
    fn parts(self, quotas: &Quotas) -> [(Option<Use>, Scope, Quota); 2] {
        [
            (self.tenant, Scope::Tenant, quotas.tenant),
            (self.user, Scope::User, quotas.user),
        ]
    }

    /// Why a session of so many seconds can't be counted at this time, if it can't. The quota that is reset last is named.
    pub fn judge(
        mut self,
        quotas: &Quotas,
        at: DateTime<Utc>,
        seconds: u32,
    ) -> Result<(), Reached> {
        for used in [&mut self.tenant, &mut self.user].into_iter().flatten() {
            used.go_on(at);
        }
        let reached = self
            .parts(quotas)
            .into_iter()
            .filter_map(|(used, scope, quota)| used?.reached(scope, &quota, seconds));
        match reached.max_by_key(|Reached(left)| left.resets_at) {
            None => Ok(()),
            Some(reached) => Err(reached),
        }
    }

    /// What is left of each quota.
    pub fn left(self, quotas: &Quotas) -> Vec<Left> {
        let parts = self.parts(quotas).into_iter();
        let left = parts.filter_map(|(used, scope, quota)| {
            let used = used?;
            Some(used.left(scope, &quota).collect::<Vec<_>>())
        });
        left.flatten().collect()
    }
}

#[cfg(test)]
mod tests;
