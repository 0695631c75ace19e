//! Whether some text can fit clauses that read it as something: says no only where that is certain.

use super::clock::Clock;
use super::goals::{ClauseGoal, open_texts_fit, texts_of};
use crate::domain::caller::Fact;
use crate::domain::rules::{Clause, ReadAs};

pub(super) fn is_wanted(wanted: &[ClauseGoal<'_>], read_as: ReadAs) -> bool {
    wanted
        .iter()
        .any(|(clause, _)| clause.read_as == Some(read_as))
}

pub(super) fn texts_fit(
    read_as: ReadAs,
    clock: Option<&Clock>,
    wanted: &[ClauseGoal<'_>],
    fits: &impl Fn(&str) -> bool,
) -> bool {
    let are_alike = wanted
        .iter()
        .all(|(clause, _)| clause.read_as == Some(read_as));
    if !are_alike {
        return true;
    }
    match read_as {
        ReadAs::Caseless => clock.is_some() || small_texts_fit(wanted),
        ReadAs::Version => clock.is_none() && versions(wanted).any(|text| fits(&text)),
        ReadAs::Date => {
            let days = || {
                let named = wanted.iter().flat_map(|(clause, _)| texts_of(clause));
                Clock::Days.around(named.filter_map(|text| text.get(..10)))
            };
            match clock {
                // What is no date fits what asks for none.
                Some(Clock::Minutes) => fits(Clock::Minutes.sample()),
                Some(Clock::Days) => days().iter().any(|day| fits(day)),
                // Moments lie between days.
                None => moments(wanted) || fits("") || days().iter().any(|day| fits(day)),
            }
        }
    }
}

/// The same question for texts in small letters.
fn small_texts_fit(wanted: &[ClauseGoal<'_>]) -> bool {
    let small = |fact: &Fact| match fact {
        Fact::Text(text) => Fact::Text(text.to_lowercase()),
        other => other.clone(),
    };
    let clauses: Vec<(Clause, bool)> = wanted
        .iter()
        .map(|(clause, holds)| {
            let clause = Clause {
                read_as: None,
                values: clause.values.iter().map(small).collect(),
                ..(*clause).clone()
            };
            (clause, *holds)
        })
        .collect();
    let wanted: Vec<ClauseGoal<'_>> = clauses
        .iter()
        .map(|(clause, holds)| (clause, *holds))
        .collect();
    let mut named = wanted.iter().flat_map(|(clause, _)| texts_of(clause));
    let all = |text: &str| {
        let fact = Fact::Text(text.to_owned());
        wanted
            .iter()
            .all(|(clause, holds)| clause.fits(Some(&fact)) == *holds)
    };
    named.any(all) || (all_open(&wanted) && open_texts_fit(&wanted))
}

/// Whether no clause names the few texts that fit it.
fn all_open(wanted: &[ClauseGoal<'_>]) -> bool {
    use crate::domain::rules::Operator::{Equals, NotEquals};
    !wanted.iter().any(|(clause, holds)| {
        matches!(
            (clause.operator, holds),
            (Equals, true) | (NotEquals, false)
        )
    })
}

/// Versions next to those that are named, on either side; and what is no version.
fn versions(wanted: &[ClauseGoal<'_>]) -> impl Iterator<Item = String> {
    let named = wanted.iter().flat_map(|(clause, _)| texts_of(clause));
    named
        .flat_map(|text| {
            let numbers = text.split(['-', '+']).next().unwrap_or(text);
            let core = text.split('+').next().unwrap_or(text);
            let below = if core.contains('-') {
                format!("{numbers}-0")
            } else {
                format!("{core}-0")
            };
            [
                text.to_owned(),
                below,
                format!("{core}-0"),
                format!("{core}.0"),
                numbers.to_owned(),
                format!("{numbers}.0.0.0.1"),
            ]
        })
        .chain(["0-0".to_owned(), "9".repeat(30), String::new()])
}

/// Whether a clause names a moment, and not a day.
fn moments(wanted: &[ClauseGoal<'_>]) -> bool {
    wanted
        .iter()
        .flat_map(|(clause, _)| texts_of(clause))
        .any(|text| text.len() > 10)
}
