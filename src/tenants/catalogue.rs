//! What users may choose, as admins lay it down: typed in, or allowed out of what Anam lists.

pub mod sync;
pub mod usage;

use std::collections::BTreeMap;

use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use crate::domain::catalogue::CatalogueEntry;
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::fault::{Fault, Faults};
use crate::domain::text;
use crate::domain::wrong::Wrong;
use crate::store::catalogue::{CatalogueCounts, CatalogueRow};
use crate::store::tenant_tx::TenantTx;

/// Longest id, characters.
pub const MAX_ID_CHARS: usize = 100;
/// Longest name, characters.
pub const MAX_NAME_CHARS: usize = 200;
pub const MAX_IDS: usize = 1_000;
/// Largest attributes of one entry, bytes of JSON.
const MAX_ATTRIBUTES_BYTES: usize = 16 * 1024;

/// How many entries each kind has; every kind is there.
pub async fn counts(tx: &mut TenantTx) -> Result<Vec<(CatalogueKind, CatalogueCounts)>, Refusal> {
    let found: BTreeMap<_, _> = tx.catalogue_counts().await?.into_iter().collect();
    let of = |kind| (kind, found.get(&kind).copied().unwrap_or_default());
    Ok(CatalogueKind::ALL.into_iter().map(of).collect())
}

pub async fn find(
    tx: &mut TenantTx,
    kind: CatalogueKind,
    id: &str,
) -> Result<CatalogueRow, Refusal> {
    // What no entry can be called is not even looked up: the database takes no U+0000.
    if !text::is_clean_line(id, MAX_ID_CHARS) {
        return Err(Refusal::NotFound);
    }
    tx.catalogue_row(kind, id).await?.ok_or(Refusal::NotFound)
}

/// Whether an id, a name and attributes can be in the catalogue. Pointers are those of `{name, attributes}`.
pub fn check(entry: &CatalogueEntry) -> Result<(), Vec<Fault>> {
    let mut faults = Faults::new();
    if !text::is_clean_line(&entry.id, MAX_ID_CHARS) {
        faults.add(
            "",
            Wrong::Line { most: MAX_ID_CHARS }.worded(format!(
                "an id is one line of 1 to {MAX_ID_CHARS} characters"
            )),
        );
    }
    if let Some(message) = text::refused_line(&entry.name, MAX_NAME_CHARS) {
        faults.add("/name", message);
    }
    let bytes = serde_json::to_vec(&entry.attributes).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_ATTRIBUTES_BYTES {
        faults.add(
            "/attributes",
            Wrong::Bytes {
                most: MAX_ATTRIBUTES_BYTES,
            },
        );
    }
    faults.into_result(())
}

/// Types an entry that was checked in, or over the one there is: its name and attributes are the admin's own from now on, and no reading of
/// Anam's lists changes them.
pub async fn put(
    change: &mut Change,
    kind: CatalogueKind,
    entry: &CatalogueEntry,
    enabled: bool,
    before: Option<&CatalogueRow>,
) -> Result<CatalogueRow, Refusal> {
    change.tx.put_catalogue_entry(kind, entry, enabled).await?;
    let action = if before.is_some() {
        "catalogue.change"
    } else {
        "catalogue.create"
    };
    let details = json!({ "name": entry.name, "enabled": enabled });
    change.note(action, &target(kind, &entry.id), details);
    find(&mut change.tx, kind, &entry.id).await
}

/// Forgets an entry. What Anam lists would come back with the next reading, so it can only be disallowed.
pub async fn delete(change: &mut Change, row: &CatalogueRow) -> Result<(), Refusal> {
    if row.seen_at.is_some() && row.retired_at.is_none() {
        return Err(Refusal::Conflict(Wrong::AnamLists.into()));
    }
    change
        .tx
        .delete_catalogue_entry(row.kind, &row.entry.id)
        .await?;
    let details = json!({ "name": row.entry.name });
    change.note(
        "catalogue.remove",
        &target(row.kind, &row.entry.id),
        details,
    );
    Ok(())
}

/// Allows entries, or disallows them; gives the ids for which that is new. Nothing happens where one of them is unknown.
pub async fn allow(
    change: &mut Change,
    kind: CatalogueKind,
    ids: &[String],
    enabled: bool,
) -> Result<Vec<String>, Refusal> {
    change.lock_authoring().await?;
    let known = change.tx.known_catalogue_ids(kind, ids).await?;
    let mut faults = Faults::new();
    for (index, id) in ids.iter().enumerate().filter(|(_, id)| !known.contains(id)) {
        faults.add(
            format!("/ids/{index}"),
            Wrong::NotInCatalogue(kind.as_str()).worded(format!(
                "{id:?} is not in the catalogue of {}s",
                kind.as_str()
            )),
        );
    }
    faults.into_result(()).map_err(Refusal::Invalid)?;
    let changed = change
        .tx
        .allow_catalogue_entries(kind, ids, enabled)
        .await?;
    if !changed.is_empty() {
        let action = if enabled {
            "catalogue.allow"
        } else {
            "catalogue.disallow"
        };
        let target = format!("catalogue/{}", kind.as_str());
        change.note(action, &target, json!({ "ids": changed }));
    }
    Ok(changed)
}

fn target(kind: CatalogueKind, id: &str) -> String {
    format!("catalogue/{}/{id}", kind.as_str())
}
