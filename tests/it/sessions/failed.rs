//! A mint that fails can be found: by its session, by its request, and in the log with Anam's reason.

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::logs::logged;
use crate::harness::wait::until;
use crate::harness::{PLATFORM_KEY, TestApp, context, problem, spawn};

fn line_with(part: &str, message: &str) -> Value {
    let all = logged();
    let line = all
        .lines()
        .find(|line| line.contains(part) && line.contains(message));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no line `{message}` with {part}"))).unwrap()
}

async fn session(app: &TestApp, key: &str, query: &str) -> Option<Value> {
    let path = format!("/v1/admin/sessions?{query}");
    let page = body(app.ask(Method::GET, &path, key).await, 200).await;
    let items = page["items"].as_array().unwrap();
    assert!(items.len() <= 1, "{page}");
    items
        .first()
        .filter(|item| item["outcome"] != "pending")
        .cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_anam_refused_is_found_by_its_request_and_says_why_in_the_log() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let metadata = json!({ "ticketId": "T-CANARY-77", "issue": "My very private matter" });
    let sent = json!({ "context": "support", "metadata": metadata });
    // What Anam was sent first, so that it can be repeated word for word.
    let config = app.minted_config(&app.user("user-1"), &sent).await;
    let prompt = config["personaConfig"]["systemPrompt"].as_str().unwrap();
    assert!(prompt.contains("My very private matter"));
    let said =
        format!("voiceId is not one of this account's; key {PLATFORM_KEY}; you sent {prompt}");
    app.anam.fault(
        Fault::status(FaultTarget::Mint, 400)
            .with_body(json!({ "error": "Bad Request", "message": said })),
    );
    let answer = app.mint(&app.user("user-1"), &sent).await;
    let request = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let told = problem(answer, 502, "persona_config_rejected").await;
    let id = told["sessionId"].as_str().unwrap().to_owned();
    app.anam.clear();

    let query = format!("requestId={request}");
    let found = until(
        "the outcome is in the ledger",
        std::time::Duration::from_secs(10),
        || session(&app, &key, &query),
    )
    .await;
    assert_eq!(
        (&found["id"], &found["requestId"]),
        (&json!(id), &json!(request))
    );
    assert_eq!(found["code"], "persona_config_rejected");
    let explained = body(
        app.ask(Method::GET, &format!("/v1/admin/sessions/{id}"), &key)
            .await,
        200,
    )
    .await;
    assert_eq!(explained["requestId"], request);
    assert!(
        session(&app, &key, &format!("requestId={id}"))
            .await
            .is_none()
    );
    let wrong = app
        .ask(Method::GET, "/v1/admin/sessions?requestId=x", &key)
        .await;
    problem(wrong, 422, "invalid_request").await;

    let line = line_with(&id, "Anam gave no token");
    assert_eq!(line["tenant.id"], app.tenant("demo").await.to_string());
    assert_eq!(line["session.id"], id);
    assert_eq!(line["persona"], "support-agent");
    assert_eq!(line["code"], "persona_config_rejected");
    assert_eq!(line["anam.status"], 400);
    assert_eq!(line["span"]["request.id"], request);
    assert!(
        line["duration_ms"].is_u64() && line["persona.version"].is_i64(),
        "{line}"
    );
    let reason = line["anam.reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Bad Request; voiceId is not one of this account's; key [removed]"),
        "{reason}"
    );
    assert!(reason.chars().count() <= 300, "{reason}");
    for gone in ["CANARY", "private", PLATFORM_KEY, "platform-key"] {
        assert!(!reason.contains(gone), "{gone} in {reason}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_before_a_session_was_recorded_names_none() {
    let app = spawn().await;
    let answer = app
        .mint(&app.user("user-1"), &json!({ "context": 7 }))
        .await;
    assert!(
        problem(answer, 422, "invalid_request")
            .await
            .get("sessionId")
            .is_none()
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_does_not_exist_is_seen_in_log_and_metrics() {
    let app = spawn().await;
    let token = app.user("user-1");
    for name in ["support", "no-such-context-at-all"] {
        assert_eq!(app.mint(&token, &context(name)).await.status(), 200);
    }
    assert_eq!(app.mint(&token, &json!({})).await.status(), 200);
    let metrics = app.app.gateway.metrics.encode();
    for found in ["by_key", "default_instead", "not_named"] {
        let line = format!("gateway_mint_contexts_total{{found=\"{found}\"}} 1");
        assert!(metrics.lines().any(|one| one == line), "{line}");
    }
    let line = line_with("no-such-context-at-all", "a context was not found");
    assert_eq!(
        (&line["context.asked"], &line["context"]),
        (&json!("no-such-context-at-all"), &json!("default"))
    );
    app.stop().await;
}

/// Whatever can be read as a number is one, so that no tool has to guess.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_in_log_lines_are_numbers_and_routes_are_those_of_the_document() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let answer = app
        .ask(
            Method::GET,
            "/v1/admin/documents/persona/support-agent/versions/1",
            &key,
        )
        .await;
    let request = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    body(answer, 200).await;
    app.mint(&app.user("user-1"), &context("support")).await;
    let line = line_with(&request, "answered");
    assert_eq!(
        line["http.route"],
        "/v1/admin/documents/{kind}/{key}/versions/{number}"
    );
    assert_eq!(line["http.status"], 200);
    assert_eq!(
        line["span"]["tenant.id"],
        app.tenant("demo").await.to_string()
    );
    for line in logged()
        .lines()
        .filter(|line| line.contains("\"persona_gateway"))
    {
        let Ok(Value::Object(members)) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for (name, value) in members {
            let is_measure =
                name.ends_with("_ms") || name.ends_with("status") || name.ends_with("version");
            assert!(!is_measure || value.is_number(), "{name} in {line}");
        }
    }
    app.stop().await;
}
