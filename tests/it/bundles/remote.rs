//! Bundles over the admin API: the same as on the command line.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::{TestApp, TestOptions, pointers, problem, spawn_with};

pub(super) const APPLY: &str = "/v1/admin/bundle:apply";
pub(super) const BUNDLE: &str = "/v1/admin/bundle";

/// A service without the demo tenant, with these tenants.
pub(super) async fn service(tenants: &[&str]) -> TestApp {
    let app = spawn_with(TestOptions {
        no_demo: true,
        ..TestOptions::default()
    })
    .await;
    for tenant in tenants {
        app.apply(&format!("tenant: {tenant}")).await;
    }
    app
}

/// A tenant with something of each kind that needs no owner.
pub(super) fn documents(tenant: &str) -> Value {
    json!({
        "tenant": tenant,
        "catalogue": { "languages": [{ "id": "en", "name": "English" }] },
        "snippets": { "rules": { "text": "Be kind.\nBe brief.\n" } },
        "personas": { "guide": {
            "name": "Guide", "systemPrompt": "Hi. {{ snippets.rules }}", "avatarId": "071b0286-4cce-4808-bee2-e642f1062de3",
            "voiceId": "de23e340-1416-4dd8-977d-065a7ca11697", "llmId": "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7",
        } },
        "contexts": { "default": { "default": "guide", "description": "A look around" } },
        "sampleUsers": { "newcomer": { "description": "Somebody new", "facts": { "plan": "free" } } },
    })
}

/// Applies a bundle over the API; gives the plan.
pub(super) async fn apply(app: &TestApp, key: &str, bundle: &Value) -> Value {
    let asked = json!({ "bundle": bundle });
    body(app.tell(Method::POST, APPLY, key, &asked).await, 200).await
}

pub(super) async fn exported(app: &TestApp, key: &str) -> Value {
    body(app.ask(Method::GET, BUNDLE, key).await, 200).await
}

