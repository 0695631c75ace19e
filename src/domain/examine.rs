//! Looks at a document in its surroundings, and finds what its author should know before it goes live.

mod rules;
mod schema;
mod settings;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::catalogue::CatalogueKind;
use super::context::Context;
use super::fault::{Fault, step};
use super::finding::Finding;
use super::key::Key;
use super::persona::{Persona, parse_snippet};
use super::snapshot::{LiveContext, Snapshot};
use super::template::{Size, Template, TemplateKind};

pub use settings::{
    clashes_with_policy, missing_ids, missing_secrets, not_in_catalogue, plain_credentials,
};

/// Where what a persona may say is written down.
const PERSONA_ADVICE: &str =
    "The chapter Personas of docs/BUNDLES.md lists each member with its range";
const CONTEXT_ADVICE: &str =
    "The chapter Contexts of docs/BUNDLES.md lists each member with its range";
const SNIPPET_ADVICE: &str = "The chapter Snippets of docs/BUNDLES.md shows one";
/// Texts of a persona that are templates.
const PERSONA_TEXTS: [(&str, TemplateKind); 3] = [
    ("name", TemplateKind::Name),
    ("systemPrompt", TemplateKind::Prompt),
    ("initialMessage", TemplateKind::Greeting),
];

/// What stands around a document.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// What is live beside it.
    pub snapshot: &'a Snapshot,
    /// Every version of every snippet that can be read.
    pub snippets: &'a BTreeMap<(Key, i32), Arc<Template>>,
    /// The version of each snippet that is live.
    pub live_snippets: &'a BTreeMap<Key, i32>,
    /// The facts that the tenant's issuers give; `None` where it has none of its own.
    pub facts: Option<&'a BTreeSet<String>>,
    /// The names of the tenant's secrets.
    pub secrets: &'a BTreeSet<Key>,
    /// What the catalogue had once.
    pub retired: &'a BTreeSet<(CatalogueKind, String)>,
}

/// Everything found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// Errors first, then by place.
    pub findings: Vec<Finding>,
    /// The largest prompt that a persona can give.
    pub largest_prompt: Option<Size>,
}

impl Examination {
    /// Adds what was found elsewhere.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by(|a, b| {
            (a.severity, &a.pointer, a.line).cmp(&(b.severity, &b.pointer, b.line))
        });
    }

    /// Whether anything must be mended.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    fn of(findings: Vec<Finding>, largest_prompt: Option<Size>) -> Self {
        let mut examination = Self {
            findings: Vec::new(),
            largest_prompt,
        };
        examination.extend(findings);
        examination
    }
}

/// Looks at a persona document. Snippets that it does not pin are told as faults: pin them first where they follow later.
pub fn persona(key: &Key, content: &Map<String, Value>, around: &Surroundings<'_>) -> Examination {
    let mut findings = Vec::new();
    let mut broken = BTreeSet::new();
    for (member, kind) in PERSONA_TEXTS {
        if let Some(Value::String(source)) = content.get(member)
            && let Err(faults) = Template::compile(source, kind)
        {
            let at = step(member);
            let faults = faults.into_iter();
            findings.extend(faults.map(|fault| Finding::of_template(&at, fault)));
            broken.insert(at);
        }
    }
    let persona = match Persona::parse(content) {
        Ok(persona) => persona,
        Err(faults) => {
            // Those of templates are told already, with their lines.
            let others = faults
                .into_iter()
                .filter(|fault| !broken.contains(&fault.pointer));
            findings.extend(of_faults(others, PERSONA_ADVICE));
            return Examination::of(findings, None);
        }
    };
    let contexts = giving(key, around);
    findings.extend(pins(&persona, around));
    let pinned = pinned(&persona, around);
    let users = templates::Users {
        around,
        contexts: &contexts,
    };
    let own = [
        ("/name", Some(&persona.name)),
        ("/systemPrompt", Some(&persona.prompt)),
        ("/initialMessage", persona.greeting.as_ref()),
    ];
    let schemas = schema::Schemas::of(&contexts);
    for (at, template) in own {
        let Some(template) = template else { continue };
        findings.extend(users.uses(at, template));
        findings.extend(templates::never(at, template.least(&pinned)));
        if template.is_always_blank(&pinned, &schemas) {
            findings.push(templates::blank(at));
        }
    }
    for (snippet, template) in &pinned {
        let at = format!("/snippets{}", step(snippet));
        findings.extend(users.uses_of_snippet(&at, template));
    }
    let largest = persona.prompt.largest(&pinned, &schemas);
    findings.extend(templates::too_large(largest));
    findings.extend(settings::findings(
        key,
        persona,
        !contexts.is_empty(),
        around,
    ));
    Examination::of(findings, Some(largest))
}

