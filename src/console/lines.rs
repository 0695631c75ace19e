//! Members of a JSON object as lines that people type: `name = value`.

use serde_json::{Map, Value};

/// Reads lines of `name = value`. A value that is JSON is what it says; any other is a text. Text that begins with a brace is a JSON object. A line
/// that is neither is given back.
pub fn read(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim_start().starts_with('{') {
        return crate::domain::json::parse(text.as_bytes())
            .ok()
            .and_then(|value| match value {
                Value::Object(members) => Some(members),
                _ => None,
            })
            .ok_or_else(|| text.lines().next().unwrap_or_default().to_owned());
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| member(line).ok_or_else(|| line.to_owned()))
        .collect()
}

/// The same, without the lines that can't be read.
pub fn lenient(text: &str) -> Map<String, Value> {
    text.lines().filter_map(member).collect()
}

fn member(line: &str) -> Option<(String, Value)> {
    let (name, value) = line.split_once(['=', ':'])?;
    let (name, value) = (name.trim(), value.trim());
    let value = serde_json::from_str(value).unwrap_or_else(|_text| value.into());
    (!name.is_empty()).then(|| (name.to_owned(), value))
}

/// Lines that [`read`] gives back as they are: JSON where no lines would.
pub fn show(members: &Map<String, Value>) -> String {
    let line = |(name, value): (&String, &Value)| match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => {
            format!("{name} = {text}")
        }
        value => format!("{name} = {value}"),
    };
    let lines: Vec<String> = members.iter().map(line).collect();
    let lines = lines.join("\n");
    if read(&lines).as_ref() == Ok(members) {
        lines
    } else {
        serde_json::to_string_pretty(members).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for value in [
            json!({}),
            json!({ "plan": "gold", "seats": 5, "beta": true, "groups": ["a", "b"] }),
            json!({ "number as text": "5", "quoted": "\"x\"", "empty": "" }),
            json!({ "https://example.com/plan": "gold" }),
            json!({ "lines": "one\ntwo", "spaces": " x " }),
        ] {
            let members = value.as_object().unwrap();
            let shown = show(members);
            assert_eq!(read(&shown).as_ref(), Ok(members), "{shown}");
        }
        assert_eq!(
            show(json!({ "plan": "gold" }).as_object().unwrap()),
            "plan = gold"
        );
    }

    #[test]
    fn lines_are_members() {
        let read =
            lenient("plan = enterprise\nseats: 5\n\nnothing\n= x\nlist = [1, 2]\nnote = a = b");
        assert_eq!(
            Value::Object(read),
            json!({ "plan": "enterprise", "seats": 5, "list": [1, 2], "note": "a = b" })
        );
    }

    #[test]
    fn a_line_that_is_none_is_given_back() {
        assert_eq!(read("plan = gold\ngold"), Err("gold".to_owned()));
        assert_eq!(read("{\"a\": "), Err("{\"a\": ".to_owned()));
        assert_eq!(lenient("plan = gold\ngold").len(), 1);
    }
}
