//! Typed conditions: an attribute, an operator, values. Clauses of a rule are `ANDed`, values of a clause `ORed`.

mod attribute;
mod compare;
mod date;
mod remark;
mod version;

use std::ops::RangeInclusive;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use self::attribute::Actual;
pub use self::attribute::{Attribute, Attributes, TIME_ATTRIBUTES, WEEKDAYS};
pub(in crate::domain) use self::attribute::{Lookup, share_attributes};
use self::compare::CLAUSE;
pub use self::compare::{Effort, Operator, ReadAs, TooMuch};
use self::date::is_like;
use super::caller::Fact;
use super::decimal::Decimal;
use super::fault::{Fault, Faults, step};
use super::json::stray_list;
use super::key::Key;
use super::trace::RuleTried;
use crate::domain::wrong::{Words, Wrong};

/// Longest name of a rule, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Most clauses of a rule.
pub const MAX_CLAUSES: usize = 50;
/// Most values of a clause.
pub const MAX_VALUES: usize = 200;
/// Arms of a split.
pub const ARMS: RangeInclusive<usize> = 2..=20;
/// The largest weight of an arm.
pub const MAX_WEIGHT: u32 = 10_000;
/// Longest attribute, in characters.
pub const MAX_ATTRIBUTE_CHARS: usize = 200;
/// What all rules of a context may read for one request, in bytes of texts: some milliseconds. Sixty searches in the longest
/// text that there can be, or thousands in one of a usual length.
pub const MAX_READ: usize = 4 * 1024 * 1024;

/// One rule of a context: the first whose clauses all hold decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name that admins gave it; traces show it.
    pub name: String,
    /// Clauses; the rule holds where all do.
    pub when: Vec<Clause>,
    /// The target of users for whom the rule holds.
    pub then: Target,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// What is looked at.
    pub attribute: Attribute,
    /// How it is compared.
    pub operator: Operator,
    /// How texts on both sides are interpreted.
    #[serde(
        default,
        rename = "as",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some"
    )]
    pub read_as: Option<ReadAs>,
    /// The values to compare with, of which one must fit; `between` takes two. Empty for `is_present` and `is_absent`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Fact>,
}

/// What a rule gives: one persona, or a weighted split over several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    Split(Split),
    /// Just this persona.
    Persona(PersonaTarget),
}

/// One persona.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonaTarget {
    pub persona: Key,
}

/// Arms of a split. A user keeps theirs; a changed weight moves as few as can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// At least two.
    pub split: Vec<Arm>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    pub persona: Key,
    /// Its share, relative to the sum of all weights; 0 to 10,000.
    pub weight: u32,
}

impl Target {
    /// Every persona that this target may give.
    pub fn personas(&self) -> Vec<&Key> {
        match self {
            Self::Persona(one) => vec![&one.persona],
            Self::Split(split) => split.split.iter().map(|arm| &arm.persona).collect(),
        }
    }

    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        if let Self::Split(split) = self {
            if !ARMS.contains(&split.split.len()) {
                faults.add(
                    "/split",
                    Wrong::Items { least: 2, most: 20 }
                        .worded("needs 2 to 20 arms; use persona for a single one"),
                );
            }
            if split.split.iter().any(|arm| arm.weight > MAX_WEIGHT) {
                let most = Wrong::AtMost(MAX_WEIGHT.to_string());
                faults.add("/split", most.worded("has a weight over 10000"));
            }
            if split.split.iter().all(|arm| arm.weight == 0) {
                faults.add("/split", Wrong::NoWeights);
            }
        }
        faults.into_vec()
    }
}

