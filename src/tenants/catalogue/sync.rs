//! Reads Anam's lists for a tenant, on demand and on schedule. What users may choose stays the admins' to say: new things
//! come in as not allowed (unless the policy says otherwise), known ones get their new names and pictures, and what Anam no
//! longer lists is retired, which an admin need not notice for mints to go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::anam::{AnamError, ApiKey, Listing};
use crate::domain::catalogue::{CatalogueEntry, CatalogueSource};
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::ids::{CatalogueSyncId, TenantId};
use crate::domain::policy::Policy;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::sources::SourceError;
use crate::store::StoreError;
use crate::store::catalogue::CatalogueRow;
use crate::store::catalogue_sync::{CatalogueSyncRow, DueSync};
use crate::store::tenant_tx::TenantTx;
use crate::tenants::actor::Actor;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// The kinds that Anam has lists of.
const LISTED: [CatalogueKind; 4] = [
    CatalogueKind::Avatar,
    CatalogueKind::Voice,
    CatalogueKind::Llm,
    CatalogueKind::Tool,
];
/// A reading that has not ended after this long never will.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// Tenants that one round of the schedule takes on, one after the other.
const EACH_ROUND: i64 = 20;
/// Ids that a report names; the rest is counted.
const MAX_NAMED: usize = 100;
/// Entries of one kind at most. Anam lists a few hundred; without a bound a wrong answer could fill the memory of every
/// instance.
const MAX_ENTRIES: i64 = 20_000;

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Some lists were not, and their kinds were left alone.
    Partial,
    /// No list was read.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A list as Anam gave it, or why it could not be read.
type ReadList = Result<Listing, String>;

/// Reads the lists of an admin's tenant now.
pub async fn sync(gateway: &Arc<Gateway>, admin: &Admin) -> Result<CatalogueSyncRow, Refusal> {
    sync_when(gateway, admin, |_any| true).await
}

/// The same, provided that the newest reading is one that `may_follow`.
async fn sync_when(
    gateway: &Arc<Gateway>,
    admin: &Admin,
    may_follow: impl FnOnce(Option<CatalogueSyncId>) -> bool,
) -> Result<CatalogueSyncRow, Refusal> {
    let key = key(gateway, admin.tenant).await?;
    let id = begin(gateway, admin, may_follow).await?;
    let (found, stock_only) = match key {
        Ok((key, is_own)) => (read(gateway, &key, is_own).await, !is_own),
        Err(why) => {
            let failed = LISTED.map(|kind| (kind, Err(why.to_owned())));
            (failed.into_iter().collect(), false)
        }
    };
    let (inside, admin) = (gateway.clone(), admin.clone());
    let finished = gateway.work(admin.tenant, async move || {
        finish(&inside, &admin, id, found, stock_only).await
    });
    finished.await?
}

/// One round of the schedule: reads the lists of tenants whose turn it is. However many instances do so, each turn is taken
/// once.
pub async fn round(gateway: &Arc<Gateway>) -> Result<(), StoreError> {
    let mut platform = gateway.database.platform().await?;
    let due = platform
        .tenants_due_for_catalogue_sync(gateway.clock.now(), EACH_ROUND)
        .await?;
    platform.commit().await?;
    for DueSync { tenant, last } in due {
        let schedule = Admin {
            tenant,
            role: Role::Publisher,
            actor: Actor {
                label: "gateway:schedule".into(),
                person: None,
            },
            request_id: None,
            proven_at: None,
        };
        // The turn is over once anybody has begun another reading, be it done by now.
        match sync_when(gateway, &schedule, |newest| newest == last).await {
            // Another instance was faster.
            Ok(_) | Err(Refusal::Conflict(_)) => {}
            Err(error) => {
                tracing::warn!(tenant.id = %tenant, %error, "the catalogue was not synchronised");
            }
        }
    }
    Ok(())
}

/// Notes that a reading begins, unless one is under way.
async fn begin(
    gateway: &Gateway,
    admin: &Admin,
    may_follow: impl FnOnce(Option<CatalogueSyncId>) -> bool,
) -> Result<CatalogueSyncId, Refusal> {
    let mut change = Change::begin(gateway, admin).await?;
    change.tx.lock_catalogue_sync().await?;
    let newest = change.tx.catalogue_syncs(None, 1).await?;
    let is_running =
        |row: &CatalogueSyncRow| row.outcome == "running" && change.now - row.started_at < LONGEST;
    if newest.first().is_some_and(is_running) {
        return Err(Refusal::Conflict(Wrong::SyncRunning.into()));
    }
    if !may_follow(newest.first().map(|row| row.id)) {
        return Err(Refusal::Conflict(Wrong::SyncJustNow.into()));
    }
    let id = CatalogueSyncId(change.new_id());
    let label = change.admin.actor.label.clone();
    change
        .tx
        .begin_catalogue_sync(id, &label, change.now)
        .await?;
    change.commit().await?;
    Ok(id)
}

