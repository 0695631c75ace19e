//! What rules can look at: facts that the tenant's tokens tell, preferences, the fields of the metadata, and the time, each with its known values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rule::Reading;
use super::schema::SchemaForm;
use crate::domain::preferences::Standard;
use crate::domain::rules::{TIME_ATTRIBUTES, WEEKDAYS};

/// Most known values that a page offers for one attribute.
const MAX_VALUES: usize = 100;
/// The most values that are shown as boxes to tick.
const MAX_BOXES: usize = 24;
/// Facts that issuers' claim maps have unless they say something else.
const USUAL_FACTS: [&str; 4] = ["plan", "roles", "name", "locale"];

/// Where an attribute comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    User,
    Preferences,
    Metadata,
    Time,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::User, Self::Metadata, Self::Time, Self::Preferences];

    /// Its name in attributes and among the texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Preferences => "preferences",
            Self::Metadata => "metadata",
            Self::Time => "time",
        }
    }
}

/// What a rule can look at.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownAttribute {
    pub source: Source,
    /// The whole name: `user.plan`.
    pub attribute: String,
    /// How its values are read; `None` where that is not known.
    pub reading: Option<Reading>,
    pub values: Vec<String>,
    /// Whether it has these values only.
    pub is_closed: bool,
    /// Whether it is a list.
    pub is_list: bool,
}

impl KnownAttribute {
    fn new(source: Source, name: &str) -> Self {
        Self {
            source,
            attribute: format!("{}.{name}", source.name()),
            reading: None,
            values: Vec::new(),
            is_closed: false,
            is_list: false,
        }
    }

    /// The name without where it comes from.
    pub fn short(&self) -> &str {
        self.attribute.split_once('.').map_or("", |(_, name)| name)
    }

    /// Whether its values are shown as boxes.
    pub fn has_boxes(&self) -> bool {
        self.is_closed && self.values.len() <= MAX_BOXES
    }

    fn learn(&mut self, value: &Value) {
        let reading = match value {
            Value::String(text) => {
                self.add(text);
                Reading::Text
            }
            Value::Number(number) => {
                self.add(&number.to_string());
                Reading::Number
            }
            Value::Bool(_) => Reading::Flag,
            Value::Array(items) => {
                for item in items {
                    self.learn(item);
                }
                self.is_list = true;
                return;
            }
            _ => return,
        };
        self.reading = self.reading.or(Some(reading));
    }

    fn add(&mut self, value: &str) {
        if self.values.len() < MAX_VALUES && !self.values.iter().any(|known| known == value) {
            self.values.push(value.to_owned());
        }
    }
}

/// What the API knows of facts and preferences.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// Each issuer's claim map.
    pub claims: Vec<&'a Value>,
    pub policy: Option<&'a Value>,
    /// Facts and preferences of sample users.
    pub facts: Vec<&'a Value>,
    pub preferences: Vec<&'a Value>,
}

/// Everything that rules can look at, with the metadata of this form.
pub fn known_attributes(sources: &Sources<'_>, schema: &SchemaForm) -> Vec<KnownAttribute> {
    let mut all = Vec::new();
    all.extend(facts(sources));
    all.extend(metadata(schema));
    all.extend(TIME_ATTRIBUTES.iter().map(|name| time(name)));
    all.extend(preferences(sources));
    all
}

fn facts(sources: &Sources<'_>) -> Vec<KnownAttribute> {
    let mut names: Vec<&str> = Vec::new();
    let maps: Vec<_> = sources
        .claims
        .iter()
        .filter_map(|claims| claims.as_object())
        .collect();
    if maps.len() < sources.claims.len() || maps.is_empty() {
        names.extend(USUAL_FACTS);
    }
    names.extend(maps.iter().flat_map(|map| map.keys()).map(String::as_str));
    let told = || {
        sources
            .facts
            .iter()
            .filter_map(|facts| facts.as_object())
            .flatten()
    };
    names.extend(told().map(|(name, _)| name.as_str()));
    let mut by_name: Vec<KnownAttribute> = Vec::new();
    for name in names {
        if by_name.iter().any(|known| known.short() == name) {
            continue;
        }
        let mut known = KnownAttribute::new(Source::User, name);
        for (_, value) in told().filter(|(other, _)| *other == name) {
            known.learn(value);
        }
        known.is_list |= name == "roles";
        by_name.push(known);
    }
    by_name
}

