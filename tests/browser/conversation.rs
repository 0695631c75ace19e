//! From a session token to a conversation, and what stands in its way.

use fantoccini::Client;
use persona_gateway::dev::emulator::{Emulator, EmulatorConfig, EmulatorHandle, Mode};
use serde_json::{Value, json};

use crate::browser::with_browser;
use crate::page;

/// What became of a conversation in the browser: `{sessionId, activeSessionId}` or `{failure}`.
/// The token may come from anywhere; `anam` is where it is good.
pub(crate) async fn converse(browser: &Client, token: &str, anam: &str) -> Value {
    let script = "const [token, anam, done] = arguments; converse(token, anam).then(done);";
    let arguments = vec![json!(token), json!(anam)];
    let outcome = browser.execute_async(script, arguments).await;
    outcome.expect("the page answers")
}

/// Waits until the conversation of the page is closed; says how: `{code, details}`.
async fn closed(browser: &Client) -> Value {
    let script = "const [done] = arguments; window.stopped.then(done);";
    let outcome = browser.execute_async(script, Vec::new()).await;
    outcome.expect("the page answers")
}

fn persona(label: &str) -> Value {
    json!({
        "clientLabel": label,
        "personaConfig": {
            "name": "Liv",
            "avatarId": "071b0286-4cce-4808-bee2-e642f1062de3",
            "voiceId": "de23e340-1416-4dd8-977d-065a7ca11697",
            "llmId": "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7",
            "languageCode": "en",
            "systemPrompt": "You are kind.",
        },
    })
}

/// Calls the emulator with an API key, as the gateway's server side does.
async fn call(anam: &EmulatorHandle, path: &str, body: Option<&Value>) -> Value {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("client");
    let url = format!("{}{path}", anam.url());
    let request = match body {
        Some(body) => http.post(url).json(body),
        None => http.get(url),
    };
    let answer = request.bearer_auth("key").send().await.expect("an answer");
    let answer = answer.error_for_status().expect("success");
    answer.json().await.expect("JSON")
}

async fn mint(anam: &EmulatorHandle, body: &Value) -> String {
    let minted = call(anam, "/v1/auth/session-token", Some(body)).await;
    minted["sessionToken"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_token_becomes_a_ready_session_whose_row_carries_the_label() {
    let anam = Emulator::start(EmulatorConfig::default()).unwrap();
    let page = page::serve();
    with_browser(|browser| async move {
        let token = mint(&anam, &persona("label-of-the-gateway")).await;
        browser.goto(&page.url).await.unwrap();

        let outcome = converse(&browser, &token, &anam.url()).await;

        let minted = anam.minted();
        assert_eq!(
            outcome["sessionId"],
            minted[0].session_id.to_string(),
            "{outcome}"
        );
        assert_eq!(outcome["activeSessionId"], outcome["sessionId"]);
        let start = anam
            .request_where(|call| call.path == "/v1/engine/session")
            .await
            .unwrap();
        let sent = json!({"clientMetadata": {"client": "js-sdk", "version": "4.27.0"}});
        assert_eq!(start.body, sent);
        let rows = call(&anam, "/v1/sessions?search=label-of-the-gateway", None).await;
        assert_eq!(rows["meta"]["total"], 1);
        assert_eq!(rows["data"][0]["id"], outcome["sessionId"]);
        assert_eq!(rows["data"][0]["clientMetadata"]["client"], "js-sdk");
    })
    .await;
}

#[tokio::test]
async fn a_taken_slot_is_told_as_a_concurrency_limit() {
    let anam = Emulator::start(EmulatorConfig {
        concurrency: Some(1),
        ..EmulatorConfig::default()
    })
    .unwrap();
    let page = page::serve();
    with_browser(|browser| async move {
        let (first, second) = (
            mint(&anam, &persona("first")).await,
            mint(&anam, &persona("second")).await,
        );
        browser.goto(&page.url).await.unwrap();

        let started = converse(&browser, &first, &anam.url()).await;
        assert!(started["sessionId"].is_string(), "{started}");
        let refused = converse(&browser, &second, &anam.url()).await;

        let failure = &refused["failure"];
        let code = "CLIENT_ERROR_CODE_MAX_CONCURRENT_SESSIONS_REACHED";
        assert_eq!(failure["code"], code, "{refused}");
        assert_eq!(failure["statusCode"], 429);
        let rows = call(&anam, "/v1/sessions?search=second", None).await;
        assert_eq!(rows["meta"]["total"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_stop_from_the_server_closes_the_conversation_in_the_page() {
    let anam = Emulator::start(EmulatorConfig::default()).unwrap();
    let page = page::serve();
    with_browser(|browser| async move {
        let token = mint(&anam, &persona("stopped")).await;
        browser.goto(&page.url).await.unwrap();
        let outcome = converse(&browser, &token, &anam.url()).await;
        let id = outcome["sessionId"].as_str().expect("a session");

        call(&anam, &format!("/v1/sessions/{id}/stop"), Some(&json!({}))).await;

        let closed = closed(&browser).await;
        let code = "CONNECTION_CLOSED_CODE_SERVER_CLOSED_CONNECTION";
        assert_eq!(closed, json!({"code": code, "details": "Session stopped"}));
    })
    .await;
}

#[tokio::test]
async fn a_token_without_llm_is_refused_by_the_sdk_before_any_request() {
    let anam = Emulator::start(EmulatorConfig {
        mode: Mode::Lax,
        ..EmulatorConfig::default()
    })
    .unwrap();
    let page = page::serve();
    with_browser(|browser| async move {
        let token = mint(&anam, &json!({"personaConfig": {"name": "Liv"}})).await;
        browser.goto(&page.url).await.unwrap();

        let outcome = converse(&browser, &token, &anam.url()).await;

        let code = "CLIENT_ERROR_CODE_CONFIGURATION_ERROR";
        assert_eq!(outcome["failure"]["code"], code, "{outcome}");
        let started = anam
            .requests()
            .iter()
            .any(|call| call.path == "/v1/engine/session");
        assert!(!started);
    })
    .await;
}
