//! Strict JSON: what several readers could understand differently is refused, and no number is rounded.

mod read;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use self::read::{ReadOptions, Reader};
use super::decimal::NotDecimal;
use super::fault::{Fault, step};
use super::wrong::{Words, Wrong};

/// Deepest nesting of objects and lists that is read.
pub const MAX_DEPTH: usize = 32;

/// Where something is in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// Characters of the line, from 1.
    pub column: usize,
    /// RFC 6901 pointer of the value.
    pub pointer: String,
}

impl Position {
    /// The place of a byte, without a pointer.
    pub fn at_byte(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count().saturating_add(1),
            column: line.chars().count().saturating_add(1),
            pointer: String::new(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not the JSON we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not UTF-8.
    #[error("not UTF-8: byte {at} begins no character")]
    Encoding {
        /// From 1.
        at: usize,
    },
    /// UTF-16, as Windows calls Unicode.
    #[error("UTF-16: save or send it as UTF-8")]
    Utf16,
    #[error("not valid JSON: {place}: {what}")]
    Syntax {
        place: Position,
        what: Cow<'static, str>,
    },
    /// A number that can't be kept as it is.
    #[error("{place}: the number {why}")]
    Number { place: Position, why: NotDecimal },
    /// A member name is twice in one object.
    #[error("{place}: the member `{name}` is twice in one object")]
    Duplicate {
        /// The member.
        name: String,
        /// Where it stands again.
        place: Position,
    },
    /// A member name that means something to a library.
    #[error("the member name `{name}` can't be kept: choose another")]
    Reserved {
        /// The member.
        name: String,
    },
    #[error("nested deeper than {levels} levels")]
    TooDeep {
        /// How deep is read.
        levels: usize,
    },
    /// A U+0000, which Postgres can't store.
    #[error("{place}: a text holds the character U+0000")]
    Nul { place: Position },
    /// Half of a character.
    #[error("{place}: \\u{unit:04x} is half of a surrogate pair without its other half")]
    Surrogate {
        place: Position,
        /// The half.
        unit: u16,
    },
}

impl JsonFault {
    /// The same as a fault of the value that it is about.
    pub fn to_fault(&self) -> Fault {
        let (place, wrong) = match self {
            Self::Encoding { .. } | Self::Utf16 => (None, Wrong::Utf8),
            Self::Syntax { place, what } => (Some(place), Wrong::Json(what.to_string())),
            Self::Number { place, why } => {
                let wrong = match why {
                    NotDecimal::Form => Wrong::Number,
                    NotDecimal::Digits | NotDecimal::Range => Wrong::Exact,
                };
                (Some(place), wrong)
            }
            Self::Duplicate { name, place } => (Some(place), Wrong::DuplicateMember(name.clone())),
            Self::Reserved { name } => (None, Wrong::Reserved(name.clone())),
            Self::TooDeep { levels } => (None, Wrong::Nested { most: *levels }),
            Self::Nul { place } => (Some(place), Wrong::unseen('\0')),
            Self::Surrogate { place, unit } => {
                (Some(place), Wrong::Surrogate(format!("\\u{unit:04x}")))
            }
        };
        let text = self.to_string();
        let Some(place) = place else {
            return Fault::new("", wrong.worded(text));
        };
        let wrong = Box::new(Wrong::Placed {
            line: place.line,
            column: place.column,
            wrong: Box::new(wrong),
        });
        Fault::new(place.pointer.clone(), Words { text, wrong })
    }
}

/// Reads a JSON text: no duplicate members, at most [`MAX_DEPTH`] levels, no U+0000, numbers as they are.
pub fn parse(text: &[u8]) -> Result<Value, JsonFault> {
    let taken = ReadOptions {
        depth: MAX_DEPTH,
        is_judged: false,
    };
    read(text, taken)
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

/// A value, and the line and column, from 1, at which each pointer stands, member names before their values.
pub type Document = (Value, Vec<(String, (usize, usize))>);

/// Reads a text for its author: every fault that can be passed over is reported at once, and an empty object stands for a number that can't be
/// kept. No document where the text is no JSON.
pub fn document(text: &str, depth: usize) -> (Option<Document>, Vec<JsonFault>) {
    let taken = ReadOptions {
        depth,
        is_judged: false,
    };
    let mut reader = Reader::new(text, taken);
    reader.places = Some(Vec::new());
    let read = reader.document();
    let mut faults = reader.faults;
    match read {
        Ok(value) => {
            let mut lines = Lines {
                text,
                counted: 0,
                place: (1, 1),
            };
            let places = reader.places.into_iter().flatten();
            let places = places.map(|(pointer, at)| (pointer, lines.at(at)));
            (Some((value, places.collect())), faults)
        }
        Err(fault) => {
            faults.push(fault);
            (None, faults)
        }
    }
}

/// Places of bytes that come in their order.
struct Lines<'t> {
    text: &'t str,
    counted: usize,
    place: (usize, usize),
}

impl Lines<'_> {
    fn at(&mut self, at: usize) -> (usize, usize) {
        let between = self.text.get(self.counted..at).unwrap_or_default();
        for c in between.chars() {
            self.place = match (c, self.place) {
                ('\n', (line, _)) => (line.saturating_add(1), 1),
                (_, (line, column)) => (line, column.saturating_add(1)),
            };
        }
        self.counted = self.counted.max(at);
        self.place
    }
}

fn read(text: &[u8], taken: ReadOptions) -> Result<Value, JsonFault> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=255, 0, ..] | [0, 1..=255, ..] = text {
        return Err(JsonFault::Utf16);
    }
    let text = std::str::from_utf8(text).map_err(|broken| JsonFault::Encoding {
        at: broken.valid_up_to().saturating_add(1),
    })?;
    let mut reader = Reader::new(text, taken);
    let read = reader.document();
    match reader.faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => read,
    }
}

/// Reads a JSON object for somebody who judges each of its values and does not ask why it is none. Half of a surrogate pair reads as
/// U+0000, which is in no text that is taken, and a number that can't be kept as an empty object: only what uses them is refused.
pub fn object(text: &[u8]) -> Option<Map<String, Value>> {
    let taken = ReadOptions {
        depth: MAX_DEPTH,
        is_judged: true,
    };
    match read(text, taken) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
