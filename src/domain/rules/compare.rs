//! How a clause compares.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::attribute::{Actual, Item};
use super::date::Date;
use super::version::Version;
use super::{Clause, MAX_READ};
use crate::domain::caller::Fact;

/// Looking at one item, in bytes that could be read meanwhile.
const ITEM: usize = 8;
/// Reading a number or a character's case, likewise.
const READING: usize = 4;
/// Finding the value of an attribute, likewise.
pub(super) const CLAUSE: usize = 64;

/// How an attribute is compared. Texts compare by code point, so dates such as `2026-11-24` compare in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    Equals,
    NotEquals,
    /// A list holds the value, or a text holds it as a part.
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    AtLeast,
    AtMost,
    MoreThan,
    LessThan,
    /// The time of day is the first value or later, and before the second; across midnight where the first is the later one.
    Between,
    IsPresent,
    IsAbsent,
}

/// What texts are read as before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadAs {
    /// Texts in which capital and small letters are the same.
    Caseless,
    /// Versions: `2.10` comes after `2.9`.
    Version,
    /// Days and moments: `2026-11-24`, `2026-11-24T08:30:00+01:00`, seconds since 1970.
    Date,
}

impl Operator {
    pub fn orders(self) -> bool {
        matches!(
            self,
            Self::AtLeast | Self::AtMost | Self::MoreThan | Self::LessThan
        )
    }

    /// Whether it holds where nothing fits, and so where there is no value.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotEquals | Self::NotContains | Self::IsAbsent)
    }

    /// Whether it looks for parts of a text or items of a list.
    pub fn searches(self) -> bool {
        matches!(self, Self::Contains | Self::NotContains)
    }
}

impl ReadAs {
    /// Whether texts that are read so can be compared by an operator.
    pub fn suits(self, operator: Operator) -> bool {
        let equates = matches!(operator, Operator::Equals | Operator::NotEquals);
        match self {
            Self::Caseless => {
                equates
                    || operator.searches()
                    || matches!(operator, Operator::StartsWith | Operator::EndsWith)
            }
            Self::Version | Self::Date => equates || operator.orders(),
        }
    }

    /// Whether a text can be read so.
    pub fn can_read(self, text: &str) -> bool {
        match self {
            Self::Caseless => true,
            Self::Version => Version::parse(text).is_some(),
            Self::Date => Date::parse(text).is_some(),
        }
    }
}

/// What the rules of a context may still read for one request.
#[derive(Debug)]
pub struct Effort {
    left: usize,
}

/// The rules would have to read more than they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

impl Default for Effort {
    fn default() -> Self {
        Self { left: MAX_READ }
    }
}

impl Effort {
    /// For questions that no request waits for.
    pub(super) const fn unbounded() -> Self {
        Self { left: usize::MAX }
    }

    pub(super) fn pay(&mut self, bytes: usize) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(bytes).ok_or(TooMuch)?;
        Ok(())
    }
}

impl Clause {
    /// Whether it holds of a value; `None` where there is none. Days begin and end in the time zone.
    pub(super) fn compare(
        &self,
        actual: Option<&Actual<'_>>,
        time_zone: Tz,
        effort: &mut Effort,
    ) -> Result<bool, TooMuch> {
        match self.operator {
            Operator::IsPresent => return Ok(actual.is_some()),
            Operator::IsAbsent => return Ok(actual.is_none()),
            _ => {}
        }
        let fits = match actual {
            None => false,
            Some(Actual::Text(text)) if self.read_as == Some(ReadAs::Caseless) => {
                // Once, however many values there are.
                effort.pay(text.len().saturating_mul(READING))?;
                let folded = Actual::Text(Cow::Owned(folded(text).collect()));
                self.any_fits(&folded, time_zone, effort)?
            }
            Some(actual) => self.any_fits(actual, time_zone, effort)?,
        };
        Ok(fits != self.operator.is_negative())
    }

