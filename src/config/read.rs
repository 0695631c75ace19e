//! Gives values their types and collects what is wrong with them.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use config::ValueKind;
use secrecy::SecretString;

use super::{
    error::ConfigError,
    keys,
    layers::{Layers, in_toml, texts},
};

/// Reads keys one after the other. A method that returns `None` has recorded why.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    pub(super) errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            errors: layers.errors.clone(),
        }
    }

    /// Records a mistake in the value of `key`.
    pub(super) fn reject(&mut self, key: &str, problem: impl Into<String>) {
        self.errors.push(ConfigError {
            subject: key.to_owned(),
            place: self.layers.place(key),
            problem: problem.into(),
        });
    }

    /// Records that a value is not `wanted`; shows the value unless it is a secret.
    fn reject_value(&mut self, key: &str, wanted: &str) {
        let problem = match self.kind(key) {
            Some(kind) if !keys::is_secret(key) => {
                format!("{} is not {wanted}", in_toml(key, kind))
            }
            _ => format!("must be {wanted}"),
        };
        self.reject(key, problem);
    }

    fn kind(&self, key: &str) -> Option<&'a ValueKind> {
        Some(&self.layers.settings.get(key)?.kind)
    }

    /// A string; empty ones too.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        if let Some(ValueKind::String(text)) = self.kind(key) {
            return Some(text);
        }
        self.reject_value(key, "a string");
        None
    }

    /// A string that `T` accepts; `wanted` describes such strings: "an IP address".
    pub(super) fn parsed<T: FromStr>(&mut self, key: &str, wanted: &str) -> Option<T> {
        let parsed = self.text(key)?.trim().parse().ok();
        if parsed.is_none() {
            self.reject_value(key, wanted);
        }
        parsed
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<_> = choices
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect();
            self.reject_value(key, &words.join(" or "));
        }
        found.map(|(_, choice)| *choice)
    }

    /// An integer within `range`.
    pub(super) fn integer<T: TryFrom<i64>>(
        &mut self,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let number = match self.kind(key) {
            Some(ValueKind::I64(number)) => Some(*number),
            Some(ValueKind::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let typed = number
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if typed.is_none() {
            let wanted = format!("an integer from {} to {}", range.start(), range.end());
            self.reject_value(key, &wanted);
        }
        typed
    }

    /// A time in milliseconds.
    pub(super) fn millis(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<Duration> {
        self.integer(key, range).map(Duration::from_millis)
    }

    /// A time in seconds.
    pub(super) fn seconds(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<Duration> {
        self.integer(key, range).map(Duration::from_secs)
    }

    /// A list; in a variable its items are separated by commas. `wanted` describes an item.
    pub(super) fn list<T: FromStr>(&mut self, key: &str, wanted: &str) -> Option<Vec<T>> {
        let items = match self.kind(key) {
            Some(ValueKind::Array(items)) => texts(items),
            Some(ValueKind::String(text)) => {
                let items = text.split(',').map(|item| item.trim().to_owned());
                Some(items.filter(|item| !item.is_empty()).collect())
            }
            _ => None,
        };
        let Some(items) = items else {
            self.reject_value(key, &format!("a list of which each item is {wanted}"));
            return None;
        };
        let mut typed = Some(Vec::new());
        for item in items {
            match (item.parse(), &mut typed) {
                (Ok(item), Some(list)) => list.push(item),
                (Ok(_), None) => {}
                (Err(_), _) => {
                    self.reject(key, format!("{item:?} is not {wanted}"));
                    typed = None;
                }
            }
        }
        typed
    }

    /// A secret, unless it is missing.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        let text = self.text(key).filter(|text| !text.is_empty())?;
        Some(SecretString::from(text))
    }

    /// A setting that has no default; `what` says what to put there. One that is wrong is not missing.
    pub(super) fn required<T>(&mut self, key: &str, value: Option<T>, what: &str) -> Option<T> {
        self.one_of(&[key], value, what)
    }

    /// The same where several settings may give the value; the first is the one to name.
    pub(super) fn one_of<T>(&mut self, keys: &[&str], value: Option<T>, what: &str) -> Option<T> {
        let is_wrong = |error: &ConfigError| keys.contains(&error.subject.as_str());
        if value.is_none()
            && !self.errors.iter().any(is_wrong)
            && let Some(key) = keys.first().copied()
        {
            let name = keys::best_name(key);
            let file = if keys::is_secret(key) {
                format!(" (or {name}_FILE)")
            } else {
                String::new()
            };
            self.errors.push(ConfigError {
                subject: key.to_owned(),
                place: None,
                problem: format!("not set: set {name}{file} to {what}"),
            });
        }
        value
    }
}
