//! New documents, each with its first draft.

use serde_json::{Map, Value, json};

use super::documents::{find, is_free, target};
use super::drafts;
use crate::domain::document::DocumentKind;
use crate::domain::ids::DocumentId;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::sources::load::all_served;
use crate::store::drafts::DraftRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Documents of one tenant at most.
const MAX_DOCUMENTS: i64 = 2_000;

/// Makes a document with its first draft.
pub async fn create(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    title: &str,
    content: Map<String, Value>,
) -> Result<DraftRow, Refusal> {
    change.lock_authoring().await?;
    is_free(change, kind, key).await?;
    if change.tx.count_documents().await? >= MAX_DOCUMENTS {
        return Err(Refusal::Conflict(
            Wrong::Full {
                what: "documents",
                most: MAX_DOCUMENTS.to_string(),
            }
            .worded(format!("a tenant has at most {MAX_DOCUMENTS} documents")),
        ));
    }
    let id = DocumentId(change.new_id());
    change.tx.insert_document(id, kind, key.as_str()).await?;
    change.note(
        &format!("{}.create", kind.as_str()),
        &target(kind, key),
        json!({}),
    );
    let row = find(&mut change.tx, kind, key).await?;
    drafts::insert(change, &row, None, title, content).await
}

/// Makes a document whose first draft says what another one says: its version `from`, else the live one, else the newest, else the draft
/// that was written last.
pub async fn duplicate(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    copy: &Key,
    from: Option<i32>,
    title: &str,
) -> Result<DraftRow, Refusal> {
    change.lock_authoring().await?;
    let row = find(&mut change.tx, kind, key).await?;
    let number = if from.is_some() {
        from
    } else {
        let served = all_served(&mut change.tx, change.now).await?;
        let live = served.get(&(kind, key.clone()));
        live.and_then(|live| live.version).or(row.latest_version)
    };
    let content = if let Some(number) = number {
        let version = change.tx.version(row.id, number).await?;
        let missing = || Refusal::fault("/from", Wrong::NoSuchVersion(number));
        version.ok_or_else(missing)?.content
    } else {
        let drafts = change.tx.drafts_of(row.id).await?;
        let newest = drafts.into_iter().max_by_key(|draft| draft.updated_at);
        newest.map(|draft| draft.content).unwrap_or_default()
    };
    create(change, kind, copy, title, content).await
}
