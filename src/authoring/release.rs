//! Makes versions live: now, at a time, or back again. The only way to do so, for the API and for bundles.
//!
//! Releases of a tenant happen one after the other (`lock_authoring`), and each is judged by what it would leave live, at its
//! own moment and at every later one for which something is scheduled. So two admins who each release something sound
//! can't leave something broken together. Which version is live when, `domain/timeline.rs` says; what time it is, the database.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::documents::target;
use super::examine::Examiner;
use super::review::standing;
use super::scenario::Overlay;
use super::soundness::LiveBefore;
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::finding::Finding;
use crate::domain::ids::{DocumentId, ReleaseId};
use crate::domain::key::Key;
use crate::domain::timeline::{Release, Timeline, Way};
use crate::domain::wrong::Wrong;
use crate::store::StoreError;
use crate::store::documents::{DocumentRow, VersionRow};
use crate::store::releases::{NewRelease, ReleaseRow};
use crate::store::versions::SealedVersion;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Longest note of a release, characters.
pub const MAX_NOTE: usize = 500;
/// How far ahead a release may be scheduled.
const MAX_AHEAD: TimeDelta = TimeDelta::days(366);
/// How many releases back an earlier version is looked for.
const HISTORY: i64 = 1_000;
/// Most releases of a document that are scheduled at a time.
const MAX_SCHEDULED: usize = 20;
/// Most releases of a tenant that are scheduled at a time.
const MAX_SCHEDULED_OF_TENANT: i64 = 100;
/// Most moments for which a tenant has something scheduled: each change is judged at all of them.
const MAX_MOMENTS: i64 = 20;

/// A version to release, and how.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseRequest<'a> {
    /// The version's number.
    pub version: i32,
    /// When it goes live; now unless set.
    pub live_from: Option<DateTime<Utc>>,
    /// To how many of a hundred users, beside the live version; to everybody unless set.
    pub percent: Option<u8>,
    pub note: &'a str,
}

#[derive(Debug)]
pub struct Released {
    pub row: ReleaseRow,
    /// What was found in the version, none of which prevents it.
    pub findings: Vec<Finding>,
}

/// Releases a version, now or at a time to come, to everybody or to a share of the users.
pub async fn release(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    wish: ReleaseRequest<'_>,
) -> Result<Released, Refusal> {
    let number = wish.version;
    change.lock_authoring().await?;
    let document = active_document(change, kind, key).await?;
    let version = change.tx.version(document.id, number).await?;
    let version =
        version.ok_or_else(|| Refusal::fault("/version", Wrong::NoSuchVersion(number)))?;
    let live_from = moment(change.now, wish.live_from)?;
    let history = history(change, document.id).await?;
    let timeline = Timeline::new(&history);
    if live_from > change.now {
        check_schedule_capacity(change, &timeline, live_from).await?;
    } else if wish.percent.is_none() {
        is_another(&timeline, change.now, number)?;
    }
    if let Some(percent) = wish.percent {
        beside_the_live_one(change, &timeline, &document, &version, live_from, percent).await?;
    }
    let standing = standing(&mut change.tx, document.id, &version).await?;
    standing.require()?;
    let item = VersionToRelease::new(&document, key, &version);
    let act = ReleaseAction {
        percent: wish.percent,
        ..ReleaseAction::release(live_from)
    };
    insert(change, &item, &act, wish.note).await
}

/// Whether a version may go to a share of the users from a moment on.
async fn beside_the_live_one(
    change: &mut Change,
    timeline: &Timeline<'_>,
    document: &DocumentRow,
    version: &SealedVersion,
    from: DateTime<Utc>,
    percent: u8,
) -> Result<(), Refusal> {
    let number = version.number;
    if document.kind == DocumentKind::Snippet {
        return Err(Refusal::fault("/percent", Wrong::NoSnippetRollout));
    }
    let Some(live) = timeline.live(from) else {
        return Err(Refusal::Conflict(Wrong::LiveForNoOthers.into()));
    };
    if live.version == number {
        return Err(Refusal::fault("/version", Wrong::LiveElse(number)));
    }
    let same = |rollout: &Release| (rollout.version, rollout.percent) == (number, Some(percent));
    if from == change.now && timeline.rollout(from).is_some_and(same) {
        return Err(Refusal::Conflict(
            Wrong::RolledOut {
                version: number,
                percent,
            }
            .into(),
        ));
    }
    let beside = change.tx.version(document.id, live.version).await?;
    let beside = beside.ok_or(Refusal::NotFound)?;
    if document.kind == DocumentKind::Context
        && beside.content.get("aliases") != version.content.get("aliases")
    {
        return Err(Refusal::fault("/version", Wrong::OtherAliases));
    }
    Ok(())
}

