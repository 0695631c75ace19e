//! A tenant's snapshot out of its rows: for mints, and for trying things out beside them.
//!
//! What cannot be read never takes down what could: a release whose content is broken is passed over for the one
//! before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::SourceError;
use crate::domain::catalogue::Catalogue;
use crate::domain::context::Context;
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::domain::persona::{Persona, parse_snippet};
use crate::domain::policy::Policy;
use crate::domain::quota::Quota;
use crate::domain::schema::PatternBudget;
use crate::domain::snapshot::{LiveContext, LivePersona, Rollout, Rollouts, Snapshot};
use crate::domain::template::Template;
use crate::domain::wrong::Wrong;
use crate::store::documents::VersionRow;
use crate::store::tenant_tx::TenantTx;
use crate::store::tenants::TenantRow;

/// How many releases back a readable version is looked for.
pub const RELEASES_BACK: i64 = 3;

/// Snippet versions by key and number.
pub type Snippets = BTreeMap<(Key, i32), Arc<Template>>;

/// Everything of a tenant that its picture is made of, as of one moment.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The tenant, with its policy.
    pub tenant: TenantRow,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// Versions of snippets, as many as were read.
    pub snippets: Vec<VersionRow>,
    /// For each document its last releases, the live one first.
    pub released: Vec<VersionRow>,
    /// Versions that a share of the users gets, each with its percentage.
    pub rollouts: Vec<(VersionRow, u8)>,
    /// When the next scheduled release goes live.
    pub next_change: Option<DateTime<Utc>>,
}

/// A version that is released, but can't be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    pub kind: DocumentKind,
    pub key: String,
    pub version: i32,
    pub faults: Vec<Fault>,
}

/// What of a document is served: for a persona or a context what mints get, for a snippet what personas pin when they are sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// The version; `None` where none can be read.
    pub version: Option<i32>,
    /// The version that a share of the users gets instead, and how many of a hundred.
    pub rollout: Option<(i32, u8)>,
    /// Versions that were released later, but can't be read, the newest first.
    pub passed_over: Vec<PassedOver>,
}

/// A released version that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    pub version: i32,
    pub faults: Vec<Fault>,
}

/// What is served of each document that is in use and was released.
pub type AllServed = BTreeMap<(DocumentKind, Key), Served>;

/// A picture, and what of it could not be read.
#[derive(Debug)]
pub struct LoadedSnapshot {
    /// What is live.
    pub snapshot: Snapshot,
    /// The versions that it is made of, and those that it is not.
    pub served: AllServed,
    /// Every snippet version that can be read.
    pub snippets: Snippets,
    /// Versions that were passed over.
    pub unreadable: Vec<Unreadable>,
}

impl Rows {
    /// Reads the rows of the transaction's tenant, with every snippet version that somebody may pin.
    pub async fn read(tx: &mut TenantTx, moment: DateTime<Utc>) -> Result<Self, SourceError> {
        let mut rows = Self::read_served(tx, moment).await?;
        rows.snippets = tx.snippet_versions().await?;
        Ok(rows)
    }

    /// The same, of snippets only what is released or pinned by what is: memory doesn't grow with all that was ever sealed.
    pub async fn read_served(
        tx: &mut TenantTx,
        moment: DateTime<Utc>,
    ) -> Result<Self, SourceError> {
        let released = tx.released_versions(moment, RELEASES_BACK).await?;
        let rollouts = tx.rollouts(moment).await?;
        let versions = released.iter().chain(rollouts.iter().map(|(row, _)| row));
        let pins = versions.flat_map(pins_of).collect();
        Ok(Self {
            tenant: tx.tenant_row().await?.ok_or(SourceError::TenantGone)?,
            catalogue: tx.catalogue().await?,
            snippets: tx.pinned_snippets(&pins).await?,
            released,
            rollouts,
            next_change: tx.next_release(moment).await?,
        })
    }
}

/// The snippet versions that a version is made with: those that a persona pins, or the snippet itself.
fn pins_of(row: &VersionRow) -> Vec<(String, i32)> {
    if row.kind == DocumentKind::Snippet {
        return vec![(row.key.clone(), row.number)];
    }
    let pins = row.content.get("snippets").and_then(Value::as_object);
    let pins = pins.into_iter().flatten().filter_map(|(key, number)| {
        let number = number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())?;
        Some((key.clone(), number))
    });
    pins.collect()
}

/// Puts the rows together. Only a policy that can't be read is an error: a default one would lift the tenant's locks.
pub fn picture(rows: Rows, revision: i64) -> Result<LoadedSnapshot, SourceError> {
    let mut policy = Policy::parse(&rows.tenant.policy).map_err(SourceError::PolicyBroken)?;
    let quota = Quota::parse(&rows.tenant.quota).map_err(SourceError::PolicyBroken)?;
    policy.quotas.tenant = policy.quotas.tenant.min(&quota);
    Ok(picture_under(policy, rows, revision))
}

/// What is served at a moment. A policy that can't be read counts as an empty one: who asks for documents wants them all the same.
pub async fn all_served(
    tx: &mut TenantTx,
    moment: DateTime<Utc>,
) -> Result<AllServed, SourceError> {
    Ok(served_of(Rows::read_served(tx, moment).await?))
}

