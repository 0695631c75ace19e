//! Documents as wholes: made with a first draft, taken out of use, brought back.

use serde_json::{Map, Value, json};

use super::drafts;
use super::soundness::Before;
use crate::domain::ids::DocumentId;
use crate::domain::key::Key;
use crate::store::documents::{DocumentKind, DocumentRow};
use crate::store::drafts::DraftRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Documents of one tenant at most.
const MAX_DOCUMENTS: i64 = 2_000;

/// The document, or [`Refusal::NotFound`].
pub async fn find(
    tx: &mut TenantTx,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Refusal> {
    let found = tx.document(kind, key.as_str()).await?;
    found.ok_or(Refusal::NotFound)
}

/// Makes a document with its first draft.
pub async fn create(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    title: &str,
    content: Map<String, Value>,
) -> Result<DraftRow, Refusal> {
    change.lock_authoring().await?;
    if let Some(row) = change.tx.document(kind, key.as_str()).await? {
        let advice = if row.archived_at.is_some() {
            "it is archived: restore it, or take another key"
        } else {
            "open a draft of it, or take another key"
        };
        return Err(Refusal::Exists(format!(
            "There is a {} `{key}` already; {advice}.",
            kind.as_str()
        )));
    }
    if change.tx.count_documents().await? >= MAX_DOCUMENTS {
        return Err(Refusal::Conflict(format!(
            "A tenant has at most {MAX_DOCUMENTS} documents."
        )));
    }
    let id = DocumentId(change.new_id());
    change.tx.insert_document(id, kind, key.as_str()).await?;
    change
        .note(
            &format!("{}.create", kind.as_str()),
            &target(kind, key),
            json!({}),
        )
        .await?;
    let row = find(&mut change.tx, kind, key).await?;
    drafts::insert(change, &row, None, title, content).await
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
    let before = Before::take(change, change.now).await?;
    let at = archived.then_some(change.now);
    change.tx.archive_document(row.id, at).await?;
    let broken = before.broken(change, &[]).await?;
    if !broken.is_empty() {
        let told: Vec<String> = broken.iter().map(ToString::to_string).collect();
        return Err(Refusal::InUse(format!("It {}.", told.join("; it "))));
    }
    let verb = if archived { "archive" } else { "restore" };
    change
        .note(
            &format!("{}.{verb}", kind.as_str()),
            &target(kind, key),
            json!({}),
        )
        .await?;
    find(&mut change.tx, kind, key).await
}

/// Where documents of a kind stand in a bundle.
pub(super) fn section(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Snippet => "snippets",
        DocumentKind::Persona => "personas",
        DocumentKind::Context => "contexts",
    }
}

/// The document in the audit trail and in plans.
pub(super) fn target(kind: DocumentKind, key: &Key) -> String {
    format!("{}/{key}", kind.as_str())
}
