use std::sync::atomic::AtomicUsize;

use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use super::*;
use crate::domain::preferences::Preferences;
use crate::store::StoreError;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const OTHER: TenantId = TenantId(Uuid::from_u128(2));

fn subject(name: &str) -> Subject {
    Subject::parse(name).unwrap()
}

fn stored(version: i64) -> StoredPreferences {
    StoredPreferences {
        preferences: Preferences::default(),
        version,
    }
}

fn listening() -> KnownUsers {
    let known = KnownUsers::new(None);
    known.notices_begin();
    known
}

/// The version that a user gets; `version` if it is read now.
async fn version(known: &KnownUsers, tenant: TenantId, name: &str, version: i64) -> i64 {
    let read = async || Ok(stored(version));
    known
        .get(tenant, &subject(name), read)
        .await
        .unwrap()
        .version
}

fn change(tenant: TenantId, name: Option<&str>) -> PreferencesChange {
    let digest = |name| SubjectDigest::of(&subject(name));
    name.map_or(PreferencesChange::OfTenant(tenant), |name| {
        PreferencesChange::OfUser(tenant, digest(name))
    })
}

#[tokio::test]
async fn a_user_is_read_once_until_a_notice_names_them_or_their_tenant() {
    let known = listening();
    assert_eq!(version(&known, TENANT, "ann", 1).await, 1);
    assert_eq!(version(&known, TENANT, "ann", 2).await, 1, "from memory");
    assert_eq!(version(&known, OTHER, "ann", 3).await, 3, "another's ann");
    known.changed(&change(TENANT, Some("bob")));
    assert_eq!(version(&known, TENANT, "ann", 4).await, 1);
    known.changed(&change(TENANT, Some("ann")));
    assert_eq!(version(&known, TENANT, "ann", 5).await, 5);
    known.changed(&change(TENANT, None));
    assert_eq!(version(&known, TENANT, "ann", 6).await, 6);
    assert_eq!(version(&known, OTHER, "ann", 7).await, 3);
    known.changed(&PreferencesChange::OfAll);
    assert_eq!(version(&known, OTHER, "ann", 8).await, 8);
}

#[tokio::test]
async fn without_notices_each_read_is_new_and_afterwards_nothing_old_is_left() {
    let known = KnownUsers::new(None);
    assert_eq!(version(&known, TENANT, "ann", 1).await, 1);
    assert_eq!(version(&known, TENANT, "ann", 2).await, 2);
    known.notices_begin();
    assert_eq!(version(&known, TENANT, "ann", 3).await, 3);
    known.notices_end();
    assert_eq!(version(&known, TENANT, "ann", 4).await, 4);
    known.notices_begin();
    assert_eq!(version(&known, TENANT, "ann", 5).await, 5);
}

#[tokio::test]
async fn who_comes_at_once_waits_for_one_read() {
    let known = listening();
    let (reads, go) = (AtomicUsize::new(0), Notify::new());
    let ann = subject("ann");
    let one = || {
        known.get(TENANT, &ann, async || {
            reads.fetch_add(1, Ordering::Relaxed);
            go.notified().await;
            Ok(stored(1))
        })
    };
    let (first, second, ()) = tokio::join!(one(), one(), async { go.notify_one() });
    assert_eq!((first.unwrap().version, second.unwrap().version), (1, 1));
    assert_eq!(reads.into_inner(), 1);
}

#[tokio::test]
async fn what_a_notice_overtakes_while_it_is_read_is_not_kept() {
    let known = listening();
    let read = async || {
        known.changed(&change(TENANT, Some("ann")));
        Ok(stored(1))
    };
    let first = known.get(TENANT, &subject("ann"), read).await.unwrap();
    assert_eq!(first.version, 1);
    assert_eq!(version(&known, TENANT, "ann", 2).await, 2);
    assert_eq!(known.size(), (1, ENTRY));
}

#[tokio::test]
async fn a_read_without_an_answer_fails_for_all_who_wait_and_is_tried_again_later() {
    let known = listening();
    let go = Notify::new();
    let ann = subject("ann");
    let one = || {
        known.get(TENANT, &ann, async || {
            go.notified().await;
            Err(StoreError::Taken.into())
        })
    };
    let (first, second, ()) = tokio::join!(one(), one(), async { go.notify_one() });
    assert!(matches!(first, Err(SourceError::Store(_))), "{first:?}");
    assert!(matches!(second, Err(SourceError::Unanswered)), "{second:?}");
    assert_eq!(known.size(), (0, 0));
    assert_eq!(version(&known, TENANT, "ann", 1).await, 1);
}