/// The key that mints are made with, and whether it is the tenant's own; else why there is none.
async fn key(
    gateway: &Gateway,
    tenant: TenantId,
) -> Result<Result<(ApiKey, bool), &'static str>, Refusal> {
    let live = match gateway.sources.tenant(tenant).await {
        Ok(live) => live,
        Err(SourceError::PolicyBroken(_)) => return Ok(Err("policy_broken")),
        Err(error) => return Err(error.into()),
    };
    Ok(match live.anam_key() {
        Ok(key) => Ok((key.clone(), live.has_own_key)),
        Err(_) => Err("provider_key_unavailable"),
    })
}

async fn read(gateway: &Gateway, key: &ApiKey, is_own: bool) -> BTreeMap<CatalogueKind, ReadList> {
    let mut found = BTreeMap::new();
    for kind in LISTED {
        // Tools do not say whose they are. Behind the platform's key they may be other tenants'.
        if kind == CatalogueKind::Tool && !is_own {
            continue;
        }
        let listed = gateway.anam.list(key, kind).await;
        let refused = matches!(listed, Err(AnamError::KeyRefused));
        found.insert(kind, listed.map_err(|error| error.code().to_owned()));
        if refused {
            break;
        }
    }
    found
}

/// Takes in what was read, in one transaction.
async fn finish(
    gateway: &Gateway,
    admin: &Admin,
    id: CatalogueSyncId,
    found: BTreeMap<CatalogueKind, ReadList>,
    stock_only: bool,
) -> Result<CatalogueSyncRow, Refusal> {
    let mut change = Change::begin(gateway, admin).await?;
    change.lock_authoring().await?;
    let tenant = change.tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
    let policy = Policy::parse(&tenant.policy).unwrap_or_default();
    let allow_new = policy.catalogue_sync.is_some_and(|sync| sync.allow_new);
    let failures = found.values().filter(|found| found.is_err()).count();
    let outcome = match failures {
        0 => Outcome::Done,
        some if some < found.len() => Outcome::Partial,
        _ => Outcome::Failed,
    };
    let mut report = Map::new();
    let mut totals = Totals::default();
    for (kind, found) in found {
        let entry = match found {
            Err(code) => json!({ "error": code }),
            Ok(listing) => {
                let listing = if stock_only { stock(listing) } else { listing };
                let taken = take_in(&mut change, kind, listing, allow_new).await?;
                totals.add(&taken);
                taken.to_report()
            }
        };
        report.insert(kind.as_str().to_owned(), entry);
    }
    change
        .tx
        .end_catalogue_sync(id, outcome.as_str(), &report, change.now)
        .await?;
    let details = json!({
        "outcome": outcome.as_str(), "new": totals.new, "changed": totals.changed,
        "retired": totals.retired, "returned": totals.returned,
    });
    change.note("catalogue.sync", "catalogue", details);
    let rows = change.tx.catalogue_syncs(None, 10).await?;
    change.commit().await?;
    let row = rows.into_iter().find(|row| row.id == id);
    row.ok_or(Refusal::NotFound)
}

/// What is everybody's. Behind the platform's key stand the avatars and voices of other tenants too.
fn stock(mut listing: Listing) -> Listing {
    listing.rows.retain(|row| row.is_stock);
    listing
}

/// The result of a sync for one kind of entry.
#[derive(Debug, Default)]
struct KindReport {
    listed: usize,
    unreadable: usize,
    is_whole: bool,
    new: Vec<String>,
    changed: Vec<String>,
    retired: Vec<String>,
    returned: Vec<String>,
    /// Nothing was retired, though something is missing: the list can't be believed.
    doubted: bool,
}

impl KindReport {
    fn to_report(&self) -> Value {
        let named = |ids: &[String]| json!({ "count": ids.len(), "ids": ids.iter().take(MAX_NAMED).collect::<Vec<_>>() });
        json!({
            "listed": self.listed, "unreadable": self.unreadable, "whole": self.is_whole, "doubted": self.doubted,
            "new": named(&self.new), "changed": named(&self.changed),
            "retired": named(&self.retired), "returned": named(&self.returned),
        })
    }
}

#[derive(Debug, Default)]
struct Totals {
    new: usize,
    changed: usize,
    retired: usize,
    returned: usize,
}

impl Totals {
    fn add(&mut self, taken: &KindReport) {
        self.new += taken.new.len();
        self.changed += taken.changed.len();
        self.retired += taken.retired.len();
        self.returned += taken.returned.len();
    }
}

async fn take_in(
    change: &mut Change,
    kind: CatalogueKind,
    listing: Listing,
    allow_new: bool,
) -> Result<KindReport, StoreError> {
    let now = change.now;
    let stored = stored(&mut change.tx, kind).await?;
    let listed: Vec<&CatalogueEntry> = listing.rows.iter().map(|row| &row.entry).collect();
    let taken = compare(kind, &stored, &listing);
    if !listed.is_empty() {
        change
            .tx
            .take_in_listed(kind, &listed, allow_new, now)
            .await?;
    }
    if !taken.retired.is_empty() {
        change
            .tx
            .retire_catalogue_entries(kind, &taken.retired, now)
            .await?;
    }
    Ok(taken)
}

