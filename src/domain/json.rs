//! Strict JSON: what several readers could understand differently is refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::fault::step;

/// Deepest nesting of objects and lists that is read.
pub const MAX_DEPTH: usize = 32;

/// Why a text is not the JSON we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON at all.
    #[error("not valid JSON: line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A member name stands twice in one object.
    #[error("the member `{0}` stands twice in one object")]
    Duplicate(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than 32 levels")]
    TooDeep,
    /// A U+0000, which Postgres can't store.
    #[error("a text holds the character U+0000")]
    Nul,
}

/// Reads a JSON text: no duplicate members, at most [`MAX_DEPTH`] levels, no U+0000.
pub fn parse(text: &[u8]) -> Result<Value, JsonFault> {
    read(
        text,
        Strict {
            depth: MAX_DEPTH,
            nul: false,
        },
    )
}

/// Pointer of the first list that is not the value of a member named in `lists`: serde would read a struct from a list as
/// well as from an object.
pub fn stray_list(value: &Value, lists: &[&str]) -> Option<String> {
    match value {
        Value::Array(_) => Some(String::new()),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let here = step(name);
            match member {
                Value::Array(items) if lists.contains(&name.as_str()) => {
                    let mut items = items.iter().enumerate();
                    items.find_map(|(at, item)| {
                        Some(format!("{here}/{at}{}", stray_list(item, lists)?))
                    })
                }
                member => Some(format!("{here}{}", stray_list(member, lists)?)),
            }
        }),
        _ => None,
    }
}

fn read(text: &[u8], strict: Strict) -> Result<Value, JsonFault> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = strict
        .deserialize(&mut reader)
        .map_err(|error| fault(&error))?;
    reader.end().map_err(|error| fault(&error))?;
    Ok(value)
}

/// Reads a JSON object for somebody who judges its texts alone, U+0000 too, and does not ask why it is none.
pub fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match read(
        text,
        Strict {
            depth: MAX_DEPTH,
            nul: true,
        },
    ) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

// serde carries only text through its errors, so the finer faults travel as marked messages.
const DUPLICATE: &str = "duplicate member: ";
const TOO_DEEP: &str = "too deep";
const NUL: &str = "U+0000";

fn fault(error: &serde_json::Error) -> JsonFault {
    let message = error.to_string();
    if let Some(rest) = message.strip_prefix(DUPLICATE) {
        let name = rest.rsplit_once(" at line ").map_or(rest, |(name, _)| name);
        JsonFault::Duplicate(name.to_owned())
    } else if message.starts_with(TOO_DEEP) || message.starts_with("recursion limit") {
        JsonFault::TooDeep
    } else if message.starts_with(NUL) {
        JsonFault::Nul
    } else {
        JsonFault::Syntax {
            line: error.line(),
            column: error.column(),
        }
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
    /// Whether U+0000 may stand in a text.
    nul: bool,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom(TOO_DEEP)),
        }
    }

    fn checked<E: Error>(self, text: &str) -> Result<&str, E> {
        if !self.nul && text.contains('\0') {
            Err(E::custom(NUL))
        } else {
            Ok(text)
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(self.checked(text)?.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<Name>()? {
            let name = self.checked(&name.0)?.to_owned();
            let value = entries.next_value_seed(self.deeper()?)?;
            if members.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format_args!("{DUPLICATE}{name}")));
            }
        }
        Ok(Value::Object(members))
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_also_when_escaped() {
        let fault = parse(br#"{"a":{"b":1,"\u0062":2}}"#);
        assert_eq!(fault, Err(JsonFault::Duplicate("b".into())));
    }

    #[test]
    fn thirty_two_levels_pass_and_one_more_does_not() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(
            parse(nested(MAX_DEPTH + 1).as_bytes()),
            Err(JsonFault::TooDeep)
        );
        assert_eq!(
            parse("[".repeat(100_000).as_bytes()),
            Err(JsonFault::TooDeep)
        );
    }

    #[test]
    fn broken_json_is_told_by_line_and_column() {
        assert_eq!(
            parse(b"{\n  \"a\": ,\n}"),
            Err(JsonFault::Syntax { line: 2, column: 8 })
        );
        assert!(matches!(parse(b"{} {}"), Err(JsonFault::Syntax { .. })));
    }

    #[test]
    fn a_list_where_none_belongs_is_found() {
        let lists = ["when"];
        let told = |text: &str| stray_list(&parse(text.as_bytes()).unwrap(), &lists);
        assert_eq!(told(r#"{"when": [{"a": 1}], "b": "x"}"#), None);
        assert_eq!(told(r#"{"when": [{"a": [1]}]}"#).unwrap(), "/when/0/a");
        assert_eq!(told(r#"{"when": [[]]}"#).unwrap(), "/when/0");
        assert_eq!(told("[]").unwrap(), "");
    }

    #[test]
    fn a_nul_in_a_text_or_a_name_is_refused() {
        assert_eq!(parse(br#"{"a":"\u0000"}"#), Err(JsonFault::Nul));
        assert_eq!(parse(br#"{"\u0000":1}"#), Err(JsonFault::Nul));
    }
}
