//! What somebody who reads Redis learns.

use reqwest::Method;

use super::{mint, stop, two};
use crate::harness::context;
use crate::harness::redis::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_nothing_readable_of_users_nor_their_tokens_and_forgets_it_within_a_minute() {
    let redis = Redis::start().await;
    let limits = [
        ("LIMITS__USER_MINTS_PER_MINUTE", "10"),
        ("LIMITS__TENANT_MINTS_PER_MINUTE", "10"),
        ("LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "10"),
    ];
    let instances = two(&redis, &limits).await;
    let user = instances[0].user("ann-of-example");
    let request = instances[0].request(Method::POST, "/v1/session-token", &user);
    let request = request.header("idempotency-key", "the-first-mount");
    let answer = request.json(&context("support")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(mint(&instances[1], &user).await.status(), 200);
    // So that the answer is there.
    let again = instances[1].request(Method::POST, "/v1/session-token", &user);
    let again = again.header("idempotency-key", "the-first-mount");
    let again = again.json(&context("support")).send().await.unwrap();
    assert_eq!(again.json::<serde_json::Value>().await.unwrap(), answer);

    let held = redis.held().await;
    let count = |kind: &str| {
        let prefix = format!("persona-gateway:{kind}:");
        let of_kind = held
            .iter()
            .filter(|one| one.key.starts_with(prefix.as_bytes()));
        of_kind.count()
    };
    assert_eq!((count("rate"), count("answer")), (3, 1), "{held:?}");
    let tenant = instances[0].tenant("demo").await.0;
    let texts = [
        "ann-of-example".to_owned(),
        "the-first-mount".to_owned(),
        answer["sessionToken"].as_str().unwrap().to_owned(),
        answer["sessionId"].as_str().unwrap().to_owned(),
        "support".to_owned(),
        "127.0.0.1".to_owned(),
        tenant.to_string(),
        tenant.simple().to_string(),
    ];
    for one in &held {
        assert!((1..=60_000).contains(&one.ends_in_ms), "{one:?}");
        for text in &texts {
            let has = |bytes: &[u8]| {
                bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            };
            assert!(!has(&one.key) && !has(&one.value), "{text} in {one:?}");
        }
        assert!(!one.value.windows(16).any(|part| part == tenant.as_bytes()));
    }
    stop(instances).await;
}
