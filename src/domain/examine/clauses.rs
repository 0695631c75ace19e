//! Which values an attribute can have, and whether clauses can hold of any of them.
//!
//! What is not known for certain counts as possible: a rule is called impossible only where no value of the attribute fits.

use std::cell::Cell;

use serde_json::Value;

use super::schema::{self, Place};
use crate::domain::caller::Fact;
use crate::domain::decimal::Decimal;
use crate::domain::policy::Policy;
use crate::domain::preferences::{PreferenceField, STANDARD_FIELDS};
use crate::domain::rules::{Clause, Operator};

/// What looking at the rules of one context may cost, in comparisons; what is left then counts as possible.
const MAX_COMPARISONS: usize = 10_000_000;
/// References of a schema are followed so often.
const MAX_REFERENCES: usize = 8;
/// Values listed in a message.
const MAX_LISTED: usize = 20;

/// The values that an attribute may have.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// There may be none.
    absent: bool,
    flags: Vec<bool>,
    numbers: Numbers,
    texts: Texts,
    lists: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    None,
    /// Ends that are not there are open.
    Range {
        min: Option<Decimal>,
        max: Option<Decimal>,
        whole: bool,
    },
    OneOf(Vec<Decimal>),
}

#[derive(Debug, Clone, PartialEq)]
enum Texts {
    None,
    Any,
    /// Such as `2026-11-24`; digits stand where the sample has digits.
    Like(&'static str),
    OneOf(Vec<String>),
}

impl Values {
    /// Of an attribute about which nothing is known.
    fn any() -> Self {
        Self {
            absent: true,
            flags: vec![false, true],
            numbers: Numbers::Range {
                min: None,
                max: None,
                whole: false,
            },
            texts: Texts::Any,
            lists: true,
        }
    }

    fn none() -> Self {
        Self {
            absent: false,
            flags: Vec::new(),
            numbers: Numbers::None,
            texts: Texts::None,
            lists: false,
        }
    }

    /// Of an attribute, as far as the policy and the schema of the metadata tell.
    pub(super) fn of(attribute: &str, policy: &Policy, metadata: Option<&Value>) -> Self {
        match attribute.split_once('.') {
            Some(("time", name)) => Self::of_time(name),
            Some(("preferences", name)) => Self::of_preference(name, policy),
            Some(("metadata", path)) => metadata.map_or_else(Self::any, |root| {
                let steps: Vec<&str> = path.split('.').collect();
                match schema::look(root, &steps) {
                    Place::Declared { schema, certain } => {
                        let mut values = Self::any();
                        values.restrict(root, schema, MAX_REFERENCES);
                        values.absent |= !certain;
                        values
                    }
                    Place::Open | Place::Closed => Self::any(),
                }
            }),
            _ => Self::any(),
        }
    }

    fn of_time(name: &str) -> Self {
        let none = Self::none();
        match name {
            "hour" => Self {
                numbers: Numbers::Range {
                    min: Some(Decimal::ZERO),
                    max: Some(23_u32.into()),
                    whole: true,
                },
                ..none
            },
            "weekday" => {
                let days = [
                    "monday",
                    "tuesday",
                    "wednesday",
                    "thursday",
                    "friday",
                    "saturday",
                    "sunday",
                ];
                Self {
                    texts: Texts::OneOf(days.map(str::to_owned).into()),
                    ..none
                }
            }
            "date" => Self {
                texts: Texts::Like("2026-11-24"),
                ..none
            },
            "time" => Self {
                texts: Texts::Like("09:30"),
                ..none
            },
            _ => Self::any(),
        }
    }

