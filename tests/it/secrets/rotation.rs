//! The master key changes; what it sealed before still opens while the old key is in the ring.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::tenants::{Bench, hs256_token};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, spawn_with};

const OLD: &str = "b2xkLW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtbG9uZyE=";
const NEW: &str = "bmV3LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtbG9uZyE=";
const SECRET: &str = "a-shared-secret-of-more-than-32-bytes";
const KEY: &str = "anam-key-of-acme-0001";

const BUNDLE: &str = "
tenant: acme
issuers:
  - {issuer: 'https://i.example', audiences: [app], algorithms: [HS256], keys: {sharedSecret: true}, secret: {env: HS}}
providerKey: {env: KEY}
personas:
  guide:
    name: Guide
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
    systemPrompt: Be kind.
contexts: {default: {default: guide}}
";

/// A service whose rows were sealed with the old key, and that has this ring itself.
async fn serve(ring: &str) -> (TestApp, String) {
    let mut bench = Bench::new().await;
    bench.seal_with(OLD);
    bench.secrets.insert("HS".into(), SECRET.into());
    bench.secrets.insert("KEY".into(), KEY.into());
    bench.apply(BUNDLE).await.unwrap();
    let options = TestOptions {
        env: vec![("GATEWAY_MASTER_KEY".into(), ring.into())],
        anam_keys: vec![KEY.into()],
        database: Some(bench.database),
        no_demo: true,
        ..TestOptions::default()
    };
    let claims = json!({ "iss": "https://i.example", "aud": "app", "sub": "u" });
    (spawn_with(options).await, hs256_token(SECRET, &claims, 600))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_with_the_old_key_behind_the_new_one_opens_everything() {
    for ring in [
        OLD.to_owned(),
        format!("2:{NEW},1:{OLD}"),
        format!("1:{OLD},2:{NEW}"),
    ] {
        let (app, token) = serve(&ring).await;
        app.wait_for_token(&token).await;
        let answer = app.mint(&token, &json!({})).await;
        assert_eq!(
            answer.status(),
            200,
            "a shared secret and an Anam key of the bundle"
        );
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_old_key_tokens_are_refused_and_the_service_stays_up() {
    for ring in [format!("2:{NEW}"), NEW.to_owned()] {
        let (app, token) = serve(&ring).await;
        let ready = format!("http://{}/readyz", app.app.ops_address);
        until(
            "the service is ready",
            std::time::Duration::from_secs(10),
            || async {
                let answer = app.http.get(&ready).send().await.unwrap();
                (answer.status() == 200).then_some(())
            },
        )
        .await;
        let answer = app
            .request(Method::GET, "/v1/contexts", &token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
        let answer: Value = answer.json().await.unwrap();
        assert!(!answer.to_string().contains("seal"), "{answer}");
        app.stop().await;
    }
}
