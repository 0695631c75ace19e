//! Makes versions live: now, at a time, or back again. The only way to do so, for the API, the console and bundles.
//!
//! Releases of a tenant happen one after the other (`lock_authoring`), and each is judged by what it would leave live, at its
//! own moment and at every later one for which something is scheduled. So two admins who each release something sound
//! can't leave something broken together.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::documents::target;
use super::review::standing;
use super::soundness::Before;
use crate::domain::ids::{DocumentId, ReleaseId};
use crate::domain::key::Key;
use crate::store::StoreError;
use crate::store::documents::{DocumentKind, DocumentRow};
use crate::store::releases::{NewRelease, ReleaseRow, Way};
use crate::store::versions::SealedVersion;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// How far ahead a release may be scheduled.
const MAX_AHEAD: TimeDelta = TimeDelta::days(366);
/// So many releases back an earlier version is looked for.
const HISTORY: i64 = 1_000;

/// Releases a version, now or at a time to come.
pub async fn release(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    number: i32,
    live_from: Option<DateTime<Utc>>,
    note: &str,
) -> Result<ReleaseRow, Refusal> {
    change.lock_authoring().await?;
    let document = in_use(change, kind, key).await?;
    let version = change.tx.version(document.id, number).await?;
    let version = version
        .ok_or_else(|| Refusal::fault("/version", format!("there is no version {number} of it")))?;
    let live_from = moment(change.now, live_from)?;
    if live_from == change.now && document.live_version == Some(number) {
        return Err(Refusal::Conflict(format!(
            "Version {number} is live already."
        )));
    }
    approved(change, &document, &version).await?;
    insert(
        change,
        &document,
        key,
        &version,
        live_from,
        Way::Release,
        note,
    )
    .await
}

/// Releases a version now, whoever has approved it: for rehearsals. The tenant's documents are locked.
pub(super) async fn now(
    change: &mut Change,
    document: &DocumentRow,
    key: &Key,
    version: &SealedVersion,
) -> Result<ReleaseRow, Refusal> {
    let now = change.now;
    insert(change, document, key, version, now, Way::Release, "").await
}

/// Goes back to the version that was live before this one, or to an earlier one that is named.
pub async fn roll_back(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    to: Option<i32>,
    note: &str,
) -> Result<ReleaseRow, Refusal> {
    change.lock_authoring().await?;
    let document = in_use(change, kind, key).await?;
    let history = past(change, document.id).await?;
    let number = match to {
        // It was approved when it went live: going back must be quick.
        Some(number) if history.iter().any(|row| row.version == number) => number,
        Some(number) => {
            return Err(Refusal::fault(
                "/to",
                format!("version {number} was never live: release it instead"),
            ));
        }
        None => before_last(&history).ok_or_else(|| {
            Refusal::Conflict("There is no earlier live version to go back to.".into())
        })?,
    };
    if document.live_version == Some(number) {
        return Err(Refusal::Conflict(format!(
            "Version {number} is live already."
        )));
    }
    let version = change.tx.version(document.id, number).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let now = change.now;
    insert(change, &document, key, &version, now, Way::Rollback, note).await
}

/// Calls a scheduled release off: at its moment, what would be live without it stays live.
pub async fn cancel(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    id: ReleaseId,
) -> Result<ReleaseRow, Refusal> {
    change.lock_authoring().await?;
    let document = in_use(change, kind, key).await?;
    let rows = change.tx.releases(document.id, None, HISTORY).await?;
    let row = rows
        .iter()
        .find(|row| row.id == id)
        .ok_or(Refusal::NotFound)?;
    if row.live_from <= change.now {
        return Err(Refusal::Conflict(
            "It is live already, or was: roll back instead.".into(),
        ));
    }
    let ahead = |other: &&ReleaseRow| {
        (other.live_from, other.seq) < (row.live_from, row.seq) && other.id != row.id
    };
    let stays = rows
        .iter()
        .filter(ahead)
        .max_by_key(|other| (other.live_from, other.seq));
    let stays = stays.ok_or_else(|| {
        Refusal::Conflict(
            "Nothing of this document would be live without it: archive the document instead."
                .into(),
        )
    })?;
    let version = change.tx.version(document.id, stays.version).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let live_from = row.live_from;
    insert(change, &document, key, &version, live_from, Way::Cancel, "").await
}

