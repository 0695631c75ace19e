//! Reads the members of a JSON object one by one, noting every fault with its pointer, and refuses what is left over.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use super::nearest::nearest_first;
use super::text;
use super::wrong::{Words, Wrong};

/// A member's name.
type Name = Cow<'static, str>;

/// An object that is being read.
#[derive(Debug)]
pub struct Members {
    rest: Map<String, Value>,
    known: Vec<Name>,
    faults: Faults,
}

impl Members {
    /// Starts to read.
    pub fn new(members: Map<String, Value>) -> Self {
        Self {
            rest: members,
            known: Vec::new(),
            faults: Faults::new(),
        }
    }

    /// A member that may be absent. `read` says what would be right.
    pub fn optional<T, W: Into<Words>>(
        &mut self,
        name: impl Into<Name>,
        read: impl FnOnce(Value) -> Result<T, W>,
    ) -> Option<T> {
        self.nested(name, |value| {
            read(value).map_err(|words| vec![Fault::new("", words)])
        })
    }

    pub fn required<T, W: Into<Words>>(
        &mut self,
        name: impl Into<Name>,
        read: impl FnOnce(Value) -> Result<T, W>,
    ) -> Option<T> {
        let name = name.into();
        if self.has(&name) {
            self.optional(name, read)
        } else {
            self.missing(name)
        }
    }

    /// Whether a member of this name is there and was not read yet.
    pub fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// Notes that a member is not there, and must be.
    pub fn missing<T>(&mut self, name: impl Into<Name>) -> Option<T> {
        let name = name.into();
        self.faults.add(step(&name), Wrong::Missing);
        self.known.push(name);
        None
    }

    /// An optional member that is itself an object with a reader of its own.
    pub fn nested<T>(
        &mut self,
        name: impl Into<Name>,
        read: impl FnOnce(Value) -> Result<T, Vec<Fault>>,
    ) -> Option<T> {
        let name = name.into();
        let value = self.rest.remove(name.as_ref());
        let at = step(&name);
        self.known.push(name);
        self.faults.take(&at, read(value?))
    }

    /// Every fault, unknown members among them; call it last.
    pub fn finish(mut self) -> Result<(), Vec<Fault>> {
        for name in self.rest.keys() {
            if self.faults.is_full() {
                break;
            }
            let words = if self.known.is_empty() {
                Wrong::Unknown(String::new()).worded("is unknown; nothing is expected here")
            } else {
                let known = nearest_first(name, self.known.iter().map(AsRef::as_ref));
                Words::from(Wrong::Unknown(known.join(", ")))
            };
            self.faults.add(step(name), words);
        }
        self.faults.into_result(())
    }
}

/// One clean line of 1 to `max` characters.
pub fn line(max: usize) -> impl FnOnce(Value) -> Result<String, Words> {
    move |value| match value {
        Value::String(line) => match text::refused_line(&line, max) {
            None => Ok(line),
            Some(message) => Err(message),
        },
        _ => Err(Wrong::Line { most: max }.into()),
    }
}

/// A clean text of at most `max` characters, which may be empty.
pub fn block(max: usize) -> impl FnOnce(Value) -> Result<String, Words> {
    move |value| match value {
        Value::String(block) if block.is_empty() => Ok(block),
        Value::String(block) => match text::refused_block(&block, max) {
            None => Ok(block),
            Some(message) => Err(message),
        },
        _ => Err(Wrong::Length {
            least: 0,
            most: max,
        }
        .worded(format!("must be a text of at most {max} characters"))),
    }
}

pub fn object(value: Value) -> Result<Map<String, Value>, Words> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Wrong::Object.into()),
    }
}

/// `true` or `false`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "readers of members all have this shape"
)]
pub fn flag(value: Value) -> Result<bool, Words> {
    match value {
        Value::Bool(flag) => Ok(flag),
        _ => Err(Wrong::Flag.into()),
    }
}

/// A whole number within bounds.
pub fn number(least: i64, most: i64) -> impl FnOnce(Value) -> Result<i64, Words> {
    move |value| {
        let number = value.as_i64().filter(|n| (least..=most).contains(n));
        number.ok_or_else(|| Wrong::whole_range(least, most).into())
    }
}
