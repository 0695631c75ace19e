//! Clauses about one moment: `time.hour` goes with `time.time`, and `time.weekday` with `time.date`.

use chrono::{Datelike, NaiveDate};

use super::clauses::Judge;
use super::clock::Clock;
use super::goals::{looks_into, texts_of};
use crate::domain::caller::Fact;
use crate::domain::rules::{Clause, WEEKDAYS};

/// Attributes that say the same of a moment in two ways.
pub(super) const PAIRS: [[&str; 2]; 2] = [["hour", "time"], ["weekday", "date"]];

/// Whether some moment fits all the clauses, which are about one of [`PAIRS`].
pub(super) fn is_possible(judge: &Judge, clauses: &[&Clause]) -> bool {
    let of = |name: &str| {
        clauses
            .iter()
            .any(|clause| clause.attribute.of_clock() == Some(name))
    };
    let cost: usize = clauses.iter().map(|clause| clause.values.len()).sum();
    let texts: Vec<String> = if of("time") {
        Clock::Minutes.all().collect()
    } else {
        let dates = || {
            let clauses = clauses.iter();
            clauses.filter(|clause| clause.attribute.of_clock() == Some("date"))
        };
        if dates().any(|clause| looks_into(clause)) {
            return true;
        }
        let named = dates().flat_map(|clause| texts_of(clause));
        let named = named.map(|text| text.get(..10).unwrap_or(text));
        Clock::Days.within(WEEKDAYS.len(), named)
    };
    !judge.pay(cost.saturating_mul(texts.len()))
        || texts
            .iter()
            .any(|text| clauses.iter().all(|clause| fits(clause, text)))
}

/// Whether a clause holds at a time or on a date.
fn fits(clause: &Clause, text: &str) -> bool {
    let fact = match clause.attribute.of_clock() {
        Some("hour") => text
            .get(..2)
            .and_then(|hour| hour.parse::<u32>().ok())
            .map(|hour| Fact::Number(hour.into())),
        Some("weekday") => text
            .parse::<NaiveDate>()
            .ok()
            .and_then(|day| usize::try_from(day.weekday().num_days_from_monday()).ok())
            .and_then(|day| WEEKDAYS.get(day))
            .map(|day| Fact::Text((*day).to_owned())),
        _ => Some(Fact::Text(text.to_owned())),
    };
    clause.fits(fact.as_ref())
}
