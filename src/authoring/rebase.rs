//! Brings a draft up to the newest version when its base has moved on.

use crate::domain::fault::{Fault, step};
use crate::domain::merge::{Choices, Unmerged, merge};
use crate::domain::wrong::Wrong;
use crate::store::drafts::DraftRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

use super::drafts;

/// Merges, field by field, what the draft changed since its base with what was sealed since. Where both changed the same
/// member, `keep` says whose value stays; for those without a choice nothing is written, and each is reported.
pub async fn rebase(
    change: &mut Change,
    draft: DraftRow,
    keep: &Choices,
) -> Result<DraftRow, Refusal> {
    change.lock_authoring().await?;
    let newest = change.tx.versions(draft.document, None, 1).await?;
    let Some(newest) = newest.into_iter().next() else {
        return Ok(draft);
    };
    if draft.base_version == Some(newest.number) {
        return Ok(draft);
    }
    let base = match draft.base_version {
        None => None,
        Some(number) => change.tx.version(draft.document, number).await?,
    };
    let base = base.map(|version| version.content).unwrap_or_default();
    let merged = merge(&base, &newest.content, &draft.content, keep);
    let content = merged.map_err(|unmerged| match unmerged {
        Unmerged::Conflicts(conflicts) => Refusal::MergeConflict {
            conflicts: serde_json::to_value(conflicts).unwrap_or_default(),
        },
        Unmerged::NoConflictAt(places) => Refusal::Invalid(
            places
                .iter()
                .map(|at| Fault::new(format!("/keep{}", step(at)), Wrong::NoConflict))
                .collect(),
        ),
    })?;
    let merged = DraftRow {
        base_version: Some(newest.number),
        content,
        ..draft
    };
    drafts::store(change, &merged, "rebase").await
}
