//! Looks at a document in its surroundings, and finds what its author should know before it goes live.

mod clauses;
mod clock;
mod correction;
mod goals;
mod moment;
mod narrow;
mod read_as;
mod rules;
mod schema;
mod serving;
mod settings;
mod templates;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::catalogue_kind::CatalogueKind;
use super::fault::{Fault, step};
use super::finding::Finding;
use super::key::Key;
use super::persona::parse_snippet;
use super::sample_user::SampleUser;
use super::snapshot::{LiveContext, LivePersona, Snapshot};
use super::template::{Size, Template, TemplateKind};
use super::wrong::Wrong;
use super::{context, persona};

pub use settings::{clashes_with_policy, laid_into, missing_secrets, plain_credentials};

/// Where what a persona may say is written down.
const PERSONA_ADVICE: &str =
    "The chapter Personas of docs/BUNDLES.md lists each member with its range";
const CONTEXT_ADVICE: &str =
    "The chapter Contexts of docs/BUNDLES.md lists each member with its range";
const SNIPPET_ADVICE: &str = "The chapter Snippets of docs/BUNDLES.md shows one";

/// The tenant's documents and settings that a document is examined with.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
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
    /// Personas in place that can't be read, which is reported of themselves.
    pub unreadable: &'a BTreeSet<Key>,
    /// Users whom the tenant's admins made up.
    pub samples: &'a BTreeMap<Key, SampleUser>,
    pub moment: DateTime<Utc>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// Errors first, then by place.
    pub findings: Vec<Finding>,
    /// The largest prompt that a persona can give.
    pub largest_prompt: Option<Size>,
}

impl Examination {
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by(|a, b| {
            (a.severity, &a.pointer, a.line).cmp(&(b.severity, &b.pointer, b.line))
        });
    }

    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// Whether anything blocks sealing.
    pub fn blocks_sealing(&self) -> bool {
        self.findings.iter().any(Finding::blocks_sealing)
    }

    fn new(findings: Vec<Finding>, largest_prompt: Option<Size>) -> Self {
        let mut examination = Self {
            findings: Vec::new(),
            largest_prompt,
        };
        examination.extend(findings);
        examination
    }
}

/// Looks at a persona document. Snippets that it does not pin are reported as faults: pin them first where they follow later.
pub fn persona(key: &Key, content: &Map<String, Value>, around: &Surroundings<'_>) -> Examination {
    let reading = persona::Reading::read(content);
    let mut findings = Vec::new();
    for (at, fault) in &reading.template_faults {
        findings.push(Finding::of_template(at, fault.clone()));
    }
    findings.extend(of_faults(reading.faults.iter().cloned(), PERSONA_ADVICE));
    let contexts = giving(key, around);
    findings.extend(pins(&reading.snippets, around));
    let pinned = pinned(&reading.snippets, around);
    let all_pinned = pinned.len() == reading.snippets.len();
    let by_key: BTreeMap<&str, &Template> = pinned
        .iter()
        .map(|(key, template)| (key.as_str(), template.as_ref()))
        .collect();
    let users = templates::Users {
        around,
        contexts: &contexts,
    };
    let own = [
        ("/name", &reading.name),
        ("/systemPrompt", &reading.prompt),
        ("/initialMessage", &reading.greeting),
    ];
    let schemas = schema::Schemas::new(&contexts);
    // What is certain without a user needs none to be tried.
    let mut never_served = Vec::new();
    for (at, template) in own {
        let Some(template) = template else { continue };
        findings.extend(users.uses(at, template.variables()));
        let never = templates::never(at, template.least(&by_key));
        let mut included = template.snippets().iter();
        let is_whole = included.all(|snippet| by_key.contains_key(snippet.as_str()));
        let is_blank = never.is_none() && is_whole && template.is_always_blank(&by_key, &schemas);
        let is_wanted = at != "/systemPrompt" || serving::wants_prompt(&reading.settings);
        let blank = (is_blank && is_wanted).then(|| templates::blank(at));
        if never.is_some() {
            // Where one text can't be rendered, no session is.
            never_served.push("/systemPrompt");
        }
        if blank.is_some() {
            never_served.push(at);
        }
        findings.extend(never.into_iter().chain(blank));
    }
    for (at, _) in own {
        let source = content
            .get(at.trim_start_matches('/'))
            .and_then(Value::as_str);
        findings.extend(doubts(at, source.unwrap_or_default()));
    }
    for (at, uses) in &reading.uses_in_faulty {
        findings.extend(users.uses(at, uses));
    }
    for (snippet, template) in &by_key {
        let at = format!("/snippets{}", step(snippet));
        findings.extend(users.uses_of_snippet(&at, template));
    }
    let largest = reading
        .prompt
        .as_ref()
        .map(|prompt| prompt.largest(&by_key, &schemas));
    findings.extend(largest.and_then(templates::too_large));
    findings.extend(settings::findings(
        content,
        &reading.settings,
        !contexts.is_empty(),
        around,
    ));
    if let (true, Ok(persona)) = (all_pinned, reading.whole()) {
        let policy = &around.snapshot.policy;
        let live = LivePersona::new(key, 0, String::new(), persona, policy, pinned);
        let served = serving::of_persona(key, &live, &contexts, around).into_iter();
        findings.extend(served.filter(|one| !never_served.contains(&one.pointer.as_str())));
    }
    Examination::new(findings, largest)
}

