//! YAML and JSON files as a JSON value that knows where each part stood.
//!
//! JSON is read as JSON: YAML claims to include it, but knows no escaped surrogate pairs, and takes what is broken for something else.

mod advice;
mod position;
mod read;
mod write;

use std::collections::BTreeMap;

use saphyr_parser::Marker;
use serde_json::Value;

use self::advice::advice;
pub use self::position::{Position, Unreadable};
use crate::domain::encoding::{self, NotText};
use crate::domain::fault::{Fault, step};
use crate::domain::json::{self, JsonFault};

/// Largest bundle, bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting of a bundle.
const MAX_DEPTH: usize = 40;

/// A text, read.
#[derive(Debug)]
pub struct Source {
    pub value: Value,
    places: Places,
}

/// Where each RFC 6901 pointer stands.
#[derive(Debug, Default)]
struct Places(BTreeMap<String, Position>);

/// What can be read of a text, with something empty in the place of what can't, and what is wrong with the rest.
pub type Survey = (Option<Source>, Vec<Unreadable>);

impl Source {
    /// Reads the bytes of a file, as editors and shells leave them (see [`encoding::text`]); the first fault.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        sound(Self::survey(bytes))
    }

    /// Reads one document. Anchors, tags and anything that JSON can't say are refused; the first fault.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        sound(Self::survey_text(text))
    }

    /// Reads the bytes of a file as far as possible, so that everything else that is wrong with a bundle can be reported at the same time.
    pub fn survey(bytes: &[u8]) -> Survey {
        match encoding::text(bytes) {
            Ok(text) => Self::survey_text(&text),
            Err(fault) => {
                let place = match &fault {
                    NotText::Byte { place, .. } => place.into(),
                    _ => Position::START,
                };
                (None, vec![Unreadable::new(place, "", fault.to_string())])
            }
        }
    }

    fn survey_text(text: &str) -> Survey {
        if text.len() > MAX_BYTES {
            let message = "a bundle may have 4 MB at most";
            return (None, vec![Unreadable::new(Position::START, "", message)]);
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let begun = text.trim_ascii_start();
        if !begun.starts_with(['{', '[']) {
            return read::read(text);
        }
        let (document, faults) = json::document(text, MAX_DEPTH);
        // `{tenant: demo}` is YAML all the same.
        let is_syntax = |fault: &JsonFault| matches!(fault, JsonFault::Syntax { .. });
        if faults.iter().any(is_syntax) {
            let mut inside = begun.chars().skip(1).filter(|c| !c.is_ascii_whitespace());
            let is_like_json = inside.next().is_some_and(|c| "\"{[}".contains(c));
            let yaml = read::read(text);
            if yaml.1.is_empty() || !is_like_json {
                return yaml;
            }
        }
        let source = document.map(|(value, marks)| {
            let mut places = Places::default();
            for (pointer, (line, column)) in marks {
                places.note(pointer, Position { line, column });
            }
            Self { value, places }
        });
        let places = source.as_ref().map(|source| &source.places);
        let positioned = faults.iter().map(|fault| of_json(fault, places)).collect();
        (source, positioned)
    }

    /// Where a pointer points, or the nearest place around it.
    pub fn place(&self, pointer: &str) -> Position {
        self.places.position(pointer)
    }

    /// A fault as people read it, `line:column: what`; with advice where a text is wanted and YAML read something else.
    pub fn describe(&self, fault: &Fault) -> String {
        let place = self.place(&fault.pointer);
        let wants_text = ["must be a text", "expected a string"]
            .iter()
            .any(|words| fault.message.contains(words));
        let value = self.value.pointer(&fault.pointer);
        match value {
            Some(Value::Number(_) | Value::Bool(_) | Value::Null) if wants_text => {
                format!("{place}: {fault}; put it in quotes")
            }
            _ => format!("{place}: {fault}"),
        }
    }
}

impl Places {
    /// Notes where something stands, unless its name was noted before it.
    fn note(&mut self, pointer: String, place: Position) {
        self.0.entry(pointer).or_insert(place);
    }

    fn position(&self, pointer: &str) -> Position {
        let mut at = pointer;
        loop {
            if let Some(place) = self.0.get(at) {
                return *place;
            }
            match at.rsplit_once('/') {
                Some((parent, _)) => at = parent,
                None => return Position::START,
            }
        }
    }
}

fn sound((source, faults): Survey) -> Result<Source, Unreadable> {
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => source.ok_or_else(|| Unreadable::new(Position::START, "", "holds nothing")),
    }
}

/// The same for people who jump to places.
fn of_json(fault: &JsonFault, places: Option<&Places>) -> Unreadable {
    let (place, message) = match fault {
        JsonFault::Syntax { place, what } => (place, format!("not valid JSON: {what}")),
        JsonFault::Number { place, why } => (place, format!("the number {why}")),
        JsonFault::Duplicate { name, place } => {
            let pointer = format!("{}{}", place.pointer, step(name));
            let first = places.map_or(Position::START, |places| places.position(&pointer));
            (place, twice(name, first))
        }
        JsonFault::Nul { place } => (place, NUL.to_owned()),
        JsonFault::Surrogate { place, unit } => (
            place,
            format!("\\u{unit:04x} is half of a surrogate pair without its other half"),
        ),
        other => return Unreadable::new(Position::START, "", other.to_string()),
    };
    Unreadable::new(place.into(), &place.pointer, message)
}

const NUL: &str = "a text holds the character U+0000";

fn twice(name: &str, first: Position) -> String {
    format!("`{name}` is here twice, the first time at {first}: keep one")
}

impl From<&json::Position> for Position {
    fn from(place: &json::Position) -> Self {
        Self {
            line: place.line,
            column: place.column,
        }
    }
}

impl From<Marker> for Position {
    fn from(marker: Marker) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col().saturating_add(1),
        }
    }
}

/// Behind what the reader says stands what people usually meant.
fn advised(text: &str, mut fault: Unreadable) -> Unreadable {
    if let Some(advice) = advice(text, fault.place) {
        fault.message = format!("{}; {advice}", fault.message);
    }
    fault
}

/// The value as YAML that [`Source::parse`] and every other reader read back the same.
pub fn write(value: &Value) -> String {
    write::write(value)
}

#[cfg(test)]
mod tests;
