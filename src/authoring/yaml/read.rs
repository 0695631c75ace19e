//! YAML 1.2, with its core schema, as JSON values that know where they stood. Everything wrong that can be passed over is collected.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value};

use super::{MAX_DEPTH, NUL, Places, Position, Source, Survey, Unreadable, advised, twice};
use crate::domain::characters::unseen;
use crate::domain::decimal::{Decimal, NotDecimal};
use crate::domain::fault::step;

/// Most faults that are collected.
const MAX_FAULTS: usize = 100;
const CORE: &str = "tag:yaml.org,2002:";

/// Reads one document. Anchors, tags and anything that JSON can't say are refused.
pub(super) fn read(text: &str) -> Survey {
    let mut builder = Builder {
        text,
        root: None,
        frames: Vec::new(),
        pointers: Vec::new(),
        places: Places::default(),
        faults: Vec::new(),
    };
    let mut second = Position::START;
    let mut documents = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.faults.push(syntax(text, &error));
                return (None, builder.faults);
            }
        };
        if let Event::DocumentStart(_) = event {
            documents = documents.saturating_add(1);
            if documents == 2 {
                second = span.start.into();
            }
        } else if documents <= 1 {
            builder.take(event, span);
        }
        if builder.frames.len() > MAX_DEPTH || builder.faults.len() >= MAX_FAULTS {
            break;
        }
    }
    if builder.faults.is_empty() && documents != 1 {
        let message = format!("must hold one document, not {documents}");
        builder.faults.push(Unreadable::new(second, "", message));
    }
    let places = builder.places;
    let source = builder.root.map(|value| Source { value, places });
    (source, builder.faults)
}

/// A list or map that is being read.
enum Frame {
    List(Vec<Value>),
    Map {
        members: Map<String, Value>,
        /// The member whose value comes next.
        name: Option<Name>,
    },
    /// A map or list that is somebody's name: it is passed over.
    Name,
}

struct Name {
    text: String,
    /// Whether the map has this name already, or the key is no text.
    is_passed_over: bool,
}