/// Examines a context.
pub fn context(key: &Key, content: &Map<String, Value>, around: &Surroundings<'_>) -> Examination {
    let reading = context::Reading::read(content);
    let mut findings: Vec<Finding> =
        of_faults(reading.faults.iter().cloned(), CONTEXT_ADVICE).collect();
    findings.extend(rules::findings(key, &reading, around));
    Examination::new(findings, None)
}

/// Examines a snippet.
pub fn snippet(content: &Map<String, Value>, around: &Surroundings<'_>) -> Examination {
    // Which contexts it will be used in is not known: metadata is left to the personas that include it.
    let users = templates::Users {
        around,
        contexts: &[],
    };
    let kind = TemplateKind::Snippet;
    let source = content.get("text").and_then(Value::as_str);
    let mut findings = Vec::new();
    let mut is_told = false;
    if let Some(source) = source {
        findings.extend(doubts("/text", source));
        match Template::compile(source, kind) {
            Ok(template) => {
                findings.extend(users.uses("/text", template.variables()));
                findings.extend(templates::never("/text", template.least(&BTreeMap::new())));
            }
            Err(faults) => {
                let faults = faults.into_iter();
                findings.extend(faults.map(|fault| Finding::of_template("/text", fault)));
                findings.extend(users.uses("/text", &Template::uses_in(source, kind)));
                is_told = true;
            }
        }
    }
    let others = parse_snippet(content).err().into_iter().flatten();
    let others = others.filter(|fault| !is_told || fault.pointer != "/text");
    findings.extend(of_faults(others, SNIPPET_ADVICE));
    Examination::new(findings, None)
}

/// What a text may lose without its author's knowing.
fn doubts(at: &str, source: &str) -> impl Iterator<Item = Finding> {
    let doubts = Template::doubts(source).into_iter();
    doubts.map(move |doubt| Finding::of_template(at, doubt).as_warning())
}

fn of_faults(
    faults: impl IntoIterator<Item = Fault>,
    advice: &str,
) -> impl Iterator<Item = Finding> {
    faults
        .into_iter()
        .map(move |fault| Finding::of_fault(fault, advice))
}

fn giving<'a>(persona: &Key, around: &Surroundings<'a>) -> Vec<(&'a Key, &'a LiveContext)> {
    let contexts = around.snapshot.contexts.iter();
    contexts
        .filter(|(_, live)| live.context.personas().any(|key| key == persona))
        .collect()
}

/// The snippets that a persona pins, those that exist.
fn pinned(pins: &BTreeMap<Key, i32>, around: &Surroundings<'_>) -> Vec<(Key, Arc<Template>)> {
    let pins = pins.iter();
    pins.filter_map(|(key, number)| {
        let template = around.snippets.get(&(key.clone(), *number))?;
        Some((key.clone(), Arc::clone(template)))
    })
    .collect()
}

fn pins(pins: &BTreeMap<Key, i32>, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, number) in pins {
        let at = format!("/snippets{}", step(key.as_str()));
        let live = around.live_snippets.get(key);
        if !around.snippets.contains_key(&(key.clone(), *number)) {
            findings.push(Finding::error(
                at,
                Wrong::NoVersion {
                    name: key.to_string(),
                    version: *number,
                },
                "Pin a version that was sealed, or leave the pin out for the one that is live",
            ));
        } else if let Some(live) = live.filter(|live| *live > number) {
            findings.push(Finding::warning(
                at,
                Wrong::Older {
                    name: key.to_string(),
                    version: *number,
                    live: *live,
                },
                format!("Pin version {live} if the persona should say the same as others"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
