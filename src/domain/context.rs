//! A situation: which metadata it wants, and which rules choose the persona.

use serde_json::{Map, Value, json};

use super::fault::{Fault, Faults, step};
use super::json::stray_list;
use super::kept_test;
use super::key::Key;
use super::rules::{Rule, Target, share_attributes};
use super::schema::{MetadataSchema, PatternBudget};
use crate::domain::wrong::Wrong;

/// A context version, read and checked. Compiled once, when it goes live.
#[derive(Debug)]
pub struct Context {
    /// A description of the situation.
    pub description: String,
    /// Other names of this context.
    pub aliases: Vec<Key>,
    /// Rules in order; the first that holds decides.
    pub rules: Vec<Rule>,
    pub default: Target,
    /// The schema of `metadata`.
    pub schema: MetadataSchema,
}

/// Longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 500;
/// Most aliases of a context.
pub const MAX_ALIASES: usize = 20;
/// Most rules of a context.
pub const MAX_RULES: usize = 200;

/// The valid parts of a context document, and its faults.
#[derive(Debug, Default)]
pub struct Reading {
    /// See [`Context::description`].
    pub description: String,
    /// See [`Context::aliases`]; each with its place in the list.
    pub aliases: Vec<(usize, Key)>,
    /// See [`Context::rules`]; each with its place in the list.
    pub rules: Vec<(usize, Rule)>,
    /// See [`Context::default`].
    pub default: Option<Target>,
    /// See [`Context::schema`].
    pub schema: Option<MetadataSchema>,
    pub faults: Vec<Fault>,
}

impl Reading {
    /// Reads all valid parts of a document that an admin writes.
    pub fn read(members: &Map<String, Value>) -> Self {
        Self::with(members, MetadataSchema::compile)
    }

    fn with(
        members: &Map<String, Value>,
        compile: impl FnOnce(Value) -> Result<MetadataSchema, Vec<Fault>>,
    ) -> Self {
        let mut faults = Faults::new();
        let mut read = Self::default();
        let mut schema = json!({ "type": "object" });
        for (name, value) in members {
            let at = step(name);
            match (name.as_str(), value) {
                ("description", Value::String(text))
                    if text.chars().count() <= MAX_DESCRIPTION_CHARS =>
                {
                    read.description.clone_from(text);
                }
                ("description", _) => {
                    let (least, most) = (0, MAX_DESCRIPTION_CHARS);
                    let length = Wrong::Length { least, most };
                    faults.add(at, length.worded("must be a text of 500 characters at most"));
                }
                ("aliases", Value::Array(names)) if names.len() <= MAX_ALIASES => {
                    for (index, name) in names.iter().enumerate() {
                        match name.as_str().map(Key::parse) {
                            Some(Ok(key)) => read.aliases.push((index, key)),
                            Some(Err(bad)) => {
                                let words = Wrong::Key.worded(bad.to_string());
                                faults.add(format!("{at}/{index}"), words);
                            }
                            None => faults.add(format!("{at}/{index}"), Wrong::Text),
                        }
                    }
                }
                ("aliases", _) => {
                    let (least, most) = (0, MAX_ALIASES);
                    let items = Wrong::Items { least, most };
                    faults.add(at, items.worded("must be a list of at most 20 keys"));
                }
                ("rules", Value::Array(list)) if list.len() <= MAX_RULES => {
                    for (index, rule) in list.iter().enumerate() {
                        let rule = faults.take(&format!("{at}/{index}"), Rule::parse(rule));
                        read.rules.extend(rule.map(|rule| (index, rule)));
                    }
                }
                ("rules", _) => {
                    let (least, most) = (0, MAX_RULES);
                    let items = Wrong::Items { least, most };
                    faults.add(at, items.worded("must be a list of at most 200 rules"));
                }
                ("default", Value::String(key)) => match Key::parse(key) {
                    Ok(persona) => {
                        read.default = Some(Target::Persona(super::rules::PersonaTarget { persona }));
                    }
                    Err(bad) => faults.add(at, Wrong::Key.worded(bad.to_string())),
                },
                ("default", target) => match serde_json::from_value::<Target>(target.clone()) {
                    Ok(default) if stray_list(target, &["split"]).is_none() => {
                        faults.extend_under(&at, default.check());
                        read.default = Some(default);
                    }
                    _ => faults.add(
                        at,
                        Wrong::Target.worded("must be a persona's key, {\"persona\": key} or {\"split\": [...]}"),
                    ),
                },
                ("metadata", document @ Value::Object(_)) => schema = document.clone(),
                ("metadata", _) => faults.add(at, Wrong::Object.worded("must be a JSON Schema object")),
                // Read, so that a document is sound as a whole, and dropped: nothing live needs them.
                (kept_test::MEMBER, _) => _ = faults.take("", kept_test::parse(members)),
                _ => faults.add(
                    at,
                    Wrong::Unknown("description, aliases, metadata, rules, default, tests".to_owned())
                        .worded("is unknown; a context has description, aliases, metadata, rules, default and tests"),
                ),
            }
        }
        read.schema = faults.take("/metadata", compile(schema));
        if !members.contains_key("default") {
            faults.add(
                "/default",
                Wrong::Missing.worded("is missing: name the persona for users whom no rule fits"),
            );
        }
        read.faults = faults.into_vec();
        read
    }

    /// The whole context, where nothing is wrong.
    pub fn whole(self) -> Result<Context, Vec<Fault>> {
        match (self.default, self.schema) {
            (Some(default), Some(schema)) if self.faults.is_empty() => {
                let mut rules: Vec<Rule> = self.rules.into_iter().map(|(_, rule)| rule).collect();
                share_attributes(rules.iter_mut().flat_map(|rule| &mut rule.when));
                Ok(Context {
                    description: self.description,
                    aliases: self.aliases.into_iter().map(|(_, alias)| alias).collect(),
                    rules,
                    default,
                    schema,
                })
            }
            _ => Err(self.faults),
        }
    }
}

impl Context {
    /// Reads a context document that somebody writes; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        Reading::read(members).whole()
    }

    /// Reads the document of a sealed version: limits that came later don't take it down. Its schema takes of the `room`.
    pub fn parse_sealed(
        members: &Map<String, Value>,
        room: &mut PatternBudget,
    ) -> Result<Self, Vec<Fault>> {
        let compile = |schema| MetadataSchema::compile_sealed(schema, room);
        Reading::with(members, compile).whole()
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