#[tokio::test]
async fn memory_is_bounded_and_the_tenant_with_most_users_pays() {
    let known = listening();
    version(&known, OTHER, "quiet", 1).await;
    let most = MEMORY / ENTRY;
    for number in 0..most + 100 {
        known.notices_go_on();
        version(&known, TENANT, &number.to_string(), 1).await;
    }
    let (users, bytes) = known.size();
    assert!(
        bytes <= MEMORY && users < most,
        "{users} users, {bytes} bytes"
    );
    assert!(users > most / 2, "not all are forgotten at once: {users}");
    assert_eq!(version(&known, OTHER, "quiet", 2).await, 1);
    let last = (most + 99).to_string();
    assert_eq!(version(&known, TENANT, &last, 2).await, 1);
    assert_eq!(
        version(&known, TENANT, "0", 2).await,
        2,
        "the first went first"
    );
}

#[tokio::test]
async fn choices_are_weighed_and_those_beyond_measure_are_not_kept() {
    let known = listening();
    let of = |text: &str| {
        Preferences::from_stored(json!({ "nickname": text }).as_object().unwrap().clone())
    };
    for (name, length, is_kept) in [("ann", 1_000, true), ("bob", LARGEST, false)] {
        let (_, before) = known.size();
        let preferences = of(&"x".repeat(length));
        let read = async || {
            Ok(StoredPreferences {
                preferences,
                version: 1,
            })
        };
        known.get(TENANT, &subject(name), read).await.unwrap();
        let grown = known.size().1 - before;
        assert_eq!(grown >= ENTRY + length, is_kept, "{name}: {grown}");
        assert_eq!(grown == 0, !is_kept, "{name}: {grown}");
    }
}

const BRIDGE: Duration = Duration::from_mins(15);

/// What a user gets while the database does not answer.
async fn unanswered(known: &KnownUsers, name: &str) -> Option<i64> {
    let read = async || Err(StoreError::Taken.into());
    let found = known.get(TENANT, &subject(name), read).await;
    found.ok().map(|stored| stored.version)
}

#[tokio::test]
async fn what_is_known_outlives_an_outage_where_outages_are_bridged() {
    for (bridge, bridged) in [(Some(BRIDGE), Some(1)), (None, None)] {
        let known = KnownUsers::new(bridge);
        known.notices_begin();
        version(&known, TENANT, "ann", 1).await;
        known.notices_end();
        assert_eq!(unanswered(&known, "ann").await, bridged, "{bridge:?}");
        assert_eq!(unanswered(&known, "bob").await, None, "nobody knows him");
        assert_eq!(unanswered(&known, "ann").await, bridged, "nor does it end");
    }
}

#[tokio::test]
async fn what_is_known_outlives_two_outages_in_a_row_and_is_read_again_between_them() {
    let known = KnownUsers::new(Some(BRIDGE));
    known.notices_begin();
    for name in ["ann", "bob"] {
        version(&known, TENANT, name, 1).await;
    }
    known.notices_end();
    known.notices_begin();
    assert_eq!(
        version(&known, TENANT, "ann", 2).await,
        2,
        "it may have changed"
    );
    known.notices_end();
    assert_eq!(unanswered(&known, "ann").await, Some(2));
    assert_eq!(unanswered(&known, "bob").await, Some(1));
}

#[tokio::test]
async fn a_database_that_falls_silent_before_its_notices_do_is_bridged_too() {
    let known = KnownUsers::new(Some(BRIDGE));
    known.notices_begin();
    version(&known, TENANT, "ann", 1).await;
    known.notices_begin();
    for _ in 0..3 {
        assert_eq!(unanswered(&known, "ann").await, Some(1));
    }
    assert_eq!(
        version(&known, TENANT, "ann", 2).await,
        2,
        "and read when it answers"
    );
}

#[tokio::test]
async fn a_known_change_is_not_undone_by_an_outage() {
    let known = KnownUsers::new(Some(BRIDGE));
    known.notices_begin();
    version(&known, TENANT, "ann", 1).await;
    known.changed(&change(TENANT, Some("ann")));
    known.notices_end();
    assert_eq!(unanswered(&known, "ann").await, None);
}
