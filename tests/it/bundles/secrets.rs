//! Secrets beside a bundle: sealed, and told to nobody.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{APPLY, BUNDLE, service};
use crate::harness::admins::body;
use crate::harness::{logs, pointers, problem};

const KEY: &str = "anam-key-of-acme-that-nobody-sees-4711";
const SHARED: &str = "a-shared-secret-of-acme-that-nobody-sees";

fn bundle() -> Value {
    json!({
        "tenant": "acme",
        "providerKey": { "env": "ACME_KEY" },
        "issuers": [{
            "issuer": "acme-backend", "audiences": ["a"], "keys": { "sharedSecret": true },
            "secret": { "file": "/run/secrets/acme" },
        }],
    })
}

#[tokio::test]
async fn secrets_are_sealed_and_stand_in_no_answer_log_or_trail() {
    let app = service(&["acme"]).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let asked = json!({
        "bundle": bundle(),
        "secrets": { "/providerKey": KEY, "/issuers/0/secret": SHARED },
    });
    let call = || {
        let request = app.request(Method::POST, APPLY, &owner);
        request
            .header("idempotency-key", "with-secrets")
            .json(&asked)
            .send()
    };
    let plan = body(call().await.unwrap(), 200).await;
    let again = body(call().await.unwrap(), 200).await;
    let exported = body(app.ask(Method::GET, BUNDLE, &owner).await, 200).await;
    assert_eq!(exported["providerKey"], json!({ "stored": true }));
    assert_eq!(exported["issuers"][0]["secret"], json!({ "stored": true }));
    let wrong = json!({ "bundle": { "tenant": "acme", "nonsense": 1 }, "secrets": { "/providerKey": KEY } });
    let refused = app
        .tell(Method::POST, APPLY, &owner, &wrong)
        .await
        .text()
        .await
        .unwrap();
    let audit = Value::from(app.database.rows("select * from audit_event").await);
    let answers = Value::from(app.database.rows("select * from given_answer").await);
    for told in [
        &plan,
        &again,
        &exported,
        &audit,
        &answers,
        &json!(refused),
        &json!(logs::logged()),
    ] {
        let told = told.to_string();
        assert!(!told.contains(KEY) && !told.contains(SHARED), "{told}");
    }
    let steps = plan["steps"].as_array().unwrap();
    assert!(
        steps.iter().any(|step| step["note"] == "ends in 4711"),
        "{plan}"
    );
    let stored = body(
        app.tell(Method::POST, APPLY, &owner, &json!({ "bundle": exported }))
            .await,
        200,
    );
    assert_eq!(stored.await["steps"], json!([]), "stored ones stay");
    app.stop().await;
}

#[tokio::test]
async fn a_reference_leads_to_what_was_sent_never_to_the_servers_own_environment_or_files() {
    let app = service(&["acme"]).await;
    let owner = app.admin_key("acme", Role::Owner).await;
    for reference in [
        json!({ "env": "GATEWAY_MASTER_KEY" }),
        json!({ "env": "PATH" }),
        json!({ "file": "/etc/hostname" }),
        json!({ "file": "/etc/passwd" }),
    ] {
        let asked = json!({ "bundle": { "tenant": "acme", "providerKey": reference } });
        let answer = app.tell(Method::POST, APPLY, &owner, &asked).await;
        let told = problem(answer, 422, "document_invalid").await;
        assert_eq!(pointers(&told), ["/bundle/providerKey"]);
        assert!(told.to_string().contains("was not sent"), "{told}");
    }
    let rows = app.database.rows("select 1 from provider_key").await;
    assert!(rows.is_empty());
    app.stop().await;
}
