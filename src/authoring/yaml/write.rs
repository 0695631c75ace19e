//! A JSON value as YAML that every reader reads the same: those of YAML 1.1 (`PyYAML`, Ruby) as well as those of 1.2.
//!
//! Only what no reader takes for anything but a text stands without quotes. In quotes stand, beside what must: numbers, dates and times in
//! any spelling, `yes`, `on`, `~`, `=`, `<<`; and characters that some readers break lines at or refuse are escaped.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::domain::characters;
use crate::domain::decimal::Decimal;

/// Readers look this far for the colon behind a member's name.
const MAX_SIMPLE_NAME: usize = 900;

/// The value as block YAML, with a line break at the end.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => object(&mut text, members, 0),
        Value::Array(items) if !items.is_empty() => list(&mut text, items, 0),
        other => scalar(&mut text, other, 2),
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn object(text: &mut String, members: &Map<String, Value>, indent: usize) {
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            line(text, indent);
        }
        let name = one_line(name);
        if name.len() > MAX_SIMPLE_NAME {
            text.push_str("? ");
            text.push_str(&name);
            line(text, indent);
        } else {
            text.push_str(&name);
        }
        text.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                let indent = indent.saturating_add(2);
                line(text, indent);
                object(text, members, indent);
            }
            Value::Array(items) if !items.is_empty() => {
                let indent = indent.saturating_add(2);
                line(text, indent);
                list(text, items, indent);
            }
            other => {
                text.push(' ');
                scalar(text, other, indent.saturating_add(2));
            }
        }
    }
}

fn list(text: &mut String, items: &[Value], indent: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            line(text, indent);
        }
        text.push_str("- ");
        let indent = indent.saturating_add(2);
        match item {
            Value::Object(members) if !members.is_empty() => object(text, members, indent),
            Value::Array(items) if !items.is_empty() => list(text, items, indent),
            other => scalar(text, other, indent),
        }
    }
}

/// Starts a line, unless a block of lines has just ended one.
fn line(text: &mut String, indent: usize) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(' ', indent));
}

/// What is behind `name: ` or `- `; lines of a longer text are indented as far as this.
fn scalar(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(words) => match block(words) {
            Some(chomping) => {
                text.push_str(chomping);
                for part in words.strip_suffix('\n').unwrap_or(words).split('\n') {
                    text.push('\n');
                    if !part.is_empty() {
                        text.extend(std::iter::repeat_n(' ', indent));
                        text.push_str(part);
                    }
                }
                text.push('\n');
            }
            None => text.push_str(&one_line(words)),
        },
        Value::Object(_) => text.push_str("{}"),
        Value::Array(_) => text.push_str("[]"),
        // Readers of YAML 1.1 take `1e5` for a text.
        Value::Number(number) => {
            let exact = Decimal::from_number(number).map(Decimal::to_number);
            text.push_str(exact.as_ref().unwrap_or(number).as_str());
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// How a text is written as a block of lines, by its line breaks at the end; `None` where it is in quotes.
fn block(text: &str) -> Option<&'static str> {
    let is_blank = |line: &str| !line.is_empty() && line.trim_matches([' ', '\t']).is_empty();
    let fits = text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.split('\n').any(is_blank)
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || !is_escaped(c));
    fits.then(|| {
        if text.ends_with("\n\n") {
            "|+"
        } else if text.ends_with('\n') {
            "|"
        } else {
            "|-"
        }
    })
}

/// A text on one line, in quotes unless it needs none.
fn one_line(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if is_escaped(c) => {
                let code = u32::from(c);
                // Writing to a String can't fail.
                _ = match code {
                    0..=0xff => write!(quoted, "\\x{code:02x}"),
                    0x100..=0xffff => write!(quoted, "\\u{code:04x}"),
                    _ => write!(quoted, "\\U{code:08x}"),
                };
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a character is written as an escape: some reader refuses it, breaks the line there, or a person would not see it end a line.
fn is_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{a0}')
        || (u32::from(c) & 0xfffe) == 0xfffe
}

/// Whether every reader takes a text for itself without quotes.
fn is_plain(text: &str) -> bool {
    if uuid::Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text) {
        return true;
    }
    let begins = text.chars().next().is_some_and(char::is_alphabetic);
    let only_plain = text.chars().all(|c| {
        c.is_ascii_alphanumeric()
            || " _-./,()'!?+@&;=%*$^".contains(c)
            || matches!(c, ':' | '#' | '{' | '}' | '|')
            || (!c.is_ascii() && !is_escaped(c) && characters::unseen(c).is_none())
    });
    let is_word = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ]
    .contains(&text.to_ascii_lowercase().as_str());
    begins
        && only_plain
        && !is_word
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
}
