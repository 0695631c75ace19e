//! What is live at a moment, and whether all of it fits together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::document::{
    clashes_with_policy, missing_personas, missing_secrets, not_in_catalogue, pins_nothing,
    plain_credentials,
};
use super::secrets;
use crate::domain::catalogue::Catalogue;
use crate::domain::context::Context;
use crate::domain::fault::{Fault, Faults};
use crate::domain::key::Key;
use crate::domain::persona::{Persona, parse_snippet};
use crate::domain::policy::Policy;
use crate::domain::schema::{self, Room};
use crate::store::StoreError;
use crate::store::documents::{DocumentKind, VersionRow};
use crate::store::tenant_tx::TenantTx;

/// A document by kind and key.
pub(super) type Name = (DocumentKind, Key);

/// What the tenant has, at one moment.
#[derive(Debug, Clone)]
pub(super) struct LiveSet {
    policy: Policy,
    catalogue: Catalogue,
    /// Key and number of every sealed snippet version.
    sealed_snippets: BTreeSet<(String, i32)>,
    /// The names of its secrets.
    secrets: BTreeSet<Key>,
    /// The version that is live of each document.
    documents: BTreeMap<Name, Map<String, Value>>,
    /// Versions that a share of the users gets instead.
    rollouts: BTreeMap<Name, Map<String, Value>>,
}

impl LiveSet {
    /// What the transaction sees live at `moment`.
    pub(super) async fn at(tx: &mut TenantTx, moment: DateTime<Utc>) -> Result<Self, StoreError> {
        let tenant = tx.tenant_row().await?;
        // One that can't be read is told when somebody writes it; here it must not hide everything else.
        let policy = tenant
            .and_then(|row| Policy::parse(&row.policy).ok())
            .unwrap_or_default();
        let sealed = tx.snippet_versions().await?.into_iter();
        let live = tx.released_versions(moment, 1).await?;
        let rollouts = tx.rollouts(moment).await?;
        let named = |row: VersionRow| Some(((row.kind, Key::parse(&row.key).ok()?), row.content));
        Ok(Self {
            policy,
            catalogue: tx.catalogue().await?,
            secrets: secrets::names(tx).await?,
            sealed_snippets: sealed.map(|row| (row.key, row.number)).collect(),
            documents: live.into_iter().filter_map(named).collect(),
            rollouts: rollouts
                .into_iter()
                .filter_map(|(row, _)| named(row))
                .collect(),
        })
    }

    /// Whether some users get something else than what is live.
    pub(super) fn has_rollouts(&self) -> bool {
        !self.rollouts.is_empty()
    }

    /// Faults of one document as far as it stands alone: its form, its pins, its ids, its fit to the policy.
    pub(super) fn own_faults(&self, name: &Name, content: &Map<String, Value>) -> Vec<Fault> {
        let mut faults = self.refused_anew(name.0, content);
        faults.extend(self.broken_parts(name, content));
        faults
    }

    /// What nobody writes anew, and stays live where it is: ids that the catalogue does not have, since it may lose them any
    /// day, and credentials in plain text, which were taken once.
    fn refused_anew(&self, kind: DocumentKind, content: &Map<String, Value>) -> Vec<Fault> {
        if kind != DocumentKind::Persona {
            return Vec::new();
        }
        let persona = Persona::parse(content);
        persona.map_or_else(
            |_told_elsewhere| Vec::new(),
            |persona| {
                let mut faults = not_in_catalogue(&persona, &self.catalogue);
                faults.extend(plain_credentials(&persona.settings));
                faults
            },
        )
    }

    /// What keeps a document from being served.
    fn broken_parts(&self, (kind, key): &Name, content: &Map<String, Value>) -> Vec<Fault> {
        match kind {
            DocumentKind::Snippet => parse_snippet(content).err().unwrap_or_default(),
            DocumentKind::Context => Context::parse(content).err().unwrap_or_default(),
            DocumentKind::Persona => match Persona::parse(content) {
                Err(faults) => faults,
                Ok(persona) => {
                    let mut faults = pins_nothing(&persona, &self.sealed_snippets);
                    faults.extend(missing_secrets(&persona, &self.policy, &self.secrets));
                    faults.extend(clashes_with_policy(key, persona, &self.policy));
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
            let broken = self.broken_parts(name, content);
            all.entry(name.clone()).or_default().extend(broken);
            if name.0 == DocumentKind::Context
                && let Ok(context) = Context::parse_sealed(content, &mut Room::default())
            {
                contexts.push((&name.1, context));
            }
        }
        let memory = |context: &Context| context.schema.pattern_bytes();
        let taken: usize = contexts.iter().map(|(_, context)| memory(context)).sum();
        let largest = contexts.iter().max_by_key(|(_, context)| memory(context));
        if taken > schema::MAX_PATTERN_BYTES
            && let Some((key, _)) = largest
        {
            let fault = Fault::new(
                "/metadata",
                "has the largest patterns of all live contexts, which together take more than 16 MB; use fewer or smaller ones",
            );
            let name = (DocumentKind::Context, (*key).clone());
            all.entry(name).or_default().push(fault);
        }
        let is_persona = |key: &Key| {
            self.documents
                .contains_key(&(DocumentKind::Persona, key.clone()))
        };
        for (key, context) in &contexts {
            let mut faults = Faults::new();
            for persona in missing_personas(context, is_persona) {
                faults.add(
                    "",
                    format!("gives the persona `{persona}`, which is not live"),
                );
            }
            for (index, alias) in context.aliases.iter().enumerate() {
                let clash = contexts.iter().find(|(other, theirs)| {
                    other != key && (*other == alias || theirs.aliases.contains(alias))
                });
                if let Some((other, _)) = clash {
                    faults.add(
                        format!("/aliases/{index}"),
                        format!("means the context `{other}` already"),
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
}

/// Something that a change would break.
#[derive(Debug)]
pub(super) struct Broken {
    /// The document that the change is about and whose fault it is; `None` where another one would break.
    pub(super) own: Option<Name>,
    /// What; its pointer starts at the document of its own.
    pub(super) fault: Fault,
}

impl Broken {
    pub(super) fn own(name: &Name, fault: Fault) -> Self {
        Self {
            own: Some(name.clone()),
            fault,
        }
    }

    pub(super) fn others(message: String) -> Self {
        Self {
            own: None,
            fault: Fault::new("", message),
        }
    }
}

/// What a change would break: all faults of the documents that it is about, and those that others have now and hadn't
/// before.
pub(super) fn broken_by(before: &LiveSet, after: &LiveSet, about: &[Name]) -> Vec<Broken> {
    let old = before.faults();
    let mut broken = Vec::new();
    for name in about {
        let versions = [after.documents.get(name), after.rollouts.get(name)];
        let versions = versions.into_iter().flatten();
        let told = versions.flat_map(|content| after.refused_anew(name.0, content));
        broken.extend(told.map(|fault| Broken::own(name, fault)));
    }
    for (name, faults) in after.faults() {
        if about.contains(&name) {
            broken.extend(faults.into_iter().map(|fault| Broken::own(&name, fault)));
            continue;
        }
        let known = old.get(&name).map(Vec::as_slice).unwrap_or_default();
        let (kind, key) = (name.0.as_str(), &name.1);
        let new = faults.iter().filter(|fault| !known.contains(fault));
        broken.extend(new.map(|fault| {
            Broken::others(format!(
                "would break the {kind} `{key}`, which is live: {fault}"
            ))
        }));
    }
    broken
}
