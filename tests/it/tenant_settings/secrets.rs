//! Secrets go in through the API and come out nowhere: not in answers, not in logs, not in the database in the clear.

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::harness::admins::state;
use crate::harness::tenants::hs256_token;
use crate::harness::{TestOptions, full_text, logs, spawn_with};

const KEY: &str = "canary-provider-key-4a1f77e0";
const WRONG_KEY: &str = "canary-wrong-provider-key-90cc12";
const SECRET: &str = "canary-shared-secret-of-32-bytes-and-more-77";
const SHORT: &str = "canary-short-secret-1";

#[tokio::test]
async fn no_secret_that_an_admin_sends_is_ever_seen_again() {
    let app = spawn_with(TestOptions {
        anam_keys: vec![KEY.into()],
        ..TestOptions::default()
    })
    .await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let claims = json!({ "iss": "acme-backend", "aud": "app", "sub": "u" });
    let token = hs256_token(SECRET, &claims, 600);
    let config = json!({
        "issuer": "acme-backend", "audiences": ["app"], "algorithms": ["HS256"], "keys": { "sharedSecret": true },
    });
    let issuer =
        |secret: &str| json!({ "config": config, "sharedSecret": secret, "sampleToken": token });
    let mut answers = String::new();
    let send = async |method: Method, path: &str, body: serde_json::Value| {
        let request = app.request(method, path, &owner).header("if-match", "*");
        full_text(
            request
                .header("idempotency-key", path)
                .json(&body)
                .send()
                .await
                .unwrap(),
        )
        .await
    };

    let issuers = "/v1/admin/issuers";
    let created = app
        .tell(Method::POST, issuers, &owner, &issuer(SECRET))
        .await;
    let (_, created) = state(created, 201).await;
    let one = format!("{issuers}/{}", created["id"].as_str().unwrap());
    answers += &created.to_string();
    for (method, path, body) in [
        (Method::POST, issuers.to_owned(), issuer(SECRET)),
        (Method::POST, issuers.to_owned(), issuer(SHORT)),
        (Method::POST, format!("{issuers}:check"), issuer(SECRET)),
        (Method::PUT, one.clone(), issuer(SECRET)),
        (Method::PUT, one.clone(), issuer(SHORT)),
        (
            Method::POST,
            format!("{one}:check"),
            json!({ "sampleToken": token }),
        ),
        (Method::GET, one.clone(), json!({})),
        (Method::GET, issuers.to_owned(), json!({})),
    ] {
        answers += &send(method, &path, body).await;
    }

    let keys = "/v1/admin/provider-keys";
    let echo = json!({ "error": format!("Bearer {KEY}"), "message": KEY });
    let wish = |key: &str| json!({ "label": "canary", "key": key });
    for status in [400, 401, 402, 403, 429, 500, 503] {
        // As an upstream would that explains itself with what it got.
        app.anam
            .fault(Fault::status(FaultTarget::Catalogue, status).with_body(echo.clone()));
        answers += &send(Method::POST, keys, wish(WRONG_KEY)).await;
        app.anam.clear();
    }
    answers += &send(Method::POST, &format!("{keys}?"), wish(KEY)).await;
    app.settle("demo").await;
    let (_, listed) = state(app.ask(Method::GET, keys, &owner).await, 200).await;
    let one = format!("{keys}/{}", listed["items"][0]["id"].as_str().unwrap());
    answers += &listed.to_string();
    app.anam.fault(
        Fault::status(FaultTarget::Catalogue, 500)
            .with_body(echo)
            .times(9),
    );
    answers += &send(Method::POST, &format!("{one}:test"), json!({})).await;
    answers += &send(Method::POST, "/v1/admin/catalogue:sync", json!({})).await;
    app.anam.clear();
    answers += &send(Method::POST, "/v1/admin/catalogue:sync", json!({})).await;
    answers += &send(Method::GET, "/v1/admin/catalogue", json!({})).await;
    answers += &send(
        Method::POST,
        &format!("{one}:retire"),
        json!({ "leaveNone": true }),
    )
    .await;
    answers += &send(Method::DELETE, &one, json!({})).await;

    let rows = app.database.dump().await;
    let logs = logs::logged();
    let signature = token.rsplit('.').next().unwrap();
    for (name, secret) in [
        ("key", KEY),
        ("wrong key", WRONG_KEY),
        ("secret", SECRET),
        ("short secret", SHORT),
        ("token", signature),
        ("claims", token.split('.').nth(1).unwrap()),
    ] {
        for (place, text) in [("answers", &answers), ("rows", &rows), ("logs", &logs)] {
            assert!(!text.contains(secret), "the {name} is in the {place}");
        }
        let hex = hex::encode(secret);
        assert!(!rows.contains(&hex), "the {name} is in the rows, as bytes");
    }
    assert!(logs.len() > 100 && rows.contains("acme-backend") && answers.contains("acme-backend"));
    app.stop().await;
}