/// Looks at a context document.
pub fn context(key: &Key, content: &Map<String, Value>, around: &Surroundings<'_>) -> Examination {
    let findings = match Context::parse(content) {
        Ok(parsed) => rules::findings(key, &parsed, around),
        Err(faults) => of_faults(faults, CONTEXT_ADVICE).collect(),
    };
    Examination::of(findings, None)
}

/// Looks at a snippet document.
pub fn snippet(content: &Map<String, Value>, around: &Surroundings<'_>) -> Examination {
    if let Some(Value::String(source)) = content.get("text")
        && let Err(faults) = Template::compile(source, TemplateKind::Snippet)
    {
        let faults = faults.into_iter();
        let mut findings: Vec<Finding> = faults
            .map(|fault| Finding::of_template("/text", fault))
            .collect();
        let others = parse_snippet(content).err().into_iter().flatten();
        let others = others.filter(|fault| fault.pointer != "/text");
        findings.extend(of_faults(others, SNIPPET_ADVICE));
        return Examination::of(findings, None);
    }
    let findings = match parse_snippet(content) {
        Ok(template) => {
            // Which contexts it will be used in is not known: metadata is left to the personas that include it.
            let users = templates::Users {
                around,
                contexts: &[],
            };
            let mut findings = users.uses("/text", &template);
            findings.extend(templates::never("/text", template.least(&BTreeMap::new())));
            findings
        }
        Err(faults) => of_faults(faults, SNIPPET_ADVICE).collect(),
    };
    Examination::of(findings, None)
}

fn of_faults(
    faults: impl IntoIterator<Item = Fault>,
    advice: &str,
) -> impl Iterator<Item = Finding> {
    faults
        .into_iter()
        .map(move |fault| Finding::of_fault(fault, advice))
}

/// The contexts that may give a persona.
fn giving<'a>(persona: &Key, around: &Surroundings<'a>) -> Vec<(&'a Key, &'a LiveContext)> {
    let contexts = around.snapshot.contexts.iter();
    contexts
        .filter(|(_, live)| live.context.personas().any(|key| key == persona))
        .collect()
}

/// The snippets that a persona pins, those that exist.
fn pinned<'a>(persona: &'a Persona, around: &Surroundings<'a>) -> BTreeMap<&'a str, &'a Template> {
    let pins = persona.snippets.iter();
    pins.filter_map(|(key, number)| {
        let template = around.snippets.get(&(key.clone(), *number))?;
        Some((key.as_str(), template.as_ref()))
    })
    .collect()
}

fn pins(persona: &Persona, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, number) in &persona.snippets {
        let at = format!("/snippets{}", step(key.as_str()));
        let live = around.live_snippets.get(key);
        if !around.snippets.contains_key(&(key.clone(), *number)) {
            findings.push(Finding::error(
                at,
                format!("the snippet `{key}` has no version {number}"),
                "Pin a version that was sealed, or leave the pin out for the one that is live",
            ));
        } else if let Some(live) = live.filter(|live| *live > number) {
            findings.push(Finding::warning(
                at,
                format!("pins version {number} of the snippet `{key}`; version {live} is live"),
                format!("Pin version {live} if the persona should say the same as others"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
