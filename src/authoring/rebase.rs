//! Brings a draft up to the newest version when its base has moved on.

use crate::domain::merge::merge;
use crate::store::drafts::DraftRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

use super::drafts;

/// Merges, field by field, what the draft changed since its base with what was sealed since. Where both changed the same
/// member nothing is written, and each such member is told.
pub async fn rebase(change: &mut Change, draft: DraftRow) -> Result<DraftRow, Refusal> {
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
    let content = merge(&base, &newest.content, &draft.content).map_err(|conflicts| {
        Refusal::MergeConflict {
            conflicts: serde_json::to_value(conflicts).unwrap_or_default(),
        }
    })?;
    let merged = DraftRow {
        base_version: Some(newest.number),
        content,
        ..draft
    };
    drafts::store(change, &merged, "rebase").await
}