    fn of_preference(name: &str, policy: &Policy) -> Self {
        let chosen = Self {
            absent: true,
            ..Self::none()
        };
        match policy.preference_fields.get(name) {
            Some(PreferenceField::Choice(choices)) => Self {
                texts: Texts::OneOf(choices.clone()),
                ..chosen
            },
            Some(PreferenceField::Text { .. }) => Self {
                texts: Texts::Any,
                ..chosen
            },
            Some(PreferenceField::Flag) => Self {
                flags: vec![false, true],
                ..chosen
            },
            Some(PreferenceField::Number { min, max }) => Self {
                numbers: Numbers::Range {
                    min: Some(*min),
                    max: Some(*max),
                    whole: false,
                },
                ..chosen
            },
            None if STANDARD_FIELDS.contains(&name) => Self {
                texts: Texts::Any,
                ..chosen
            },
            None => Self::any(),
        }
    }

    /// Takes away what a schema does not allow, as far as it says so in its own words.
    fn restrict(&mut self, root: &Value, schema: &Value, references: usize) {
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
        if let Some((target, left)) = target.zip(references.checked_sub(1)) {
            self.restrict(root, target, left);
        }
        let named: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !named.is_empty() {
            self.keep_types(&named);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            self.keep_only(values);
        }
        if let Some(value) = schema.get("const") {
            self.keep_only(std::slice::from_ref(value));
        }
        if let Numbers::Range { min, max, .. } = &mut self.numbers {
            let bound = |name: &str| schema.get(name).and_then(Decimal::of_value);
            for low in ["minimum", "exclusiveMinimum"]
                .into_iter()
                .filter_map(bound)
            {
                *min = (*min).max(Some(low));
            }
            for high in ["maximum", "exclusiveMaximum"]
                .into_iter()
                .filter_map(bound)
            {
                *max = Some(max.map_or(high, |max| max.min(high)));
            }
        }
    }

    fn keep_types(&mut self, named: &[&str]) {
        let has = |kind: &str| named.contains(&kind);
        if !has("boolean") {
            self.flags.clear();
        }
        if !has("number") {
            match &mut self.numbers {
                Numbers::Range { whole, .. } if has("integer") => *whole = true,
                Numbers::OneOf(_) if has("integer") => {}
                numbers => *numbers = Numbers::None,
            }
        }
        if !has("string") {
            self.texts = Texts::None;
        }
        self.lists &= has("array");
        // A rule sees neither null nor an object.
        self.absent &= has("null") || has("object");
    }

    fn keep_only(&mut self, values: &[Value]) {
        self.flags
            .retain(|flag| values.contains(&Value::Bool(*flag)));
        if self.numbers != Numbers::None {
            self.numbers = Numbers::OneOf(values.iter().filter_map(Decimal::of_value).collect());
        }
        if self.texts != Texts::None {
            let texts = values.iter().filter_map(Value::as_str);
            self.texts = Texts::OneOf(texts.map(str::to_owned).collect());
        }
        self.lists &= values.iter().any(Value::is_array);
        self.absent &= values
            .iter()
            .any(|value| value.is_null() || value.is_object());
    }

    /// Texts that are the only ones, for advice.
    pub(super) fn known_texts(&self) -> &[String] {
        match &self.texts {
            Texts::OneOf(texts) => texts,
            _ => &[],
        }
    }

    /// Whether a number can be meant.
    pub(super) fn has_numbers(&self) -> bool {
        self.numbers != Numbers::None
    }

