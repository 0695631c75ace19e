//! A user's own choices, within what the tenant's catalogue and policy allow.

mod standard;

pub use self::standard::{MAX_PROMPT_CHARS, Standard, StandardForm};

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::caller::Fact;
use super::catalogue::Catalogue;
use super::catalogue_kind::CatalogueKind;
use super::decimal::Decimal;
use super::fault::{Fault, Faults, step};
use super::settings::{Setting, Settings};
use super::text;
use crate::domain::wrong::{Words, Wrong};

/// Most values of a choice.
pub const MAX_CHOICES: usize = 100;
/// Longest value of a choice, in characters.
pub const MAX_CHOICE_CHARS: usize = 100;
/// Longest text of a field that a tenant adds, in characters.
pub const MAX_TEXT_CHARS: usize = 500;

/// A user's stored choices, by field name. Values are as they were when written: [`crate::domain::decide`]
/// passes over what the catalogue no longer allows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Preferences(BTreeMap<String, Fact>);

/// A preference that a tenant adds.
#[derive(Debug, Clone, PartialEq)]
pub enum PreferenceField {
    /// One of these texts.
    Choice(Vec<String>),
    /// A single line of at most this many characters.
    Text {
        /// 1 to 500.
        max_chars: usize,
    },
    /// Yes or no.
    Flag,
    /// A number in a range.
    Number {
        /// Lowest value.
        min: Decimal,
        /// Highest value.
        max: Decimal,
    },
}

impl PreferenceField {
    /// Reads `{"values": [...]}`, `{"maxLength": n}`, `{"type": "boolean"}` or `{"minimum": n, "maximum": n}`.
    pub fn parse(name: &str, definition: &Value) -> Result<Self, Vec<Fault>> {
        if !Self::is_name(name) {
            return Err(vec![Fault::new("", Wrong::PreferenceName)]);
        }
        let members: Vec<(&str, &Value)> = definition
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        let parsed = match members.as_slice() {
            [("values", Value::Array(values))]
                if !values.is_empty() && values.len() <= MAX_CHOICES =>
            {
                values
                    .iter()
                    .map(|value| {
                        value
                            .as_str()
                            .filter(|v| text::is_clean_line(v, MAX_CHOICE_CHARS))
                            .map(str::to_owned)
                    })
                    .collect::<Option<Vec<_>>>()
                    .map(Self::Choice)
            }
            [("maxLength", max)] => max
                .as_u64()
                .and_then(|max| usize::try_from(max).ok())
                .filter(|max| (1..=MAX_TEXT_CHARS).contains(max))
                .map(|max_chars| Self::Text { max_chars }),
            [("type", Value::String(kind))] if kind == "boolean" => Some(Self::Flag),
            [("minimum", min), ("maximum", max)] | [("maximum", max), ("minimum", min)] => {
                match (Decimal::from_value(min), Decimal::from_value(max)) {
                    (Some(min), Some(max)) if min <= max => Some(Self::Number { min, max }),
                    _ => None,
                }
            }
            _ => None,
        };
        parsed.ok_or_else(|| vec![Fault::new("", Wrong::PreferenceForm)])
    }

