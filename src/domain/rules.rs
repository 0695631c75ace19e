//! Typed conditions: an attribute, an operator, values. Clauses of a rule are `ANDed`, values of a clause `ORed`.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::caller::{Fact, Facts};
use super::fault::{Fault, Faults};
use super::key::Key;
use super::preferences::Preferences;
use super::request::Metadata;

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

/// One rule of a context: the first whose clauses all hold decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people call it; shows in traces.
    pub name: String,
    /// All must hold.
    pub when: Vec<Clause>,
    /// What the user gets then.
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
    /// With what; one that fits is enough. Empty for `is_present` and `is_absent`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Fact>,
}

/// Where a value comes from: `user.plan`, `preferences.tone`, `metadata.ticket.priority`, `time.hour`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attribute {
    root: Root,
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    User,
    Preferences,
    Metadata,
    Time,
}

/// The clock attributes, read in the tenant's time zone.
pub const TIME_ATTRIBUTES: [&str; 4] = ["hour", "weekday", "date", "time"];

impl TryFrom<String> for Attribute {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut steps = text.split('.').map(str::to_owned);
        let root = match steps.next().as_deref() {
            Some("user") => Root::User,
            Some("preferences") => Root::Preferences,
            Some("metadata") => Root::Metadata,
            Some("time") => Root::Time,
            _ => {
                return Err(
                    "an attribute starts with user., preferences., metadata. or time.".into(),
                );
            }
        };
        let path: Vec<String> = steps.collect();
        let deep_enough = !path.is_empty() && path.iter().all(|step| !step.is_empty());
        if !deep_enough || text.len() > MAX_ATTRIBUTE_CHARS {
            return Err("an attribute names one value, such as user.plan".into());
        }
        if matches!(root, Root::User | Root::Preferences | Root::Time) && path.len() != 1 {
            return Err("only metadata attributes have more than one step".into());
        }
        if root == Root::Time
            && !path
                .first()
                .is_some_and(|name| TIME_ATTRIBUTES.contains(&name.as_str()))
        {
            return Err(
                "time attributes are time.hour, time.weekday, time.date and time.time".into(),
            );
        }
        Ok(Self { root, path })
    }
}

impl From<Attribute> for String {
    fn from(attribute: Attribute) -> Self {
        let root = match attribute.root {
            Root::User => "user",
            Root::Preferences => "preferences",
            Root::Metadata => "metadata",
            Root::Time => "time",
        };
        format!("{root}.{}", attribute.path.join("."))
    }
}

/// How an attribute is compared. Texts compare by code point, so dates such as `2026-11-24` compare in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
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
    IsPresent,
    IsAbsent,
}

/// What a rule gives: one persona, or a weighted split over several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A split.
    Split(Split),
    /// Just this persona.
    Persona(One),
}

/// One persona.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its key.
    pub persona: Key,
}

/// Arms of a split. A user keeps theirs; a changed weight moves as few as can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// At least two.
    pub split: Vec<Arm>,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its persona.
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

    /// What is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        if let Self::Split(split) = self {
            if !ARMS.contains(&split.split.len()) {
                faults.add("/split", "needs 2 to 20 arms; use persona for a single one");
            }
            if split.split.iter().any(|arm| arm.weight > MAX_WEIGHT) {
                faults.add("/split", "has a weight over 10000");
            }
            if split.split.iter().all(|arm| arm.weight == 0) {
                faults.add("/split", "needs a weight above 0");
            }
        }
        faults.into_vec()
    }
}