    /// What the attribute is, in words: `a whole number from 0 to 23`.
    pub(super) fn describe(&self) -> String {
        let mut words = Vec::new();
        match &self.texts {
            Texts::None => {}
            Texts::Any => words.push("a text".to_owned()),
            Texts::Like(sample) => words.push(format!("a text such as {sample}")),
            Texts::OneOf(texts) => words.push(one_of(texts.iter().map(|text| format!("{text:?}")))),
        }
        match &self.numbers {
            Numbers::None => {}
            Numbers::Range { min, max, whole } => {
                let kind = if *whole { "a whole number" } else { "a number" };
                words.push(match (min, max) {
                    (Some(min), Some(max)) => format!("{kind} from {min} to {max}"),
                    (Some(min), None) => format!("{kind} of at least {min}"),
                    (None, Some(max)) => format!("{kind} of at most {max}"),
                    (None, None) => kind.to_owned(),
                });
            }
            Numbers::OneOf(numbers) => words.push(one_of(numbers.iter().map(Decimal::to_string))),
        }
        match self.flags.as_slice() {
            [] => {}
            [only] => words.push(only.to_string()),
            _ => words.push("true or false".to_owned()),
        }
        if self.lists {
            words.push("a list".to_owned());
        }
        words.retain(|word| !word.is_empty());
        if words.is_empty() {
            return "always absent".to_owned();
        }
        words.join(" or ")
    }
}

fn one_of(values: impl Iterator<Item = String>) -> String {
    let mut listed: Vec<String> = values.take(MAX_LISTED + 1).collect();
    if listed.len() > MAX_LISTED {
        listed.truncate(MAX_LISTED);
        listed.push("...".to_owned());
    }
    match listed.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// A clause, and whether it is to hold.
pub(super) type Wanted<'c> = (&'c Clause, bool);

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
    pub(super) fn is_possible(&self, values: &Values, wanted: &[Wanted<'_>]) -> bool {
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
            || numbers(&values.numbers, wanted)
                .into_iter()
                .any(|number| all(Some(&Fact::Number(number))))
            || texts_fit(&values.texts, wanted, &all)
            || (values.lists && all(Some(&Fact::List(longest_list(wanted)))))
            || (values.lists && all(Some(&Fact::List(Vec::new()))))
    }
}

/// Numbers of which one fits, if any does: those that the clauses name, and one on either side of and between them.
fn numbers(numbers: &Numbers, wanted: &[Wanted<'_>]) -> Vec<Decimal> {
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

fn texts_fit(texts: &Texts, wanted: &[Wanted<'_>], all: &impl Fn(Option<&Fact>) -> bool) -> bool {
    let fits = |text: &str| all(Some(&Fact::Text(text.to_owned())));
    let sample = match texts {
        Texts::None => return false,
        Texts::OneOf(texts) => return texts.iter().any(|text| fits(text)),
        Texts::Any => None,
        Texts::Like(sample) => Some(*sample),
    };
    // A clause that leaves a few texts only leaves only these to look at.
    let few = wanted.iter().find(|(clause, holds)| {
        matches!(
            (clause.operator, holds),
            (Operator::Equals, true) | (Operator::NotEquals, false)
        )
    });
    match few {
        Some((clause, _)) => texts_of(clause)
            .filter(|text| sample.is_none_or(|sample| is_like(text, sample)))
            .any(fits),
        None => open_texts_fit(wanted),
    }
}

fn texts_of(clause: &Clause) -> impl Iterator<Item = &str> {
    clause.values.iter().filter_map(|value| match value {
        Fact::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

fn is_like(text: &str, sample: &str) -> bool {
    text.len() == sample.len()
        && text.bytes().zip(sample.bytes()).all(|(own, like)| {
            if like.is_ascii_digit() {
                own.is_ascii_digit()
            } else {
                own == like
            }
        })
}

/// Whether some text can fit clauses none of which names the few texts that do. Says no only where that is certain.
fn open_texts_fit(wanted: &[Wanted<'_>]) -> bool {
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
fn ends_fit(wanted: &[Wanted<'_>], operator: Operator) -> bool {
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

/// A list with everything that the clauses ask for and nothing that they forbid.
fn longest_list(wanted: &[Wanted<'_>]) -> Vec<String> {
    let of = |asked: (Operator, bool), or: (Operator, bool)| {
        let those = wanted.iter().filter(move |(clause, holds)| {
            (clause.operator, *holds) == asked || (clause.operator, *holds) == or
        });
        those.flat_map(|(clause, _)| texts_of(clause))
    };
    let forbidden: Vec<&str> =
        of((Operator::NotContains, true), (Operator::Contains, false)).collect();
    of((Operator::Contains, true), (Operator::NotContains, false))
        .filter(|text| !forbidden.contains(text))
        .map(str::to_owned)
        .collect()
}