    fn any_fits(
        &self,
        actual: &Actual<'_>,
        time_zone: Tz,
        effort: &mut Effort,
    ) -> Result<bool, TooMuch> {
        if self.operator == Operator::Between {
            effort.pay(ITEM)?;
            return Ok(self.is_between(actual));
        }
        for value in &self.values {
            effort.pay(self.reads(actual, value))?;
            if self.fits_one(actual, value, time_zone) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fits_one(&self, actual: &Actual<'_>, value: &Fact, time_zone: Tz) -> bool {
        let Some(value) = Item::of_fact(value) else {
            return false;
        };
        let Some(single) = actual.single() else {
            return self.operator.searches() && self.is_item(actual, &value);
        };
        let order = || self.order(&single, &value, time_zone);
        let texts = |compare: fn(&str, &str) -> bool| match (&single, &value) {
            (Item::Text(single), Item::Text(value)) if self.read_as == Some(ReadAs::Caseless) => {
                compare(single, &folded(value).collect::<String>())
            }
            (Item::Text(single), Item::Text(value)) => compare(single, value),
            _ => false,
        };
        match self.operator {
            Operator::Equals | Operator::NotEquals => match self.read_as {
                Some(ReadAs::Caseless) => texts(|own, value| own == value),
                Some(ReadAs::Version | ReadAs::Date) => order() == Some(Ordering::Equal),
                None => is_same(&single, &value),
            },
            Operator::Contains | Operator::NotContains => texts(|own, part| own.contains(part)),
            Operator::StartsWith => texts(|own, part| own.starts_with(part)),
            Operator::EndsWith => texts(|own, part| own.ends_with(part)),
            Operator::AtLeast => order().is_some_and(Ordering::is_ge),
            Operator::AtMost => order().is_some_and(Ordering::is_le),
            Operator::MoreThan => order().is_some_and(Ordering::is_gt),
            Operator::LessThan => order().is_some_and(Ordering::is_lt),
            Operator::Between | Operator::IsPresent | Operator::IsAbsent => false,
        }
    }

    /// Whether a list holds the value.
    fn is_item(&self, actual: &Actual<'_>, value: &Item<'_>) -> bool {
        let Actual::List(items) = actual else {
            return false;
        };
        let is_caseless = self.read_as == Some(ReadAs::Caseless);
        items.iter().any(|item| match (&item, value) {
            (Item::Text(item), Item::Text(value)) if is_caseless => folded(item).eq(folded(value)),
            _ => is_same(&item, value),
        })
    }

    /// Which comes first, where they can be compared.
    fn order(&self, one: &Item<'_>, other: &Item<'_>, time_zone: Tz) -> Option<Ordering> {
        match (self.read_as, one, other) {
            (Some(ReadAs::Version), Item::Text(one), Item::Text(other)) => {
                Some(Version::parse(one)?.order(Version::parse(other)?))
            }
            (Some(ReadAs::Date), one, other) => {
                Some(Date::from_item(one)?.order(Date::from_item(other)?, time_zone))
            }
            (None, Item::Number(one), Item::Number(other)) => Some(one.cmp(other)),
            (None, Item::Text(one), Item::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }

    fn is_between(&self, actual: &Actual<'_>) -> bool {
        let (Some(single), [from, until]) = (actual.single(), self.values.as_slice()) else {
            return false;
        };
        let (Some(from), Some(until)) = (Item::of_fact(from), Item::of_fact(until)) else {
            return false;
        };
        let order = |one: &Item<'_>, other: &Item<'_>| self.order(one, other, Tz::UTC);
        let has_begun = order(&single, &from).is_some_and(Ordering::is_ge);
        let has_not_ended = order(&single, &until).is_some_and(Ordering::is_lt);
        if order(&from, &until).is_some_and(Ordering::is_lt) {
            has_begun && has_not_ended
        } else {
            has_begun || has_not_ended
        }
    }

    /// What comparing with one value reads at most, in bytes.
    fn reads(&self, actual: &Actual<'_>, value: &Fact) -> usize {
        let is_caseless = self.read_as == Some(ReadAs::Caseless);
        let value = match value {
            Fact::Text(text) if is_caseless => text.len().saturating_mul(READING),
            Fact::Text(text) => text.len(),
            _ => 0,
        };
        let read = match actual {
            Actual::Text(text) if self.operator.searches() || self.read_as.is_some() => text.len(),
            Actual::List(items) if self.operator.searches() => {
                // A text is read as far as it is like the value, a number whole.
                let each = match (is_caseless, value) {
                    (true, value) => value,
                    (false, 0) => ITEM.saturating_mul(READING),
                    (false, _) => 0,
                };
                each.saturating_add(ITEM).saturating_mul(items.len())
            }
            _ => 0,
        };
        read.saturating_add(value).saturating_add(ITEM)
    }
}

fn is_same(one: &Item<'_>, other: &Item<'_>) -> bool {
    match (one, other) {
        (Item::Flag(one), Item::Flag(other)) => one == other,
        (Item::Number(one), Item::Number(other)) => one == other,
        (Item::Text(one), Item::Text(other)) => one == other,
        _ => false,
    }
}

/// The characters without their case: both ways, since `ß` and `ς` have capitals of which they are not the small letter.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}