fn targets(plan: &Value) -> Vec<&str> {
    let steps = plan["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| step["target"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_bundle_applied_remotely_makes_what_it_makes_locally() {
    let app = service(&["acme", "other"]).await;
    app.apply(&documents("acme").to_string()).await;
    let owner = app.admin_key("other", Role::Owner).await;
    let plan = apply(&app, &owner, &documents("other")).await;
    assert_eq!(
        targets(&plan),
        [
            "catalogue/language",
            "sample_user/newcomer",
            "snippet/rules",
            "persona/guide",
            "context/default"
        ]
    );
    let local = exported(&app, &app.admin_key("acme", Role::Viewer).await).await;
    let mut remote = exported(&app, &owner).await;
    assert_eq!(remote["tenant"], "other");
    remote["tenant"] = json!("acme");
    remote["name"] = local["name"].clone();
    assert_eq!(remote, local);
    let again = apply(&app, &owner, &documents("other")).await;
    assert_eq!(again["steps"], json!([]));
    app.stop().await;
}

#[tokio::test]
async fn a_dry_run_tells_the_same_plan_member_by_member_and_changes_nothing() {
    let app = service(&["acme"]).await;
    let key = app.admin_key("acme", Role::Publisher).await;
    apply(&app, &key, &documents("acme")).await;
    let before = exported(&app, &key).await;
    let mut bundle = documents("acme");
    bundle["snippets"]["rules"]["text"] = json!("Be kind.\nBe quick.\n");
    bundle["contexts"]["default"]["description"] = json!("Around");
    let asked = json!({ "bundle": bundle, "dryRun": true });
    let planned = body(app.tell(Method::POST, APPLY, &key, &asked).await, 200).await;
    assert_eq!(exported(&app, &key).await, before);
    assert_eq!(
        planned["steps"][0],
        json!({
            "verb": "change",
            "target": "snippet/rules",
            "note": "version 1 to 2",
            "changes": [{
                "pointer": "/text",
                "change": "change",
                "before": "Be kind.\nBe brief.\n",
                "after": "Be kind.\nBe quick.\n",
                "text": "@@ -1,2 +1,2 @@\n Be kind.\n-Be brief.\n+Be quick.\n",
            }],
        })
    );
    assert_eq!(planned["steps"][2]["changes"][0]["before"], "A look around");
    assert_eq!(apply(&app, &key, &bundle).await, planned);
    app.stop().await;
}

#[tokio::test]
async fn faults_have_their_place_in_the_body_and_nothing_is_applied() {
    let app = service(&["acme"]).await;
    let key = app.admin_key("acme", Role::Owner).await;
    let before = exported(&app, &key).await;
    let mut bundle = documents("acme");
    bundle["personas"]["guide"]["avatarID"] = json!("x");
    bundle["contexts"]["default"] = json!({});
    let answer = app
        .tell(Method::POST, APPLY, &key, &json!({ "bundle": bundle }))
        .await;
    let told = problem(answer, 422, "document_invalid").await;
    assert_eq!(
        pointers(&told),
        [
            "/bundle/personas/guide/avatarID",
            "/bundle/contexts/default/default"
        ]
    );
    let mut bundle = documents("acme");
    bundle["contexts"]["default"]["default"] = json!("nobody");
    let answer = app
        .tell(Method::POST, APPLY, &key, &json!({ "bundle": bundle }))
        .await;
    let told = problem(answer, 422, "document_invalid").await;
    assert_eq!(pointers(&told), ["/bundle/contexts/default/default"]);
    for (asked, at) in [
        (json!({}), "/bundle"),
        (json!({ "bundle": [] }), "/bundle"),
        (
            json!({ "bundle": documents("acme"), "dry_run": true }),
            "/dry_run",
        ),
        (
            json!({ "bundle": documents("acme"), "dryRun": "yes" }),
            "/dryRun",
        ),
        (
            json!({ "bundle": documents("acme"), "secrets": { "/providerKey": 1 } }),
            "/secrets/~1providerKey",
        ),
        (
            json!({ "bundle": documents("acme"), "secrets": { "/providerKey": "x" } }),
            "/secrets/~1providerKey",
        ),
    ] {
        let answer = app.tell(Method::POST, APPLY, &key, &asked).await;
        let told = problem(answer, 422, "invalid_request").await;
        assert_eq!(pointers(&told), [at]);
    }
    assert_eq!(exported(&app, &key).await, before);
    app.stop().await;
}

#[tokio::test]
async fn a_repeated_call_gets_the_first_plan() {
    let app = service(&["acme"]).await;
    let key = app.admin_key("acme", Role::Publisher).await;
    let asked = json!({ "bundle": documents("acme") });
    let call = || {
        let request = app.request(Method::POST, APPLY, &key);
        request
            .header("idempotency-key", "deploy-17")
            .json(&asked)
            .send()
    };
    let first = body(call().await.unwrap(), 200).await;
    assert_eq!(first["steps"].as_array().unwrap().len(), 5);
    assert_eq!(body(call().await.unwrap(), 200).await, first);
    app.stop().await;
}

#[tokio::test]
async fn where_approvals_are_asked_for_documents_are_sealed_and_wait() {
    let app = service(&[]).await;
    app.apply("tenant: acme\npolicy: {requiredApprovals: 1}")
        .await;
    let key = app.admin_key("acme", Role::Publisher).await;
    let plan = apply(
        &app,
        &key,
        &json!({ "tenant": "acme", "snippets": { "rules": { "text": "Be kind." } } }),
    )
    .await;
    let note = plan["steps"][0]["note"].as_str().unwrap();
    assert!(
        note.contains("not released: it waits for 1 approval"),
        "{note}"
    );
    assert_eq!(exported(&app, &key).await["snippets"], json!({}));
    let versions = app
        .ask(
            Method::GET,
            "/v1/admin/documents/snippet/rules/versions",
            &key,
        )
        .await;
    assert_eq!(body(versions, 200).await["items"][0]["number"], 1);
    app.stop().await;
}

#[tokio::test]
async fn what_is_applied_is_in_the_audit_trail_under_the_key_that_did_it() {
    let app = service(&["acme"]).await;
    let key = app.admin_key("acme", Role::Publisher).await;
    let asked = json!({ "bundle": documents("acme"), "message": "first" });
    body(app.tell(Method::POST, APPLY, &key, &asked).await, 200).await;
    let actor = format!("key:{}", key.chars().take(12).collect::<String>());
    let rows = app
        .database
        .rows(&format!("select count(*) as n from audit_event where actor = '{actor}' and request_id is not null"))
        .await;
    assert!(rows[0]["n"].as_i64().unwrap() >= 5, "{rows:?}");
    let messages = app
        .database
        .rows("select distinct message from document_version")
        .await;
    assert_eq!(messages[0]["message"], "first");
    app.stop().await;
}
