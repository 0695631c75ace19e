//! A situation: which metadata it wants, and which rules choose the persona.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError};
use serde_json::{Map, Value, json};

use super::fault::{Fault, Faults, step};
use super::json::stray_list;
use super::kept_test;
use super::key::Key;
use super::request::Metadata;
use super::rules::{Rule, Target};

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
/// The largest schema, in bytes of JSON.
pub const MAX_SCHEMA_BYTES: usize = 32 * 1024;

/// A compiled JSON Schema. References to other documents are refused, so a schema makes nobody fetch anything.
#[derive(Debug)]
pub struct MetadataSchema {
    document: Value,
    validator: jsonschema::Validator,
}

impl MetadataSchema {
    /// Compiles a JSON Schema (2020-12 unless it says otherwise).
    pub fn compile(document: Value) -> Result<Self, Vec<Fault>> {
        if document.to_string().len() > MAX_SCHEMA_BYTES {
            return Err(vec![Fault::new("", "must be 32 kB at most")]);
        }
        let mut faults = Faults::new();
        refuse_remote_references(&document, "", &mut faults);
        let document = faults.into_result(document)?;
        match jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&document)
        {
            Ok(validator) => Ok(Self {
                document,
                validator,
            }),
            Err(error) => Err(vec![Fault::new(
                error.instance_path().to_string(),
                error.to_string(),
            )]),
        }
    }

    /// The schema as written.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Everything in `metadata` that breaks the schema, each with its place.
    pub fn check(&self, metadata: &Metadata) -> Result<(), Vec<Fault>> {
        let faults: Vec<Fault> = self
            .validator
            .iter_errors(metadata.as_value())
            .take(20)
            .map(|error| Fault::new(error.instance_path().to_string(), told(&error)))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// What to change. The value itself is masked: an answer or a log must not repeat what a user typed.
fn told(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten();
            let listed: Vec<String> = options.take(50).map(ToString::to_string).collect();
            format!("must be one of: {}", listed.join(", "))
        }
        _ => error.masked().to_string(),
    }
}

fn refuse_remote_references(schema: &Value, at: &str, faults: &mut Faults) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                let here = format!("{at}{}", step(name));
                let is_reference =
                    matches!(name.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef");
                if is_reference && !value.as_str().is_some_and(|target| target.starts_with('#')) {
                    faults.add(
                        &here,
                        "must point into this schema (#/...): other documents are not fetched",
                    );
                }
                refuse_remote_references(value, &here, faults);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse_remote_references(item, &format!("{at}/{index}"), faults);
            }
        }
        _ => {}
    }
}

impl Context {
    /// Reads a context document; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
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
        let schema = faults.take("/metadata", MetadataSchema::compile(schema));
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
