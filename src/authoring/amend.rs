//! The most common act in one step: change something of what is live, and release it. All or nothing of it happens.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::drafts::check_size;
use super::examine::examine;
use super::release::{self, ReleaseRequest, VersionToRelease, active_document};
use super::review::{ReviewState, standing};
use super::seal::{self, Sealing, with_pins};
use crate::domain::diff::{self, Change as Difference};
use crate::domain::document::DocumentKind;
use crate::domain::finding::Finding;
use crate::domain::key::Key;
use crate::domain::merge_patch::merged;
use crate::domain::wrong::Wrong;
use crate::sources::load::all_served;
use crate::store::documents::DocumentRow;
use crate::store::releases::ReleaseRow;
use crate::store::versions::SealedVersion;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// What is to be changed of what is live.
#[derive(Debug)]
pub struct Amendment {
    /// A JSON merge patch of its content.
    pub patch: Map<String, Value>,
    /// Why: the version's message and the release's note.
    pub note: String,
    /// When it goes live; now unless set.
    pub live_from: Option<DateTime<Utc>>,
    /// For how many of a hundred users, beside what is live; for everybody unless set.
    pub percent: Option<u8>,
}

#[derive(Debug)]
pub struct Amended {
    pub version: SealedVersion,
    /// What differs from what was live.
    pub changes: Vec<Difference>,
    /// Its release; `None` where others must approve it first.
    pub release: Option<ReleaseRow>,
    /// The state of its reviews.
    pub standing: ReviewState,
    /// What was found in it, none of which prevents it.
    pub findings: Vec<Finding>,
}

/// Seals a version that says what is live, with the patch, and releases it; where the policy asks for approvals that it can't have yet, it
/// waits for them. A version that was sealed after the live one is not built on: what nobody released is not released by the way.
pub async fn amend(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    amendment: Amendment,
) -> Result<Amended, Refusal> {
    change.lock_authoring().await?;
    let document = active_document(change, kind, key).await?;
    let live = live(change, &document, key).await?;
    let patched = merged(&live.content, amendment.patch);
    check_size(&patched)?;
    let content = with_pins(change, kind, &patched).await?;
    if content == live.content {
        return Err(Refusal::Conflict(
            Wrong::SaysLive {
                version: live.number,
            }
            .into(),
        ));
    }
    let changes = diff::diff(&live.content, &content)
        .map_err(|too_large| Refusal::fault("/content", Wrong::from(too_large)))?;
    let contributors = change.admin.actor.contributors();
    let sealing = Sealing {
        document: document.id,
        kind,
        key,
        base_version: Some(live.number),
        content: &content,
        contributors: &contributors,
        message: &amendment.note,
    };
    let version = seal::insert(change, &sealing).await?;
    let standing = standing(&mut change.tx, document.id, &version).await?;
    let (release, findings) = if standing.is_met() {
        let wish = ReleaseRequest {
            version: version.number,
            live_from: amendment.live_from,
            percent: amendment.percent,
            note: &amendment.note,
        };
        let released = release::release(change, kind, key, wish).await?;
        (Some(released.row), released.findings)
    } else {
        let what = VersionToRelease::new(&document, key, &version);
        (None, rehearsed(change, &what).await?)
    };
    Ok(Amended {
        version,
        changes,
        release,
        standing,
        findings,
    })
}

async fn live(
    change: &mut Change,
    document: &DocumentRow,
    key: &Key,
) -> Result<SealedVersion, Refusal> {
    let served = all_served(&mut change.tx, change.now).await?;
    let served = served.get(&(document.kind, key.clone()));
    let number = served
        .and_then(|served| served.version)
        .ok_or_else(|| Refusal::Conflict(Wrong::NothingLive.into()))?;
    let version = change.tx.version(document.id, number).await?;
    version.ok_or(Refusal::NotFound)
}

/// Judges a release that must wait, as if it were made now: so that nobody approves what can't be released.
async fn rehearsed(
    change: &mut Change,
    what: &VersionToRelease<'_>,
) -> Result<Vec<Finding>, Refusal> {
    let now = change.now;
    let found = examine(
        &mut change.tx,
        now,
        what.kind,
        what.key,
        &what.version.content,
    )
    .await?;
    change.tx.remember().await?;
    let would_break = release::would_break(change, what).await?;
    change.tx.take_back().await?;
    if found.has_errors() || !would_break.is_empty() {
        return Err(Refusal::document(
            found.findings,
            Finding::is_error,
            would_break,
        ));
    }
    Ok(found.findings)
}
