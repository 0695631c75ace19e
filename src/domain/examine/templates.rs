//! Values that templates use: whether anybody gives them, and what happens where they are absent.

use std::collections::BTreeSet;

use super::Surroundings;
use super::schema::{PathLookup, Schemas};
use crate::domain::finding::Finding;
use crate::domain::key::Key;
use crate::domain::nearest::nearest;
use crate::domain::preferences::Standard;
use crate::domain::snapshot::LiveContext;
use crate::domain::template::{Budget, MinimumCost, Root, Size, Template, VariableUse};
use crate::domain::wrong::{Words, Wrong};

/// Who gives the values of a document's templates.
pub(super) struct Users<'a> {
    pub(super) around: &'a Surroundings<'a>,
    /// The contexts that the templates are used in; none where that is not known.
    pub(super) contexts: &'a [(&'a Key, &'a LiveContext)],
}

impl Users<'_> {
    /// Findings of the values that a text uses; each path once, at its first use.
    pub(super) fn uses(&self, at: &str, uses: &[VariableUse]) -> Vec<Finding> {
        self.uses_of(&Root::ALL, at, uses)
    }

    /// The same of a snippet: of its metadata alone, since its own author saw the rest, and without lines, which are
    /// not the document's.
    pub(super) fn uses_of_snippet(&self, at: &str, template: &Template) -> Vec<Finding> {
        let mut findings = self.uses_of(&[Root::Metadata], at, template.variables());
        for finding in &mut findings {
            (finding.line, finding.column) = (None, None);
        }
        findings
    }

    fn uses_of(&self, roots: &[Root], at: &str, uses: &[VariableUse]) -> Vec<Finding> {
        let mut reported: Vec<&str> = Vec::new();
        let mut findings = Vec::new();
        for used in uses {
            let root = used.path.split('.').next().and_then(Root::parse);
            // What is inside of something absent is absent too.
            let is_reported = reported.iter().any(|path| {
                let rest = used.path.strip_prefix(path);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            if root.is_some_and(|root| roots.contains(&root))
                && !is_reported
                && let Some(finding) = self.used(at, used)
            {
                findings.push(finding.at(used.line, used.column));
                reported.push(&used.path);
            }
        }
        findings
    }

    fn used(&self, at: &str, used: &VariableUse) -> Option<Finding> {
        let mut steps = used.path.split('.');
        let root = steps.next().and_then(Root::parse)?;
        let steps: Vec<&str> = steps.collect();
        let first = steps.first().copied().filter(|first| *first != "*")?;
        let path = &used.path;
        let name = || path.clone();
        let warning = |words: Words, advice: String| Some(Finding::warning(at, words, advice));
        match root {
            Root::Context | Root::Persona | Root::Tenant | Root::Time => {
                let members = words_of(root);
                if steps.len() == 1 && members.contains(&first) {
                    return None;
                }
                let near =
                    did_you_mean(&format!("{}.", root.name()), first, members.iter().copied());
                let advice = format!("{near}{} has {}", root.name(), members.join(", "));
                let wrong = Wrong::NoMember {
                    name: name(),
                    known: members.join(", "),
                };
                return Some(Finding::error(at, wrong, advice));
            }
            Root::User => {
                if let Some(facts) = self.around.facts.filter(|facts| !facts.contains(first)) {
                    let (wrong, advice) = no_fact(name(), first, facts);
                    return warning(wrong.into(), advice);
                }
            }
            Root::Preferences => {
                let own = &self.around.snapshot.policy.preference_fields;
                if Standard::named(first).is_none() && !own.contains_key(first) {
                    let added = || own.keys().map(String::as_str);
                    let known = || Standard::names().chain(added());
                    let wrong = Wrong::NoPreference {
                        name: name(),
                        known: listed(known()),
                    };
                    return warning(
                        wrong.into(),
                        format!(
                            "{}Define it in the policy, or use one of: {}",
                            did_you_mean("preferences.", first, known()),
                            listed(known())
                        ),
                    );
                }
            }
            Root::Metadata => {
                if self.contexts.is_empty() {
                    return None;
                }
                let places: Vec<PathLookup<'_>> = Schemas::new(self.contexts)
                    .lookup(&steps, used.of_item)
                    .collect();
                let declares =
                    |place: &PathLookup<'_>| matches!(place, PathLookup::Declared { .. });
                if !places.iter().any(declares) {
                    let givers = self.contexts.iter().map(|(key, _)| key.as_str());
                    return warning(
                        Wrong::Undeclared(name()).worded(format!(
                            "`{path}` is declared by no context that gives this persona: {}",
                            listed(givers)
                        )),
                        format!(
                            "{}Declare it in the `metadata` of these contexts, or correct its name",
                            did_you_mean("metadata.", first, Schemas::new(self.contexts).members())
                        ),
                    );
                }
                let is_certain = |place: &PathLookup<'_>| {
                    matches!(place, PathLookup::Declared { certain: true, .. })
                };
                if places.iter().all(is_certain) {
                    return None;
                }
            }
            Root::Snippets => return None,
        }
        let said = &used.said;
        (!used.guarded).then(|| {
            Finding::warning(
                at,
                Wrong::Absent(said.clone()),
                format!(
                    "Write {{{{ {said}|default(\"...\") }}}}, or put the sentence under {{% if {said} %}}"
                ),
            )
        })
    }
}

