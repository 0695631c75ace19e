//! Drafts: what is not sealed yet. A document may have several at once, and nothing live knows of them.

use serde_json::{Map, Value, json};

use super::documents::target;
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::ids::DraftId;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::store::documents::DocumentRow;
use crate::store::drafts::{DraftRow, NewDraft};
use crate::store::tenant_tx::TenantTx;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Longest title of a draft, characters.
pub const MAX_TITLE: usize = 200;

/// Drafts of one document at most.
const MAX_DRAFTS: i64 = 50;
/// The largest content, bytes of JSON.
const MAX_CONTENT_BYTES: usize = 256 * 1024;

/// The draft, or [`Refusal::NotFound`].
pub async fn find(tx: &mut TenantTx, id: DraftId) -> Result<DraftRow, Refusal> {
    tx.draft(id).await?.ok_or(Refusal::NotFound)
}

/// Opens a draft of a document: of the content given, else of version `from`, else of the newest version.
pub async fn open(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    from: Option<i32>,
    title: &str,
    content: Option<Map<String, Value>>,
) -> Result<DraftRow, Refusal> {
    change.lock_authoring().await?;
    let document = super::documents::find(&mut change.tx, kind, key).await?;
    let base = from.or(document.latest_version);
    let based_on = match base {
        None => None,
        Some(number) => {
            let version = change.tx.version(document.id, number).await?;
            Some(version.ok_or_else(|| Refusal::fault("/from", Wrong::NoSuchVersion(number)))?)
        }
    };
    let content = content
        .or_else(|| based_on.map(|version| version.content))
        .unwrap_or_default();
    insert(change, &document, base, title, content).await
}

/// Adds a draft. The tenant's documents are locked.
pub(super) async fn insert(
    change: &mut Change,
    document: &DocumentRow,
    base_version: Option<i32>,
    title: &str,
    content: Map<String, Value>,
) -> Result<DraftRow, Refusal> {
    check_size(&content)?;
    if document.archived_at.is_some() {
        return Err(Refusal::Conflict(Wrong::Archived.into()));
    }
    if change.tx.count_drafts(document.id).await? >= MAX_DRAFTS {
        return Err(Refusal::Conflict(
            Wrong::Full {
                what: "drafts",
                most: MAX_DRAFTS.to_string(),
            }
            .worded(format!(
                "a document has at most {MAX_DRAFTS} drafts: discard one that is no longer needed"
            )),
        ));
    }
    let id = DraftId(change.new_id());
    let actor = change.admin.actor.clone();
    change
        .tx
        .insert_draft(&NewDraft {
            id,
            document: document.id,
            base_version,
            title,
            content: &content,
            author: &actor.label,
            contributors: &actor.contributors(),
            at: change.now,
        })
        .await?;
    let draft = find(&mut change.tx, id).await?;
    note(change, &draft, "open");
    Ok(draft)
}

/// Writes a draft that was read with this revision.
pub async fn write(
    change: &mut Change,
    draft: DraftRow,
    title: Option<String>,
    content: Map<String, Value>,
) -> Result<DraftRow, Refusal> {
    check_size(&content)?;
    let written = DraftRow {
        title: title.unwrap_or(draft.title),
        content,
        ..draft
    };
    store(change, &written, "write").await
}

/// Stores a draft as it is now, unless somebody else wrote it since it was read.
pub(super) async fn store(
    change: &mut Change,
    draft: &DraftRow,
    verb: &str,
) -> Result<DraftRow, Refusal> {
    let contributors = change.admin.actor.contributors();
    if !change
        .tx
        .update_draft(draft, &contributors, change.now)
        .await?
    {
        return Err(overtaken());
    }
    note(change, draft, verb);
    find(&mut change.tx, draft.id).await
}

/// Throws a draft away.
pub async fn discard(change: &mut Change, draft: &DraftRow) -> Result<(), Refusal> {
    if !change.tx.delete_draft(draft.id, draft.revision).await? {
        return Err(overtaken());
    }
    note(change, draft, "discard");
    Ok(())
}

/// Another change came between reading and writing, within the same second as it were.
pub(super) fn overtaken() -> Refusal {
    Refusal::Conflict(Wrong::DraftWritten.into())
}

fn note(change: &mut Change, draft: &DraftRow, verb: &str) {
    let target = Key::parse(&draft.key).map(|key| target(draft.kind, &key));
    let details = json!({ "draft": draft.id, "baseVersion": draft.base_version });
    change.note(
        &format!("draft.{verb}"),
        &target.unwrap_or_default(),
        details,
    );
}

pub(super) fn check_size(content: &Map<String, Value>) -> Result<(), Refusal> {
    let bytes = serde_json::to_vec(content).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_CONTENT_BYTES {
        return Err(Refusal::Invalid(vec![Fault::new(
            "/content",
            Wrong::Bytes {
                most: MAX_CONTENT_BYTES,
            }
            .worded(format!(
                "must be at most {MAX_CONTENT_BYTES} bytes of JSON; it has {bytes}"
            )),
        )]));
    }
    Ok(())
}