/// The versions that are served at a moment, by the same measure.
pub async fn served_versions(
    tx: &mut TenantTx,
    moment: DateTime<Utc>,
) -> Result<Vec<VersionRow>, SourceError> {
    let rows = Rows::read_served(tx, moment).await?;
    let mut released = rows.released.clone();
    let served = served_of(rows);
    released.retain(|row| {
        let key = Key::parse(&row.key).ok();
        let served = key.and_then(|key| served.get(&(row.kind, key)));
        served.is_some_and(|served| served.version == Some(row.number))
    });
    released.dedup_by(|later, earlier| later.document == earlier.document);
    Ok(released)
}

fn served_of(rows: Rows) -> AllServed {
    let policy = Policy::parse(&rows.tenant.policy).unwrap_or_default();
    picture_under(policy, rows, 0).served
}

fn picture_under(policy: Policy, rows: Rows, revision: i64) -> LoadedSnapshot {
    let tenant = rows.tenant;
    let mut unreadable = Vec::new();
    let snippets = compile_snippets(rows.snippets, &mut unreadable);
    let mut snapshot = Snapshot {
        tenant: tenant.id,
        revision,
        policy,
        catalogue: rows.catalogue,
        personas: BTreeMap::new(),
        contexts: BTreeMap::new(),
        rollouts: Rollouts::default(),
        aliases: BTreeMap::new(),
        next_change: rows.next_change,
        tenant_words: json!({ "name": tenant.name, "slug": tenant.slug }),
    };
    let mut all_served = AllServed::new();
    let mut room = PatternBudget::default();
    for row in rows.released {
        let Ok(key) = Key::parse(&row.key) else {
            continue;
        };
        let served = all_served.entry((row.kind, key.clone())).or_default();
        if served.version.is_some() {
            continue;
        }
        match place(&mut snapshot, &snippets, &mut room, &key, &row) {
            Ok(()) => served.version = Some(row.number),
            Err(faults) => {
                served.passed_over.push(PassedOver {
                    version: row.number,
                    faults: faults.clone(),
                });
                unreadable.push(Unreadable::new(&row, faults));
            }
        }
    }
    for (row, percent) in rows.rollouts {
        let Ok(key) = Key::parse(&row.key) else {
            continue;
        };
        // Beside nothing there is no rollout.
        let served = all_served.get_mut(&(row.kind, key.clone()));
        let Some(served) = served.filter(|served| served.version.is_some()) else {
            continue;
        };
        match place_beside(&mut snapshot, &snippets, &mut room, &key, &row, percent) {
            Ok(()) => served.rollout = Some((row.number, percent)),
            Err(faults) => {
                let passed_over = PassedOver {
                    version: row.number,
                    faults: faults.clone(),
                };
                served.passed_over.insert(0, passed_over);
                unreadable.push(Unreadable::new(&row, faults));
            }
        }
    }
    LoadedSnapshot {
        snapshot,
        served: all_served,
        snippets,
        unreadable,
    }
}

/// Puts a version in its place, unless it can't be read.
fn place(
    snapshot: &mut Snapshot,
    snippets: &Snippets,
    room: &mut PatternBudget,
    key: &Key,
    row: &VersionRow,
) -> Result<(), Vec<Fault>> {
    match row.kind {
        DocumentKind::Snippet => parse_snippet(&row.content).map(|_is_pinned| ()),
        DocumentKind::Persona => {
            let persona = live_persona(key, row, &snapshot.policy, snippets)?;
            snapshot.personas.insert(key.clone(), persona);
            Ok(())
        }
        DocumentKind::Context => {
            let context = live_context(room, key, row)?;
            for alias in &context.context.aliases {
                snapshot.aliases.insert(alias.clone(), key.clone());
            }
            snapshot.contexts.insert(key.clone(), context);
            Ok(())
        }
    }
}

/// Puts a version beside the live one, unless it can't be read. Personas name exact versions of snippets: those roll out
/// with the personas.
fn place_beside(
    snapshot: &mut Snapshot,
    snippets: &Snippets,
    room: &mut PatternBudget,
    key: &Key,
    row: &VersionRow,
    percent: u8,
) -> Result<(), Vec<Fault>> {
    let rollouts = &mut snapshot.rollouts;
    match row.kind {
        DocumentKind::Snippet => {
            let words = Wrong::NoSnippetRollout;
            let fault = Fault::new(
                "",
                words.worded("is a snippet, and of these there are no rollouts"),
            );
            return Err(vec![fault]);
        }
        DocumentKind::Persona => {
            let version = live_persona(key, row, &snapshot.policy, snippets)?;
            rollouts
                .personas
                .insert(key.clone(), Rollout { percent, version });
        }
        DocumentKind::Context => {
            let version = live_context(room, key, row)?;
            rollouts
                .contexts
                .insert(key.clone(), Rollout { percent, version });
        }
    }
    Ok(())
}

fn live_context(
    room: &mut PatternBudget,
    key: &Key,
    row: &VersionRow,
) -> Result<LiveContext, Vec<Fault>> {
    let context = Context::parse_sealed(&row.content, room)?;
    Ok(LiveContext {
        version: row.number,
        hash: hex::encode(&row.hash),
        words: json!({ "key": key.as_str(), "description": context.description }),
        context,
    })
}

/// What is live, for mints: what was passed over is logged.
pub(super) fn live(rows: Rows, revision: i64) -> Result<LoadedSnapshot, SourceError> {
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
    Ok(picture)
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
                Wrong::NoVersion {
                    name: snippet.to_string(),
                    version: *number,
                }
                .worded(format!(
                    "pins version {number} of `{snippet}`, which does not exist"
                )),
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
