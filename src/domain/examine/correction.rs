//! What was probably meant by a value that never fits, and by a window that is never open.

use super::goals::ClauseGoal;
use super::templates::MAX_EDITS;
use super::values::{Texts, Values};
use crate::domain::caller::Fact;
use crate::domain::decimal::Decimal;
use crate::domain::nearest::nearest;
use crate::domain::rules::{Clause, Operator};

/// Shortest beginning of a word that stands for it: `mon`.
const MIN_SHORT: usize = 3;

/// What to write instead of a value, where that is known.
pub(super) fn correction(clause: &Clause, value: &Fact, values: &Values) -> Option<String> {
    if values.is_always_list() && !clause.operator.searches() {
        return Some(
            "`contains` and `not_contains` look into lists; no other comparison does".to_owned(),
        );
    }
    match value {
        Fact::Number(number)
            if clause.attribute.of_clock() == Some("hour")
                && clause.operator != Operator::Between
                && *number == 24_u32.into() =>
        {
            Some("Midnight is the hour 0: the hours of a day are 0 to 23".to_owned())
        }
        Fact::Number(number) if !values.has_numbers() && values.has_texts() => {
            let text = number.to_string();
            let is_known = values.known_texts().is_empty() || values.known_texts().contains(&text);
            is_known.then(|| {
                format!("Write \"{number}\" in quotes: a number is never equal to a text, nor larger or smaller")
            })
        }
        Fact::Text(text) => of_text(text, values),
        _ => None,
    }
}

fn of_text(text: &str, values: &Values) -> Option<String> {
    if values.has_numbers() && Decimal::parse(text.trim()).is_ok() {
        return Some(format!(
            "Write {} without quotes: a text is never equal to a number, nor larger or smaller",
            text.trim()
        ));
    }
    if let Texts::Of(clock) = &values.texts
        && !clock.begins_like(text)
    {
        return Some(format!(
            "Write it as in {}: texts are compared sign by sign, so each digit must have its place",
            clock.sample()
        ));
    }
    let known = values.known_texts();
    let small = text.to_lowercase();
    let mut begins = known
        .iter()
        .filter(|known| text.chars().count() >= MIN_SHORT && known.starts_with(&small));
    let near = match (begins.next(), begins.next()) {
        (Some(only), None) => only.as_str(),
        _ => nearest(&small, known.iter().map(String::as_str), MAX_EDITS)?,
    };
    Some(format!("Did you mean `{near}`?"))
}

/// Whether a text compares with days or times in another way than it looks: `2026-1-5`.
pub(super) fn is_misshapen(value: &Fact, values: &Values) -> bool {
    match (value, &values.texts) {
        (Fact::Text(text), Texts::Of(clock)) => !clock.begins_like(text),
        _ => false,
    }
}

/// Two clauses that open a window in the evening and close it in the morning.
pub(super) fn overnight(attribute: &str, wanted: &[ClauseGoal<'_>]) -> Option<String> {
    if !["time.hour", "time.time"].contains(&attribute) {
        return None;
    }
    let bound = |operators: [Operator; 2]| {
        let mut those = wanted
            .iter()
            .filter(|(clause, _)| operators.contains(&clause.operator));
        match (those.next(), those.next()) {
            (Some((clause, _)), None) => clause.values.first(),
            _ => None,
        }
    };
    let from = bound([Operator::AtLeast, Operator::MoreThan])?;
    let until = bound([Operator::AtMost, Operator::LessThan])?;
    let as_json = |fact: &Fact| serde_json::to_string(fact).unwrap_or_default();
    Some(format!(
        "For a window across midnight write one clause: operator between, values [{}, {}]",
        as_json(from),
        as_json(until)
    ))
}
