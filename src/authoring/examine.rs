//! What is found in a document before it goes live: looked at in its place, with its tests run.
//!
//! This is the one judge of documents: `:validate`, sealing, releasing and applying bundles all ask it, so that they find the
//! same. `soundness.rs` reports what a change breaks in *other* documents.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::bundle::pinned;
use super::scenario::{Overlay, Scenario};
use super::secrets;
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::document::DocumentKind;
use crate::domain::examine::{self, Examination, Surroundings};
use crate::domain::finding::Finding;
use crate::domain::issuer::IssuerConfig;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::sources::SourceError;
use crate::store::StoreError;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;

/// Everything found in `content`, were it the document of this kind and key at `moment`. Snippets that a persona does not
/// pin are taken as they are live.
pub async fn examine(
    tx: &mut TenantTx,
    moment: DateTime<Utc>,
    kind: DocumentKind,
    key: &Key,
    content: &Map<String, Value>,
) -> Result<Examination, Refusal> {
    let overlay = Overlay::Draft {
        kind,
        key: key.clone(),
        content: content.clone(),
    };
    let examiner = Examiner::at(tx, moment, &[overlay]).await?;
    Ok(examiner.examine(kind, key, content))
}

/// A scenario, and what else must be known to judge the documents in it.
#[derive(Debug)]
pub(super) struct Examiner {
    scenario: Scenario,
    facts: Option<BTreeSet<String>>,
    retired: BTreeSet<(CatalogueKind, String)>,
    secrets: BTreeSet<Key>,
    live_snippets: BTreeMap<Key, i32>,
    unreadable: BTreeSet<Key>,
}

impl Examiner {
    /// Of what is live at `moment`, with `overlays` put in place.
    pub(super) async fn at(
        tx: &mut TenantTx,
        moment: DateTime<Utc>,
        overlays: &[Overlay],
    ) -> Result<Self, Refusal> {
        let scenario = match Scenario::at(tx, moment, overlays).await {
            Ok(scenario) => scenario,
            Err(SourceError::PolicyBroken(_)) => {
                return Err(Refusal::Conflict(Wrong::PolicyUnreadable.into()));
            }
            Err(error) => return Err(error.into()),
        };
        let live_snippets = scenario
            .documents()
            .filter(|(kind, _)| *kind == DocumentKind::Snippet)
            .filter_map(|(kind, key)| Some((key.clone(), scenario.version(*kind, key)?)));
        let personas = scenario.unreadable.iter();
        let personas = personas.filter(|one| one.kind == DocumentKind::Persona);
        Ok(Self {
            live_snippets: live_snippets.collect(),
            unreadable: personas
                .filter_map(|one| Key::parse(&one.key).ok())
                .collect(),
            facts: facts(tx).await?,
            retired: tx.retired_ids().await?,
            secrets: secrets::names(tx).await?,
            scenario,
        })
    }

    /// Everything found in a document that is in place in this scenario; its tests are run where it can be read.
    pub(super) fn examine(
        &self,
        kind: DocumentKind,
        key: &Key,
        content: &Map<String, Value>,
    ) -> Examination {
        let mut examination = self.examine_content(kind, key, content);
        for run in self.scenario.run_tests(kind, key) {
            let failures = run.failures.into_iter().map(|failure| {
                Finding::unready(
                    failure.pointer,
                    Wrong::TestFails {
                        test: run.name.clone(),
                        why: failure.message,
                    },
                    "Correct the document, or what the test expects",
                )
            });
            examination.extend(failures);
        }
        examination
    }

    /// The same without its tests.
    pub(super) fn examine_content(
        &self,
        kind: DocumentKind,
        key: &Key,
        content: &Map<String, Value>,
    ) -> Examination {
        let around = Surroundings {
            snapshot: &self.scenario.snapshot,
            snippets: &self.scenario.snippets,
            live_snippets: &self.live_snippets,
            facts: self.facts.as_ref(),
            secrets: &self.secrets,
            retired: &self.retired,
            unreadable: &self.unreadable,
            samples: self.scenario.samples(),
            moment: self.scenario.moment,
        };
        match kind {
            DocumentKind::Persona => {
                let content = pinned(content, |snippet| self.live_snippets.get(snippet).copied());
                examine::persona(key, &content, &around)
            }
            DocumentKind::Context => examine::context(key, content, &around),
            DocumentKind::Snippet => examine::snippet(content, &around),
        }
    }
}

/// The facts that the tenant's own issuers give; `None` where it has none, and its users come by shared ones.
async fn facts(tx: &mut TenantTx) -> Result<Option<BTreeSet<String>>, StoreError> {
    let issuers = tx.tenant_issuers().await?;
    let mut facts = None;
    for issuer in issuers.into_iter().filter(|issuer| issuer.enabled) {
        if let Ok(config) = IssuerConfig::parse(&Value::Object(issuer.config)) {
            let given = config.claims().iter().map(|(name, _)| name.to_owned());
            facts.get_or_insert_with(BTreeSet::new).extend(given);
        }
    }
    Ok(facts)
}
