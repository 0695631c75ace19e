//! What clauses about one attribute are wanted to be, and whether some text can be that.

use crate::domain::caller::Fact;
use crate::domain::rules::{Clause, Operator};

/// A clause, and whether it is to hold.
pub(super) type ClauseGoal<'c> = (&'c Clause, bool);

/// Whether a clause asks for parts of a text.
pub(super) fn looks_into(clause: &Clause) -> bool {
    matches!(
        clause.operator,
        Operator::Contains | Operator::NotContains | Operator::StartsWith | Operator::EndsWith
    )
}

pub(super) fn texts_of(clause: &Clause) -> impl Iterator<Item = &str> {
    clause.values.iter().filter_map(|value| match value {
        Fact::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Whether some text can fit clauses none of which names the few texts that do. Says no only where that is certain.
pub(super) fn open_texts_fit(wanted: &[ClauseGoal<'_>]) -> bool {
    let mut lower: Option<(&str, bool)> = None;
    let mut upper: Option<(&str, bool)> = None;
    let mut forbidden: Vec<&str> = Vec::new();
    for (clause, holds) in wanted {
        use Operator as Op;
        let least = texts_of(clause).min();
        let most = texts_of(clause).max();
        match (clause.operator, *holds) {
            (Op::IsAbsent, true) | (Op::IsPresent, false) => return false,
            // Needs a text to compare with.
            (
                Op::AtLeast
                | Op::AtMost
                | Op::MoreThan
                | Op::LessThan
                | Op::Contains
                | Op::StartsWith
                | Op::EndsWith,
                true,
            )
            | (Op::NotContains, false)
                if least.is_none() =>
            {
                return false;
            }
            (Op::AtLeast, true) | (Op::LessThan, false) => {
                let bound = if *holds { least } else { most };
                lower = lower.max(bound.map(|text| (text, false)));
            }
            (Op::MoreThan, true) | (Op::AtMost, false) => {
                let bound = if *holds { least } else { most };
                lower = lower.max(bound.map(|text| (text, true)));
            }
            (Op::AtMost, true) | (Op::MoreThan, false) => {
                let bound = if *holds { most } else { least };
                upper = lowest(upper, bound.map(|text| (text, true)));
            }
            (Op::LessThan, true) | (Op::AtLeast, false) => {
                let bound = if *holds { most } else { least };
                upper = lowest(upper, bound.map(|text| (text, false)));
            }
            (Op::NotContains, true) | (Op::Contains, false) => forbidden.extend(texts_of(clause)),
            _ => {}
        }
    }
    // The mark of a lower bound says that it is not reached itself, that of an upper one that it is.
    let is_between = match (lower, upper) {
        (Some((low, low_open)), Some((high, high_closed))) => {
            low < high || (low == high && !low_open && high_closed)
        }
        _ => true,
    };
    let is_allowed = |text: &str| !forbidden.iter().any(|part| text.contains(part));
    let parts_fit = wanted.iter().all(|(clause, holds)| {
        let needs_part = matches!(
            (clause.operator, holds),
            (
                Operator::Contains | Operator::StartsWith | Operator::EndsWith,
                true
            ) | (Operator::NotContains, false)
        );
        !needs_part || texts_of(clause).any(is_allowed)
    });
    is_between
        && parts_fit
        && ends_fit(wanted, Operator::StartsWith)
        && ends_fit(wanted, Operator::EndsWith)
}

fn lowest<'t>(
    one: Option<(&'t str, bool)>,
    other: Option<(&'t str, bool)>,
) -> Option<(&'t str, bool)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether one beginning (or end) can suit each two of the clauses that ask for one.
fn ends_fit(wanted: &[ClauseGoal<'_>], operator: Operator) -> bool {
    let asking: Vec<&Clause> = wanted
        .iter()
        .filter(|(clause, holds)| clause.operator == operator && *holds)
        .map(|(clause, _)| *clause)
        .collect();
    let within = |text: &str, part: &str| match operator {
        Operator::EndsWith => text.ends_with(part),
        _ => text.starts_with(part),
    };
    asking.iter().enumerate().all(|(index, one)| {
        asking.iter().skip(index + 1).all(|other| {
            texts_of(one).any(|a| texts_of(other).any(|b| within(a, b) || within(b, a)))
        })
    })
}
