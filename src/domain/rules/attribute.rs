//! What a clause looks at.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MAX_ATTRIBUTE_CHARS;
use crate::domain::caller::{Fact, Facts};
use crate::domain::decimal::Decimal;
use crate::domain::preferences::Preferences;
use crate::domain::request::Metadata;

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

/// The days as `time.weekday` has them.
pub const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

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
        attribute.text()
    }
}

impl Attribute {
    /// As rules have it, such as `user.plan`.
    pub(super) fn text(&self) -> String {
        let root = match self.root {
            Root::User => "user",
            Root::Preferences => "preferences",
            Root::Metadata => "metadata",
            Root::Time => "time",
        };
        let length: usize = self.path.iter().map(|step| 1 + step.len()).sum();
        // A trace has it for each rule that did not hold: it is put together at once.
        let mut text = String::with_capacity(root.len() + length);
        text.push_str(root);
        for step in &self.path {
            text.push('.');
            text.push_str(step);
        }
        text
    }

    /// The name of a clock attribute.
    pub fn of_clock(&self) -> Option<&str> {
        let name = self.path.first()?;
        (self.root == Root::Time).then_some(name)
    }
}

/// A value that a rule looks at, where it stands.
pub(super) enum Actual<'a> {
    Flag(bool),
    Number(Decimal),
    Text(Cow<'a, str>),
    List(Items<'a>),
}

/// The items of a list, where they stand.
#[derive(Clone, Copy)]
pub(super) enum Items<'a> {
    Facts(&'a [Fact]),
    Values(&'a [Value]),
}

/// What is compared with one value of a clause.
pub(super) enum Item<'a> {
    Flag(bool),
    Number(Decimal),
    Text(&'a str),
}

impl<'a> Actual<'a> {
    pub(super) fn of_fact(fact: &'a Fact) -> Self {
        match fact {
            Fact::Flag(flag) => Self::Flag(*flag),
            Fact::Number(number) => Self::Number(*number),
            Fact::Text(text) => Self::Text(Cow::Borrowed(text)),
            Fact::List(items) => Self::List(Items::Facts(items)),
        }
    }

    fn of_value(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null | Value::Object(_) => return None,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(Decimal::from_number(number)?),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(values) => Self::List(Items::Values(values)),
        })
    }

    /// The value itself, where it is no list.
    pub(super) fn single(&self) -> Option<Item<'_>> {
        Some(match self {
            Self::Flag(flag) => Item::Flag(*flag),
            Self::Number(number) => Item::Number(*number),
            Self::Text(text) => Item::Text(text),
            Self::List(_) => return None,
        })
    }
}

impl<'a> Items<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Facts(facts) => facts.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Those that can be compared.
    pub(super) fn iter(self) -> impl Iterator<Item = Item<'a>> {
        let (facts, values) = match self {
            Self::Facts(facts) => (facts, &[][..]),
            Self::Values(values) => (&[][..], values),
        };
        let facts = facts.iter().filter_map(Item::of_fact);
        let values = values.iter().filter_map(|value| match value {
            Value::Bool(flag) => Some(Item::Flag(*flag)),
            Value::Number(number) => Decimal::from_number(number).map(Item::Number),
            Value::String(text) => Some(Item::Text(text)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        });
        facts.chain(values)
    }
}

impl<'a> Item<'a> {
    pub(super) fn of_fact(fact: &'a Fact) -> Option<Self> {
        Some(match fact {
            Fact::Flag(flag) => Self::Flag(*flag),
            Fact::Number(number) => Self::Number(*number),
            Fact::Text(text) => Self::Text(text),
            Fact::List(_) => return None,
        })
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
    /// Where `time.*` and days without a time are read.
    pub time_zone: Tz,
}

impl Attributes<'_> {
    pub(super) fn get(&self, attribute: &Attribute) -> Option<Actual<'_>> {
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
        "weekday" => {
            let since_monday = usize::try_from(local.weekday().num_days_from_monday()).ok()?;
            Actual::Text(Cow::Borrowed(WEEKDAYS.get(since_monday)?))
        }
        "date" => Actual::Text(local.format("%Y-%m-%d").to_string().into()),
        "time" => Actual::Text(local.format("%H:%M").to_string().into()),
        _ => return None,
    })
}
