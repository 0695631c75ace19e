//! What a release would say, found by doing it and taking it back: the change must not be committed afterwards.

use super::documents;
use super::examine::examine;
use super::release::{self, VersionToRelease};
use super::seal::Ready;
use crate::domain::document::DocumentKind;
use crate::domain::examine::Examination;
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::store::drafts::DraftRow;
use crate::store::versions::SealedVersion;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Everything that is known of a draft or a version before its release, approvals left aside.
#[derive(Debug)]
pub struct DryRun {
    /// What was found in the document.
    pub found: Examination,
    /// What would break elsewhere or at a later time, and what keeps a draft from being sealed whatever it says.
    pub would_break: Vec<Fault>,
}

/// Rehearses sealing and releasing a draft, whether it has faults or not.
pub async fn of_draft(change: &mut Change, draft: &DraftRow) -> Result<DryRun, Refusal> {
    let kind = draft.kind;
    let ready = match Ready::prepare(change, draft).await? {
        Ok(ready) => ready,
        Err(wrong) => {
            let key = Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?;
            let found = examine(&mut change.tx, change.now, kind, &key, &draft.content).await?;
            return Ok(DryRun {
                found,
                would_break: vec![Fault::new("", wrong)],
            });
        }
    };
    let found = examine(&mut change.tx, change.now, kind, &ready.key, &ready.content).await?;
    let version = ready.insert(change, draft, "").await?;
    let what = VersionToRelease {
        document: ready.document.id,
        kind,
        key: &ready.key,
        version: &version,
    };
    let would_break = release::would_break(change, &what).await?;
    Ok(DryRun { found, would_break })
}

/// Rehearses the release of a version.
pub async fn of_version(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    number: i32,
) -> Result<DryRun, Refusal> {
    change.lock_authoring().await?;
    let document = documents::find(&mut change.tx, kind, key).await?;
    let version: Option<SealedVersion> = change.tx.version(document.id, number).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let found = examine(&mut change.tx, change.now, kind, key, &version.content).await?;
    let would_break = if document.archived_at.is_some() {
        vec![Fault::new("", Wrong::Archived)]
    } else {
        let what = VersionToRelease {
            document: document.id,
            kind,
            key,
            version: &version,
        };
        release::would_break(change, &what).await?
    };
    Ok(DryRun { found, would_break })
}
