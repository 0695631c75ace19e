//! Seals a draft: its content becomes the document's next version and never changes again.

use serde_json::{Map, Value, json};

use super::bundle::pinned;
use super::documents::target;
use super::drafts::overtaken;
use super::examine::examine;
use crate::domain::document::DocumentKind;
use crate::domain::finding::Finding;
use crate::domain::ids::{DocumentId, VersionId};
use crate::domain::key::Key;
use crate::domain::persona::parse_snippet;
use crate::domain::wrong::Wrong;
use crate::sources::load::RELEASES_BACK;
use crate::store::StoreError;
use crate::store::documents::DocumentRow;
use crate::store::drafts::DraftRow;
use crate::store::versions::{NewVersion, SealedVersion};
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// A version just sealed.
#[derive(Debug)]
pub struct Sealed {
    pub version: SealedVersion,
    /// What was found in it, none of which prevents it.
    pub findings: Vec<Finding>,
}

/// Seals a draft that was read with this revision, provided that it has no fault and builds on the newest version.
/// Snippets that a persona does not pin itself are pinned to what is live. The draft is gone afterwards.
pub async fn seal(change: &mut Change, draft: &DraftRow, message: &str) -> Result<Sealed, Refusal> {
    let ready = Ready::prepare(change, draft).await?;
    let ready = ready.map_err(|wrong| Refusal::Conflict(wrong.into()))?;
    let now = change.now;
    let found = examine(&mut change.tx, now, draft.kind, &ready.key, &ready.content).await?;
    if found.blocks_sealing() {
        return Err(Refusal::document(
            found.findings,
            Finding::blocks_sealing,
            Vec::new(),
        ));
    }
    if !change.tx.delete_draft(draft.id, draft.revision).await? {
        return Err(overtaken());
    }
    Ok(Sealed {
        version: ready.insert(change, draft, message).await?,
        findings: found.findings,
    })
}

/// A draft that may be sealed if its content is sound.
pub(super) struct Ready {
    pub(super) key: Key,
    pub(super) document: DocumentRow,
    /// With every included snippet pinned.
    pub(super) content: Map<String, Value>,
}

impl Ready {
    /// Locks the tenant's documents, and says what keeps the draft from being sealed whatever its content.
    pub(super) async fn prepare(
        change: &mut Change,
        draft: &DraftRow,
    ) -> Result<Result<Self, Wrong>, Refusal> {
        change.lock_authoring().await?;
        let key = Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?;
        let document = super::documents::find(&mut change.tx, draft.kind, &key).await?;
        if document.archived_at.is_some() {
            return Ok(Err(Wrong::Archived));
        }
        if document.latest_version != draft.base_version {
            let version = document.latest_version.unwrap_or_default();
            return Ok(Err(Wrong::Overtaken { version }));
        }
        let content = with_pins(change, draft.kind, &draft.content).await?;
        let base = match draft.base_version {
            None => None,
            Some(number) => change.tx.version(document.id, number).await?,
        };
        if base.is_some_and(|base| base.content == content) {
            return Ok(Err(Wrong::Unchanged));
        }
        Ok(Ok(Self {
            key,
            document,
            content,
        }))
    }

    /// Adds the version.
    pub(super) async fn insert(
        &self,
        change: &mut Change,
        draft: &DraftRow,
        message: &str,
    ) -> Result<SealedVersion, StoreError> {
        let mut contributors = draft.contributors.clone();
        contributors.extend(change.admin.actor.contributors());
        contributors.sort();
        contributors.dedup();
        let new = Sealing {
            document: self.document.id,
            kind: draft.kind,
            key: &self.key,
            base_version: draft.base_version,
            content: &self.content,
            contributors: &contributors,
            message,
        };
        insert(change, &new).await
    }
}

pub(super) struct Sealing<'a> {
    pub(super) document: DocumentId,
    pub(super) kind: DocumentKind,
    pub(super) key: &'a Key,
    pub(super) base_version: Option<i32>,
    pub(super) content: &'a Map<String, Value>,
    pub(super) contributors: &'a [String],
    pub(super) message: &'a str,
}

/// Adds the version, and says so in the audit trail.
pub(super) async fn insert(
    change: &mut Change,
    sealing: &Sealing<'_>,
) -> Result<SealedVersion, StoreError> {
    let id = VersionId(change.new_id());
    let number = change
        .tx
        .insert_version(&NewVersion {
            document: sealing.document,
            id,
            base_version: sealing.base_version,
            content: sealing.content,
            author: &change.admin.actor.label,
            contributors: sealing.contributors,
            message: sealing.message,
        })
        .await?;
    let sealed = change.tx.version(sealing.document, number).await?;
    let sealed = sealed.ok_or_else(|| StoreError::Unreadable("a version just sealed".into()))?;
    let details = json!({ "version": number, "message": sealing.message });
    let action = format!("{}.seal", sealing.kind.as_str());
    let target = target(sealing.kind, sealing.key);
    change.note_hashes(&action, &target, None, Some(&sealed.hash), details);
    Ok(sealed)
}

/// A persona's content with every included snippet pinned; other content as it is.
pub(super) async fn with_pins(
    change: &mut Change,
    kind: DocumentKind,
    content: &Map<String, Value>,
) -> Result<Map<String, Value>, StoreError> {
    if kind != DocumentKind::Persona {
        return Ok(content.clone());
    }
    let released = change
        .tx
        .released_versions(change.now, RELEASES_BACK)
        .await?;
    Ok(pinned(content, |snippet| {
        released
            .iter()
            .filter(|row| row.kind == DocumentKind::Snippet && row.key == *snippet)
            .find(|row| parse_snippet(&row.content).is_ok())
            .map(|row| row.number)
    }))
}
