//! A reader of JSON (RFC 8259) that keeps numbers exactly, names what is wrong and where, and goes on after what it can pass over.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{JsonFault, Position};
use crate::domain::characters;
use crate::domain::decimal::{Decimal, NotDecimal};
use crate::domain::fault::step;

#[derive(Debug, Clone, Copy)]
pub(super) struct ReadOptions {
    /// Deepest nesting of objects and lists.
    pub(super) depth: usize,
    /// Whether somebody judges each value afterwards. Then U+0000 may be in a text, or stand for half of a surrogate pair, and an empty
    /// object for a number that can't be kept.
    pub(super) is_judged: bool,
}

/// Most faults that are collected.
const MAX_FAULTS: usize = 100;
/// How `serde_json` would mark a number that it hands over as an object; as a member's name it would turn into one.
const RESERVED: &str = "$serde_json::private::";

pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    taken: ReadOptions,
    /// The way to the value that is being read.
    path: Vec<Step<'t>>,
    /// What was passed over.
    pub(super) faults: Vec<JsonFault>,
    /// Where each value stood, if requested: pointer and byte.
    pub(super) places: Option<Vec<(String, usize)>>,
}

enum Step<'t> {
    Item(usize),
    Member(Cow<'t, str>),
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, taken: ReadOptions) -> Self {
        Self {
            text,
            at: 0,
            taken,
            path: Vec::new(),
            faults: Vec::new(),
            places: None,
        }
    }

    /// The one value of the text; faults that were passed over are in `faults`.
    pub(super) fn document(&mut self) -> Result<Value, JsonFault> {
        self.space();
        let value = self.value(self.taken.depth)?;
        self.space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.syntax("nothing may follow the value")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonFault> {
        self.note_place(self.at);
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.list(self.deeper(depth)?),
            Some(b'"') => Ok(Value::String(self.text()?.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in [
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                    ("null", Value::Null),
                ] {
                    if self.word() == word {
                        self.at = self.at.saturating_add(word.len());
                        return Ok(value);
                    }
                }
                Err(self.no_value())
            }
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonFault> {
        let deeper = depth.checked_sub(1);
        deeper.ok_or(JsonFault::TooDeep {
            levels: self.taken.depth,
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonFault> {
        let mut items = Vec::new();
        self.at = self.at.saturating_add(1);
        self.space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.path.push(Step::Item(items.len()));
            items.push(self.value(depth)?);
            self.path.pop();
            self.space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            self.comma("a comma or `]` is missing")?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonFault> {
        let mut members = Map::new();
        self.at = self.at.saturating_add(1);
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.no_name());
            }
            let start = self.at;
            let name = self.text()?;
            self.space();
            if !self.take(b':') {
                return Err(self.syntax("a colon is missing after the member's name"));
            }
            self.space();
            if name.starts_with(RESERVED) {
                self.pass_over(JsonFault::Reserved {
                    name: name.clone().into_owned(),
                })?;
            }
            self.path.push(Step::Member(name.clone()));
            self.note_place(start);
            let value = self.value(depth)?;
            self.path.pop();
            if members.contains_key(&*name) {
                self.pass_over(JsonFault::Duplicate {
                    name: name.into_owned(),
                    place: self.place(start),
                })?;
            } else {
                members.insert(name.into_owned(), value);
            }
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            self.comma("a comma or `}` is missing")?;
        }
    }

    fn comma(&mut self, missing: &'static str) -> Result<(), JsonFault> {
        if !self.take(b',') {
            return Err(self.syntax(missing));
        }
        self.space();
        if matches!(self.peek(), Some(b']' | b'}')) {
            return Err(self.syntax("no comma may follow the last one"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, JsonFault> {
        let start = self.at;
        let rest = self.rest();
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let written = rest.get(..end).unwrap_or_default();
        match Decimal::parse(written) {
            Ok(number) => {
                self.at = start.saturating_add(end);
                Ok(number.into())
            }
            Err(NotDecimal::Form) => Err(self.syntax("a number is written like -12, 0.5 or 1e3")),
            Err(why) => {
                if !self.taken.is_judged {
                    let place = self.place(start);
                    self.pass_over(JsonFault::Number { place, why })?;
                }
                self.at = start.saturating_add(end);
                Ok(Value::Object(Map::new()))
            }
        }
    }

    /// The text in quotes that begins here.
    fn text(&mut self) -> Result<Cow<'t, str>, JsonFault> {
        let opening = self.at;
        self.at = self.at.saturating_add(1);
        let mut made = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let stop = rest
                .bytes()
                .position(|byte| matches!(byte, b'"' | b'\\' | ..b' '));
            let Some(stop) = stop else {
                self.at = opening;
                return Err(self.syntax("this text has no closing quote"));
            };
            let plain = rest.get(..stop).unwrap_or_default();
            if made.is_empty() {
                made = Cow::Borrowed(plain);
            } else {
                made.to_mut().push_str(plain);
            }
            self.at = self.at.saturating_add(stop);
            match self.peek() {
                Some(b'"') => {
                    self.at = self.at.saturating_add(1);
                    return Ok(made);
                }
                Some(b'\\') => {
                    let c = self.escaped()?;
                    made.to_mut().push(c);
                }
                _ => return Err(self.syntax("line breaks, tabs and other control characters are written in a text as \\n, \\t or \\u0000")),
            }
        }
    }

    /// The character that an escape stands for.
    fn escaped(&mut self) -> Result<char, JsonFault> {
        let start = self.at;
        let letter = self.text.as_bytes().get(start.saturating_add(1)).copied();
        self.at = start.saturating_add(2);
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let Some(unit) = self.four_hex_digits() else {
                    self.at = start;
                    return Err(self.syntax("four hexadecimal digits must follow \\u"));
                };
                match self.character(unit) {
                    Some('\0') if !self.taken.is_judged => {
                        self.pass_over(JsonFault::Nul {
                            place: self.place(start),
                        })?;
                        '\0'
                    }
                    Some(c) => c,
                    None if self.taken.is_judged => '\0',
                    None => {
                        self.pass_over(JsonFault::Surrogate {
                            place: self.place(start),
                            unit,
                        })?;
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => {
                self.at = start;
                return Err(self.syntax("a backslash is written \\\\; only \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u0000 are escapes"));
            }
        })
    }

    /// The character of a UTF-16 unit, with the second half of its pair; `None` for half of one.
    fn character(&mut self, unit: u16) -> Option<char> {
        if !(0xD800..0xDC00).contains(&unit) {
            return char::from_u32(unit.into());
        }
        let behind = self.at;
        if self.rest().starts_with("\\u") {
            self.at = behind.saturating_add(2);
            let pair = self.four_hex_digits().map(|low| [unit, low]);
            let decoded = pair.and_then(|pair| char::decode_utf16(pair).next()?.ok());
            if decoded.is_some() {
                return decoded;
            }
            self.at = behind;
        }
        None
    }

    fn four_hex_digits(&mut self) -> Option<u16> {
        let digits = self.rest().get(..4)?;
        let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = u16::from_str_radix(digits, 16).ok().filter(|_| all_hex)?;
        self.at = self.at.saturating_add(4);
        Some(unit)
    }

    fn no_value(&self) -> JsonFault {
        let what = match self.rest().chars().next() {
            None => "the text ends where a value is missing",
            Some('\'' | '`' | '‘' | '’' | '“' | '”' | '„') => {
                "texts are written in straight double quotes"
            }
            Some('/' | '#') => "JSON has no comments",
            Some('+' | '.') => "a number is written like -12, 0.5 or 1e3",
            Some(',' | ']' | '}') => "a value is missing",
            Some(_) => match self.word() {
                "NaN" | "Infinity" | "inf" => "a number must be finite",
                "True" | "False" | "None" | "undefined" => "write true, false or null",
                _ => "this is no value: a text is written in double quotes",
            },
        };
        self.syntax(what)
    }

    fn no_name(&self) -> JsonFault {
        self.syntax(match self.rest().chars().next() {
            None => "the text ends where `}` is missing",
            Some('/' | '#') => "JSON has no comments",
            Some(',') => "a member is missing",
            _ => "a member's name is written in straight double quotes",
        })
    }

    /// The letters here.
    fn word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// A fault that ends the reading. Where a character only looks like a space, that is reported.
    fn syntax(&self, what: &'static str) -> JsonFault {
        let unseen = self.rest().chars().next().and_then(characters::unseen);
        JsonFault::Syntax {
            place: self.place(self.at),
            what: match unseen {
                Some(name) => {
                    Cow::Owned(format!("{name} is here: write a plain space, or nothing"))
                }
                None => Cow::Borrowed(what),
            },
        }
    }

    /// Notes a fault after which the rest can be read.
    fn pass_over(&mut self, fault: JsonFault) -> Result<(), JsonFault> {
        if self.faults.len() >= MAX_FAULTS {
            return Err(fault);
        }
        self.faults.push(fault);
        Ok(())
    }

    fn place(&self, at: usize) -> Position {
        Position {
            pointer: self.pointer(),
            ..Position::at_byte(self.text, at)
        }
    }

    fn pointer(&self) -> String {
        self.path
            .iter()
            .map(|part| match part {
                Step::Item(index) => format!("/{index}"),
                Step::Member(name) => step(name),
            })
            .collect()
    }

    fn note_place(&mut self, at: usize) {
        if self.places.is_some() {
            let pointer = self.pointer();
            if let Some(places) = &mut self.places {
                places.push((pointer, at));
            }
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_here = self.peek() == Some(byte);
        if is_here {
            self.at = self.at.saturating_add(1);
        }
        is_here
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }
}
