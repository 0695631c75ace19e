//! Claims that must have certain values.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::ClaimPath;

/// Claims and the values that they may have, in the order written. A token must have each of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequiredClaims(Vec<(ClaimPath, Vec<Value>)>);

impl RequiredClaims {
    pub const MAX_CLAIMS: usize = 20;
    pub const MAX_VALUES: usize = 50;
    /// Longest text, in characters.
    pub const MAX_TEXT_CHARS: usize = 500;

    pub(super) fn new(claims: Vec<(ClaimPath, Vec<Value>)>) -> Self {
        Self(claims)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&ClaimPath, &[Value])> {
        self.0
            .iter()
            .map(|(path, values)| (path, values.as_slice()))
    }

    /// The first claim that has none of its values. A list has a value when it holds it.
    pub fn missing(&self, claims: &Map<String, Value>) -> Option<(&ClaimPath, &[Value])> {
        self.iter().find(|(path, _)| !self.has(path, claims))
    }

    /// Whether a claim has one of its values; one of which nothing is required has.
    pub fn has(&self, path: &ClaimPath, claims: &Map<String, Value>) -> bool {
        let values = self.iter().find(|(required, _)| *required == path);
        values.is_none_or(|(_, values)| path.find(claims).is_some_and(|found| has(found, values)))
    }
}

fn has(found: &Value, values: &[Value]) -> bool {
    match found {
        Value::Array(items) => items.iter().any(|item| values.contains(item)),
        one => values.contains(one),
    }
}

/// Texts, flags and whole numbers are compared; all else has too many spellings.
pub(super) fn is_value(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() <= RequiredClaims::MAX_TEXT_CHARS,
        Value::Bool(_) => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

impl Serialize for RequiredClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, values) in self.iter() {
            match values {
                [one] => map.serialize_entry(path, one)?,
                many => map.serialize_entry(path, many)?,
            }
        }
        map.end()
    }
}
