//! The fields of a form that was sent, by name.

use std::collections::HashMap;

use serde_json::Value;

/// Fields by name, each with its values in order.
#[derive(Debug, Default)]
pub struct Fields<'a>(HashMap<&'a str, Vec<&'a str>>);

/// Why what somebody typed can't be content: a place in the content, and a text of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    pub pointer: String,
    pub text: &'static str,
}

impl<'a> Fields<'a> {
    pub fn new(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, value) in fields {
            by_name.entry(name).or_default().push(value);
        }
        Self(by_name)
    }

    /// A field's value, as it was typed; empty where there is none.
    pub fn raw(&self, name: &str) -> &'a str {
        let values = self.0.get(name);
        values
            .and_then(|values| values.first())
            .copied()
            .unwrap_or_default()
    }

    /// A field's value without space around it; empty where there is none.
    pub fn get(&self, name: &str) -> &'a str {
        self.raw(name).trim()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All values of a field that are not empty, without space around them.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).into_iter().flatten();
        let values = values.map(|value| value.trim().to_owned());
        values.filter(|value| !value.is_empty()).collect()
    }

    /// The field of this name that shows JSON, where the part has no form.
    pub fn json_text(&self, name: &str) -> Option<String> {
        self.has(name).then(|| self.raw(name).to_owned())
    }

    /// A hidden field that holds JSON.
    pub fn json(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.raw(name)).ok()
    }

    /// How many numbered fields there are: `name(0)`, `name(1)`.
    pub fn count(&self, most: usize, name: impl Fn(usize) -> String) -> usize {
        (0..most).take_while(|at| self.has(&name(*at))).count()
    }

    /// All names that begin so, with what follows and the first value.
    pub fn under(&self, start: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, values)| {
            Some((name.strip_prefix(start)?, values.first()?.trim()))
        })
    }
}
