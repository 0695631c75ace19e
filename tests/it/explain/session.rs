//! One session explained.

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{explained, minted, settled};
use crate::harness::admins::body;
use crate::harness::tenants::{Tenant, serve};
use crate::harness::{TestOptions, context, problem, spawn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_says_who_what_why_from_which_versions_and_what_became_of_it() {
    let app = spawn().await;
    let asked = json!({ "context": "customer-support", "metadata": { "issue": "a late parcel" } });
    let id = minted(&app, &app.user("user-1"), &asked).await;
    let told = explained(&app, &id).await;

    assert_eq!(told["id"], id);
    assert_eq!(told["user"]["subject"], "user-1");
    assert_eq!(told["user"]["issuer"]["url"], app.issuer.url());
    assert_eq!(told["inputs"]["kept"], true);
    assert_eq!(told["inputs"]["values"]["facts"]["plan"], "pro");
    assert_eq!(
        told["inputs"]["values"]["metadata"]["issue"],
        "a late parcel"
    );
    assert_eq!(told["context"], "support");
    assert_eq!(
        told["persona"],
        json!({ "key": "support-agent", "version": 1 })
    );
    assert_eq!(told["trace"]["contextFound"], "byAlias");
    assert_eq!(told["outcome"]["result"], "issued");
    assert!(told["outcome"]["expiresAt"].is_string());
    assert_eq!(told["outcome"]["tokenHash"].as_str().unwrap().len(), 64);
    for part in ["auth", "decide", "anam", "total"] {
        assert!(told["timings"][part].as_f64().unwrap() > 0.0, "{told}");
    }
    assert_eq!(told["configHash"].as_str().unwrap().len(), 64);
    let versions = told["versions"].as_array().unwrap();
    let of = |kind: &str| {
        let found = versions.iter().find(|version| version["kind"] == kind);
        found.unwrap_or_else(|| panic!("a {kind} in {told}"))
    };
    assert_eq!(of("context")["state"], "live");
    assert_eq!(of("persona")["state"], "live");
    assert_eq!(of("persona")["hash"], told["trace"]["persona"]["hash"]);
    assert_eq!(of("snippet")["state"], "pinned");
    let prompt = app.last_mint()["personaConfig"]["systemPrompt"].clone();
    assert!(
        !told
            .to_string()
            .contains(prompt.as_str().unwrap().lines().next().unwrap())
    );

    app.database
        .sql("update document set archived_at = now() where kind = 'snippet'")
        .await;
    let told = explained(&app, &id).await;
    let states: Vec<&Value> = told["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["state"])
        .collect();
    assert!(states.contains(&&json!("archived")), "{states:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_was_replaced_since_is_superseded() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &context("support")).await;
    app.database
        .sql(
            "insert into document_version (tenant_id, document_id, content)
                 select tenant_id, document_id, content from document_version v join document d on d.id = v.document_id
                 where d.key = 'support-agent';
             insert into release (tenant_id, document_id, version_id)
                 select tenant_id, document_id, v.id from document_version v join document d on d.id = v.document_id
                 where d.key = 'support-agent' and v.number = 2"
                .replace("select tenant_id, document_id", "select v.tenant_id, v.document_id")
                .as_str(),
        )
        .await;
    let told = explained(&app, &id).await;
    let versions = told["versions"].as_array().unwrap();
    let persona = versions.iter().find(|v| v["kind"] == "persona").unwrap();
    assert_eq!(
        (
            &persona["version"],
            &persona["state"],
            &persona["liveVersion"]
        ),
        (&json!(1), &json!("superseded"), &json!(2))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anams_own_session_is_told_once_the_token_is_used_and_its_silence_does_no_harm() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &context("support")).await;
    let told = explained(&app, &id).await;
    assert_eq!(told["anam"]["known"], false);
    let reason = told["anam"]["reason"].as_str().unwrap();
    assert!(reason.contains("no session with this label"), "{reason}");

    let newest = app.anam.minted().last().unwrap().token.clone();
    app.begin_conversation(&newest).await;
    let told = explained(&app, &id).await;
    assert_eq!(told["anam"]["known"], true, "{told}");
    let sessions = told["anam"]["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1);
    assert!(sessions[0]["id"].is_string() && sessions[0]["startTime"].is_string());
    assert_eq!(sessions[0]["endTime"], Value::Null);
    assert!(!told["anam"].to_string().contains("ystemPrompt"));

    for fault in [
        Fault::status(FaultTarget::Sessions, 503),
        Fault::dropped(FaultTarget::Sessions),
        Fault::status(FaultTarget::Sessions, 200).with_body(json!("no page")),
        Fault::status(FaultTarget::Sessions, 200)
            .with_body(json!({ "data": ["x".repeat(5_000_000)] })),
    ] {
        app.anam.fault(fault);
        let told = explained(&app, &id).await;
        app.anam.clear();
        assert_eq!(told["anam"]["known"], false);
        assert!(told["anam"]["reason"].is_string());
        assert_eq!(told["outcome"]["result"], "issued", "the rest is told");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_mint_is_explained_with_its_code() {
    let app = spawn().await;
    app.anam.fault(Fault::status(FaultTarget::Mint, 403));
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    problem(answer, 502, "upstream_forbidden").await;
    let id = app.last_mint()["clientLabel"].as_str().unwrap().to_owned();
    settled(&app, &id).await;
    let told = explained(&app, &id).await;
    assert_eq!(
        told["outcome"],
        json!({ "result": "failed", "code": "upstream_forbidden" })
    );
    assert_eq!(
        told["anam"],
        json!({ "known": false, "reason": "no token was issued" })
    );
    assert!(told["timings"]["total"].as_f64().unwrap() > 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_told_only_while_they_are_kept() {
    let app = spawn().await;
    let id = minted(&app, &app.user("user-1"), &context("support")).await;
    app.database
        .sql("update session_inputs set keep_until = now() - interval '1 second'")
        .await;
    let told = explained(&app, &id).await;
    assert_eq!(told["inputs"]["kept"], false);
    assert!(told["inputs"].get("values").is_none());
    assert!(!told.to_string().contains("\"pro\""), "{told}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_session_is_not_found_like_one_that_never_was() {
    let (acme, globex) = (Tenant::new("acme", None), Tenant::new("globex", None));
    let app = serve(&[&acme, &globex], TestOptions::default()).await;
    let answer = app.mint(&acme.user("ada"), &json!({})).await;
    let id = body(answer, 200).await["sessionId"]
        .as_str()
        .unwrap()
        .to_owned();
    settled(&app, &id).await;
    let (own, other) = (
        app.admin_key("acme", Role::Viewer).await,
        app.admin_key("globex", Role::Owner).await,
    );
    let path = format!("/v1/admin/sessions/{id}");
    body(app.ask(Method::GET, &path, &own).await, 200).await;
    let never = app.clock.new_id();
    let mut answers = Vec::new();
    for id in [id.as_str(), &never.to_string(), "not-an-id"] {
        for (method, path) in [
            (Method::GET, format!("/v1/admin/sessions/{id}")),
            (Method::POST, format!("/v1/admin/sessions/{id}:replay")),
        ] {
            let answer = app.ask(method, &path, &other).await;
            answers.push(problem(answer, 404, "not_found").await);
        }
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    app.stop().await;
}
