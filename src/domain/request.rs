//! What a page asks for: a context, and metadata about the situation.

use serde_json::{Map, Value};

use super::decimal::Decimal;
use super::fault::{Fault, Faults};
use super::text;
use crate::domain::wrong::Wrong;

/// Longest name of a context that a page may ask for, characters.
pub const MAX_CONTEXT_CHARS: usize = 64;

/// Why a request's body can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// The connection broke.
    #[error("the body broke off")]
    BrokeOff,
    /// Too many bytes.
    #[error("a body may have {max_bytes} bytes at most")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// Not of a type that is taken here.
    #[error("send Content-Type: {allowed}, without Content-Encoding")]
    MediaType {
        /// The types that are.
        allowed: String,
    },
}

/// The body of a mint, parsed. An empty body asks for the default context.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MintRequest {
    /// The situation, one clean line of at most 64 characters; `None` means the tenant's `default`.
    /// Not a [`super::key::Key`]: whatever else a page sends is an unknown context, not a fault.
    pub context: Option<String>,
    /// Checked against the context's schema when the decision is made.
    pub metadata: Metadata,
}

/// Free-form members that a context's JSON Schema describes. Members are in the order of their names and numbers in
/// their shortest digits, however a page wrote them: the ledger's database keeps neither, and a replay must see what the mint saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata(Value);

impl Metadata {
    /// The value of a top-level member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The whole, a JSON object.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self(Value::Object(Map::new()))
    }
}

impl From<Map<String, Value>> for Metadata {
    fn from(members: Map<String, Value>) -> Self {
        Self(normal(Value::Object(members)))
    }
}

/// The one form of a value, however it was written: members in the order of their names, numbers in their shortest digits.
pub(super) fn normal(mut value: Value) -> Value {
    value.sort_all_objects();
    write_numbers(&mut value);
    value
}

fn write_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(write_numbers),
        Value::Array(items) => items.iter_mut().for_each(write_numbers),
        Value::Number(number) => {
            if let Some(exact) = Decimal::from_number(number) {
                *number = exact.to_number();
            }
        }
        _ => {}
    }
}

impl MintRequest {
    /// Reads a strictly parsed body; unknown members and wrong types are reported all at once.
    pub fn parse(body: Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = body else {
            return Err(vec![Fault::new(
                "",
                Wrong::Object.worded("the body must be a JSON object"),
            )]);
        };
        let mut faults = Faults::new();
        let mut request = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("context", Value::String(name)) => {
                    match text::refused_line(&name, MAX_CONTEXT_CHARS) {
                        None => request.context = Some(name),
                        Some(message) => faults.add("/context", message),
                    }
                }
                ("metadata", Value::Object(members)) => request.metadata = members.into(),
                ("context", _) => faults.add(
                    "/context",
                    Wrong::Line {
                        most: MAX_CONTEXT_CHARS,
                    },
                ),
                ("metadata", _) => faults.add("/metadata", Wrong::Object),
                (unknown, _) => faults.add(
                    super::fault::step(unknown),
                    Wrong::Unknown("context, metadata".to_owned())
                        .worded("is unknown; a request has context and metadata"),
                ),
            }
        }
        faults.into_result(request)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_is_the_same_however_it_was_written() {
        let read = |text: &str| {
            let body = format!(r#"{{"metadata": {text}}}"#);
            let request = MintRequest::parse(serde_json::from_str(&body).unwrap()).unwrap();
            request.metadata.as_value().to_string()
        };
        let text = r#"{"bb":{"a":1,"z":[{"x":-0.5,"y":2}]},"c":100}"#;
        assert_eq!(
            read(r#"{"c": 1e2, "bb": {"z": [{"y": 2.0, "x": -0.5}], "a": 1}}"#),
            text
        );
        assert_eq!(read(text), text);
        assert_eq!(read(r#"{"zero": -0.0}"#), json!({ "zero": 0 }).to_string());
    }
}
