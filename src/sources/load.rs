//! Builds a tenant's picture from its rows.
//!
//! What cannot be read never takes down what could: a release whose content is broken is passed over for the one
//! before it, with an error in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::SourceError;
use crate::domain::context::Context;
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::domain::persona::{Persona, parse_snippet};
use crate::domain::policy::Policy;
use crate::domain::snapshot::{LiveContext, LivePersona, Snapshot};
use crate::domain::template::Template;
use crate::store::documents::{DocumentKind, VersionRow};
use crate::store::tenant_tx::TenantTx;

/// How many releases back a readable version is looked for.
const RELEASES_BACK: i64 = 3;

/// Snippet versions by key and number.
type Snippets = BTreeMap<(Key, i32), Arc<Template>>;

pub(super) async fn snapshot(
    tx: &mut TenantTx,
    revision: i64,
    now: DateTime<Utc>,
) -> Result<Snapshot, SourceError> {
    let tenant = tx.tenant_row().await?.ok_or(SourceError::TenantGone)?;
    // Fails closed: a default policy would lift the tenant's locks.
    let policy = Policy::parse(&tenant.policy).map_err(SourceError::PolicyBroken)?;
    let catalogue = tx.catalogue().await?;
    let snippets = compile_snippets(tx.snippet_versions().await?);
    let mut snapshot = Snapshot {
        tenant: tenant.id,
        slug: tenant.slug.clone(),
        revision,
        policy,
        catalogue,
        personas: BTreeMap::new(),
        contexts: BTreeMap::new(),
        aliases: BTreeMap::new(),
        next_change: tx.next_release(now).await?,
        tenant_words: json!({ "name": tenant.name, "slug": tenant.slug }),
    };
    for row in tx.released_versions(now, RELEASES_BACK).await? {
        let Ok(key) = Key::parse(&row.key) else {
            continue;
        };
        match row.kind {
            DocumentKind::Snippet => {}
            DocumentKind::Persona if snapshot.personas.contains_key(&key) => {}
            DocumentKind::Persona => match live_persona(&key, &row, &snapshot.policy, &snippets) {
                Ok(persona) => {
                    snapshot.personas.insert(key, persona);
                }
                Err(faults) => report(&row.key, row.number, &faults),
            },
            DocumentKind::Context if snapshot.contexts.contains_key(&key) => {}
            DocumentKind::Context => match Context::parse(&row.content) {
                Ok(context) => {
                    for alias in &context.aliases {
                        snapshot.aliases.insert(alias.clone(), key.clone());
                    }
                    let words = json!({ "key": key.as_str(), "description": context.description });
                    snapshot.contexts.insert(
                        key,
                        LiveContext {
                            version: row.number,
                            hash: hex::encode(&row.hash),
                            context,
                            words,
                        },
                    );
                }
                Err(faults) => report(&row.key, row.number, &faults),
            },
        }
    }
    Ok(snapshot)
}

fn compile_snippets(rows: Vec<VersionRow>) -> Snippets {
    let mut snippets = Snippets::new();
    for row in rows {
        let Ok(key) = Key::parse(&row.key) else {
            continue;
        };
        match parse_snippet(&row.content) {
            Ok(template) => {
                snippets.insert((key, row.number), Arc::new(template));
            }
            Err(faults) => report(&row.key, row.number, &faults),
        }
    }
    snippets
}

fn live_persona(
    key: &Key,
    row: &VersionRow,
    policy: &Policy,
    snippets: &Snippets,
) -> Result<LivePersona, Vec<Fault>> {
    let persona = Persona::parse(&row.content)?;
    let mut pinned = Vec::new();
    for (snippet, number) in &persona.snippets {
        if let Some(template) = snippets.get(&(snippet.clone(), *number)) {
            pinned.push((snippet.clone(), template.clone()));
        } else {
            let fault = Fault::new(
                "/snippets",
                format!("pins version {number} of `{snippet}`, which does not exist"),
            );
            return Err(vec![fault]);
        }
    }
    let live = LivePersona::new(
        key,
        row.number,
        hex::encode(&row.hash),
        persona,
        policy,
        pinned,
    );
    let faults = live.settings.check();
    if faults.is_empty() {
        Ok(live)
    } else {
        Err(faults)
    }
}

fn report(document: &str, version: i32, faults: &[Fault]) {
    for fault in faults {
        tracing::error!(document, version, %fault, "released, but not readable: the release before it is used");
    }
}
