//! Requests that are repeated at another instance.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::ids::TenantId;
use persona_gateway::shared::Found;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{PATIENCE, keys, shared, stop, two, until_up};
use crate::harness::app::MASTER_KEY;
use crate::harness::redis::Redis;
use crate::harness::repeats::{answer, mint_with};
use crate::harness::wait::until;
use crate::harness::{TestApp, context, problem};

const OTHER_KEY: &str = "bmV3LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtbG9uZyE=";

fn mints_asked(instances: &[TestApp; 2]) -> usize {
    instances.iter().map(TestApp::mints_asked).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_at_another_instance_gets_the_first_answer() {
    let redis = Redis::start().await;
    let instances = two(&redis, &[]).await;
    let user = instances[0].user("ann");
    let support = context("support");
    let first = answer(mint_with(&instances[0], &user, "k", &support).await).await;
    for _ in 0..2 {
        let again = answer(mint_with(&instances[1], &user, "k", &support).await).await;
        assert_eq!(again, first);
    }
    assert_eq!(mints_asked(&instances), 1);
    let sessions = instances[0].database.rows("select id from session").await;
    assert_eq!(sessions.len(), 1);
    let metrics = instances[1].metrics().await;
    let line = "gateway_mint_total{outcome=\"repeated\"} 2";
    assert!(metrics.contains(line), "{metrics}");

    let other = mint_with(&instances[1], &user, "k", &context("sales")).await;
    problem(other, 422, "idempotency_key_reused").await;
    // The key is its user's own, there too.
    let bob = instances[0].user("bob");
    let of_bob = answer(mint_with(&instances[1], &bob, "k", &support).await).await;
    assert_ne!(of_bob["sessionToken"], first["sessionToken"]);
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_repeats_at_once_over_two_instances_take_one_token() {
    let redis = Redis::start().await;
    let instances = two(&redis, &[]).await;
    let user = instances[0].user("ann");
    let support = context("support");
    for instance in &instances {
        let slow = Fault::slow(FaultTarget::Mint, Duration::from_millis(300));
        instance.anam.fault(slow);
    }
    let asked = (0..10).map(|number| mint_with(&instances[number % 2], &user, "k", &support));
    let answers = join_all(join_all(asked).await.into_iter().map(answer)).await;
    for other in &answers {
        assert_eq!(other, &answers[0]);
    }
    assert_eq!(mints_asked(&instances), 1);
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_first_did_not_get_a_repeat_at_another_instance_may() {
    let redis = Redis::start().await;
    let instances = two(&redis, &[]).await;
    let user = instances[0].user("ann");
    let support = context("support");
    let refused = Fault::status(FaultTarget::Mint, 403).times(1);
    instances[0].anam.fault(refused);
    let refused = mint_with(&instances[0], &user, "k", &support).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
    let first = answer(mint_with(&instances[1], &user, "k", &support).await).await;
    assert_eq!(
        answer(mint_with(&instances[0], &user, "k", &support).await).await,
        first
    );
    assert_eq!(mints_asked(&instances), 2);
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_instance_knows_its_own_keys() {
    let mut redis = Redis::start().await;
    let instances = two(&redis, &[]).await;
    let user = instances[0].user("ann");
    let support = context("support");
    let first = answer(mint_with(&instances[0], &user, "k", &support).await).await;
    redis.kill();
    for instance in &instances {
        until_up(instance, false).await;
    }
    let again = answer(mint_with(&instances[0], &user, "k", &support).await).await;
    assert_eq!(again, first);
    let other = answer(mint_with(&instances[1], &user, "k", &support).await).await;
    assert_ne!(other["sessionToken"], first["sessionToken"]);
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_lasts_as_long_as_its_request_and_ends_with_its_instance() {
    let redis = Redis::start().await;
    let tenant = TenantId(Uuid::nil());
    let keys = keys(MASTER_KEY);
    // Nobody keeps the connection of the first, as if it were dead.
    let (dead, _keeper) = shared(&redis, &keys).await;
    let (alive, keeper) = shared(&redis, &keys).await;
    let (waiting, _keeper) = shared(&redis, &keys).await;
    let keeping = tokio::spawn(keeper.run());

    let (one, two) = (
        dead.answer_key(tenant, b"one"),
        dead.answer_key(tenant, b"two"),
    );
    let Found::Mine(of_dead) = dead.claim(one).await else {
        panic!("nobody else has it")
    };
    let Found::Mine(of_alive) = alive.claim(two).await else {
        panic!("nobody else has it")
    };
    std::mem::forget(of_dead);
    let began = Instant::now();
    let after_the_dead = async {
        let found = waiting.claim(one).await;
        assert!(matches!(found, Found::Mine(_)), "{found:?}");
        began.elapsed()
    };
    // Longer than a claim lasts that nobody renews.
    let held = tokio::time::timeout(Duration::from_secs(8), waiting.claim(two));
    let (ended_after, held) = join(after_the_dead, held).await;
    assert!(ended_after > Duration::from_secs(2), "{ended_after:?}");
    assert!(ended_after < Duration::from_secs(8), "{ended_after:?}");
    assert!(held.is_err(), "its request is under way: {held:?}");

    let letter = SecretString::from("an answer");
    of_alive.answer(&letter, Duration::from_mins(1));
    let Found::Answer(found) = waiting.claim(two).await else {
        panic!("it was answered")
    };
    assert_eq!(found.expose_secret(), "an answer");
    keeping.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_dropped_is_free_at_once_and_an_answer_ends_after_its_time() {
    let redis = Redis::start().await;
    let tenant = TenantId(Uuid::nil());
    let (one, keeper) = shared(&redis, &keys(MASTER_KEY)).await;
    let keeping = tokio::spawn(keeper.run());
    let place = one.answer_key(tenant, b"place");
    let Found::Mine(claim) = one.claim(place).await else {
        panic!("nobody else has it")
    };
    drop(claim);
    let began = Instant::now();
    let Found::Mine(claim) = one.claim(place).await else {
        panic!("it was given up")
    };
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );

    claim.answer(&SecretString::from("short"), Duration::from_secs(2));
    assert!(matches!(one.claim(place).await, Found::Answer(_)));
    until("the answer ends", PATIENCE, || async {
        matches!(one.claim(place).await, Found::Mine(_)).then_some(())
    })
    .await;
    keeping.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_master_key_has_sealed_or_nobody_is_no_answer() {
    let redis = Redis::start().await;
    let tenant = TenantId(Uuid::nil());
    let (old, keeper) = shared(&redis, &keys(&format!("1:{MASTER_KEY}"))).await;
    let keeping = tokio::spawn(keeper.run());
    let place = old.answer_key(tenant, b"place");
    let Found::Mine(claim) = old.claim(place).await else {
        panic!("nobody else has it")
    };
    claim.answer(&SecretString::from("an answer"), Duration::from_mins(1));
    assert!(matches!(old.claim(place).await, Found::Answer(_)));
    // Another key finds nothing, since even the name of the place is another; and what is at the place opens with none but its own.
    let (new, _keeper) = shared(&redis, &keys(&format!("1:{OTHER_KEY}"))).await;
    assert_ne!(new.answer_key(tenant, b"place"), place);
    assert!(matches!(new.claim(place).await, Found::Away));
    keeping.abort();
}