/// Adds the release and judges what it leaves live. The tenant's documents are locked.
async fn insert(
    change: &mut Change,
    document: &DocumentRow,
    key: &Key,
    version: &SealedVersion,
    live_from: DateTime<Utc>,
    way: Way,
    note: &str,
) -> Result<ReleaseRow, Refusal> {
    let before = Before::take(change, live_from).await?;
    let what = What {
        document: document.id,
        kind: document.kind,
        key,
        version,
    };
    add(change, &what, live_from, way, note).await?;
    let broken = before
        .broken(change, &[(document.kind, key.clone())])
        .await?;
    if !broken.is_empty() {
        let faults = broken.into_iter().map(|it| it.fault).collect();
        return Err(Refusal::DocumentInvalid(faults));
    }
    let rows = change.tx.releases(document.id, None, 1).await?;
    let row = rows.into_iter().next();
    Ok(row.ok_or_else(|| StoreError::Unreadable("a release just made".into()))?)
}

/// Adds the row of a release that the caller judges, and tells the audit trail.
async fn add(
    change: &mut Change,
    what: &What<'_>,
    live_from: DateTime<Utc>,
    way: Way,
    note: &str,
) -> Result<(), StoreError> {
    let id = ReleaseId(change.new_id());
    let actor = change.admin.actor.label.clone();
    change
        .tx
        .insert_release(&NewRelease {
            id,
            document: what.document,
            version: what.version.id,
            live_from,
            way,
            actor: &actor,
            note,
        })
        .await?;
    let details = json!({ "version": what.version.number, "liveFrom": live_from, "note": note });
    let action = format!("{}.{}", what.kind.as_str(), way.as_str());
    change
        .note_hashes(
            &action,
            &target(what.kind, what.key),
            None,
            Some(&what.version.hash),
            details,
        )
        .await
}

/// What is released.
pub(super) struct What<'a> {
    pub(super) document: DocumentId,
    pub(super) kind: DocumentKind,
    pub(super) key: &'a Key,
    pub(super) version: &'a SealedVersion,
}

/// Releases one of many versions that go live together now. Whoever calls this judges them all when the last is in.
pub(super) async fn one_of_many(
    change: &mut Change,
    what: &What<'_>,
    note: &str,
) -> Result<(), StoreError> {
    let now = change.now;
    add(change, what, now, Way::Release, note).await
}

async fn in_use(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Refusal> {
    let document = super::documents::find(&mut change.tx, change.now, kind, key).await?;
    if document.archived_at.is_some() {
        return Err(Refusal::Conflict(
            "The document is archived: restore it first.".into(),
        ));
    }
    Ok(document)
}

/// The moment that a release asks for: none is now, and the past can't be changed.
fn moment(now: DateTime<Utc>, asked: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, Refusal> {
    match asked {
        None => Ok(now),
        Some(at) if at <= now => Err(Refusal::fault(
            "/liveFrom",
            "lies in the past: leave it out to release now",
        )),
        Some(at) if at > now + MAX_AHEAD => Err(Refusal::fault(
            "/liveFrom",
            "must be within a year from now",
        )),
        Some(at) => Ok(at),
    }
}

async fn approved(
    change: &mut Change,
    document: &DocumentRow,
    version: &SealedVersion,
) -> Result<(), Refusal> {
    let standing = standing(&mut change.tx, document.id, version).await?;
    if standing.is_met() {
        return Ok(());
    }
    let against = match standing.rejected_by.as_slice() {
        [] => String::new(),
        who => format!(" {} rejected it.", who.join(", ")),
    };
    Err(Refusal::ApprovalMissing(format!(
        "The tenant's policy asks for {} approval(s) by people who did not write in this version; it has {}.{against}",
        standing.required,
        standing.approved_by.len()
    )))
}

/// The releases that have taken effect, the one that is live last.
async fn past(change: &mut Change, document: DocumentId) -> Result<Vec<ReleaseRow>, StoreError> {
    let mut rows = change.tx.releases(document, None, HISTORY).await?;
    let now = change.now;
    rows.retain(|row| row.live_from <= now);
    rows.sort_by_key(|row| (row.live_from, row.seq));
    Ok(rows)
}

/// The version before the live one, as somebody who went back and goes back again expects it: what was gone back from
/// doesn't count.
fn before_last(history: &[ReleaseRow]) -> Option<i32> {
    let mut stack: Vec<i32> = Vec::new();
    for row in history {
        if row.way == Way::Rollback
            && let Some(at) = stack.iter().rposition(|version| *version == row.version)
        {
            stack.truncate(at + 1);
        } else if stack.last() != Some(&row.version) {
            stack.push(row.version);
        }
    }
    stack.pop();
    stack.pop()
}
