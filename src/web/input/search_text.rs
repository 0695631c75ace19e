//! Texts to search for.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Member, Schemas};
use crate::domain::fault::Fault;
use crate::domain::wrong::Wrong;

/// Longest text to look for, characters.
const MAX: usize = 300;

/// A text to search for, without control characters. It may hold what a [`Line`] may not: what is searched for may come from
/// elsewhere.
///
/// [`Line`]: super::Line
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

impl From<SearchText> for String {
    fn from(sought: SearchText) -> Self {
        sought.0
    }
}

impl Member for SearchText {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::String(text)
                if (1..=MAX).contains(&text.chars().count())
                    && !text.chars().any(char::is_control) =>
            {
                Ok(Self(text))
            }
            _ => {
                let form =
                    format!("must be 1 to {MAX} characters, none of them a control character");
                Err(vec![Fault::new(
                    "",
                    Wrong::Printable { most: MAX }.worded(form),
                )])
            }
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": MAX })
    }
}

/// An id.
impl Member for Uuid {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let id = value.as_str().and_then(|text| Self::try_parse(text).ok());
        id.ok_or_else(|| {
            vec![Fault::new(
                "",
                Wrong::Uuid.worded("must be an id, which is a UUID"),
            )]
        })
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "uuid" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_without_control_characters_can_be_looked_for() {
        for (sent, fits) in [
            (json!("ab"), true),
            (json!(" \u{200b} "), true),
            (json!(""), false),
            (json!("a".repeat(300)), true),
            (json!("a".repeat(301)), false),
            (json!("a\n"), false),
            (json!(12), false),
        ] {
            assert_eq!(SearchText::read(sent.clone()).is_ok(), fits, "{sent}");
        }
    }

    #[test]
    fn an_id_is_a_uuid() {
        let id = Uuid::nil();
        assert_eq!(Uuid::read(json!(id)), Ok(id));
        assert!(Uuid::read(json!("x")).is_err());
        assert!(Uuid::read(json!(1)).is_err());
    }
}