impl Rule {
    /// What is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        if !(1..=MAX_NAME_CHARS).contains(&self.name.chars().count()) {
            faults.add("/name", "must be 1 to 100 characters");
        }
        if self.when.len() > MAX_CLAUSES {
            faults.add("/when", "has more than 50 clauses");
        }
        for (at, clause) in self.when.iter().enumerate() {
            faults.extend_under(&format!("/when/{at}"), clause.check());
        }
        faults.extend_under("/then", self.then.check());
        faults.into_vec()
    }

    /// The first clause that does not hold, by position; `None` where all hold.
    pub fn first_failed(&self, attributes: &Attributes<'_>) -> Option<usize> {
        self.when
            .iter()
            .position(|clause| !clause.holds(attributes))
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
                    "takes no values with this operator"
                } else {
                    "needs at least one value"
                },
            );
        }
        if self.values.len() > MAX_VALUES {
            faults.add("/values", "has more than 200 values");
        }
        if self
            .values
            .iter()
            .any(|value| matches!(value, Fact::List(_)))
        {
            faults.add(
                "/values",
                "takes texts, numbers and flags, no lists inside the list",
            );
        }
        let textual = matches!(self.operator, Operator::StartsWith | Operator::EndsWith);
        if textual
            && !self
                .values
                .iter()
                .all(|value| matches!(value, Fact::Text(_)))
        {
            faults.add("/values", "takes texts with this operator");
        }
        faults.into_vec()
    }

    fn holds(&self, attributes: &Attributes<'_>) -> bool {
        let actual = attributes.get(&self.attribute);
        let any = |fits: &dyn Fn(&Fact, &Fact) -> bool| {
            actual
                .as_ref()
                .is_some_and(|actual| self.values.iter().any(|value| fits(actual, value)))
        };
        match self.operator {
            Operator::IsPresent => actual.is_some(),
            Operator::IsAbsent => actual.is_none(),
            Operator::Equals => any(&|actual, value| actual == value),
            Operator::NotEquals => !any(&|actual, value| actual == value),
            Operator::Contains => any(&contains),
            Operator::NotContains => !any(&contains),
            Operator::StartsWith => {
                any(&|actual, value| texts(actual, value).is_some_and(|(a, v)| a.starts_with(v)))
            }
            Operator::EndsWith => {
                any(&|actual, value| texts(actual, value).is_some_and(|(a, v)| a.ends_with(v)))
            }
            Operator::AtLeast => {
                any(&|actual, value| order(actual, value).is_some_and(std::cmp::Ordering::is_ge))
            }
            Operator::AtMost => {
                any(&|actual, value| order(actual, value).is_some_and(std::cmp::Ordering::is_le))
            }
            Operator::MoreThan => {
                any(&|actual, value| order(actual, value).is_some_and(std::cmp::Ordering::is_gt))
            }
            Operator::LessThan => {
                any(&|actual, value| order(actual, value).is_some_and(std::cmp::Ordering::is_lt))
            }
        }
    }
}

fn contains(actual: &Fact, value: &Fact) -> bool {
    match (actual, value) {
        (Fact::List(items), Fact::Text(text)) => items.contains(text),
        (Fact::Text(whole), Fact::Text(part)) => whole.contains(part.as_str()),
        _ => false,
    }
}

fn texts<'a>(actual: &'a Fact, value: &'a Fact) -> Option<(&'a str, &'a str)> {
    match (actual, value) {
        (Fact::Text(actual), Fact::Text(value)) => Some((actual, value)),
        _ => None,
    }
}

fn order(actual: &Fact, value: &Fact) -> Option<std::cmp::Ordering> {
    match (actual, value) {
        (Fact::Number(actual), Fact::Number(value)) => actual.partial_cmp(value),
        (Fact::Text(actual), Fact::Text(value)) => Some(actual.as_str().cmp(value)),
        _ => None,
    }
}

/// Everything that a clause can look at.
#[derive(Debug)]
pub struct Attributes<'a> {
    /// From the JWT.
    pub user: &'a Facts,
    /// The user's choices.
    pub preferences: &'a Preferences,
    /// From the request, valid against the context's schema.
    pub metadata: &'a Metadata,
    /// The moment of the request.
    pub now: DateTime<Utc>,
    /// Where `time.*` is read.
    pub time_zone: Tz,
}

impl Attributes<'_> {
    fn get(&self, attribute: &Attribute) -> Option<Fact> {
        let first = attribute.path.first()?;
        match attribute.root {
            Root::User => self.user.get(first).cloned(),
            Root::Preferences => self.preferences.get(first).cloned(),
            Root::Metadata => {
                let mut value = self.metadata.get(first)?;
                for step in attribute.path.iter().skip(1) {
                    value = value.as_object()?.get(step)?;
                }
                to_fact(value)
            }
            Root::Time => time_fact(first, self.now.with_timezone(&self.time_zone)),
        }
    }
}

fn to_fact(value: &Value) -> Option<Fact> {
    match value {
        Value::Array(items) => {
            let texts = items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned));
            Some(Fact::List(texts.collect()))
        }
        Value::Null | Value::Object(_) => None,
        scalar => serde_json::from_value(scalar.clone()).ok(),
    }
}

fn time_fact(name: &str, local: DateTime<Tz>) -> Option<Fact> {
    Some(match name {
        "hour" => Fact::Number(f64::from(local.hour())),
        "weekday" => Fact::Text(
            match local.weekday() {
                chrono::Weekday::Mon => "monday",
                chrono::Weekday::Tue => "tuesday",
                chrono::Weekday::Wed => "wednesday",
                chrono::Weekday::Thu => "thursday",
                chrono::Weekday::Fri => "friday",
                chrono::Weekday::Sat => "saturday",
                chrono::Weekday::Sun => "sunday",
            }
            .into(),
        ),
        "date" => Fact::Text(format!(
            "{:04}-{:02}-{:02}",
            local.year(),
            local.month(),
            local.day()
        )),
        "time" => Fact::Text(format!("{:02}:{:02}", local.hour(), local.minute())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
