//! Values while a template runs. Every text knows whose words it is, through every filter.

use std::{borrow::Cow, cmp::Ordering, rc::Rc};

use serde_json::Value as Json;

use super::input::Trust;
use crate::domain::caller::{Fact, Facts};

#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    /// Not there. Prints as nothing, is false, equals nothing.
    Absent,
    /// JSON null.
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>, Trust),
    /// A JSON array or object.
    Tree(&'a Json, Trust),
    Facts(&'a Facts),
    FactList(&'a [String]),
    List(Rc<Vec<Self>>),
    Map(Rc<Vec<(&'a str, Self)>>),
}

impl<'a> Val<'a> {
    pub(super) fn from_json(json: &'a Json, trust: Trust) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => number
                .as_i64()
                .map(Self::Int)
                .or_else(|| number.as_f64().map(Self::Float))
                .unwrap_or(Self::Absent),
            Json::String(text) => Self::Text(Cow::Borrowed(text), trust),
            Json::Array(_) | Json::Object(_) => Self::Tree(json, trust),
        }
    }

    fn from_fact(fact: &'a Fact) -> Self {
        match fact {
            Fact::Flag(flag) => Self::Bool(*flag),
            Fact::Number(number) => Self::Float(*number),
            Fact::Text(text) => Self::Text(Cow::Borrowed(text), Trust::Issuer),
            Fact::List(items) => Self::FactList(items),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Absent | Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text, _) => !text.is_empty(),
            _ => self.len().is_some_and(|len| len > 0),
        }
    }

    /// Characters of a text, entries of a list or map.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Text(text, _) => text.chars().count(),
            Self::Tree(Json::Array(items), _) => items.len(),
            Self::Tree(Json::Object(entries), _) => entries.len(),
            Self::Facts(facts) => facts.len(),
            Self::FactList(items) => items.len(),
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            _ => return None,
        })
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a mixed comparison is one of floats, as in JSON"
            )]
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn attr(&self, name: &str) -> Self {
        match self {
            Self::Tree(Json::Object(entries), trust) => entries
                .get(name)
                .map_or(Self::Absent, |json| Self::from_json(json, *trust)),
            Self::Facts(facts) => facts.get(name).map_or(Self::Absent, Self::from_fact),
            Self::Map(entries) => entries
                .iter()
                .find(|(key, _)| *key == name)
                .map_or(Self::Absent, |(_, value)| value.clone()),
            _ => Self::Absent,
        }
    }

    pub(super) fn item(&self, key: &Self) -> Self {
        match key {
            Self::Text(name, _) => self.attr(name),
            Self::Int(index) => self
                .len()
                .and_then(|len| position(*index, len))
                .map_or(Self::Absent, |at| self.at(at)),
            _ => Self::Absent,
        }
    }

    /// The entry of a list, or the character of a text, at a position.
    pub(super) fn at(&self, at: usize) -> Self {
        match self {
            Self::Text(text, trust) => text.chars().nth(at).map_or(Self::Absent, |c| {
                Self::Text(Cow::Owned(c.to_string()), *trust)
            }),
            Self::Tree(Json::Array(items), trust) => items
                .get(at)
                .map_or(Self::Absent, |json| Self::from_json(json, *trust)),
            Self::FactList(items) => items.get(at).map_or(Self::Absent, |item| {
                Self::Text(Cow::Borrowed(item), Trust::Issuer)
            }),
            Self::List(items) => items.get(at).cloned().unwrap_or(Self::Absent),
            _ => Self::Absent,
        }
    }

    /// What a loop goes over: entries of a list, keys of a map; at most `most` of them.
    pub(super) fn iterate(&self, most: usize) -> Vec<Self> {
        match self {
            Self::Tree(Json::Object(entries), trust) => entries
                .keys()
                .take(most)
                .map(|key| Self::Text(Cow::Borrowed(key), *trust))
                .collect(),
            Self::Facts(facts) => facts
                .keys()
                .take(most)
                .map(|key| Self::Text(Cow::Borrowed(key), Trust::Tenant))
                .collect(),
            Self::Map(entries) => entries
                .iter()
                .take(most)
                .map(|(key, _)| Self::Text(Cow::Borrowed(key), Trust::Tenant))
                .collect(),
            Self::Tree(Json::Array(_), _) | Self::FactList(_) | Self::List(_) => {
                (0..self.len().unwrap_or_default().min(most))
                    .map(|at| self.at(at))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Key and value of each entry of a map.
    pub(super) fn pairs(&self, most: usize) -> Self {
        let is_map = matches!(
            self,
            Self::Tree(Json::Object(_), _) | Self::Facts(_) | Self::Map(_)
        );
        if !is_map {
            return Self::Absent;
        }
        let pairs = self
            .iterate(most)
            .into_iter()
            .map(|key| {
                let value = self.item(&key);
                Self::List(Rc::new(vec![key, value]))
            })
            .collect();
        Self::List(Rc::new(pairs))
    }

    /// Equality of scalars. Lists and maps equal nothing.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a, _), Self::Text(b, _)) => a == b,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// Order of two numbers or two texts.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Text(a, _), Self::Text(b, _)) => Some(a.cmp(b)),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }

    /// `needle in self`: part of a text, entry of a list, key of a map.
    pub(super) fn contains(&self, needle: &Self) -> bool {
        match (self, needle) {
            (Self::Text(text, _), Self::Text(part, _)) => text.contains(part.as_ref()),
            (Self::Tree(Json::Object(entries), _), Self::Text(key, _)) => {
                entries.contains_key(key.as_ref())
            }
            (Self::Facts(facts), Self::Text(key, _)) => facts.contains_key(key.as_ref()),
            (Self::Map(entries), Self::Text(key, _)) => {
                entries.iter().any(|(known, _)| known == key)
            }
            (Self::Tree(Json::Array(items), trust), _) => items
                .iter()
                .any(|item| Self::from_json(item, *trust).equals(needle)),
            (Self::FactList(items), Self::Text(text, _)) => items.iter().any(|item| item == text),
            (Self::List(items), _) => items.iter().any(|item| item.equals(needle)),
            _ => false,
        }
    }

    /// Whose words are in there.
    pub(super) fn trust(&self) -> Trust {
        match self {
            Self::Text(_, trust) | Self::Tree(_, trust) => *trust,
            Self::Facts(_) | Self::FactList(_) => Trust::Issuer,
            Self::List(items) => items.iter().map(Self::trust).max().unwrap_or(Trust::Tenant),
            Self::Map(entries) => entries
                .iter()
                .map(|(_, value)| value.trust())
                .max()
                .unwrap_or(Trust::Tenant),
            Self::Absent | Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => {
                Trust::Tenant
            }
        }
    }

    /// Steps that it takes to look at a value without descending: by length of a text, by entries of a list.
    pub(super) fn surface(&self) -> usize {
        match self {
            Self::Text(text, _) => text.len() / 64,
            Self::Tree(Json::Array(items), _) => items.len(),
            Self::FactList(items) => items.len(),
            Self::List(items) => items.len(),
            _ => 0,
        }
    }

    /// Steps that it takes to turn a value, and all that is in it, into text.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text, _) => text.len() / 64,
            Self::Tree(json, _) => json_weight(json),
            Self::FactList(items) => items
                .iter()
                .map(|item| 1_usize.saturating_add(item.len() / 64))
                .sum(),
            Self::Facts(facts) => facts.len().saturating_mul(4),
            Self::List(items) => items
                .iter()
                .map(|item| item.weight().saturating_add(1))
                .sum(),
            Self::Map(entries) => entries
                .iter()
                .map(|(_, value)| value.weight().saturating_add(1))
                .sum(),
            _ => 0,
        }
    }

    /// The text that is printed. Lists of plain values read `a, b`; anything deeper is JSON.
    pub(super) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Absent | Self::Null => Cow::Borrowed(""),
            Self::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(float_text(*number)),
            Self::Text(text, _) => Cow::Borrowed(text),
            _ => Cow::Owned(
                self.joined(", ")
                    .unwrap_or_else(|| self.to_json().to_string()),
            ),
        }
    }

    /// The entries of a list of plain values, joined.
    pub(super) fn joined(&self, separator: &str) -> Option<String> {
        if matches!(
            self,
            Self::Tree(Json::Object(_), _) | Self::Facts(_) | Self::Map(_)
        ) {
            return None;
        }
        let mut text = String::new();
        for (at, item) in self.iterate(usize::MAX).iter().enumerate() {
            if item.is_list_or_map() {
                return None;
            }
            if at > 0 {
                text.push_str(separator);
            }
            text.push_str(&item.to_text());
        }
        Some(text)
    }

    pub(super) fn is_list_or_map(&self) -> bool {
        matches!(
            self,
            Self::Tree(..) | Self::Facts(_) | Self::FactList(_) | Self::List(_) | Self::Map(_)
        )
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Absent | Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => Json::from(*number),
            Self::Text(text, _) => Json::String(text.as_ref().to_owned()),
            Self::Tree(json, _) => (*json).clone(),
            Self::Facts(facts) => facts
                .iter()
                .map(|(name, fact)| (name.clone(), Self::from_fact(fact).to_json()))
                .collect(),
            Self::FactList(items) => items.iter().cloned().collect(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.to_json()))
                .collect(),
        }
    }
}

/// A position from an index that counts from the end where it is negative.
pub(super) fn position(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(at) => (at < len).then_some(at),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn json_weight(json: &Json) -> usize {
    match json {
        Json::String(text) => 1_usize.saturating_add(text.len() / 64),
        Json::Array(items) => items.iter().map(json_weight).fold(1, usize::saturating_add),
        Json::Object(entries) => entries
            .iter()
            .map(|(key, value)| json_weight(value).saturating_add(key.len() / 64))
            .fold(1, usize::saturating_add),
        _ => 1,
    }
}

/// `3` for 3.0, `0.25`, and exponents for the very large, so that no number is long.
fn float_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        format!("{number:?}")
    }
}
