//! Days and moments, however they are written.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::attribute::Item;
use crate::domain::decimal::Decimal;

/// Smaller numbers count seconds since 1970, as tokens do; others milliseconds, as browsers do.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Whether a text has digits where the sample has some, and is the same otherwise.
pub(super) fn is_like(text: &str, sample: &str) -> bool {
    text.len() == sample.len()
        && text
            .bytes()
            .zip(sample.bytes())
            .all(|(own, like)| own == like || (own.is_ascii_digit() && like.is_ascii_digit()))
}

/// A day or a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Date {
    /// `2026-11-24`.
    Day(NaiveDate),
    /// `2026-11-24T08:30:00Z`, 1795854600.
    Moment(DateTime<Utc>),
}

impl Date {
    /// `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if is_like(text, "2026-11-24") {
            return NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .map(Self::Day);
        }
        let moment = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self::Moment(moment.to_utc()))
    }

    /// The same of a text or a number.
    pub(super) fn from_item(item: &Item<'_>) -> Option<Self> {
        match item {
            Item::Flag(_) => None,
            Item::Text(text) => Self::parse(text),
            Item::Number(number) => Self::of_number(*number),
        }
    }

    fn of_number(number: Decimal) -> Option<Self> {
        let whole = number.truncated().as_i64()?;
        let moment = if whole.abs() < MILLISECONDS_FROM {
            DateTime::from_timestamp(whole, 0)
        } else {
            DateTime::from_timestamp_millis(whole)
        };
        moment.map(Self::Moment)
    }

    /// A moment is compared with a day by the day that it has in the time zone.
    pub(super) fn order(self, other: Self, time_zone: Tz) -> Ordering {
        match (self, other) {
            (Self::Moment(one), Self::Moment(other)) => one.cmp(&other),
            _ => self.day(time_zone).cmp(&other.day(time_zone)),
        }
    }

    fn day(self, time_zone: Tz) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Moment(moment) => moment.with_timezone(&time_zone).date_naive(),
        }
    }
}