impl Rule {
    /// Reads a rule; every fault at once.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        if let Some(place) = stray_list(value, &["when", "values", "split"]) {
            return Err(vec![Fault::new(
                place,
                Wrong::Object.worded("must be no list"),
            )]);
        }
        match serde_json::from_value::<Self>(value.clone()) {
            Ok(rule) => {
                let faults = rule.check();
                if faults.is_empty() {
                    Ok(rule)
                } else {
                    Err(faults)
                }
            }
            Err(error) => Err(Self::faults_of(value, &error)),
        }
    }

    /// Where a rule can't be read: the reader itself stops at the first fault and does not say where it is.
    fn faults_of(value: &Value, error: &serde_json::Error) -> Vec<Fault> {
        let mut faults = Faults::new();
        for (name, value) in value.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("name", Value::String(_)) => {}
                ("name", _) => faults.add("/name", Wrong::Text),
                ("when", Value::Array(clauses)) => {
                    for (index, clause) in clauses.iter().enumerate() {
                        if let Err(error) = serde_json::from_value::<Clause>(clause.clone()) {
                            faults.add(format!("/when/{index}"), unread(clause, &error));
                        }
                    }
                }
                ("when", _) => faults.add("/when", Wrong::List.worded("must be a list of clauses")),
                ("then", target) => {
                    if serde_json::from_value::<Target>(target.clone()).is_err() {
                        faults.add("/then", Wrong::Target);
                    }
                }
                _ => faults.add(
                    step(name),
                    Wrong::Unknown("name, when, then".to_owned())
                        .worded("is unknown; a rule has name, when and then"),
                ),
            }
        }
        for missing in ["name", "when", "then"]
            .into_iter()
            .filter(|name| value.get(name).is_none())
        {
            faults.add(step(missing), Wrong::Missing);
        }
        if faults.is_empty() {
            faults.add("", Wrong::Unread(error.to_string()));
        }
        faults.into_vec()
    }

    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        if !(1..=MAX_NAME_CHARS).contains(&self.name.chars().count()) {
            faults.add(
                "/name",
                Wrong::Length {
                    least: 1,
                    most: 100,
                },
            );
        }
        if self.when.len() > MAX_CLAUSES {
            let (least, most) = (0, MAX_CLAUSES);
            let items = Wrong::Items { least, most };
            faults.add("/when", items.worded("has more than 50 clauses"));
        }
        for (at, clause) in self.when.iter().enumerate() {
            faults.extend_under(&format!("/when/{at}"), clause.check());
        }
        faults.extend_under("/then", self.then.check());
        faults.into_vec()
    }

    /// Tries the clauses, up to the first that does not hold.
    pub(in crate::domain) fn try_on<'a>(
        &'a self,
        attributes: &mut Lookup<'a>,
        effort: &mut Effort,
    ) -> Result<RuleTried, TooMuch> {
        let mut tried = RuleTried {
            rule: self.name.clone(),
            ..RuleTried::default()
        };
        for (at, clause) in self.when.iter().enumerate() {
            effort.pay(CLAUSE)?;
            let time_zone = attributes.time_zone();
            let actual = attributes.get(&clause.attribute);
            let holds = clause.compare(actual, time_zone, effort)?;
            if let Some(remark) = clause.remark(actual) {
                tried.remarks.insert(at, remark.to_string());
            }
            if !holds {
                tried.failed_clause = Some(at);
                tried.failed_attribute = Some(clause.attribute.text());
                break;
            }
        }
        Ok(tried)
    }
}

/// What is wrong with a clause that can't be read.
fn unread(clause: &Value, error: &serde_json::Error) -> Words {
    let attribute = clause.get("attribute").and_then(Value::as_str);
    match attribute.map(|text| Attribute::try_from(text.to_owned())) {
        Some(Err(message)) => Wrong::Attribute.worded(message),
        _ => Wrong::Unread(error.to_string()).into(),
    }
}