/// Goes back to the version that was live before this one, or to an earlier one that is named. While a version is rolled out,
/// going back ends that.
pub async fn roll_back(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    to: Option<i32>,
    note: &str,
) -> Result<Released, Refusal> {
    change.lock_authoring().await?;
    let document = active_document(change, kind, key).await?;
    let history = history(change, document.id).await?;
    let timeline = Timeline::new(&history);
    let past = timeline.until(change.now).iter().copied();
    let past: Vec<&Release> = past.filter(|row| row.percent.is_none()).collect();
    let live = timeline.live(change.now).map(|row| row.version);
    let number = match to {
        // It was approved when it went live: going back must be quick.
        Some(number) if past.iter().any(|row| row.version == number) => number,
        Some(number) => {
            return Err(Refusal::fault("/to", Wrong::NeverLive(number)));
        }
        None if timeline.rollout(change.now).is_some() => live.ok_or(Refusal::NotFound)?,
        None => before_last(&past).ok_or_else(|| Refusal::Conflict(Wrong::NoneEarlier.into()))?,
    };
    is_another(&timeline, change.now, number)?;
    let version = change.tx.version(document.id, number).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let act = ReleaseAction {
        way: Way::Rollback,
        ..ReleaseAction::release(change.now)
    };
    insert(
        change,
        &VersionToRelease::new(&document, key, &version),
        &act,
        note,
    )
    .await
}

/// Calls a scheduled release off: at its moment, what would be live without it stays live, whatever that is by then.
pub async fn cancel(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    id: ReleaseId,
) -> Result<Released, Refusal> {
    change.lock_authoring().await?;
    let document = active_document(change, kind, key).await?;
    let history = history(change, document.id).await?;
    let found = history.iter().find(|release| release.id == id);
    let release = found.ok_or(Refusal::NotFound)?;
    let timeline = Timeline::new(&history);
    if release.way == Way::Cancel {
        return Err(Refusal::Conflict(Wrong::IsCancellation.into()));
    }
    if release.live_from <= change.now {
        return Err(Refusal::Conflict(Wrong::ReleasedAlready.into()));
    }
    if !timeline.after(change.now).iter().any(|row| row.id == id) {
        return Err(Refusal::Conflict(Wrong::CalledOff.into()));
    }
    let live_from = release.live_from;
    // Instances of an earlier release read the version of a cancellation as what is live at its moment.
    let without = timeline.without(id);
    let number = without
        .live(live_from)
        .map_or(release.version, |stays| stays.version);
    let version = change.tx.version(document.id, number).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let act = ReleaseAction {
        way: Way::Cancel,
        cancels: Some(id),
        ..ReleaseAction::release(live_from)
    };
    insert(
        change,
        &VersionToRelease::new(&document, key, &version),
        &act,
        "",
    )
    .await
}

/// How and when a version becomes live.
struct ReleaseAction {
    way: Way,
    live_from: DateTime<Utc>,
    cancels: Option<ReleaseId>,
    percent: Option<u8>,
}

impl ReleaseAction {
    fn release(live_from: DateTime<Utc>) -> Self {
        Self {
            way: Way::Release,
            live_from,
            cancels: None,
            percent: None,
        }
    }
}

/// Adds the release and judges what it leaves live. The tenant's documents are locked.
async fn insert(
    change: &mut Change,
    item: &VersionToRelease<'_>,
    act: &ReleaseAction,
    note: &str,
) -> Result<Released, Refusal> {
    let would_break = add_and_look(change, item, act, note).await?;
    // In a rollout too, it is judged as if everybody got it.
    let in_place = Overlay::Version(VersionRow {
        document: item.document,
        kind: item.kind,
        key: item.key.as_str().to_owned(),
        number: item.version.number,
        content: item.version.content.clone(),
        hash: item.version.hash.clone(),
    });
    let examiner = Examiner::at(&mut change.tx, act.live_from, &[in_place]).await?;
    let found = examiner.examine(item.kind, item.key, &item.version.content);
    if found.has_errors() || !would_break.is_empty() {
        let findings = found.findings;
        return Err(Refusal::document(findings, Finding::is_error, would_break));
    }
    let rows = change.tx.releases(item.document, None, 1).await?;
    let row = rows.into_iter().next();
    Ok(Released {
        row: row.ok_or_else(|| StoreError::Unreadable("a release just made".into()))?,
        findings: found.findings,
    })
}

/// Adds the row of a release, and tells what it breaks in other documents. The tenant's documents are locked.
async fn add_and_look(
    change: &mut Change,
    item: &VersionToRelease<'_>,
    act: &ReleaseAction,
    note: &str,
) -> Result<Vec<Fault>, Refusal> {
    let before = LiveBefore::take(change, act.live_from).await?;
    add(change, item, act, note).await?;
    let about = [(item.kind, item.key.clone())];
    before.broken(change, &about).await
}

/// What a release now would break in other documents: for rehearsals, which take it back. The tenant's documents are locked.
pub(super) async fn would_break(
    change: &mut Change,
    item: &VersionToRelease<'_>,
) -> Result<Vec<Fault>, Refusal> {
    let act = ReleaseAction::release(change.now);
    add_and_look(change, item, &act, "").await
}

