//! A situation: which metadata it wants, and which rules choose the persona.

use serde_json::{Map, Value, json};

use super::fault::{Fault, Faults, step};
use super::json::stray_list;
use super::kept_test;
use super::key::Key;
use super::rules::{Rule, Target};
use super::schema::{MetadataSchema, Room};

/// A context version, read and checked. Compiled once, when it goes live.
#[derive(Debug)]
pub struct Context {
    /// What the situation is, for people.
    pub description: String,
    /// Other names that mean this context.
    pub aliases: Vec<Key>,
    /// Tried in order; the first that holds decides.
    pub rules: Vec<Rule>,
    /// What everybody else gets.
    pub default: Target,
    /// What `metadata` must look like.
    pub schema: MetadataSchema,
}

/// Longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 500;
/// Most aliases of a context.
pub const MAX_ALIASES: usize = 20;
/// Most rules of a context.
pub const MAX_RULES: usize = 200;
impl Context {
    /// Reads a context document that somebody writes; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        Self::read(members, MetadataSchema::compile)
    }

    /// Reads the document of a sealed version: limits that came later don't take it down. Its schema takes of the `room`.
    pub fn parse_sealed(members: &Map<String, Value>, room: &mut Room) -> Result<Self, Vec<Fault>> {
        Self::read(members, |schema| {
            MetadataSchema::compile_sealed(schema, room)
        })
    }

    fn read(
        members: &Map<String, Value>,
        compile: impl FnOnce(Value) -> Result<MetadataSchema, Vec<Fault>>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut description = String::new();
        let mut aliases = Vec::new();
        let mut rules = Vec::new();
        let mut default = None;
        let mut schema = json!({ "type": "object" });
        for (name, value) in members {
            let at = step(name);
            match (name.as_str(), value) {
                ("description", Value::String(text))
                    if text.chars().count() <= MAX_DESCRIPTION_CHARS =>
                {
                    description.clone_from(text);
                }
                ("description", _) => faults.add(at, "must be a text of 500 characters at most"),
                ("aliases", Value::Array(names)) if names.len() <= MAX_ALIASES => {
                    for (index, name) in names.iter().enumerate() {
                        match name.as_str().map(Key::parse) {
                            Some(Ok(key)) => aliases.push(key),
                            Some(Err(bad)) => faults.add(format!("{at}/{index}"), bad.to_string()),
                            None => faults.add(format!("{at}/{index}"), "must be a text"),
                        }
                    }
                }
                ("aliases", _) => faults.add(at, "must be a list of at most 20 keys"),
                ("rules", Value::Array(list)) if list.len() <= MAX_RULES => {
                    for (index, rule) in list.iter().enumerate() {
                        let at = format!("{at}/{index}");
                        if let Some(place) = stray_list(rule, &["when", "values", "split"]) {
                            faults.add(format!("{at}{place}"), "must be no list");
                            continue;
                        }
                        match serde_json::from_value::<Rule>(rule.clone()) {
                            Ok(rule) => {
                                faults.extend_under(&at, rule.check());
                                rules.push(rule);
                            }
                            Err(error) => faults.add(at, error.to_string()),
                        }
                    }
                }
                ("rules", _) => faults.add(at, "must be a list of at most 200 rules"),
                ("default", Value::String(key)) => match Key::parse(key) {
                    Ok(persona) => default = Some(Target::Persona(super::rules::One { persona })),
                    Err(bad) => faults.add(at, bad.to_string()),
                },
                ("default", target) => match serde_json::from_value::<Target>(target.clone()) {
                    Ok(read) if stray_list(target, &["split"]).is_none() => {
                        faults.extend_under(&at, read.check());
                        default = Some(read);
                    }
                    _ => faults.add(
                        at,
                        "must be a persona's key, {\"persona\": key} or {\"split\": [...]}",
                    ),
                },
                ("metadata", document @ Value::Object(_)) => schema = document.clone(),
                ("metadata", _) => faults.add(at, "must be a JSON Schema object"),
                // Read, so that a document is sound as a whole, and dropped: nothing live needs them.
                (kept_test::MEMBER, _) => _ = faults.take("", kept_test::parse(members)),
                _ => faults.add(
                    at,
                    "is unknown; a context has description, aliases, metadata, rules, default and tests",
                ),
            }
        }
        let schema = faults.take("/metadata", compile(schema));
        if default.is_none() && !members.contains_key("default") {
            faults.add(
                "/default",
                "is missing: name the persona that everybody gets whom no rule fits",
            );
        }
        match (default, schema) {
            (Some(default), Some(schema)) => faults.into_result(Self {
                description,
                aliases,
                rules,
                default,
                schema,
            }),
            _ => Err(faults.into_vec()),
        }
    }

    /// Every persona that this context may give.
    pub fn personas(&self) -> impl Iterator<Item = &Key> {
        self.rules
            .iter()
            .map(|rule| &rule.then)
            .chain([&self.default])
            .flat_map(Target::personas)
    }
}

#[cfg(test)]
mod tests;