fn preferences(sources: &Sources<'_>) -> Vec<KnownAttribute> {
    let own = sources
        .policy
        .and_then(|policy| policy.get("preferences"))
        .and_then(Value::as_object);
    let own = own.into_iter().flatten().map(|(name, field)| {
        let mut known = KnownAttribute::new(Source::Preferences, name);
        if let Some(values) = field.get("values").and_then(Value::as_array) {
            for value in values {
                known.learn(value);
            }
            known.is_closed = true;
        } else if field.get("type").is_some() {
            known.reading = Some(Reading::Flag);
        } else if field.get("minimum").is_some() {
            known.reading = Some(Reading::Number);
        }
        known
    });
    let mut all: Vec<KnownAttribute> = own.collect();
    for standard in Standard::all().filter(|standard| standard.name != "systemPrompt") {
        all.push(KnownAttribute::new(Source::Preferences, standard.name));
    }
    let chosen: BTreeMap<&str, Vec<&Value>> = sources
        .preferences
        .iter()
        .filter_map(|chosen| chosen.as_object())
        .flatten()
        .fold(BTreeMap::new(), |mut all, (name, value)| {
            all.entry(name.as_str())
                .or_insert_with(Vec::new)
                .push(value);
            all
        });
    for known in &mut all {
        for value in chosen.get(known.short()).into_iter().flatten() {
            known.learn(value);
        }
    }
    all
}

/// The fields of the table; what is deeper can be typed in.
fn metadata(schema: &SchemaForm) -> Vec<KnownAttribute> {
    let rows = schema
        .fields
        .iter()
        .filter(|field| !field.name.is_empty() && !field.name.contains('.'));
    rows.map(|field| {
        let mut known = KnownAttribute::new(Source::Metadata, &field.name);
        known.reading = match field.kind.as_str() {
            "string" | "array" => Some(Reading::Text),
            "integer" | "number" => Some(Reading::Number),
            "boolean" => Some(Reading::Flag),
            _ => None,
        };
        known.is_list = field.kind == "array";
        known.values = field.choices();
        known.is_closed = !known.values.is_empty();
        if !known.is_closed && !field.sample.is_empty() {
            known.add(&field.sample);
        }
        known
    })
    .collect()
}

fn time(name: &str) -> KnownAttribute {
    let mut known = KnownAttribute::new(Source::Time, name);
    known.reading = Some(if name == "hour" {
        Reading::Number
    } else {
        Reading::Text
    });
    if name == "weekday" {
        known.values = WEEKDAYS.iter().map(|&day| day.to_owned()).collect();
        known.is_closed = true;
    }
    known
}

/// The operators that suit an attribute, the usual first.
pub fn operators(known: Option<&KnownAttribute>, reading: Reading) -> Vec<&'static str> {
    let attribute = known.map_or("", |known| known.attribute.as_str());
    let ordered = ["at_least", "at_most", "more_than", "less_than"];
    let there = ["is_present", "is_absent"];
    match attribute {
        "time.weekday" => vec!["equals", "not_equals"],
        "time.hour" | "time.time" => [&["between", "equals", "not_equals"][..], &ordered].concat(),
        "time.date" => [&["equals", "not_equals"][..], &ordered].concat(),
        _ if known.is_some_and(|known| known.is_list) => {
            [&["contains", "not_contains"][..], &there].concat()
        }
        _ => {
            let may_be_list = known.is_none_or(|known| known.source == Source::User);
            let contains: &[&str] =
                if may_be_list || matches!(reading, Reading::Text | Reading::Caseless) {
                    &["contains", "not_contains"]
                } else {
                    &[]
                };
            match reading {
                Reading::Text => [
                    &["equals", "not_equals"],
                    contains,
                    &["starts_with", "ends_with"],
                    &there,
                    &ordered,
                ]
                .concat(),
                Reading::Caseless => [
                    &["equals", "not_equals"],
                    contains,
                    &["starts_with", "ends_with"],
                    &there,
                ]
                .concat(),
                Reading::Number => {
                    [&["equals", "not_equals"], &ordered[..], contains, &there].concat()
                }
                Reading::Version | Reading::Date => {
                    [&["equals", "not_equals"], &ordered[..], &there].concat()
                }
                Reading::Flag => [&["equals", "not_equals"], contains, &there].concat(),
            }
        }
    }
}