/// Adds the row of a release that the caller judges, and tells the audit trail.
async fn add(
    change: &mut Change,
    item: &VersionToRelease<'_>,
    act: &ReleaseAction,
    note: &str,
) -> Result<(), StoreError> {
    let id = ReleaseId(change.new_id());
    let actor = change.admin.actor.label.clone();
    change
        .tx
        .insert_release(&NewRelease {
            id,
            document: item.document,
            version: item.version.id,
            live_from: act.live_from,
            way: act.way,
            cancels: act.cancels,
            percent: act.percent,
            created_at: change.now,
            actor: &actor,
            note,
        })
        .await?;
    let mut details =
        json!({ "version": item.version.number, "liveFrom": act.live_from, "note": note });
    if let Value::Object(members) = &mut details {
        if let Some(id) = act.cancels {
            members.insert("cancels".into(), id.0.to_string().into());
        }
        if let Some(percent) = act.percent {
            members.insert("percent".into(), percent.into());
        }
    }
    let action = format!("{}.{}", item.kind.as_str(), act.way.as_str());
    change.note_hashes(
        &action,
        &target(item.kind, item.key),
        None,
        Some(&item.version.hash),
        details,
    );
    Ok(())
}

/// A version of a document, about to be released.
pub(super) struct VersionToRelease<'a> {
    pub(super) document: DocumentId,
    pub(super) kind: DocumentKind,
    pub(super) key: &'a Key,
    pub(super) version: &'a SealedVersion,
}

impl<'a> VersionToRelease<'a> {
    pub(super) fn new(document: &DocumentRow, key: &'a Key, version: &'a SealedVersion) -> Self {
        Self {
            document: document.id,
            kind: document.kind,
            key,
            version,
        }
    }
}

/// Releases one of many versions that go live together now. Whoever calls this judges them all when the last is in.
pub(super) async fn release_in_batch(
    change: &mut Change,
    item: &VersionToRelease<'_>,
    note: &str,
) -> Result<(), StoreError> {
    let act = ReleaseAction::release(change.now);
    add(change, item, &act, note).await
}

pub(super) async fn active_document(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Refusal> {
    let document = super::documents::find(&mut change.tx, kind, key).await?;
    if document.archived_at.is_some() {
        return Err(Refusal::Conflict(Wrong::Archived.into()));
    }
    Ok(document)
}

/// The moment that a release asks for: none is now, and the past can't be changed.
fn moment(now: DateTime<Utc>, asked: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, Refusal> {
    match asked {
        None => Ok(now),
        Some(at) if at <= now => Err(Refusal::fault("/liveFrom", Wrong::Past)),
        Some(at) if at > now + MAX_AHEAD => Err(Refusal::fault("/liveFrom", Wrong::WithinYear)),
        Some(at) => Ok(at),
    }
}

async fn history(change: &mut Change, document: DocumentId) -> Result<Vec<Release>, StoreError> {
    let rows = change.tx.releases(document, None, HISTORY).await?;
    Ok(rows.into_iter().map(|row| row.release).collect())
}

/// Refuses to release what is live for everybody already.
fn is_another(timeline: &Timeline<'_>, now: DateTime<Utc>, number: i32) -> Result<(), Refusal> {
    match timeline.live(now) {
        Some(live) if live.version == number && timeline.rollout(now).is_none() => Err(
            Refusal::Conflict(Wrong::LiveAlready { version: number }.into()),
        ),
        _ => Ok(()),
    }
}

/// Whether one more release may be scheduled.
async fn check_schedule_capacity(
    change: &mut Change,
    timeline: &Timeline<'_>,
    live_from: DateTime<Utc>,
) -> Result<(), Refusal> {
    let full = |what, most: String, words: String| {
        let words = format!("{words}, or wait until one takes effect");
        Err(Refusal::Conflict(Wrong::Full { what, most }.worded(words)))
    };
    if timeline.after(change.now).len() >= MAX_SCHEDULED {
        let words = format!(
            "the document has {MAX_SCHEDULED} scheduled releases, and no room for more: cancel one"
        );
        return full("scheduled_of_document", MAX_SCHEDULED.to_string(), words);
    }
    let scheduled = change.tx.scheduled(change.now, live_from).await?;
    if scheduled.releases >= MAX_SCHEDULED_OF_TENANT {
        let words = format!(
            "{MAX_SCHEDULED_OF_TENANT} releases are scheduled, and there is no room for more: cancel one"
        );
        return full("scheduled", MAX_SCHEDULED_OF_TENANT.to_string(), words);
    }
    if scheduled.moments >= MAX_MOMENTS && !scheduled.at_that_moment {
        let words = format!(
            "releases are scheduled for {MAX_MOMENTS} moments, and there is no room for another: choose one of those moments, cancel a release"
        );
        return full("moments", MAX_MOMENTS.to_string(), words);
    }
    Ok(())
}

/// The version before the live one, as somebody who went back and goes back again expects it: what was gone back from
/// doesn't count.
fn before_last(history: &[&Release]) -> Option<i32> {
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
