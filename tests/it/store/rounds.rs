//! What is asked of Anam in one round is bounded, and whoever has much of it keeps nobody else's waiting.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::harness::tenants::Bench;

/// Many tenants with twenty rows each that are due; the first has a thousand.
const MANY: &str = "
    insert into tenant (slug, name) select 'tenant-' || n, 'Tenant' from generate_series(1, 12) n;
    insert into quota_hold (tenant_id, session_id, at, subject, of_tenant, seconds, check_at)
        select t.id, gen_random_uuid(), now(), '', true, 60, now() - interval '1 minute'
        from tenant t, generate_series(1, case t.slug when 'tenant-1' then 1000 else 20 end);
    insert into place (tenant_id, session_id, key, subject, at, seconds, until, check_at)
        select t.id, gen_random_uuid(), t.id, sha256(''), now(), 60, now() + interval '1 hour', now() - interval '1 minute'
        from tenant t, generate_series(1, case t.slug when 'tenant-1' then 1000 else 20 end)";

fn counted<T: Ord>(all: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn a_round_takes_few_of_each_and_something_of_many() {
    let bench = Bench::new().await;
    bench.database.sql(MANY).await;
    let now = bench.clock.now();
    let again = now + TimeDelta::minutes(1);
    let mut tx = bench.store.platform().await.unwrap();
    let holds = tx.take_due_holds(now, again).await.unwrap();
    let places = tx.take_due_places(now, again).await.unwrap();
    // Whoever comes meanwhile gets others.
    let further = tx.take_due_places(now, again).await.unwrap();
    tx.commit().await.unwrap();
    let tenants = counted(holds.iter().map(|hold| hold.tenant));
    assert_eq!(holds.len(), 64);
    assert!(tenants.len() >= 8, "{tenants:?}");
    assert!(tenants.values().all(|count| *count <= 8), "{tenants:?}");
    let tenants = counted(places.iter().map(|place| place.tenant));
    assert_eq!(places.len(), 64);
    assert_eq!(tenants.len(), 12, "{tenants:?}");
    assert!(tenants.values().all(|count| *count <= 16), "{tenants:?}");
    let taken = counted(places.iter().chain(&further).map(|place| place.session));
    assert!(taken.values().all(|count| *count == 1));
}
