//! Words of the API for people: in their language where the console has them, and else as the API says them, in English.

use super::texts::Texts;

/// Something that is said, and whether it is in English on a page that is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub is_foreign: bool,
}

/// What is wrong with a value, as the API says it, with `*` for what differs, and the text that says the same: its variables are `one` and `other`.
const FAULTS: &[(&str, &str)] = &[
    ("is missing", "fault-missing"),
    ("must be a text", "fault-text"),
    ("must be true or false", "fault-flag"),
    ("must be a number", "fault-number"),
    ("must be a whole number", "fault-whole"),
    ("must be a whole number from * to *", "fault-whole-range"),
    ("must be a number from * to *", "fault-range"),
    ("must be * to * characters", "fault-length"),
    ("must be a text of * to * characters", "fault-length"),
    ("must be one line of * to * characters", "fault-line"),
    ("must be one of: *", "fault-one-of"),
    ("must be one of *", "fault-one-of"),
    ("must be a time such as *", "fault-time"),
    ("must be in the future", "fault-future"),
    ("must be an IANA time zone such as *", "fault-zone"),
    ("must be * to *", "fault-range"),
    ("is in the list twice", "fault-twice"),
    ("is there more than once", "fault-twice"),
    (KEY, "fault-key"),
];

/// What a key that is none gets.
const KEY: &str =
    "a key is 1 to 64 characters of a-z, 0-9, '-' and '_', and starts with a letter or digit";

/// What is wrong with a value.
pub fn fault(texts: Texts, message: &str) -> Said {
    let known = FAULTS.iter().find_map(|(pattern, name)| {
        let values = fit(pattern, message)?;
        let value = |at: usize| values.get(at).copied().unwrap_or_default();
        Some(texts.with_all(name, &[("one", value(0)), ("other", value(1))]))
    });
    match known {
        Some(text) if !texts.is_english() => Said {
            text,
            is_foreign: false,
        },
        _ => english(texts, message),
    }
}

/// What the API says, as it says it.
pub fn english(texts: Texts, words: &str) -> Said {
    Said {
        text: words.to_owned(),
        is_foreign: !texts.is_english(),
    }
}

/// What stands where a pattern has stars, if the rest is the same. What a star stands for has no `;`, which begins an explanation.
fn fit<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split('*');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut values = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let (value, after) = if is_last {
            (rest.strip_suffix(part)?, "")
        } else {
            rest.split_once(part)?
        };
        if value.is_empty() || value.contains(';') {
            return None;
        }
        values.push(value);
        rest = after;
    }
    rest.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::BadKey;

    #[test]
    fn a_fault_is_told_in_the_language_of_the_page_or_marked_as_english() {
        let german = Texts::tagged("de");
        let told = |message: &str| fault(german, message);
        for (message, text) in [
            ("is missing", "fehlt"),
            (
                "must be 1 to 100 characters",
                "muss 1 bis 100 Zeichen haben",
            ),
            ("must be 0 to 3650", "muss von 0 bis 3650 sein"),
            ("must be one of: a, b", "muss eines von diesen sein: a, b"),
        ] {
            assert_eq!(
                (told(message).text.as_str(), told(message).is_foreign),
                (text, false)
            );
        }
        assert!(!told(&BadKey.to_string()).is_foreign, "{BadKey}");
        let other = told("must be 1 to 7 of what nobody knows; ask");
        assert_eq!(
            (other.text.as_str(), other.is_foreign),
            ("must be 1 to 7 of what nobody knows; ask", true)
        );
        let english = fault(Texts::default(), "is missing");
        assert_eq!(
            (english.text.as_str(), english.is_foreign),
            ("is missing", false)
        );
    }
}
