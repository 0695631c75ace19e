//! Test calls: a token for somebody who administers, made as a user's is, and told apart from it everywhere.

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{draft, live, preview, release, seal};
use crate::harness::admins::body;
use crate::harness::tenants::{Tenant, serve};
use crate::harness::{TestApp, TestOptions, pointers, problem, spawn, spawn_with};

const SUPPORT: &str = "persona/support-agent";

async fn talk(app: &TestApp, key: &str, asked: &Value) -> Response {
    app.tell(Method::POST, "/v1/admin/test-calls", key, asked)
        .await
}

async fn got(app: &TestApp, key: &str, path: &str) -> Value {
    body(app.ask(Method::GET, path, key).await, 200).await
}

/// A draft of the support persona with another greeting.
async fn drafted(app: &TestApp, key: &str) -> String {
    let mut content = live(app, key, SUPPORT).await;
    content["initialMessage"] = json!("Good day, {{ user.name }}!");
    draft(app, key, SUPPORT, &content).await.0
}

/// What Anam is sent, without the session's id and the fences' tag, which depends on it.
fn without_session(sent: &Value) -> Value {
    let mut text = sent.to_string();
    while let Some((_, rest)) = text.split_once('⟦') {
        let tag: String = rest.chars().take(8).collect();
        text = text.replace('⟦', "<").replace(&tag, "TAG");
    }
    let mut sent: Value = serde_json::from_str(&text).unwrap();
    sent.as_object_mut().unwrap().remove("clientLabel");
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_talked_with_as_it_is_previewed_and_everything_says_that_no_user_did() {
    let app = spawn().await;
    let ann = app.signed_in("demo", "ann@example.com", Role::Editor).await;
    let draft = drafted(&app, &ann).await;
    let user = json!({ "subject": "user-9", "facts": { "name": "Kim Lee", "plan": "gold" } });
    let asked = json!({
        "use": [{ "draft": draft }],
        "context": "support",
        "metadata": { "ticketId": "T-1" },
        "user": user,
    });
    let previewed = body(preview(&app, &ann, &asked).await, 200).await;

    let answer = talk(&app, &ann, &asked).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let told = body(answer, 200).await;
    let sent = app.last_mint();
    assert_eq!(sent["clientLabel"], told["sessionId"]);
    assert_eq!(
        without_session(&sent),
        without_session(&previewed["request"])
    );
    assert_eq!(told["greeting"], "Good day, Kim Lee!");
    assert_eq!(
        told["persona"],
        json!({ "key": "support-agent", "version": 0, "name": "Liv from support" })
    );
    assert_eq!(told["trace"], previewed["trace"]);
    assert_eq!(told["leftOutTools"], json!([]));
    assert!(told["sessionToken"].is_string() && told["maxSessionLengthSeconds"].is_u64());

    // In the list, marked; in no statistics.
    let session = told["sessionId"].as_str().unwrap();
    let by = json!("person:ann@example.com");
    let sessions = got(&app, &ann, "/v1/admin/sessions").await;
    assert_eq!(sessions["items"][0]["id"], session);
    assert_eq!(sessions["items"][0]["testBy"], by);
    assert_eq!(sessions["items"][0]["subject"], "user-9");
    let users = got(&app, &ann, "/v1/admin/sessions?test=false").await;
    assert_eq!(users["items"], json!([]));
    let tests = got(&app, &ann, "/v1/admin/sessions?test=true").await;
    assert_eq!(tests["items"].as_array().unwrap().len(), 1);
    let counts = got(&app, &ann, "/v1/admin/session-counts").await;
    assert_eq!(
        (&counts["sessions"], &counts["testCalls"]),
        (&json!(0), &json!(1))
    );
    let impact = app
        .tell(
            Method::POST,
            "/v1/admin/impact",
            &ann,
            &json!({ "use": [] }),
        )
        .await;
    assert_eq!(body(impact, 200).await["considered"], 0);
    let metrics = app.metrics().await;
    assert!(metrics.contains("gateway_test_call_total{outcome=\"issued\"} 1"));
    assert!(!metrics.contains("gateway_mint_total{outcome=\"issued\"}"));

    // Explained as it was, also once the draft says something else.
    let path = format!("/v1/admin/drafts/{draft}");
    let discarded = app
        .tell_if(Method::DELETE, &path, &ann, "*", &json!({}))
        .await;
    assert_eq!(discarded.status(), 204);
    let story = got(&app, &ann, &format!("/v1/admin/sessions/{session}")).await;
    assert_eq!(story["test"]["by"], by);
    assert_eq!(
        story["test"]["use"][0]["content"]["initialMessage"],
        "Good day, {{ user.name }}!"
    );
    assert_eq!(story["prompt"]["exact"], true, "{story}");
    assert_eq!(
        story["sent"]["personaConfig"]["initialMessage"],
        "Good day, Kim Lee!"
    );

    // Who talked as whom, with what: without the user's name, which the trail could not forget.
    let audit = got(&app, &ann, "/v1/admin/audit?action=session.test").await;
    let event = &audit["items"][0];
    assert_eq!(
        (&event["actor"], &event["target"]),
        (&by, &json!(format!("session/{session}")))
    );
    let details = &event["details"];
    assert_eq!(details["use"], json!([{ "draft": draft }]));
    assert!(details["as"]["user"].as_str().unwrap().starts_with("user/"));
    assert!(!audit.to_string().contains("user-9"), "{audit}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_user_is_not_marked() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    app.minted_config(&app.user("user-1"), &json!({})).await;
    let listed = got(&app, &key, "/v1/admin/sessions?test=false").await;
    let session = &listed["items"][0];
    assert!(session.get("testBy").is_none(), "{session}");
    let path = format!("/v1/admin/sessions/{}", session["id"].as_str().unwrap());
    assert!(got(&app, &key, &path).await.get("test").is_none());
    let tests = got(&app, &key, "/v1/admin/sessions?test=true").await;
    assert_eq!(tests["items"], json!([]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_at_another_time_is_talked_with_and_explained_as_of_then() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let version = seal(&app, &key, &{
        let mut content = live(&app, &key, SUPPORT).await;
        content["systemPrompt"] = json!("It is {{ time.weekday }}.");
        draft(&app, &key, SUPPORT, &content).await
    })
    .await;
    let at = json!(app.clock.now() + chrono::TimeDelta::days(3));
    let asked = json!({
        "use": [{ "kind": "persona", "key": "support-agent", "version": version }],
        "context": "support",
        "at": at,
    });
    let previewed = body(preview(&app, &key, &asked).await, 200).await;
    let told = body(talk(&app, &key, &asked).await, 200).await;
    assert_eq!(told["persona"]["version"], version);
    assert_eq!(
        without_session(&app.last_mint()),
        without_session(&previewed["request"])
    );
    let path = format!("/v1/admin/sessions/{}", told["sessionId"].as_str().unwrap());
    let story = got(&app, &key, &path).await;
    assert_eq!(story["prompt"]["exact"], true, "{story}");
    assert_eq!(story["test"]["at"], at);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_another_tenant_or_to_nobody_is_not_there() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    let (one, other) = (
        app.admin_key("alpha", Role::Editor).await,
        app.admin_key("beta", Role::Editor).await,
    );
    let documents = got(&app, &one, "/v1/admin/documents?kind=persona").await;
    let persona = documents["items"][0]["key"].as_str().unwrap().to_owned();
    let document = format!("persona/{persona}");
    let content = live(&app, &one, &document).await;
    let (id, _) = draft(&app, &one, &document, &content).await;
    let asked = json!({ "use": [{ "draft": id }] });
    problem(talk(&app, &other, &asked).await, 404, "not_found").await;
    let asked = json!({ "use": [{ "kind": "persona", "key": persona, "version": 99 }] });
    problem(talk(&app, &one, &asked).await, 404, "not_found").await;
    let asked = json!({ "user": { "sample": "nobody" } });
    problem(talk(&app, &one, &asked).await, 404, "not_found").await;
    assert_eq!(app.mints_asked(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_release_would_refuse_is_not_talked_with_and_leaves_no_trace() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let mut content = live(&app, &key, SUPPORT).await;
    content["avatarId"] = json!("00000000-0000-4000-8000-000000000001");
    let used = json!({ "kind": "persona", "key": "support-agent", "content": content });
    let refused = talk(&app, &key, &json!({ "use": [used], "context": "support" })).await;
    let refused = problem(refused, 422, "document_invalid").await;
    assert_eq!(pointers(&refused), ["/use/0/avatarId"]);
    let asked = json!({ "context": "support", "metadata": { "priority": "very" } });
    problem(talk(&app, &key, &asked).await, 422, "metadata_invalid").await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    problem(talk(&app, &viewer, &json!({})).await, 403, "forbidden").await;
    assert_eq!(app.mints_asked(), 0);
    let audit = got(&app, &key, "/v1/admin/audit?action=session.test").await;
    assert_eq!(audit["items"], json!([]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_makes_a_few_calls_a_minute_and_takes_nothing_from_the_user() {
    let app = spawn_with(TestOptions {
        env: vec![("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE".into(), "1".into())],
        ..TestOptions::default()
    })
    .await;
    let (one, other) = (
        app.admin_key("demo", Role::Editor).await,
        app.admin_key("demo", Role::Editor).await,
    );
    let asked = json!({ "user": { "subject": "user-1" } });
    for _ in 0..6 {
        body(talk(&app, &one, &asked).await, 200).await;
    }
    let refused = talk(&app, &one, &asked).await;
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 429, "rate_limited").await;
    body(talk(&app, &other, &asked).await, 200).await;
    let user = app.mint(&app.user("user-1"), &json!({})).await;
    assert_eq!(user.status(), 200);
    let page = app.metrics().await;
    assert!(page.contains("gateway_limit_refusals_total{limit=\"test_call\"} 1"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_of_anam_is_told_as_a_user_is_told_it_and_recorded() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    for (status, error, told, code) in [
        (401, "Unauthorized", 502, "upstream_auth"),
        (
            429,
            "Concurrent session limit reached",
            429,
            "upstream_concurrency",
        ),
        (500, "Internal server error", 502, "upstream_error"),
    ] {
        let fault = Fault::status(FaultTarget::Mint, status).with_body(json!({ "error": error }));
        app.anam.fault(fault);
        let refused = problem(talk(&app, &key, &json!({})).await, told, code).await;
        app.anam.clear();
        let session = refused["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("{refused}"));
        let path = format!("/v1/admin/sessions/{session}");
        let story = crate::harness::wait::until(
            "the outcome",
            std::time::Duration::from_secs(10),
            || async {
                let story = got(&app, &key, &path).await;
                (story["outcome"]["result"] == "failed").then_some(story)
            },
        )
        .await;
        assert_eq!(story["outcome"]["code"], code);
        assert!(story["test"]["by"].as_str().unwrap().starts_with("key:"));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_goes_only_where_a_release_has_sent_it_already() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let editor = app.admin_key("demo", Role::Editor).await;
    let set = json!({ "value": "canary-of-the-crm-5b21" });
    let answer = app
        .tell(Method::PUT, "/v1/admin/secrets/crm", &owner, &set)
        .await;
    body(answer, 201).await;
    let tool = |url: &str| {
        json!({ "type": "server", "subtype": "webhook", "name": "ticket", "method": "POST", "url": url,
                "headers": { "Authorization": "Bearer ${secret:crm}" } })
    };
    let ends = json!({ "type": "system", "name": "end_call" });
    let mut content = live(&app, &owner, SUPPORT).await;
    content["tools"] = json!([tool("https://crm.example/tickets"), ends]);
    let number = seal(&app, &owner, &draft(&app, &owner, SUPPORT, &content).await).await;
    body(
        release(&app, &owner, SUPPORT, &json!({ "version": number })).await,
        200,
    )
    .await;
    app.settle("demo").await;

    // As it is live, it is sent; beside another prompt too.
    content["systemPrompt"] = json!("Be brief.");
    let used = json!({ "kind": "persona", "key": "support-agent", "content": content });
    let asked = json!({ "use": [used], "context": "support" });
    let told = body(talk(&app, &editor, &asked).await, 200).await;
    assert_eq!(
        (&told["tools"], &told["leftOutTools"]),
        (&json!(["ticket", "end_call"]), &json!([]))
    );
    let tools = app.last_mint()["personaConfig"]["tools"].clone();
    assert_eq!(
        tools[0]["headers"]["Authorization"],
        "Bearer canary-of-the-crm-5b21"
    );
    assert!(!told.to_string().contains("canary"));

    // Anywhere else it is not, whoever asks, and the explanation knows.
    content["tools"] = json!([tool("https://collects.example/"), ends]);
    let used = json!({ "kind": "persona", "key": "support-agent", "content": content });
    let asked = json!({ "use": [used], "context": "support" });
    for key in [&editor, &owner] {
        let told = body(talk(&app, key, &asked).await, 200).await;
        assert_eq!(
            (&told["tools"], &told["leftOutTools"]),
            (&json!(["end_call"]), &json!(["ticket"]))
        );
        assert!(!app.last_mint().to_string().contains("canary"));
        let path = format!("/v1/admin/sessions/{}", told["sessionId"].as_str().unwrap());
        let story = got(&app, key, &path).await;
        assert_eq!(story["test"]["leftOutTools"], json!(["ticket"]));
        assert_eq!(story["prompt"]["exact"], true, "{story}");
    }
    app.stop().await;
}