async fn stored(
    tx: &mut TenantTx,
    kind: CatalogueKind,
) -> Result<BTreeMap<String, CatalogueRow>, StoreError> {
    let rows = tx.catalogue_rows(kind, None, MAX_ENTRIES).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.entry.id.clone(), row))
        .collect())
}

fn compare(
    kind: CatalogueKind,
    stored: &BTreeMap<String, CatalogueRow>,
    listing: &Listing,
) -> KindReport {
    let mut taken = KindReport {
        listed: listing.rows.len(),
        unreadable: listing.unreadable,
        is_whole: listing.is_whole,
        ..KindReport::default()
    };
    for row in &listing.rows {
        let id = row.entry.id.clone();
        match stored.get(&id) {
            None => taken.new.push(id),
            Some(known) if known.retired_at.is_some() => taken.returned.push(id),
            Some(known) if known.source == CatalogueSource::Anam && known.entry != row.entry => {
                taken.changed.push(id);
            }
            Some(_) => {}
        }
    }
    let ids: BTreeSet<&String> = listing.rows.iter().map(|row| &row.entry.id).collect();
    let missing = stored
        .iter()
        .filter(|(id, row)| row.seen_at.is_some() && row.retired_at.is_none() && !ids.contains(id));
    let missing: Vec<String> = missing.map(|(id, _)| id.clone()).collect();
    // A list that was cut, or rows that could not be read, prove nothing; nor does an empty list of what Anam has in stock.
    let has_stock = kind != CatalogueKind::Tool;
    let proves = listing.is_whole && listing.unreadable == 0 && !(has_stock && ids.is_empty());
    if proves {
        taken.retired = missing;
    } else {
        taken.doubted = !missing.is_empty();
    }
    taken
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::anam::ListedEntry;

    fn entry(id: &str, name: &str) -> CatalogueEntry {
        CatalogueEntry {
            id: id.into(),
            name: name.into(),
            attributes: Map::new(),
        }
    }

    fn listing(entries: &[(&str, &str)]) -> Listing {
        let rows = entries.iter().map(|(id, name)| ListedEntry {
            entry: entry(id, name),
            is_stock: true,
        });
        Listing {
            rows: rows.collect(),
            unreadable: 0,
            is_whole: true,
        }
    }

    fn row(id: &str, name: &str, source: CatalogueSource) -> (String, CatalogueRow) {
        let now: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let row = CatalogueRow {
            kind: CatalogueKind::Avatar,
            entry: entry(id, name),
            source,
            enabled: true,
            position: 1,
            seen_at: Some(now),
            retired_at: None,
            version: 1,
        };
        (id.to_owned(), row)
    }

    fn stored_rows() -> BTreeMap<String, CatalogueRow> {
        let mut never_seen = row("own", "Never listed", CatalogueSource::Typed);
        never_seen.1.seen_at = None;
        let mut gone = row("gone", "Gone", CatalogueSource::Anam);
        gone.1.retired_at = gone.1.seen_at;
        BTreeMap::from([
            row("a", "A", CatalogueSource::Anam),
            row("b", "B", CatalogueSource::Anam),
            row("t", "Our name", CatalogueSource::Typed),
            never_seen,
            gone,
        ])
    }

    #[test]
    fn what_is_new_changed_retired_and_back_is_told_apart() {
        let listing = listing(&[("a", "A"), ("b", "B two"), ("n", "N"), ("gone", "Gone")]);
        let taken = compare(CatalogueKind::Avatar, &stored_rows(), &listing);
        assert_eq!(taken.new, ["n"]);
        assert_eq!(taken.changed, ["b"]);
        assert_eq!(taken.returned, ["gone"]);
        // Typed in, but seen at Anam once, so it can be missed; what Anam never listed can't.
        assert_eq!(taken.retired, ["t"]);
        assert!(!taken.doubted);
    }

    #[test]
    fn a_list_that_may_lack_something_retires_nothing() {
        let whole = listing(&[("a", "A")]);
        let cut = Listing {
            is_whole: false,
            ..whole.clone()
        };
        let unreadable = Listing {
            unreadable: 1,
            ..whole
        };
        let empty = listing(&[]);
        for listing in [cut, unreadable, empty.clone()] {
            let taken = compare(CatalogueKind::Avatar, &stored_rows(), &listing);
            assert_eq!(taken.retired, Vec::<String>::new());
            assert!(taken.doubted);
        }
        // Tools are all the organisation's own, and the last one may go.
        let taken = compare(CatalogueKind::Tool, &stored_rows(), &empty);
        assert_eq!(taken.retired, ["a", "b", "t"]);
    }

    #[test]
    fn a_name_that_was_typed_in_stays() {
        let listing = listing(&[("a", "A"), ("b", "B"), ("t", "Anam's name")]);
        let taken = compare(CatalogueKind::Avatar, &stored_rows(), &listing);
        assert_eq!(taken.changed, Vec::<String>::new());
        assert_eq!(taken.retired, Vec::<String>::new());
    }
}
