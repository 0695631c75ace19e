//! The five behaviours of Anam's documented Express server, on the route that stands in for it.

use std::time::Duration;

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::logs::logged;
use crate::harness::{TestApp, TestOptions, context, full_text, spawn, spawn_with};

const CARA: &str = "30fa96d0-26c4-4e55-94a0-517025942e18";
const LEO: &str = "121d5df1-3f3e-4a48-a237-8ff488e9eed8";
const CARAS_VOICE: &str = "6bfbe25a-979d-40f3-a92b-5394170af54b";
const LEOS_VOICE: &str = "b7274f87-8b72-4c5b-bf52-954768b28c75";
const GPT_4O: &str = "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7";
const GPT_4O_MINI: &str = "0934d97d-0c3a-4f33-91b0-5e136a0ef466";

async fn ask(app: &TestApp, token: &str, body: &Value) -> Response {
    app.request(Method::POST, "/api/session-token", token)
        .json(body)
        .send()
        .await
        .unwrap()
}

/// Asks, and gives the persona that Anam was sent.
async fn persona(app: &TestApp, token: &str, body: &Value) -> Value {
    let answer = ask(app, token, body).await;
    let status = answer.status();
    assert_eq!(status, 200, "{}", answer.text().await.unwrap());
    app.last_mint()["personaConfig"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_made_with_nothing_but_the_api_key_set_and_no_body() {
    let app = spawn().await;
    assert!(
        app.database
            .rows("select * from provider_key")
            .await
            .is_empty()
    );

    let answer = app
        .request(Method::POST, "/api/session-token", &app.user("user-1"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let answer: Value = answer.json().await.unwrap();
    let minted = app.anam.minted();
    assert_eq!(
        answer,
        json!({ "sessionToken": minted[0].token }),
        "that and nothing else"
    );
    assert_eq!(minted[0].config["personaConfig"]["name"], "Cara");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_own_avatar_voice_llm_and_prompt_win_and_others_keep_the_personas() {
    let app = spawn().await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let prompt = "You are my Spanish teacher.\nCorrect me {{ gently }}.";
    app.prefer(
        &ann,
        &json!({ "avatarId": LEO, "voiceId": LEOS_VOICE, "llmId": GPT_4O, "systemPrompt": prompt, "displayName": "Ann" }),
    )
    .await;

    let anns = persona(&app, &ann, &json!({})).await;
    assert_eq!(anns["avatarId"], LEO);
    assert_eq!(anns["voiceId"], LEOS_VOICE);
    assert_eq!(anns["llmId"], GPT_4O);
    assert_eq!(anns["systemPrompt"], prompt, "as written, never a template");
    assert!(
        anns["initialMessage"]
            .as_str()
            .unwrap()
            .starts_with("Hello Ann,")
    );

    let bobs = persona(&app, &bob, &json!({})).await;
    assert_eq!(bobs["avatarId"], CARA);
    assert_eq!(bobs["voiceId"], CARAS_VOICE);
    assert_eq!(bobs["llmId"], GPT_4O_MINI);
    let bobs_prompt = bobs["systemPrompt"].as_str().unwrap();
    assert!(bobs_prompt.starts_with("You are a helpful assistant of Northwind Cloud."));
    assert!(!bobs_prompt.contains("Spanish"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_context_has_its_persona_and_metadata_shows_in_its_prompt() {
    let app = spawn().await;
    let token = app.user("user-1");
    let ticket = json!({ "ticketId": "T-99", "issue": "The export is empty" });
    let ticket_shows = ["T-99", "The export is empty"];
    let topic = json!({ "topic": "gardening" });
    let cases = [
        (
            "customer-support",
            "Liv from support",
            &ticket,
            ticket_shows,
        ),
        ("support", "Liv from support", &ticket, ticket_shows),
        (
            "sales",
            "Cara from sales",
            &json!({ "product": "Backup Plus", "seats": 40 }),
            ["Backup Plus", "They need 40 seats."],
        ),
        (
            "training",
            "Leo, your trainer",
            &json!({ "course": "First steps", "lesson": 3 }),
            ["First steps", ", lesson 3."],
        ),
        ("default", "Cara", &topic, ["gardening", "talk about"]),
        ("checkout", "Cara", &topic, ["gardening", "talk about"]),
    ];
    for (name, expected, metadata, shows) in cases {
        let without = persona(&app, &token, &context(name)).await;
        assert_eq!(without["name"], expected, "{name} without metadata");
        let body = json!({ "context": name, "metadata": metadata });
        let with = persona(&app, &token, &body).await;
        assert_eq!(with["name"], expected, "{name} with metadata");
        for text in shows {
            let prompt = with["systemPrompt"].as_str().unwrap();
            assert!(prompt.contains(text), "{name}: {text} is in {prompt}");
            let plain = without["systemPrompt"].as_str().unwrap();
            assert!(!plain.contains(text), "{name}: {text} is not in {plain}");
        }
    }
    app.stop().await;
}

/// The documented server's answers, byte for byte.
const AUTHENTICATION_FAILED: (u16, &str) = (500, r#"{"error":"Authentication failed"}"#);
const INVALID_CONFIGURATION: (u16, &str) = (400, r#"{"error":"Invalid configuration"}"#);
const SERVICE_UNAVAILABLE: (u16, &str) = (500, r#"{"error":"Service unavailable"}"#);
const NETWORK_ERROR: (u16, &str) = (500, r#"{"error":"Network error"}"#);

async fn assert_answers(app: &TestApp, fault: Fault, expected: (u16, &str)) {
    let shown = format!("{fault:?}");
    app.anam.fault(fault);
    let answer = ask(app, &app.user("user-1"), &context("sales")).await;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    assert_eq!((status, body.as_str()), expected, "{shown}");
    assert_eq!(headers["content-type"], "application/json", "{shown}");
    assert_eq!(headers["cache-control"], "no-store", "{shown}");
    app.anam.clear();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_at_anam_are_answered_word_for_word_as_documented() {
    let app = spawn().await;
    let mint = FaultTarget::Mint;
    assert_answers(&app, Fault::status(mint, 401), AUTHENTICATION_FAILED).await;
    assert_answers(&app, Fault::status(mint, 400), INVALID_CONFIGURATION).await;
    let stale = json!({ "error": "invalid_persona_configuration", "message": "Persona not found or unavailable" });
    assert_answers(
        &app,
        Fault::status(mint, 400).with_body(stale),
        INVALID_CONFIGURATION,
    )
    .await;
    for status in [402, 403, 404, 409, 422, 429, 500, 502, 503, 504] {
        assert_answers(&app, Fault::status(mint, status), SERVICE_UNAVAILABLE).await;
    }
    let no_token = Fault::status(mint, 200).with_body(json!({}));
    assert_answers(&app, no_token, SERVICE_UNAVAILABLE).await;
    assert_answers(&app, Fault::dropped(mint), NETWORK_ERROR).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_in_time_is_a_network_error() {
    let app = spawn_with(TestOptions {
        env: vec![
            ("GATEWAY__ANAM__CONNECT_TIMEOUT_MS".into(), "200".into()),
            ("GATEWAY__ANAM__TIMEOUT_MS".into(), "200".into()),
        ],
        ..TestOptions::default()
    })
    .await;
    let slow = Fault::slow(FaultTarget::Mint, Duration::from_secs(30));
    assert_answers(&app, slow, NETWORK_ERROR).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_before_anam_is_asked_is_a_problem_on_this_route_too() {
    let app = spawn().await;
    let answer = ask(
        &app,
        &app.user("user-1"),
        &json!({ "context": "sales", "metadata": { "seats": 0 } }),
    )
    .await;
    crate::harness::problem(answer, 422, "metadata_invalid").await;
    assert_eq!(app.mints_asked(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_tokens_are_nowhere_but_where_they_belong() {
    const KEY: &str = "anam-key-canary-7f1d2c9ab4";
    let app = spawn_with(TestOptions {
        env: vec![("ANAM_API_KEY".into(), KEY.into())],
        anam_keys: vec![KEY.into()],
        ..TestOptions::default()
    })
    .await;
    let token = app.user("canary-user");
    let mut answers = String::new();
    let mut handed_out = Vec::new();
    for path in ["/v1/session-token", "/api/session-token"] {
        let answer = app
            .request(Method::POST, path, &token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "the emulator knows this key only");
        let told = full_text(answer).await;
        let (_, token) = told.split_once(r#""sessionToken":""#).unwrap();
        handed_out.push(token.split('"').next().unwrap().to_owned());
        answers += &told;
    }
    // An upstream that repeats what it was sent.
    let echo = json!({ "error": KEY, "message": format!("Bearer {KEY} is not allowed") });
    for status in [400, 401, 403, 404, 429, 500, 503] {
        app.anam
            .fault(Fault::status(FaultTarget::Mint, status).with_body(echo.clone()));
        for path in ["/v1/session-token", "/api/session-token"] {
            let answer = app
                .request(Method::POST, path, &token)
                .send()
                .await
                .unwrap();
            answers += &full_text(answer).await;
        }
    }
    app.anam.clear();
    for path in [
        "/v1/me/preferences",
        "/v1/me/options",
        "/v1/contexts",
        "/v1/openapi.json",
        "/nowhere",
    ] {
        let answer = app.request(Method::GET, path, &token).send().await.unwrap();
        answers += &full_text(answer).await;
    }
    for path in ["/metrics", "/readyz"] {
        let url = format!("http://{}{path}", app.app.ops_address);
        answers += &app
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
    }
    let received = serde_json::to_string(&app.anam.requests()).unwrap();
    let database = app.database.clone();
    // Stopping writes the ledger out.
    app.stop().await;
    let (stored, log) = (database.dump().await, logged());

    let session = handed_out.len();
    assert_eq!(session, 2);
    assert!(stored.contains("canary-user"), "the dump shows the ledger");
    assert!(
        log.contains("Anam refused the API key"),
        "the log shows what happened"
    );
    assert!(!answers.contains(KEY), "no answer holds the key");
    for (place, text) in [
        ("database", &stored),
        ("log", &log),
        ("Anam's bodies", &received),
    ] {
        assert!(!text.contains(KEY), "the key is not in the {place}");
        assert!(!text.contains(&token), "the JWT is not in the {place}");
        for token in &handed_out {
            assert!(!text.contains(token), "the token is not in the {place}");
        }
    }
}
