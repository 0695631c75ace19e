//! What a clause looks at.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Clause, MAX_ATTRIBUTE_CHARS};
use crate::domain::caller::{Fact, Facts};
use crate::domain::decimal::Decimal;
use crate::domain::preferences::Preferences;
use crate::domain::request::Metadata;

/// Where a value comes from: `user.plan`, `preferences.tone`, `metadata.ticket.priority`, `time.hour`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attribute(Arc<Parts>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parts {
    root: Root,
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        Ok(Self(Arc::new(Parts { root, path })))
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
        let Parts { root, path } = &*self.0;
        let root = match root {
            Root::User => "user",
            Root::Preferences => "preferences",
            Root::Metadata => "metadata",
            Root::Time => "time",
        };
        let length: usize = path.iter().map(|step| 1 + step.len()).sum();
        // A trace has it for each rule that did not hold: it is put together at once.
        let mut text = String::with_capacity(root.len() + length);
        text.push_str(root);
        for step in path {
            text.push('.');
            text.push_str(step);
        }
        text
    }

    /// The name of a clock attribute.
    pub fn of_clock(&self) -> Option<&str> {
        let name = self.0.path.first()?;
        (self.0.root == Root::Time).then_some(name)
    }

    /// Whether it is this very one. What is equal in the rules of one context is, after [`share_attributes`].
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A value that a rule looks at, where it stands.
#[derive(Debug)]
pub(super) enum Actual<'a> {
    Flag(bool),
    Number(Decimal),
    Text(Cow<'a, str>),
    List(Items<'a>),
}

/// The items of a list, where they stand.
#[derive(Debug, Clone, Copy)]
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
        let Parts { root, path } = &*attribute.0;
        let first = path.first()?;
        match root {
            Root::User => self.user.get(first).map(Actual::of_fact),
            Root::Preferences => self.preferences.get(first).map(Actual::of_fact),
            Root::Metadata => {
                let mut value = self.metadata.get(first)?;
                for step in path.iter().skip(1) {
                    value = value.as_object()?.get(step)?;
                }
                Actual::of_value(value)
            }
            Root::Time => time(first, self.now.with_timezone(&self.time_zone)),
        }
    }
}

/// Most values of attributes that are remembered. Rules of a context seldom look at more.
const REMEMBERED: usize = 16;

/// Attributes with the values that were found already: a context's rules look at the same ones again and again.
#[derive(Debug)]
pub(in crate::domain) struct Lookup<'a> {
    attributes: &'a Attributes<'a>,
    found: Vec<(&'a Attribute, Option<Actual<'a>>)>,
    /// Which of those that are remembered makes room for the next.
    oldest: usize,
}

impl<'a> Lookup<'a> {
    pub(in crate::domain) fn new(attributes: &'a Attributes<'a>) -> Self {
        Self {
            attributes,
            found: Vec::new(),
            oldest: 0,
        }
    }

    pub(super) fn time_zone(&self) -> Tz {
        self.attributes.time_zone
    }

    pub(super) fn get(&mut self, attribute: &'a Attribute) -> Option<&Actual<'a>> {
        let known = self.found.iter().position(|(known, _)| known.is(attribute));
        let at = known.unwrap_or_else(|| self.find(attribute));
        self.found.get(at)?.1.as_ref()
    }

    fn find(&mut self, attribute: &'a Attribute) -> usize {
        let found = (attribute, self.attributes.get(attribute));
        if self.found.len() < REMEMBERED {
            self.found.push(found);
            return self.found.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % REMEMBERED;
        if let Some(slot) = self.found.get_mut(at) {
            *slot = found;
        }
        at
    }
}

/// Makes equal attributes one, so that a [`Lookup`] knows them again at a glance.
pub(in crate::domain) fn share_attributes<'a>(clauses: impl Iterator<Item = &'a mut Clause>) {
    let mut known = BTreeSet::new();
    for clause in clauses {
        if let Some(same) = known.get(&clause.attribute) {
            clause.attribute = Attribute::clone(same);
        } else {
            known.insert(clause.attribute.clone());
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
