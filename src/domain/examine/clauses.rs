//! Whether clauses can hold of any of the values that an attribute can have.
//!
//! What is not known for certain counts as possible: a rule is called impossible only where no value of the attribute fits.

use std::cell::Cell;

use super::goals::{ClauseGoal, looks_into, open_texts_fit, texts_of};
use super::read_as;
use super::values::{Lists, Numbers, Texts, Values};
use crate::domain::caller::Fact;
use crate::domain::decimal::Decimal;
use crate::domain::rules::{Clause, Operator, ReadAs};

/// What looking at the rules of one context may cost, in comparisons; what is left then counts as possible.
const MAX_COMPARISONS: usize = 10_000_000;

/// Answers within a number of comparisons.
#[derive(Debug)]
pub(super) struct Judge {
    left: Cell<usize>,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self {
            left: Cell::new(MAX_COMPARISONS),
        }
    }

    /// Takes the cost of a look; false where it can't be paid any more.
    pub(super) fn pay(&self, cost: usize) -> bool {
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Whether an attribute with these values can be so that each clause about it holds, or does not, as wanted.
    pub(super) fn is_possible(&self, values: &Values, wanted: &[ClauseGoal<'_>]) -> bool {
        let cost: usize = wanted
            .iter()
            .map(|(clause, _)| clause.values.len() + 1)
            .sum();
        // Finding candidates takes a few steps a value, and comparing texts with each other one a pair.
        if !self.pay(cost.saturating_mul(cost.saturating_add(16))) {
            return true;
        }
        let all = |fact: Option<&Fact>| {
            !self.pay(cost)
                || wanted
                    .iter()
                    .all(|(clause, holds)| clause.fits(fact) == *holds)
        };
        (values.absent && all(None))
            || values
                .flags
                .iter()
                .any(|flag| all(Some(&Fact::Flag(*flag))))
            || (read_as::is_wanted(wanted, ReadAs::Date) && values.numbers != Numbers::None)
            || numbers(&values.numbers, wanted)
                .into_iter()
                .any(|number| all(Some(&Fact::Number(number))))
            || texts_fit(&values.texts, wanted, &all)
            || lists_fit(&values.lists, wanted, &all)
    }
}

/// The list of everything that is asked for and that no clause forbids fits, if any does.
fn lists_fit(
    lists: &Lists,
    wanted: &[ClauseGoal<'_>],
    all: &impl Fn(Option<&Fact>) -> bool,
) -> bool {
    let items = match lists {
        Lists::None => return false,
        Lists::Any => None,
        Lists::Of(items) => Some(items.as_ref()),
    };
    let known = items.map_or(&[][..], |items| match &items.texts {
        Texts::OneOf(texts) => texts,
        _ => &[],
    });
    if known.is_empty() && read_as::is_wanted(wanted, ReadAs::Caseless) {
        // To what does not look into lists, all are the same.
        let none = Fact::List(Vec::new());
        let mut others = wanted
            .iter()
            .filter(|(clause, _)| !clause.operator.searches());
        return items.is_none_or(Values::has_texts)
            && others.all(|(clause, holds)| clause.fits(Some(&none)) == *holds);
    }
    let forbids = |clause: &Clause, holds: bool| {
        matches!(
            (clause.operator, holds),
            (Operator::NotContains, true) | (Operator::Contains, false)
        )
    };
    let is_allowed = |item: &Fact| {
        let alone = Fact::List(vec![item.clone()]);
        let mut forbidding = wanted
            .iter()
            .filter(|(clause, holds)| forbids(clause, *holds));
        forbidding.all(|(clause, holds)| clause.fits(Some(&alone)) == *holds)
    };
    let named = wanted
        .iter()
        .flat_map(|(clause, _)| &clause.values)
        .cloned();
    let fullest = named
        .chain(known.iter().cloned().map(Fact::Text))
        .filter(|item| items.is_none_or(|items| items.admits(item)) && is_allowed(item));
    let fullest = Fact::List(fullest.collect());
    all(Some(&Fact::List(Vec::new()))) || all(Some(&fullest))
}

/// Numbers of which one fits, if any does: those that the clauses name, and one on either side of and between them.
fn numbers(numbers: &Numbers, wanted: &[ClauseGoal<'_>]) -> Vec<Decimal> {
    let (min, max, whole) = match numbers {
        Numbers::None => return Vec::new(),
        Numbers::OneOf(numbers) => return numbers.clone(),
        Numbers::Range { min, max, whole } => (*min, *max, *whole),
    };
    let named = wanted.iter().flat_map(|(clause, _)| &clause.values);
    let mut points: Vec<Decimal> = named
        .filter_map(|value| match value {
            Fact::Number(number) => Some(*number),
            _ => None,
        })
        .chain([min, max].into_iter().flatten())
        .chain([Decimal::ZERO])
        .collect();
    points.sort_unstable();
    points.dedup();
    let (one, two) = (Decimal::from(1_u32), Decimal::from(2_u32));
    let between = points
        .windows(2)
        .filter_map(|pair| pair.first()?.plus(*pair.last()?)?.over(two));
    // Nothing lies between numbers so far apart that one can't be added.
    let around = points.iter().flat_map(|point| {
        let near = [point.minus(one), Some(*point), point.plus(one)];
        let near = near.into_iter().flatten();
        near.flat_map(|point| [point, point.truncated()])
    });
    let is_within = |number: &Decimal| {
        min.is_none_or(|min| *number >= min)
            && max.is_none_or(|max| *number <= max)
            && (number.is_whole() || !whole)
    };
    let mut candidates: Vec<Decimal> = around.chain(between).filter(is_within).collect();
    candidates.sort_unstable();
    candidates.dedup();
    candidates
}

fn texts_fit(
    texts: &Texts,
    wanted: &[ClauseGoal<'_>],
    all: &impl Fn(Option<&Fact>) -> bool,
) -> bool {
    let fits = |text: &str| all(Some(&Fact::Text(text.to_owned())));
    let clock = match texts {
        Texts::None => return false,
        Texts::OneOf(texts) => return texts.iter().any(|text| fits(text)),
        Texts::Any => None,
        Texts::Of(clock) => Some(clock),
    };
    if let Some(read_as) = wanted.iter().find_map(|(clause, _)| clause.read_as) {
        return read_as::texts_fit(read_as, clock, wanted, &fits);
    }
    if let Some(clock) = clock
        && !wanted.iter().any(|(clause, _)| looks_into(clause))
    {
        let named = wanted.iter().flat_map(|(clause, _)| texts_of(clause));
        return clock.around(named).iter().any(|text| fits(text));
    }
    // A clause that leaves a few texts only leaves only these to look at.
    let few = wanted.iter().find(|(clause, holds)| {
        matches!(
            (clause.operator, holds),
            (Operator::Equals, true) | (Operator::NotEquals, false)
        )
    });
    match few {
        Some((clause, _)) => texts_of(clause)
            .filter(|text| clock.is_none_or(|clock| clock.has(text)))
            .any(fits),
        None => open_texts_fit(wanted),
    }
}
