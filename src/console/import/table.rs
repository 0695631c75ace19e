//! A table in CSV (RFC 4180) as lines of JSON: the first row has the names, of which one is `subject`; the others are preferences. An empty cell is no
//! preference. Semicolons and tabs separate cells as well as commas do, as spreadsheets of many countries write them.

use serde_json::{Map, Value, json};

/// The row that can't be read, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRow(pub(super) usize);

/// Each row as an object; rows keep their numbers, but for the first.
pub(super) fn lines(text: &str) -> Result<String, BadRow> {
    let first = text.lines().next().unwrap_or_default();
    let separator = [';', '\t'].into_iter().find(|one| first.contains(*one));
    let mut rows = rows(text, separator.unwrap_or(',')).into_iter();
    let names = rows.next().unwrap_or_default();
    let subject = names.iter().position(|name| name.trim() == "subject");
    let subject = subject.ok_or(BadRow(1))?;
    let mut lines = String::new();
    for (at, row) in rows.enumerate() {
        if row.len() != names.len() {
            return Err(BadRow(at.saturating_add(2)));
        }
        let mut preferences = Map::new();
        for (at, (name, cell)) in names.iter().zip(&row).enumerate() {
            if at != subject && !cell.is_empty() {
                preferences.insert(name.trim().to_owned(), value(cell));
            }
        }
        let line = json!({ "subject": row.get(subject), "preferences": preferences });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    Ok(lines)
}

/// A flag or a number, where a cell is one; any other is a text.
fn value(cell: &str) -> Value {
    match serde_json::from_str(cell) {
        Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
        _ => cell.into(),
    }
}

/// The cells of all rows that are not empty.
fn rows(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut rest = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if is_quoted && rest.peek() == Some(&'"') => {
                rest.next();
                cell.push('"');
            }
            '"' if is_quoted || cell.is_empty() => is_quoted = !is_quoted,
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c if c == separator && !is_quoted => row.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    row.push(cell);
    rows.push(row);
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_becomes_lines_of_json() {
        let two = "{\"subject\":\"u1\",\"preferences\":{\"languageCode\":\"de\"}}\n{\"subject\":\"u2\",\"preferences\":{\"tone\":\"a, \\\"b\\\"\\nc\",\"beta\":true}}\n";
        for table in [
            "subject,languageCode,tone,beta\nu1,de,,\nu2,,\"a, \"\"b\"\"\nc\",true\n",
            "\u{feff}subject;languageCode;tone;beta\r\nu1;de;;\r\nu2;;\"a, \"\"b\"\"\nc\";true",
        ] {
            assert_eq!(lines(table).as_deref(), Ok(two), "{table}");
        }
        assert_eq!(
            lines("subject\tseats\nu1\t5\n").as_deref(),
            Ok("{\"subject\":\"u1\",\"preferences\":{\"seats\":5}}\n")
        );
    }

    #[test]
    fn a_row_that_does_not_fit_is_named() {
        assert_eq!(lines("user,tone\nu1,x"), Err(BadRow(1)));
        assert_eq!(lines(""), Err(BadRow(1)));
        assert_eq!(lines("subject,tone\nu1,x\nu2"), Err(BadRow(3)));
    }
}
