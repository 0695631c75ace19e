//! What is live at a moment, and whether all of it fits together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::document::{missing_personas, pins_nothing};
use super::secrets;
use crate::domain::context::Context;
use crate::domain::document::DocumentKind;
use crate::domain::examine::{clashes_with_policy, laid_into, missing_secrets};
use crate::domain::fault::{Fault, Faults};
use crate::domain::key::Key;
use crate::domain::persona::{Persona, parse_snippet};
use crate::domain::policy::Policy;
use crate::domain::schema::{self, PatternBudget};
use crate::domain::wrong::Wrong;
use crate::store::StoreError;
use crate::store::documents::VersionRow;
use crate::store::tenant_tx::TenantTx;

/// The finding about the context that takes most.
const CROWDED: &str = "has the largest patterns of all live contexts, which together take more than 16 MB; use fewer or smaller ones";

pub(super) type Name = (DocumentKind, Key);

/// The tenant's live documents and secrets at one moment.
#[derive(Debug, Clone)]
pub(super) struct LiveSet {
    policy: Policy,
    /// Key and number of every sealed snippet version.
    sealed_snippets: BTreeSet<(String, i32)>,
    /// The names of its secrets.
    secrets: BTreeSet<Key>,
    /// The version that is live of each document.
    documents: BTreeMap<Name, Map<String, Value>>,
    /// Versions that are rolled out to a share of the users.
    rollouts: BTreeMap<Name, Map<String, Value>>,
}

impl LiveSet {
    /// What the transaction sees live at `moment`.
    pub(super) async fn at(tx: &mut TenantTx, moment: DateTime<Utc>) -> Result<Self, StoreError> {
        let tenant = tx.tenant_row().await?;
        // One that can't be read is reported when somebody writes it; here it must not hide everything else.
        let policy = tenant
            .and_then(|row| Policy::parse(&row.policy).ok())
            .unwrap_or_default();
        let sealed = tx.snippet_versions().await?.into_iter();
        let live = tx.released_versions(moment, 1).await?;
        let rollouts = tx.rollouts(moment).await?;
        let named = |row: VersionRow| Some(((row.kind, Key::parse(&row.key).ok()?), row.content));
        Ok(Self {
            policy,
            secrets: secrets::names(tx).await?,
            sealed_snippets: sealed.map(|row| (row.key, row.number)).collect(),
            documents: live.into_iter().filter_map(named).collect(),
            rollouts: rollouts
                .into_iter()
                .filter_map(|(row, _)| named(row))
                .collect(),
        })
    }

    /// Whether rollouts are under way.
    pub(super) fn has_rollouts(&self) -> bool {
        !self.rollouts.is_empty()
    }

    /// What keeps a document from being served.
    fn broken_parts(&self, kind: DocumentKind, content: &Map<String, Value>) -> Vec<Fault> {
        match kind {
            DocumentKind::Snippet => parse_snippet(content).err().unwrap_or_default(),
            DocumentKind::Context => Context::parse(content).err().unwrap_or_default(),
            DocumentKind::Persona => match Persona::parse(content) {
                Err(faults) => faults,
                Ok(persona) => {
                    let mut faults = pins_nothing(&persona, &self.sealed_snippets);
                    let settings = &persona.settings;
                    faults.extend(missing_secrets(settings, &self.policy, &self.secrets));
                    faults.extend(clashes_with_policy(settings, &self.policy));
                    faults
                }
            },
        }
    }

