//! Two instances that share a real Redis.

mod answers;
mod away;
mod rates;
mod readable;

use std::time::Duration;

use persona_gateway::clock::Clock;
use persona_gateway::config::{RedisSettings, RedisUrl};
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::shared::{Keeper, Shared};
use persona_gateway::telemetry::metrics::Metrics;
use reqwest::Response;
use secrecy::SecretString;

use crate::harness::redis::Redis;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, spawn_with};

const PATIENCE: Duration = Duration::from_secs(30);

/// Instances that share it. Its answers may take long, as a busy machine is no fault here.
fn sharing(redis: &Redis, more: &[(&str, &str)]) -> TestOptions {
    let url = redis.url();
    let mut settings = vec![
        ("LIMITS__REDIS_URL", url.as_str()),
        ("LIMITS__REDIS_TIMEOUT_MS", "10000"),
    ];
    settings.extend_from_slice(more);
    TestOptions::set(&settings)
}

/// Two of them on one database; each has an Anam of its own.
async fn two(redis: &Redis, more: &[(&str, &str)]) -> [TestApp; 2] {
    let one = spawn_with(sharing(redis, more)).await;
    let other = spawn_with(TestOptions {
        database: Some(one.database.clone()),
        no_demo: true,
        ..sharing(redis, more)
    })
    .await;
    other.settle("demo").await;
    [one, other]
}

async fn stop(instances: [TestApp; 2]) {
    for instance in instances {
        instance.stop().await;
    }
}

/// A session token for a user whose issuer is the first's.
async fn mint(instance: &TestApp, token: &str) -> Response {
    instance.mint(token, &context("sales")).await
}

/// Waits until an instance has noticed whether Redis is there.
async fn until_up(instance: &TestApp, is_up: bool) {
    let line = format!("gateway_redis_up {}\n", i32::from(is_up));
    until(&line, PATIENCE, || async {
        instance.metrics().await.contains(&line).then_some(())
    })
    .await;
}

/// What an instance has of it, and what keeps its connection.
async fn shared(redis: &Redis, keys: &KeyRing) -> (Shared, Keeper) {
    let settings = RedisSettings {
        url: RedisUrl::parse(&SecretString::from(redis.url())).unwrap(),
        timeout: Duration::from_secs(10),
        roots: None,
    };
    let made = Shared::set_up(&settings, keys.clone(), Clock::system(), Metrics::new());
    let (shared, mut keeper) = made.unwrap();
    keeper.try_now().await;
    (shared, keeper)
}

fn keys(master: &str) -> KeyRing {
    KeyRing::new(&persona_gateway::config::MasterKeys::parse(master).unwrap())
}
