//! A tenant's picture out of its rows: for mints, and for trying things out beside them.
//!
//! What cannot be read never takes down what could: a release whose content is broken is passed over for the one
//! before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::SourceError;
use crate::domain::catalogue::Catalogue;
use crate::domain::context::Context;
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::domain::persona::{Persona, parse_snippet};
use crate::domain::policy::Policy;
use crate::domain::snapshot::{LiveContext, LivePersona, Snapshot};
use crate::domain::template::Template;
use crate::store::documents::{DocumentKind, VersionRow};
use crate::store::tenant_tx::TenantTx;
use crate::store::tenants::TenantRow;

/// How many releases back a readable version is looked for.
const RELEASES_BACK: i64 = 3;

/// Snippet versions by key and number.
pub type Snippets = BTreeMap<(Key, i32), Arc<Template>>;

/// Everything of a tenant that its picture is made of, as of one moment.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The tenant, with its policy.
    pub tenant: TenantRow,
    /// What may be chosen.
    pub catalogue: Catalogue,
    /// Every version of every snippet.
    pub snippets: Vec<VersionRow>,
    /// For each document its last releases, the live one first.
    pub released: Vec<VersionRow>,
    /// When the next scheduled release goes live.
    pub next_change: Option<DateTime<Utc>>,
}

/// A version that is released, but can't be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Kind of the document.
    pub kind: DocumentKind,
    /// Its key.
    pub key: String,
    /// The version.
    pub version: i32,
    /// Why.
    pub faults: Vec<Fault>,
}

/// A picture, and what of it could not be read.
#[derive(Debug)]
pub struct Picture {
    /// What is live.
    pub snapshot: Snapshot,
    /// Every snippet version that can be read.
    pub snippets: Snippets,
    /// Versions that were passed over.
    pub unreadable: Vec<Unreadable>,
}

impl Rows {
    /// Reads the rows of the transaction's tenant.
    pub async fn read(tx: &mut TenantTx, moment: DateTime<Utc>) -> Result<Self, SourceError> {
        Ok(Self {
            tenant: tx.tenant_row().await?.ok_or(SourceError::TenantGone)?,
            catalogue: tx.catalogue().await?,
            snippets: tx.snippet_versions().await?,
            released: tx.released_versions(moment, RELEASES_BACK).await?,
            next_change: tx.next_release(moment).await?,
        })
    }
}

/// Puts the rows together. Only a policy that can't be read is an error: a default one would lift the tenant's locks.
pub fn picture(rows: Rows, revision: i64) -> Result<Picture, SourceError> {
    let tenant = rows.tenant;
    let policy = Policy::parse(&tenant.policy).map_err(SourceError::PolicyBroken)?;
    let mut unreadable = Vec::new();
    let snippets = compile_snippets(rows.snippets, &mut unreadable);
    let mut snapshot = Snapshot {
        tenant: tenant.id,
        slug: tenant.slug.clone(),
        revision,
        policy,
        catalogue: rows.catalogue,
        personas: BTreeMap::new(),
        contexts: BTreeMap::new(),
        aliases: BTreeMap::new(),
        next_change: rows.next_change,
        tenant_words: json!({ "name": tenant.name, "slug": tenant.slug }),
    };
    for row in rows.released {
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
                Err(faults) => unreadable.push(Unreadable::new(&row, faults)),
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
                Err(faults) => unreadable.push(Unreadable::new(&row, faults)),
            },
        }
    }
    Ok(Picture {
        snapshot,
        snippets,
        unreadable,
    })
}

/// What is live, for mints: what was passed over is logged.
pub(super) async fn snapshot(
    tx: &mut TenantTx,
    revision: i64,
    now: DateTime<Utc>,
) -> Result<Snapshot, SourceError> {
    let rows = Rows::read(tx, now).await?;
    let picture = picture(rows, revision)?;
    for Unreadable {
        key,
        version,
        faults,
        ..
    } in &picture.unreadable
    {
        for fault in faults {
            tracing::error!(document = key, version, %fault, "released, but not readable: the release before it is used");
        }
    }
    Ok(picture.snapshot)
}

fn compile_snippets(rows: Vec<VersionRow>, unreadable: &mut Vec<Unreadable>) -> Snippets {
    let mut snippets = Snippets::new();
    for row in rows {
        let Ok(key) = Key::parse(&row.key) else {
            continue;
        };
        match parse_snippet(&row.content) {
            Ok(template) => {
                snippets.insert((key, row.number), Arc::new(template));
            }
            Err(faults) => unreadable.push(Unreadable::new(&row, faults)),
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

impl Unreadable {
    fn new(row: &VersionRow, faults: Vec<Fault>) -> Self {
        Self {
            kind: row.kind,
            key: row.key.clone(),
            version: row.number,
            faults,
        }
    }
}