    /// Everything that keeps what is live from being served, document by document.
    fn faults(&self) -> BTreeMap<Name, Vec<Fault>> {
        let mut contexts: Vec<(&Key, Context)> = Vec::new();
        let mut all: BTreeMap<Name, Vec<Fault>> = BTreeMap::new();
        for (name, content) in self.documents.iter().chain(&self.rollouts) {
            let broken = self.broken_parts(name.0, content);
            all.entry(name.clone()).or_default().extend(broken);
            if name.0 == DocumentKind::Context
                && let Ok(context) = Context::parse_sealed(content, &mut PatternBudget::default())
            {
                contexts.push((&name.1, context));
            }
        }
        if let Some(key) = crowding(&contexts) {
            let name = (DocumentKind::Context, key.clone());
            let fault = Fault::new("/metadata", Wrong::Crowded(key.to_string()).worded(CROWDED));
            all.entry(name).or_default().push(fault);
        }
        let is_persona = |key: &Key| {
            self.documents
                .contains_key(&(DocumentKind::Persona, key.clone()))
        };
        let incomplete = self.incomplete_personas();
        for (key, context) in &contexts {
            let mut faults = Faults::new();
            let given: BTreeSet<&Key> = context.personas().collect();
            for persona in given {
                if let Some(missing) = incomplete.get(persona) {
                    let (name, missing) = (persona.to_string(), missing.clone());
                    faults.add("", Wrong::GivesIncomplete { name, missing });
                }
            }
            for persona in missing_personas(context, is_persona) {
                faults.add("", Wrong::NotLive(persona.to_string()));
            }
            for (index, alias) in context.aliases.iter().enumerate() {
                let clash = contexts.iter().find(|(other, theirs)| {
                    other != key && (*other == alias || theirs.aliases.contains(alias))
                });
                if let Some((other, _)) = clash {
                    faults.add(
                        format!("/aliases/{index}"),
                        Wrong::AliasTaken(other.to_string()),
                    );
                }
            }
            all.entry((DocumentKind::Context, (*key).clone()))
                .or_default()
                .extend(faults.into_vec());
        }
        all.retain(|_, faults| !faults.is_empty());
        all
    }

    /// Personas that can't be served, and what they lack.
    fn incomplete_personas(&self) -> BTreeMap<&Key, String> {
        let documents = self.documents.iter().chain(&self.rollouts);
        let personas = documents.filter(|((kind, _), _)| *kind == DocumentKind::Persona);
        let lacking = personas.filter_map(|((_, key), content)| {
            let persona = Persona::parse(content).ok()?;
            let settings = laid_into(&persona.settings, &self.policy);
            let missing: Vec<&str> = settings.missing().collect();
            (!missing.is_empty()).then(|| (key, missing.join(", ")))
        });
        lacking.collect()
    }
}

/// The context that takes most of the memory for patterns, where all together take too much.
fn crowding<'a>(contexts: &[(&'a Key, Context)]) -> Option<&'a Key> {
    let memory = |context: &Context| context.schema.pattern_bytes();
    let taken: usize = contexts.iter().map(|(_, context)| memory(context)).sum();
    let largest = contexts.iter().max_by_key(|(_, context)| memory(context));
    let (key, _) = largest.filter(|_| taken > schema::MAX_PATTERN_BYTES)?;
    Some(key)
}

/// What a change would break beside the documents that it is about: faults that the others have now and hadn't before.
pub(super) fn broken_by(before: &LiveSet, after: &LiveSet, about: &[Name]) -> Vec<Fault> {
    let old = before.faults();
    let mut broken = Vec::new();
    for (name, faults) in after.faults() {
        if about.contains(&name) {
            // Of itself it is examined elsewhere, and not beside all others.
            let crowded = faults.iter().filter(|fault| fault.message == CROWDED);
            broken.extend(crowded.map(|fault| {
                let (key, message) = (&name.1, &fault.message);
                let crowded = Wrong::Crowded(key.to_string());
                Fault::new("", crowded.worded(format!("the context `{key}` {message}")))
            }));
            continue;
        }
        let known = old.get(&name).map(Vec::as_slice).unwrap_or_default();
        let (kind, key) = (name.0.as_str(), &name.1);
        let new = faults.iter().filter(|fault| !known.contains(fault));
        broken.extend(new.map(|fault| {
            Fault::new(
                "",
                Wrong::Breaks {
                    kind,
                    name: key.to_string(),
                    why: fault.to_string(),
                },
            )
        }));
    }
    broken
}
