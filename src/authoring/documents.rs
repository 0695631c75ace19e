//! Documents as wholes: taken out of use, brought back; those that were never released also renamed and deleted.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::soundness::LiveBefore;
use crate::domain::document::DocumentKind;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::store::documents::DocumentRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// The document, or [`Refusal::NotFound`].
pub async fn find(
    tx: &mut TenantTx,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Refusal> {
    let found = tx.document(kind, key.as_str()).await?;
    found.ok_or(Refusal::NotFound)
}

/// Refuses a key that another document has.
pub(super) async fn is_free(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
) -> Result<(), Refusal> {
    let Some(row) = change.tx.document(kind, key.as_str()).await? else {
        return Ok(());
    };
    let advice = if row.archived_at.is_some() {
        "it is archived: restore it, or take another key"
    } else {
        "open a draft of it, or take another key"
    };
    let exists = Wrong::DocumentExists {
        kind: kind.as_str(),
        name: key.to_string(),
    };
    let words = format!("{exists}; {advice}");
    Err(Refusal::Exists(exists.worded(words)))
}

/// Gives a document that was never released another key.
pub async fn rename(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    new: &Key,
) -> Result<DocumentRow, Refusal> {
    change.lock_authoring().await?;
    let row = find(&mut change.tx, kind, key).await?;
    if new == key {
        return Ok(row);
    }
    is_unknown_outside(
        change,
        &row,
        "renamed: duplicate it under the new key, and archive this one",
    )
    .await?;
    is_free(change, kind, new).await?;
    change.tx.rename_document(row.id, new.as_str()).await?;
    let details = json!({ "from": key.as_str() });
    change.note(
        &format!("{}.rename", kind.as_str()),
        &target(kind, new),
        details,
    );
    find(&mut change.tx, kind, new).await
}

/// Removes a document that was never released, with all that was written in it.
pub async fn delete(change: &mut Change, kind: DocumentKind, key: &Key) -> Result<(), Refusal> {
    change.lock_authoring().await?;
    let row = find(&mut change.tx, kind, key).await?;
    is_unknown_outside(change, &row, "deleted: archive it").await?;
    change.tx.delete_document(row.id).await?;
    let details = json!({ "drafts": row.drafts, "latestVersion": row.latest_version });
    change.note(
        &format!("{}.delete", kind.as_str()),
        &target(kind, key),
        details,
    );
    Ok(())
}

/// Whether nothing outside of a document's own drafts and versions can know of it yet. `instead` ends the sentence "It can't be".
async fn is_unknown_outside(
    change: &mut Change,
    row: &DocumentRow,
    instead: &'static str,
) -> Result<(), Refusal> {
    let (releases, _) = change.tx.count_releases(row.id, change.now).await?;
    if releases > 0 {
        return Err(Refusal::Conflict(Wrong::WasReleased(instead).into()));
    }
    if row.kind == DocumentKind::Snippet
        && let Some(persona) = change.tx.pinned_by(&row.key).await?
    {
        return Err(Refusal::InUse(
            Wrong::PinnedBy {
                name: persona,
                instead,
            }
            .into(),
        ));
    }
    Ok(())
}

/// What of a document's state a change of it is based on: whatever of it changes, this does.
pub async fn state(
    tx: &mut TenantTx,
    row: &DocumentRow,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, Refusal> {
    let releases = tx.count_releases(row.id, now).await?;
    let state = (
        row.id.0,
        row.latest_version,
        row.drafts,
        row.archived_at,
        releases,
    );
    Ok(serde_json::to_vec(&state).unwrap_or_default())
}

/// Takes a document out of use, unless something live needs it. Its versions stay.
pub async fn archive(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Refusal> {
    set_archived(change, kind, key, true).await
}

/// Brings a document back: what was live of it is live again.
pub async fn restore(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Refusal> {
    set_archived(change, kind, key, false).await
}

async fn set_archived(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    archived: bool,
) -> Result<DocumentRow, Refusal> {
    change.lock_authoring().await?;
    let row = find(&mut change.tx, kind, key).await?;
    if row.archived_at.is_some() == archived {
        return Ok(row);
    }
    let before = LiveBefore::take(change, change.now).await?;
    let at = archived.then_some(change.now);
    change.tx.archive_document(row.id, at).await?;
    let broken = before.broken(change, &[]).await?;
    if !broken.is_empty() {
        let reasons: Vec<String> = broken.iter().map(ToString::to_string).collect();
        return Err(Refusal::InUse(Wrong::Needed(reasons.join("; it ")).into()));
    }
    let verb = if archived { "archive" } else { "restore" };
    change.note(
        &format!("{}.{verb}", kind.as_str()),
        &target(kind, key),
        json!({}),
    );
    find(&mut change.tx, kind, key).await
}

/// The document in the audit trail and in plans.
pub(super) fn target(kind: DocumentKind, key: &Key) -> String {
    format!("{}/{key}", kind.as_str())
}