impl Clause {
    fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        let wants_none = matches!(self.operator, Operator::IsPresent | Operator::IsAbsent);
        if wants_none != self.values.is_empty() {
            faults.add(
                "/values",
                if wants_none {
                    Wrong::TakesNone
                } else {
                    Wrong::NeedsOne
                },
            );
        }
        if self.values.len() > MAX_VALUES {
            let (least, most) = (0, MAX_VALUES);
            let items = Wrong::Items { least, most };
            faults.add("/values", items.worded("has more than 200 values"));
        }
        let is_list = |value: &Fact| matches!(value, Fact::List(_));
        if self.values.iter().any(is_list) {
            faults.add("/values", Wrong::NoListInside);
        }
        let textual = matches!(self.operator, Operator::StartsWith | Operator::EndsWith);
        if textual && !self.texts_only(|_| true) {
            faults.add(
                "/values",
                Wrong::Text.worded("takes texts with this operator"),
            );
        }
        if let Some(read_as) = self.read_as {
            self.check_read_as(read_as, &mut faults);
        }
        if self.operator == Operator::Between {
            self.check_between(&mut faults);
        }
        faults.into_vec()
    }

    fn texts_only(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.values.iter().all(|value| match value {
            Fact::Text(text) => fits(text),
            _ => false,
        })
    }

    fn check_read_as(&self, read_as: ReadAs, faults: &mut Faults) {
        if !read_as.suits(self.operator) {
            faults.add(
                "/as",
                match read_as {
                    ReadAs::Caseless => Wrong::GoesWith(
                        "equals, not_equals, contains, not_contains, starts_with, ends_with",
                    )
                    .worded(
                        "goes with equals, contains, their opposites, starts_with and ends_with",
                    ),
                    ReadAs::Version | ReadAs::Date => Wrong::GoesWith(
                        "equals, not_equals, at_least, at_most, more_than, less_than",
                    )
                    .worded(
                        "goes with equals, not_equals, at_least, at_most, more_than and less_than",
                    ),
                },
            );
        }
        if !self.texts_only(|text| read_as.can_read(text)) {
            faults.add(
                "/values",
                match read_as {
                    ReadAs::Caseless => Wrong::Text.worded("takes texts, read as caseless"),
                    ReadAs::Version => Wrong::Version.into(),
                    ReadAs::Date => Wrong::Date.into(),
                },
            );
        }
    }

    fn check_between(&self, faults: &mut Faults) {
        let (wrong, fits): (Wrong, fn(&Fact) -> bool) = match self.attribute.of_clock() {
            Some("hour") => (Wrong::TwoHours, is_hour),
            Some("time") => (Wrong::TwoTimes, is_time),
            _ => {
                let text =
                    "goes with time.hour and time.time: write at_least and less_than for others";
                let wrong = Wrong::GoesWith("time.hour, time.time");
                faults.add("/operator", wrong.worded(text));
                return;
            }
        };
        let are_two = matches!(self.values.as_slice(), [from, until] if from != until);
        if !are_two || !self.values.iter().all(fits) {
            faults.add("/values", wrong);
        }
    }

    /// Whether it holds where the attribute has this value; `None` where it is absent. No request waits for the answer; days are those
    /// of UTC.
    pub fn fits(&self, actual: Option<&Fact>) -> bool {
        let actual = actual.map(Actual::of_fact);
        self.compare(actual.as_ref(), Tz::UTC, &mut Effort::unbounded())
            .unwrap_or(true)
    }
}

/// A member that is there has a value: `null` is none.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReadAs>, D::Error> {
    ReadAs::deserialize(deserializer).map(Some)
}

fn is_hour(value: &Fact) -> bool {
    let last = Decimal::from(24_u32);
    matches!(value, Fact::Number(hour) if hour.is_whole() && *hour >= Decimal::ZERO && *hour <= last)
}

fn is_time(value: &Fact) -> bool {
    let Fact::Text(text) = value else {
        return false;
    };
    text == "24:00"
        || is_like(text, "09:30") && chrono::NaiveTime::parse_from_str(text, "%H:%M").is_ok()
}

#[cfg(test)]
mod tests;