    pub fn is_name(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// The definition that [`PreferenceField::parse`] reads back.
    pub fn to_document(&self) -> Value {
        match self {
            Self::Choice(values) => json!({ "values": values }),
            Self::Text { max_chars } => json!({ "maxLength": max_chars }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Number { min, max } => json!({ "minimum": min, "maximum": max }),
        }
    }

    fn accept(&self, value: &Value) -> Result<Fact, Words> {
        match (self, value) {
            (Self::Choice(values), Value::String(text)) if values.contains(text) => {
                Ok(Fact::Text(text.clone()))
            }
            (Self::Choice(values), _) => Err(Wrong::one_of(values).into()),
            (Self::Text { max_chars }, Value::String(text)) => {
                match text::refused_line(text, *max_chars) {
                    None => Ok(Fact::Text(text.clone())),
                    Some(message) => Err(message),
                }
            }
            (Self::Text { max_chars }, _) => Err(Wrong::Line { most: *max_chars }.into()),
            (Self::Flag, Value::Bool(flag)) => Ok(Fact::Flag(*flag)),
            (Self::Flag, _) => Err(Wrong::Flag.into()),
            (Self::Number { min, max }, value) => {
                match Decimal::from_value(value).filter(|n| (*min..=*max).contains(n)) {
                    Some(number) => Ok(Fact::Number(number)),
                    None => Err(Wrong::range(min, max)
                        .worded(format!("must be a number from {min} to {max}"))),
                }
            }
        }
    }
}

impl Preferences {
    /// Reads what a user sent, with the tenant's own preferences in `fields`; every fault at once, naming the field and what it may be.
    pub fn parse(
        members: &Map<String, Value>,
        fields: &BTreeMap<String, PreferenceField>,
        catalogue: &Catalogue,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut choices = BTreeMap::new();
        for (field, value) in members {
            if faults.is_full() {
                break;
            }
            match accept(field, value, fields, catalogue) {
                Ok(fact) => {
                    choices.insert(field.clone(), fact);
                }
                Err(message) => faults.add(step(field), message),
            }
        }
        faults.into_result(Self(choices))
    }

    /// Reads what the database holds; values of a shape that no preference has are dropped.
    pub fn from_stored(members: Map<String, Value>) -> Self {
        let facts = members
            .into_iter()
            .filter_map(|(field, value)| Some((field, serde_json::from_value(value).ok()?)))
            .filter(|(_, choice)| !matches!(choice, Fact::List(_)));
        Self(facts.collect())
    }

    /// About how many bytes they take in memory.
    pub fn size(&self) -> usize {
        /// A member's place in the map, with its share of what the map keeps free.
        const MEMBER: usize = 150;
        let members = self.0.iter().map(|(field, choice)| {
            let text = match choice {
                Fact::Text(text) => text.len(),
                Fact::Flag(_) | Fact::Number(_) | Fact::List(_) => 0,
            };
            MEMBER + field.len() + text
        });
        members.sum()
    }

    /// The JSON object of all choices.
    pub fn to_document(&self) -> Map<String, Value> {
        let members = self
            .0
            .iter()
            .filter_map(|(field, fact)| Some((field.clone(), serde_json::to_value(fact).ok()?)));
        members.collect()
    }

    /// Takes choices away.
    pub fn remove<'a>(&mut self, fields: impl IntoIterator<Item = &'a str>) {
        for field in fields {
            self.0.remove(field);
        }
    }

    /// Lays these choices over the ones there are.
    pub fn overlay(&mut self, choices: Self) {
        self.0.extend(choices.0);
    }

    /// The choice made for a field.
    pub fn get(&self, field: &str) -> Option<&Fact> {
        self.0.get(field)
    }

    /// The choice made for a field, where it is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Fact::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All choices.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Fact)> {
        self.0.iter()
    }
}

fn accept(
    field: &str,
    value: &Value,
    fields: &BTreeMap<String, PreferenceField>,
    catalogue: &Catalogue,
) -> Result<Fact, Words> {
    match Standard::named(field).map(|standard| standard.form) {
        Some(StandardForm::Setting(setting)) => match setting.catalogue {
            Some(kind) => listed(value, kind, catalogue),
            None => fitting(setting, value),
        },
        Some(StandardForm::Prompt(max_chars)) => match value.as_str() {
            Some(prompt) => match text::refused_block(prompt, max_chars) {
                None => Ok(Fact::Text(prompt.to_owned())),
                Some(message) => Err(message),
            },
            None => Err(Wrong::Length {
                least: 1,
                most: max_chars,
            }
            .worded(format!("must be a text of 1 to {max_chars} characters"))),
        },
        Some(StandardForm::Line(max_chars)) => PreferenceField::Text { max_chars }.accept(value),
        None => {
            if let Some(definition) = fields.get(field) {
                return definition.accept(value);
            }
            let own = fields.keys().map(String::as_str);
            let known: Vec<&str> = Standard::names().chain(own).collect();
            let known = known.join(", ");
            let text = format!("is unknown; preferences are {known}");
            Err(Wrong::Unknown(known).worded(text))
        }
    }
}

/// An entry of the catalogue.
fn listed(value: &Value, kind: CatalogueKind, catalogue: &Catalogue) -> Result<Fact, Words> {
    if let Some(entry) = value.as_str().and_then(|id| catalogue.find(kind, id)) {
        return Ok(Fact::Text(entry.id.clone()));
    }
    let entries = catalogue.entries(kind).iter().take(50);
    let allowed: Vec<&str> = entries.map(|entry| entry.id.as_str()).collect();
    Err(match allowed.as_slice() {
        [] => Wrong::NoneInCatalogue(kind.as_str()).into(),
        ids => Wrong::one_of(ids).into(),
    })
}

/// A value that a setting without a catalogue takes, judged as authors' values are.
fn fitting(setting: &Setting, value: &Value) -> Result<Fact, Words> {
    let alone = Map::from_iter([(setting.name.to_owned(), value.clone())]);
    let faults = Settings::parse(&alone).err().unwrap_or_default();
    match faults.into_iter().next() {
        Some(fault) => Err(fault.into_words()),
        None => serde_json::from_value(value.clone()).map_err(|_error| Wrong::Single.into()),
    }
}

#[cfg(test)]
mod tests;
