//! A persona: texts as templates, Anam's settings, and what a user may change of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use super::kept_test;
use super::key::Key;
use super::preferences::Standard;
use super::settings::Settings;
use super::template::{Template, TemplateFault, TemplateKind, VariableUse};
use crate::domain::wrong::Wrong;

/// A persona version, read and checked. Templates are compiled here, once, when it goes live.
#[derive(Debug)]
pub struct Persona {
    /// Display name.
    pub name: Template,
    /// Anam's `systemPrompt`.
    pub prompt: Template,
    /// Anam's `initialMessage`; `None` leaves the greeting to the LLM.
    pub greeting: Option<Template>,
    /// All other settings of Anam.
    pub settings: Settings,
    /// Those of [`Standard::overridable`] in which a user's preference wins over this version.
    pub overridable: Vec<String>,
    /// Exact snippet versions that the prompt includes.
    pub snippets: BTreeMap<Key, i32>,
}

/// The valid parts of a persona document, and its faults.
#[derive(Debug, Default)]
pub struct Reading {
    /// See [`Persona::name`].
    pub name: Option<Template>,
    /// See [`Persona::prompt`].
    pub prompt: Option<Template>,
    /// See [`Persona::greeting`].
    pub greeting: Option<Template>,
    /// See [`Persona::settings`]; members that can't be read are left out.
    pub settings: Settings,
    /// See [`Persona::overridable`].
    pub overridable: Vec<String>,
    /// See [`Persona::snippets`].
    pub snippets: BTreeMap<Key, i32>,
    /// What is wrong with its texts, each with its pointer.
    pub template_faults: Vec<(String, TemplateFault)>,
    /// The uses of values in those texts, each with its pointer.
    pub uses_in_faulty: Vec<(String, Vec<VariableUse>)>,
    /// All other faults.
    pub faults: Vec<Fault>,
}

impl Reading {
    /// Reads all valid parts.
    pub fn read(members: &Map<String, Value>) -> Self {
        let mut faults = Faults::new();
        let mut template_faults = Vec::new();
        let mut uses_in_faulty = Vec::new();
        // Tests are read, so that a document is sound as a whole, and dropped: nothing live needs them.
        faults.take("", kept_test::parse(members));
        let others = members
            .iter()
            .filter(|(name, _)| *name != kept_test::MEMBER);
        let mut rest: Map<String, Value> = others.map(|(n, v)| (n.clone(), v.clone())).collect();
        let mut template = |name: &str, kind: TemplateKind, faults: &mut Faults| {
            let Value::String(source) = rest.remove(name)? else {
                faults.add(step(name), Wrong::Text);
                return None;
            };
            let found = match Template::compile(&source, kind) {
                Ok(template) => return Some(template),
                Err(found) => found,
            };
            uses_in_faulty.push((step(name), Template::uses_in(&source, kind)));
            template_faults.extend(found.into_iter().map(|fault| (step(name), fault)));
            None
        };
        let name = template("name", TemplateKind::Name, &mut faults);
        let prompt = template("systemPrompt", TemplateKind::Prompt, &mut faults);
        let greeting = template("initialMessage", TemplateKind::Greeting, &mut faults);
        let overridable = overridable(rest.remove("overridable"), &mut faults);
        let snippets = pins(rest.remove("snippets"), &mut faults);
        let (settings, of_settings) = Settings::read(&rest);
        faults.extend_under("", of_settings);
        for missing in ["name", "systemPrompt"]
            .into_iter()
            .filter(|name| !members.contains_key(*name))
        {
            faults.add(step(missing), Wrong::Missing);
        }
        if let Some(prompt) = &prompt {
            for used in prompt.snippets() {
                if !snippets.contains_key(used.as_str()) {
                    faults.add("/snippets", Wrong::Unpinned(used.clone()));
                }
            }
        }
        Self {
            name,
            prompt,
            greeting,
            settings,
            overridable,
            snippets,
            template_faults,
            uses_in_faulty,
            faults: faults.into_vec(),
        }
    }

    /// The whole persona, where nothing is wrong.
    pub fn whole(self) -> Result<Persona, Vec<Fault>> {
        let mut faults = Faults::new();
        for (at, fault) in self.template_faults {
            faults.add(at, fault.into_words());
        }
        faults.extend_under("", self.faults);
        match (self.name, self.prompt) {
            (Some(name), Some(prompt)) => faults.into_result(Persona {
                name,
                prompt,
                greeting: self.greeting,
                settings: self.settings,
                overridable: self.overridable,
                snippets: self.snippets,
            }),
            _ => Err(faults.into_vec()),
        }
    }
}

impl Persona {
    /// Reads a persona document; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        Reading::read(members).whole()
    }
}

/// A snippet document: `{"text": "..."}`, and its tests.
pub fn parse_snippet(members: &Map<String, Value>) -> Result<Template, Vec<Fault>> {
    let mut faults = Faults::new();
    faults.take("", kept_test::parse(members));
    for name in members
        .keys()
        .filter(|name| !["text", kept_test::MEMBER].contains(&name.as_str()))
    {
        faults.add(
            step(name),
            Wrong::Unknown("text, tests".to_owned())
                .worded("is unknown; a snippet has text and tests"),
        );
    }
    let template = match members.get("text") {
        Some(Value::String(source)) => compile("/text", source, TemplateKind::Snippet, &mut faults),
        Some(_) => {
            faults.add("/text", Wrong::Text);
            None
        }
        None => {
            faults.add("/text", Wrong::Missing);
            None
        }
    };
    match template {
        Some(template) => faults.into_result(template),
        None => Err(faults.into_vec()),
    }
}

fn compile(at: &str, source: &str, kind: TemplateKind, faults: &mut Faults) -> Option<Template> {
    match Template::compile(source, kind) {
        Ok(template) => Some(template),
        Err(found) => {
            for fault in found {
                faults.add(at, fault.into_words());
            }
            None
        }
    }
}

fn overridable(value: Option<Value>, faults: &mut Faults) -> Vec<String> {
    let fields = match value {
        None => return Vec::new(),
        Some(Value::Array(fields)) => fields,
        Some(_) => {
            faults.add(
                "/overridable",
                Wrong::List.worded("must be a list of field names"),
            );
            return Vec::new();
        }
    };
    let known: Vec<&str> = Standard::overridable().collect();
    let mut names = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        match known.iter().find(|name| field == **name) {
            Some(name) => names.push((*name).to_owned()),
            None => faults.add(format!("/overridable/{at}"), Wrong::one_of(&known)),
        }
    }
    names
}

fn pins(value: Option<Value>, faults: &mut Faults) -> BTreeMap<Key, i32> {
    let members = match value {
        None => return BTreeMap::new(),
        Some(Value::Object(members)) => members,
        Some(_) => {
            faults.add(
                "/snippets",
                Wrong::Object.worded("must be an object of snippet key and version number"),
            );
            return BTreeMap::new();
        }
    };
    let mut pins = BTreeMap::new();
    for (name, number) in &members {
        let version = number
            .as_i64()
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| *n > 0);
        match (Key::parse(name), version) {
            (Ok(key), Some(version)) => {
                pins.insert(key, version);
            }
            _ => faults.add(format!("/snippets{}", step(name)), Wrong::Pin),
        }
    }
    pins
}

#[cfg(test)]
mod tests;
