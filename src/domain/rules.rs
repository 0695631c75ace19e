//! Typed conditions: an attribute, an operator, values. Clauses of a rule are `ANDed`, values of a clause `ORed`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::caller::{Fact, Facts};
use super::decimal::Decimal;
use super::fault::{Fault, Faults, step};
use super::json::stray_list;
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
/// What all rules of a context may read for one request, in bytes of texts: some milliseconds. Sixty searches in the longest
/// text that there can be, or thousands in one of a usual length.
pub const MAX_READ: usize = 4 * 1024 * 1024;
/// Looking at one item, in bytes that could be read meanwhile.
const ITEM: usize = 8;
/// Finding the value of an attribute, likewise.
const CLAUSE: usize = 64;

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
    /// Reads a rule; every fault at once.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        if let Some(place) = stray_list(value, &["when", "values", "split"]) {
            return Err(vec![Fault::new(place, "must be no list")]);
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
                ("name", _) => faults.add("/name", "must be a text"),
                ("when", Value::Array(clauses)) => {
                    for (index, clause) in clauses.iter().enumerate() {
                        if let Err(error) = serde_json::from_value::<Clause>(clause.clone()) {
                            faults.add(format!("/when/{index}"), error.to_string());
                        }
                    }
                }
                ("when", _) => faults.add("/when", "must be a list of clauses"),
                ("then", target) => {
                    if serde_json::from_value::<Target>(target.clone()).is_err() {
                        let message = "must be {\"persona\": key} or {\"split\": [...]}";
                        faults.add("/then", message);
                    }
                }
                _ => faults.add(step(name), "is unknown; a rule has name, when and then"),
            }
        }
        for missing in ["name", "when", "then"]
            .into_iter()
            .filter(|name| value.get(name).is_none())
        {
            faults.add(step(missing), "is missing");
        }
        if faults.is_empty() {
            faults.add("", error.to_string());
        }
        faults.into_vec()
    }

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
    pub fn first_failed(
        &self,
        attributes: &Attributes<'_>,
        effort: &mut Effort,
    ) -> Result<Option<usize>, TooMuch> {
        for (at, clause) in self.when.iter().enumerate() {
            if !clause.holds(attributes, effort)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
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
    fn pay(&mut self, bytes: usize) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(bytes).ok_or(TooMuch)?;
        Ok(())
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

    fn holds(&self, attributes: &Attributes<'_>, effort: &mut Effort) -> Result<bool, TooMuch> {
        effort.pay(CLAUSE)?;
        self.compare(attributes.get(&self.attribute).as_ref(), effort)
    }

    /// Whether it holds where the attribute has this value; `None` where it is absent. No request waits for the answer.
    pub fn fits(&self, actual: Option<&Fact>) -> bool {
        let mut effort = Effort { left: usize::MAX };
        self.compare(actual.map(Actual::of_fact).as_ref(), &mut effort)
            .unwrap_or(true)
    }

    fn compare(&self, actual: Option<&Actual<'_>>, effort: &mut Effort) -> Result<bool, TooMuch> {
        let mut any = |fits: fn(&Actual<'_>, &Fact) -> bool| {
            let Some(actual) = actual else {
                return Ok(false);
            };
            for value in &self.values {
                effort.pay(self.operator.reads(actual, value))?;
                if fits(actual, value) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        Ok(match self.operator {
            Operator::IsPresent => actual.is_some(),
            Operator::IsAbsent => actual.is_none(),
            Operator::Equals => any(equals)?,
            Operator::NotEquals => !any(equals)?,
            Operator::Contains => any(contains)?,
            Operator::NotContains => !any(contains)?,
            Operator::StartsWith => {
                any(|actual, value| texts(actual, value).is_some_and(|(a, v)| a.starts_with(v)))?
            }
            Operator::EndsWith => {
                any(|actual, value| texts(actual, value).is_some_and(|(a, v)| a.ends_with(v)))?
            }
            Operator::AtLeast => {
                any(|actual, value| order(actual, value).is_some_and(Ordering::is_ge))?
            }
            Operator::AtMost => {
                any(|actual, value| order(actual, value).is_some_and(Ordering::is_le))?
            }
            Operator::MoreThan => {
                any(|actual, value| order(actual, value).is_some_and(Ordering::is_gt))?
            }
            Operator::LessThan => {
                any(|actual, value| order(actual, value).is_some_and(Ordering::is_lt))?
            }
        })
    }
}

impl Operator {
    /// What a comparison reads at most, in bytes.
    fn reads(self, actual: &Actual<'_>, value: &Fact) -> usize {
        let searches = matches!(self, Self::Contains | Self::NotContains);
        let read = match actual {
            Actual::Text(text) if searches => text.len(),
            Actual::Texts(texts) if searches => ITEM.saturating_mul(texts.len()),
            Actual::Values(values) if searches => ITEM.saturating_mul(values.len()),
            _ => 0,
        };
        let value = match value {
            Fact::Text(text) => text.len(),
            _ => 0,
        };
        read.saturating_add(value).saturating_add(ITEM)
    }
}

/// A value that a rule looks at, where it stands.
enum Actual<'a> {
    Flag(bool),
    Number(Decimal),
    Text(Cow<'a, str>),
    Texts(&'a [String]),
    /// Of these, the texts.
    Values(&'a [Value]),
}

impl<'a> Actual<'a> {
    fn of_fact(fact: &'a Fact) -> Self {
        match fact {
            Fact::Flag(flag) => Self::Flag(*flag),
            Fact::Number(number) => Self::Number(*number),
            Fact::Text(text) => Self::Text(Cow::Borrowed(text)),
            Fact::List(texts) => Self::Texts(texts),
        }
    }

    fn of_value(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null | Value::Object(_) => return None,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(Decimal::of(number)?),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(values) => Self::Values(values),
        })
    }
}

fn equals(actual: &Actual<'_>, value: &Fact) -> bool {
    match (actual, value) {
        (Actual::Flag(actual), Fact::Flag(value)) => actual == value,
        (Actual::Number(actual), Fact::Number(value)) => actual == value,
        _ => texts(actual, value).is_some_and(|(actual, value)| actual == value),
    }
}

fn contains(actual: &Actual<'_>, value: &Fact) -> bool {
    let Fact::Text(part) = value else {
        return false;
    };
    match actual {
        Actual::Text(whole) => whole.contains(part.as_str()),
        Actual::Texts(texts) => texts.contains(part),
        Actual::Values(values) => values.iter().any(|item| item.as_str() == Some(part)),
        Actual::Flag(_) | Actual::Number(_) => false,
    }
}

fn texts<'a>(actual: &'a Actual<'_>, value: &'a Fact) -> Option<(&'a str, &'a str)> {
    match (actual, value) {
        (Actual::Text(actual), Fact::Text(value)) => Some((actual, value)),
        _ => None,
    }
}

fn order(actual: &Actual<'_>, value: &Fact) -> Option<Ordering> {
    match (actual, value) {
        (Actual::Number(actual), Fact::Number(value)) => Some(actual.cmp(value)),
        _ => texts(actual, value).map(|(actual, value)| actual.cmp(value)),
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
    fn get(&self, attribute: &Attribute) -> Option<Actual<'_>> {
        let first = attribute.path.first()?;
        match attribute.root {
            Root::User => self.user.get(first).map(Actual::of_fact),
            Root::Preferences => self.preferences.get(first).map(Actual::of_fact),
            Root::Metadata => {
                let mut value = self.metadata.get(first)?;
                for step in attribute.path.iter().skip(1) {
                    value = value.as_object()?.get(step)?;
                }
                Actual::of_value(value)
            }
            Root::Time => time(first, self.now.with_timezone(&self.time_zone)),
        }
    }
}

fn time(name: &str, local: DateTime<Tz>) -> Option<Actual<'static>> {
    Some(match name {
        "hour" => Actual::Number(local.hour().into()),
        "weekday" => Actual::Text(
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
        "date" => Actual::Text(local.format("%Y-%m-%d").to_string().into()),
        "time" => Actual::Text(local.format("%H:%M").to_string().into()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
