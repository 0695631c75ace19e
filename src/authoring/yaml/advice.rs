//! What people stumble on in YAML: signs that mean something to it where they meant a text.

use super::Position;

/// What to do about a line that YAML reads in another way than its author, if that is what it looks like.
pub(super) fn advice(text: &str, place: Position) -> Option<String> {
    let mut lines = text.lines().skip(place.line.saturating_sub(2));
    let before = if place.line > 1 { lines.next() } else { None };
    let line = lines.next();
    // Some faults show only where the next line begins.
    [line, before].into_iter().flatten().find_map(of_line)
}

fn of_line(line: &str) -> Option<String> {
    // `- ` indents as well.
    let content = line.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    let indent = line.len() - content.len();
    if line.get(..indent).unwrap_or_default().contains('\t') {
        return Some("indent with spaces: YAML takes no tabs".into());
    }
    let value = value_of(line);
    let first = value.chars().next()?;
    if value.starts_with("{{") || value.starts_with("{%") || value.starts_with("{#") {
        return Some(quoted(value));
    }
    match first {
        '@' | '`' | '%' | '*' | '&' | '!' | ']' | '}' | ',' => {
            Some(format!("a text that begins with {first} must be in quotes: {}", in_quotes(value)))
        }
        '\'' | '"' if !ends_quoted(value, first) => Some(
            "a text in quotes ends with them: put the whole of it in quotes, and write a quote within twice ('') or as \\\"".into(),
        ),
        '{' | '[' if value.contains("{{") || value.contains("{%") => Some(
            "inside of { } and [ ], a text with {{ }}, {% %} or a comma must be in quotes".into(),
        ),
        '\'' | '"' | '|' | '>' | '{' | '[' => None,
        _ if value.contains(": ") || (value.ends_with(':') && value != line.trim()) => {
            Some(format!("a text that holds `: ` must be in quotes: {}", in_quotes(value)))
        }
        _ => None,
    }
}

fn quoted(value: &str) -> String {
    let opening = value.get(..2).unwrap_or_default();
    format!(
        "a text that begins with {opening} must be in quotes, since {{ begins a map in YAML: {}",
        in_quotes(value)
    )
}

/// The value behind `- ` and `name: `.
fn value_of(line: &str) -> &str {
    let mut rest = line.trim();
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start();
    }
    let name = |name: &str| {
        let plain =
            |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '$' | '.' | '/' | '"' | '\'');
        !name.is_empty() && name.chars().all(plain)
    };
    match rest.split_once(": ") {
        Some((before, after)) if name(before) => after.trim(),
        _ => rest,
    }
}

fn ends_quoted(value: &str, quote: char) -> bool {
    let inside = value.get(1..).unwrap_or_default();
    // A comment may follow.
    inside
        .rfind(quote)
        .and_then(|at| inside.get(at.saturating_add(1)..))
        .is_some_and(|rest| {
            rest.trim().is_empty() || rest.trim_start().starts_with(['#', ',', '}', ']'])
        })
}

/// The text as it would be right, if it is short enough to be shown.
fn in_quotes(value: &str) -> String {
    const LONGEST: usize = 60;
    let quote = if value.contains('"') { '\'' } else { '"' };
    if value.contains(quote) || value.contains('\\') || value.chars().count() > LONGEST {
        return format!("{quote}...{quote}, or write it below a |");
    }
    format!("{quote}{value}{quote}")
}
