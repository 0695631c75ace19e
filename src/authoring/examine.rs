//! What is to be said of a draft or a version before it goes live: looked at in its place, with its tests run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::bundle::pinned;
use super::world::{Overlay, World};
use crate::domain::catalogue::CatalogueKind;
use crate::domain::examine::{self, Examination, Surroundings};
use crate::domain::finding::Finding;
use crate::domain::issuer::IssuerConfig;
use crate::domain::key::Key;
use crate::sources::SourceError;
use crate::store::StoreError;
use crate::store::documents::DocumentKind;
use crate::store::tenant_tx::TenantTx;

/// Everything found in `content`, were it the document of this kind and key at `moment`. Snippets that a persona does not
/// pin are taken as they are live; tests run once nothing else is wrong.
pub async fn examine(
    tx: &mut TenantTx,
    moment: DateTime<Utc>,
    kind: DocumentKind,
    key: &Key,
    content: &Map<String, Value>,
) -> Result<Examination, SourceError> {
    let overlay = Overlay::Draft {
        kind,
        key: key.clone(),
        content: content.clone(),
    };
    let world = World::at(tx, moment, &[overlay]).await?;
    let facts = facts(tx).await?;
    let retired = tx.retired_ids().await?;
    let secrets = super::secrets::names(tx).await?;
    let known = Known {
        facts: facts.as_ref(),
        retired: &retired,
        secrets: &secrets,
    };
    let mut examination = look(&world, kind, key, content, &known);
    if !examination.has_errors() {
        let failed = world.run_tests(kind, key).into_iter().flat_map(|run| {
            let told = format!("the test `{}` fails: ", run.name);
            run.failures.into_iter().map(move |failure| {
                Finding::error(
                    failure.pointer,
                    format!("{told}{}", failure.message),
                    "Mend the document, or what the test expects",
                )
            })
        });
        examination.extend(failed);
    }
    Ok(examination)
}

/// What the tenant has beside its documents.
struct Known<'a> {
    facts: Option<&'a BTreeSet<String>>,
    retired: &'a BTreeSet<(CatalogueKind, String)>,
    secrets: &'a BTreeSet<Key>,
}

fn look(
    world: &World,
    kind: DocumentKind,
    key: &Key,
    content: &Map<String, Value>,
    known: &Known<'_>,
) -> Examination {
    let live_snippets: BTreeMap<Key, i32> = world
        .documents()
        .filter(|(kind, _)| *kind == DocumentKind::Snippet)
        .filter_map(|(kind, key)| Some((key.clone(), world.version(*kind, key)?)))
        .collect();
    let around = Surroundings {
        snapshot: &world.snapshot,
        snippets: &world.snippets,
        live_snippets: &live_snippets,
        facts: known.facts,
        secrets: known.secrets,
        retired: known.retired,
    };
    match kind {
        DocumentKind::Persona => {
            let content = pinned(content, |snippet| live_snippets.get(snippet).copied());
            examine::persona(key, &content, &around)
        }
        DocumentKind::Context => examine::context(key, content, &around),
        DocumentKind::Snippet => examine::snippet(content, &around),
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
