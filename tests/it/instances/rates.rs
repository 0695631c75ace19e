//! Rates that instances count together.

use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::seed;
use persona_gateway::domain::ids::TenantId;
use persona_gateway::domain::role::Role;
use persona_gateway::shared::{RateRefused, SharedRate};
use reqwest::{Method, Response};
use uuid::Uuid;

use super::{keys, mint, shared, stop, two};
use crate::harness::app::MASTER_KEY;
use crate::harness::problem;
use crate::harness::redis::Redis;

/// Refused, and told to come again within so many seconds.
async fn assert_limited(answer: Response, at_most: u64) {
    let after = answer.headers()["retry-after"].to_str().unwrap();
    let after: u64 = after.parse().unwrap();
    assert!((1..=at_most).contains(&after), "{after}");
    problem(answer, 429, "rate_limited").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_asks_two_instances_at_once_gets_what_one_would_give() {
    let redis = Redis::start().await;
    let instances = two(&redis, &[("LIMITS__USER_MINTS_PER_MINUTE", "4")]).await;
    let (ann, bob) = (instances[0].user("ann"), instances[0].user("bob"));
    let asked = (0..12).map(|number| mint(&instances[number % 2], &ann));
    let answers = join_all(asked).await;
    let (given, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status() == 200);
    assert_eq!((given.len(), refused.len()), (4, 8));
    for answer in refused {
        assert_limited(answer, 15).await;
    }
    assert_eq!(instances[0].mints_asked() + instances[1].mints_asked(), 4);
    // Redis forgets what scripts it has run.
    redis.flush_scripts().await;
    for (number, expected) in [200, 200, 200, 200, 429].into_iter().enumerate() {
        let answer = mint(&instances[number % 2], &bob).await;
        assert_eq!(answer.status(), expected, "{number}");
    }
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rates_of_a_policy_hold_for_all_instances_together() {
    let redis = Redis::start().await;
    let instances = two(&redis, &[]).await;
    let policy = r#"update tenant set policy = policy || '{"limits": {"userPerMinute": 2, "perMinute": 3}}' where slug = 'demo'"#;
    instances[0].database.sql(policy).await;
    for instance in &instances {
        instance.settle("demo").await;
    }
    let [ann, bob] = ["ann", "bob"].map(|user| instances[0].user(user));
    for instance in &instances {
        assert_eq!(mint(instance, &ann).await.status(), 200);
    }
    assert_limited(mint(&instances[0], &ann).await, 30).await;
    assert_limited(mint(&instances[1], &ann).await, 30).await;
    // What was refused took nothing from the tenant's.
    assert_eq!(mint(&instances[0], &bob).await.status(), 200);
    assert_limited(mint(&instances[1], &bob).await, 20).await;
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_and_a_tenants_admins_have_one_rate_at_all_instances() {
    let redis = Redis::start().await;
    let limits = [("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "3")];
    let instances = two(&redis, &limits).await;
    for (number, expected) in [401, 401, 401, 429, 429].into_iter().enumerate() {
        let instance = &instances[number % 2];
        let asked = instance.request(Method::GET, "/v1/contexts", "bad").send();
        assert_eq!(asked.await.unwrap().status(), expected, "{number}");
    }
    stop(instances).await;

    let limits = [("LIMITS__ADMIN_REQUESTS_PER_MINUTE", "3")];
    let instances = two(&redis, &limits).await;
    let key = instances[0].admin_key(seed::TENANT, Role::Viewer).await;
    let path = "/v1/admin/documents";
    let first = instances[0].ask(Method::GET, path, &key).await;
    assert_eq!(first.status(), 200);
    assert_limited(instances[1].ask(Method::GET, path, &key).await, 20).await;
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_rate_refuses_takes_nothing_from_the_others() {
    let redis = Redis::start().await;
    let (shared, _keeper) = shared(&redis, &keys(MASTER_KEY)).await;
    let rate = |kind, burst| SharedRate {
        kind,
        tenant: TenantId(Uuid::nil()),
        whose: b"ann",
        every: Duration::from_hours(1),
        burst,
    };
    let (wide, narrow) = (rate("wide", 10), rate("narrow", 1));
    assert_eq!(shared.take(&[wide, narrow]).await, Some(Ok(())));
    for _ in 0..20 {
        let refused = shared.take(&[wide, narrow]).await.unwrap().unwrap_err();
        let RateRefused { at, retry_after } = refused;
        assert_eq!(at, 1);
        let hour = Duration::from_hours(1);
        assert!(
            retry_after <= hour && retry_after > hour / 2,
            "{retry_after:?}"
        );
    }
    for _ in 0..9 {
        assert_eq!(shared.take(&[wide]).await, Some(Ok(())));
    }
    let refused = shared.take(&[narrow, wide]).await.unwrap().unwrap_err();
    assert_eq!(refused.at, 0, "the first that has no room is named");
    assert_eq!(shared.take(&[wide]).await.unwrap().unwrap_err().at, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_comes_back_evenly() {
    let redis = Redis::start().await;
    let (shared, _keeper) = shared(&redis, &keys(MASTER_KEY)).await;
    let quick = [SharedRate {
        kind: "quick",
        tenant: TenantId(Uuid::nil()),
        whose: b"ann",
        every: Duration::from_millis(200),
        burst: 2,
    }];
    let began = std::time::Instant::now();
    let mut given = 0;
    while given < 7 {
        match shared.take(&quick).await.unwrap() {
            Ok(()) => given += 1,
            Err(refused) => {
                assert!(refused.retry_after <= Duration::from_millis(200));
                tokio::time::sleep(refused.retry_after).await;
            }
        }
    }
    // Two at once, and five that came back; by Redis' clock, which is this machine's.
    assert!(
        began.elapsed() >= Duration::from_millis(995),
        "{:?}",
        began.elapsed()
    );
}