/// The members of a root whose words are the gateway's own.
fn words_of(root: Root) -> &'static [&'static str] {
    match root {
        Root::Context => &["key", "description"],
        Root::Persona => &["key"],
        Root::Tenant => &["name", "slug"],
        Root::Time => &["date", "time", "weekday", "hour", "year"],
        Root::User | Root::Preferences | Root::Metadata | Root::Snippets => &[],
    }
}

/// A warning where the prompt may become larger than is let through.
pub(super) fn too_large(largest: Size) -> Option<Finding> {
    largest.is_over().then(|| {
        let Size { chars, bytes } = largest;
        let cap = Size::CAP;
        Finding::warning(
            "/systemPrompt",
            Wrong::MayBeLong {
                chars,
                bytes,
                most: cap.chars,
                most_bytes: cap.bytes,
            },
            "Shorten the template, loop over less, or give lists a maxItems and texts a maxLength in the metadata of the contexts",
        )
    })
}

/// An error where a text can never be said, or where a part of it is never said to anybody who comes to it.
pub(super) fn never(at: &str, least: MinimumCost) -> Option<Finding> {
    let cap = Size::CAP;
    if let Some((line, column)) = least.never {
        let finding = Finding::error(
            at,
            Wrong::MuchWork {
                most: Budget::WHOLE,
            }
            .worded(format!(
                "this takes more work than the {} units that a session has for all its texts, whatever the values are",
                Budget::WHOLE
            )),
            "Write the text out, or replace and join shorter texts",
        );
        return Some(finding.at(line, column));
    }
    if least.size.is_over() {
        return Some(Finding::error(
            at,
            Wrong::IsLong {
                chars: least.size.chars,
                bytes: least.size.bytes,
                most: cap.chars,
                most_bytes: cap.bytes,
            },
            "Shorten the template, or include fewer snippets",
        ));
    }
    (least.units > Budget::WHOLE).then(|| {
        Finding::error(
            at,
            Wrong::MuchWork {
                most: Budget::WHOLE,
            },
            "Loop over less, do less inside loops, and replace and join shorter texts",
        )
    })
}

/// Findings of a text that always renders empty.
pub(super) fn blank(at: &str) -> Finding {
    if at == "/initialMessage" {
        let advice = "Leave it out if the LLM is to write the greeting, or write one";
        return Finding::warning(at, Wrong::Blank, advice);
    }
    Finding::error(
        at,
        Wrong::Blank,
        "Write a text: Anam wants a name and a prompt",
    )
}

/// What to say of a fact that no issuer of the tenant gives: `name` is what was written, `fact` the fact, `facts` those that are given.
pub(super) fn no_fact(name: String, fact: &str, facts: &BTreeSet<String>) -> (Wrong, String) {
    let given = || facts.iter().map(String::as_str);
    let near = did_you_mean("user.", fact, given());
    let mut advice = format!("{near}Add `{fact}` to an issuer's claim map");
    if !facts.is_empty() {
        advice.push_str(", or use one of: ");
        advice.push_str(&listed(given()));
    }
    let known = listed(given());
    (Wrong::NoFact { name, known }, advice)
}

/// How many edits away a misspelt name may be to be recognised.
pub(super) const MAX_EDITS: usize = 2;
/// Names longer than this are no slips.
const MAX_COMPARED_CHARS: usize = 64;

/// The known name that is nearest to a misspelt one, as a question in front of other advice; nothing where none is near.
pub(super) fn did_you_mean<'a>(
    root: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    if name.chars().count() > MAX_COMPARED_CHARS {
        return String::new();
    }
    // In a short name two edits make another word.
    let edits = if name.chars().count() < 4 {
        1
    } else {
        MAX_EDITS
    };
    match nearest(
        name,
        known.filter(|known| known.len() <= MAX_COMPARED_CHARS),
        edits,
    ) {
        Some(near) => format!("Did you mean `{root}{near}`? "),
        None => String::new(),
    }
}

pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 20;
    let mut names: Vec<&str> = names.take(MOST + 1).collect();
    if names.len() > MOST {
        names.truncate(MOST);
        names.push("...");
    }
    names.join(", ")
}
