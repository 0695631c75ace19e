//! A bundle gives nobody more than single changes would.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{APPLY, apply, documents, exported, service};
use crate::harness::admins::body;
use crate::harness::{full_text, pointers, problem};

#[tokio::test]
async fn documents_need_a_publisher_and_reading_a_viewer() {
    let app = service(&["acme"]).await;
    let asked = json!({ "bundle": documents("acme") });
    for role in [Role::Viewer, Role::Editor] {
        let key = app.admin_key("acme", role).await;
        for body in [
            asked.clone(),
            json!({ "bundle": documents("acme"), "dryRun": true }),
        ] {
            let answer = app.tell(Method::POST, APPLY, &key, &body).await;
            problem(answer, 403, "forbidden").await;
        }
        assert_eq!(exported(&app, &key).await["tenant"], "acme");
    }
    let key = app.admin_key("acme", Role::Publisher).await;
    body(app.tell(Method::POST, APPLY, &key, &asked).await, 200).await;
    app.stop().await;
}

#[tokio::test]
async fn sections_of_owners_are_refused_by_name_and_nothing_is_applied() {
    let app = service(&["acme"]).await;
    let publisher = app.admin_key("acme", Role::Publisher).await;
    let issuer =
        json!({ "issuer": "https://i.example", "audiences": ["a"], "keys": { "discovery": true } });
    let before = exported(&app, &publisher).await;
    for (section, value, named) in [
        (
            "policy",
            json!({ "timeZone": "Europe/Berlin" }),
            "tenant/acme (needs owner)",
        ),
        ("name", json!("Acme Ltd"), "tenant/acme (needs owner)"),
        (
            "issuers",
            json!([issuer]),
            "issuer/https://i.example (needs owner)",
        ),
        (
            "providerKey",
            json!({ "env": "ANY" }),
            "provider_key (needs owner)",
        ),
    ] {
        let mut bundle = documents("acme");
        bundle[section] = value;
        let mut asked = json!({ "bundle": bundle });
        if section == "providerKey" {
            asked["secrets"] = json!({ "/providerKey": "anam-key-0123456789" });
        }
        for dry_run in [true, false] {
            asked["dryRun"] = json!(dry_run);
            let answer = app.tell(Method::POST, APPLY, &publisher, &asked).await;
            let told = problem(answer, 403, "forbidden").await;
            let detail = told["detail"].as_str().unwrap();
            assert!(
                detail.contains(named) && !detail.contains("snippet"),
                "{detail}"
            );
        }
        assert_eq!(exported(&app, &publisher).await, before, "{section}");
    }
    app.stop().await;
}

#[tokio::test]
async fn sections_of_owners_that_only_repeat_what_is_there_need_no_owner() {
    let app = service(&[]).await;
    app.apply("tenant: acme\nname: Acme\npolicy: {timeZone: Europe/Berlin}\nissuers: [{issuer: 'https://i.example', audiences: [a], keys: {discovery: true}}]").await;
    let publisher = app.admin_key("acme", Role::Publisher).await;
    let mut bundle = exported(&app, &publisher).await;
    bundle["snippets"] = json!({ "rules": { "text": "Be kind." } });
    let plan = apply(&app, &publisher, &bundle).await;
    assert_eq!(plan["steps"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_key_of_one_tenant_reaches_no_other_known_or_not() {
    let app = service(&["acme", "other"]).await;
    let theirs = app.admin_key("other", Role::Owner).await;
    let before = exported(&app, &theirs).await;
    let key = app.admin_key("acme", Role::Owner).await;
    let mut answers = Vec::new();
    for tenant in ["other", "nobody"] {
        let asked = json!({ "bundle": documents(tenant) });
        let answer = app.tell(Method::POST, APPLY, &key, &asked).await;
        let told = problem(answer, 422, "document_invalid").await;
        assert_eq!(pointers(&told), ["/bundle/tenant"]);
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1], "known and unknown are told alike");
    assert_eq!(exported(&app, &theirs).await, before);
    let rows = app
        .database
        .rows("select slug from tenant order by slug")
        .await;
    assert_eq!(
        Value::from(rows),
        json!([{ "slug": "acme" }, { "slug": "other" }])
    );
    app.stop().await;
}

#[tokio::test]
async fn a_users_jwt_exports_and_applies_nothing() {
    let app = service(&[]).await;
    app.apply("tenant: acme\nissuers: [{issuer: here, audiences: [acme-app], algorithms: [EdDSA], keys: {jwksUrl: 'https://keys.example/jwks'}}]").await;
    let jwt = app.user_for("acme-app", "user-1");
    let asked = json!({ "bundle": documents("acme") });
    for answer in [
        app.tell(Method::POST, APPLY, &jwt, &asked).await,
        app.ask(Method::GET, super::remote::BUNDLE, &jwt).await,
    ] {
        assert_eq!(answer.status(), 401, "{}", full_text(answer).await);
    }
    app.stop().await;
}