struct Builder<'t> {
    text: &'t str,
    root: Option<Value>,
    frames: Vec<Frame>,
    /// The pointer of each frame.
    pointers: Vec<String>,
    places: Places,
    faults: Vec<Unreadable>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) {
        let start = span.start;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_anchor(anchor, start);
                if self.wants_name() {
                    self.name(&text, style, tag.as_deref(), start);
                } else {
                    self.note_place(start);
                    let value = self.scalar(text, style, tag.as_deref(), start);
                    self.put(value);
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(
                    Frame::List(Vec::new()),
                    anchor,
                    tag.as_deref(),
                    "seq",
                    start,
                );
            }
            Event::MappingStart(anchor, tag) => {
                let map = Frame::Map {
                    members: Map::new(),
                    name: None,
                };
                self.begin(map, anchor, tag.as_deref(), "map", start);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.pointers.pop();
                match self.frames.pop() {
                    Some(Frame::List(items)) => self.put(Value::Array(items)),
                    Some(Frame::Map { members, .. }) => self.put(Value::Object(members)),
                    Some(Frame::Name) | None => {}
                }
            }
            Event::Alias(_) => {
                self.refuse_anchor(1, start);
                if self.wants_name() {
                    self.no_name(start);
                } else {
                    self.put(Value::Null);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, frame: Frame, anchor: usize, tag: Option<&Tag>, kind: &str, start: Marker) {
        self.refuse_anchor(anchor, start);
        if tag.is_some_and(|tag| !is_core(tag, kind)) {
            self.refuse_tag(start);
        }
        if self.frames.len() == MAX_DEPTH {
            self.fault(start, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if self.wants_name() {
            self.no_name(start);
            self.pointers.push(String::new());
            self.frames.push(Frame::Name);
            return;
        }
        self.note_place(start);
        let pointer = self.pointer();
        self.pointers.push(pointer);
        self.frames.push(frame);
    }

    fn wants_name(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Map { name: None, .. }))
    }

    /// Puts a value where it belongs.
    fn put(&mut self, value: Value) {
        match self.frames.last_mut() {
            None => self.root = Some(value),
            Some(Frame::List(items)) => items.push(value),
            Some(Frame::Map { members, name }) => {
                if let Some(name) = name.take().filter(|name| !name.is_passed_over) {
                    members.insert(name.text, value);
                }
            }
            Some(Frame::Name) => {}
        }
    }

    fn name(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, start: Marker) {
        let read = self.scalar(Cow::Borrowed(text), style, tag, start);
        let Value::String(text) = read else {
            self.no_name(start);
            return;
        };
        if style == ScalarStyle::Plain
            && let Some(odd) = text.chars().find_map(odd_space)
        {
            self.fault(
                start,
                format!("the name of this member holds {odd}: write plain spaces"),
            );
        }
        let is_known = match self.frames.last() {
            Some(Frame::Map { members, .. }) => members.contains_key(&text),
            _ => false,
        };
        let is_reserved = text.starts_with("$serde_json::private::");
        if is_reserved {
            self.fault(
                start,
                format!("the member name `{text}` can't be kept: choose another"),
            );
        }
        if is_known {
            let pointer = format!(
                "{}{}",
                self.pointers.last().map_or("", String::as_str),
                step(&text)
            );
            let first = self.places.position(&pointer);
            self.fault(start, twice(&text, first));
        }
        if let Some(Frame::Map { name, .. }) = self.frames.last_mut() {
            *name = Some(Name {
                text,
                is_passed_over: is_known || is_reserved,
            });
        }
        if !is_known {
            self.note_place(start);
        }
    }

    fn no_name(&mut self, start: Marker) {
        self.misread(start, "a member's name must be a text: put it in quotes");
        if let Some(Frame::Map { name, .. }) = self.frames.last_mut() {
            *name = Some(Name {
                text: String::new(),
                is_passed_over: true,
            });
        }
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        start: Marker,
    ) -> Value {
        if text.contains('\0') {
            self.fault(start, NUL);
        }
        if style == ScalarStyle::Plain
            && let Some(odd) = misleading_space(&text)
        {
            self.fault(
                start,
                format!(
                    "{odd} is where a plain space should be: write one, or put the text in quotes"
                ),
            );
        }
        let is_text = style != ScalarStyle::Plain
            || tag.is_some_and(|tag| is_core(tag, "str") || is_bare(tag));
        let value = if is_text {
            Ok(Value::String(text.into_owned()))
        } else {
            plain(text)
        };
        match value {
            Ok(value) => {
                let is_kind = |tag: &Tag| match &value {
                    Value::Null => is_core(tag, "null"),
                    Value::Bool(_) => is_core(tag, "bool"),
                    Value::Number(_) => is_core(tag, "int") || is_core(tag, "float"),
                    _ => is_core(tag, "str") || is_bare(tag),
                };
                if tag.is_some_and(|tag| !is_kind(tag)) {
                    self.refuse_tag(start);
                }
                value
            }
            Err(message) => {
                self.fault(start, message);
                Value::Null
            }
        }
    }

    fn refuse_anchor(&mut self, anchor: usize, start: Marker) {
        if anchor != 0 {
            self.misread(
                start,
                "anchors and aliases are not taken: write the value out",
            );
        }
    }

    fn refuse_tag(&mut self, start: Marker) {
        self.misread(start, "tags are not taken: write the value out");
    }

    /// A fault where YAML may have read something else than was meant.
    fn misread(&mut self, start: Marker, message: &str) {
        let fault = Unreadable::new(start.into(), self.pointer(), message);
        self.faults.push(advised(self.text, fault));
    }

    fn fault(&mut self, start: Marker, message: impl AsRef<str>) {
        let fault = Unreadable::new(start.into(), self.pointer(), message.as_ref());
        self.faults.push(fault);
    }

    fn note_place(&mut self, start: Marker) {
        self.places.note(self.pointer(), start.into());
    }

    /// Of the value that comes next.
    fn pointer(&self) -> String {
        let parent = self.pointers.last().map_or("", String::as_str);
        match self.frames.last() {
            Some(Frame::List(items)) => format!("{parent}/{}", items.len()),
            Some(Frame::Map {
                name: Some(name), ..
            }) => format!("{parent}{}", step(&name.text)),
            _ => parent.to_owned(),
        }
    }
}

fn is_core(tag: &Tag, kind: &str) -> bool {
    tag.handle == CORE && tag.suffix == kind
}

/// `!`, which makes a text of anything.
fn is_bare(tag: &Tag) -> bool {
    format!("{}{}", tag.handle, tag.suffix) == "!"
}

/// A scalar without quotes; `Err` says what is wrong with it.
fn plain(text: Cow<'_, str>) -> Result<Value, String> {
    Ok(match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_infinite(&text) => return Err("a number must be finite".to_owned()),
        _ => match number(&text) {
            Some(number) => number?.into(),
            None => Value::String(text.into_owned()),
        },
    })
}

fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// The number that a scalar is in YAML's core schema; `None` where it is none.
fn number(text: &str) -> Option<Result<Decimal, String>> {
    let to_text =
        |result: Result<Decimal, NotDecimal>| result.map_err(|fault| format!("the number {fault}"));
    let too_long = Err(format!("the number {}", NotDecimal::Digits));
    for (prefix, base) in [("0o", 8), ("0x", 16)] {
        let digits = text.strip_prefix(prefix).filter(|digits| {
            !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(base))
        });
        if let Some(digits) = digits {
            let integer = u128::from_str_radix(digits, base);
            return Some(integer.map_or(too_long, |integer| {
                to_text(Decimal::parse(&integer.to_string()))
            }));
        }
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, power) = match unsigned.find(['e', 'E']) {
        Some(at) => unsigned.split_at_checked(at)?,
        None => (unsigned, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power_digits = match power.strip_prefix(['e', 'E']) {
        Some(power) => power.strip_prefix(['+', '-']).unwrap_or(power),
        None => "0",
    };
    let is_number = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && !power_digits.is_empty()
        && digits(power_digits);
    if !is_number {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Some(Err(
            "readers differ about a number that begins with 0: put it in quotes, or write it without".to_owned(),
        ));
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    Some(to_text(Decimal::parse(&format!(
        "{sign}{whole}.{fraction}{power}"
    ))))
}

/// The name of a character that looks like a space, or like nothing, to a person; not of those that writing needs.
fn odd_space(c: char) -> Option<Cow<'static, str>> {
    let is_needed =
        matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}');
    unseen(c).filter(|_| !is_needed)
}

/// A space that is none where YAML wants one: at either end, and behind a colon or a dash.
fn misleading_space(text: &str) -> Option<Cow<'static, str>> {
    let mut ends = text.chars().next().into_iter().chain(text.chars().last());
    let behind_colon = text
        .split(':')
        .skip(1)
        .filter_map(|rest| rest.chars().next());
    let behind_dash = text
        .strip_prefix(['-', '?'])
        .and_then(|rest| rest.chars().next());
    ends.find_map(odd_space)
        .or_else(|| behind_colon.chain(behind_dash).find_map(odd_space))
}

/// What the parser says, and what a person may not see there.
fn syntax(text: &str, error: &ScanError) -> Unreadable {
    let place = Position::from(*error.marker());
    let unseen_in = |number: usize| {
        let line = text.lines().nth(number.checked_sub(1)?)?;
        let (at, name) = line
            .chars()
            .enumerate()
            .find_map(|(at, c)| Some((at, odd_space(c)?)))?;
        let place = Position {
            line: number,
            column: at.saturating_add(1),
        };
        let message = format!("{name} is here: write a plain space, or nothing");
        Some(Unreadable::new(place, "", message))
    };
    let near = [
        place.line,
        place.line.saturating_sub(1),
        place.line.saturating_add(1),
    ];
    if let Some(fault) = near.into_iter().find_map(unseen_in) {
        return fault;
    }
    let info = error.info();
    // A tab in front of the next line is found while the one before is read.
    let is_indented_by_tab = |number: usize| {
        let line = text
            .lines()
            .nth(number.saturating_sub(1))
            .unwrap_or_default();
        let indent = line.len().saturating_sub(line.trim_start().len());
        line.get(..indent)
            .is_some_and(|indent| indent.contains('\t'))
    };
    let tab = near.into_iter().filter(|_| info.contains("tab"));
    let place = match tab.into_iter().find(|number| is_indented_by_tab(*number)) {
        Some(line) => Position { line, column: 1 },
        None => place,
    };
    let advice = if info.contains("nicode") {
        ": write the character itself, or \\U and eight hexadecimal digits"
    } else {
        ""
    };
    let message = format!("not valid YAML or JSON: {info}{advice}");
    advised(text, Unreadable::new(place, "", message))
}
