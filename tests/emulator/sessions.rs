//! From token to session: single use, expiry, slots, and what `/v1/sessions` shows afterwards.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::dev::emulator::EmulatorConfig;
use serde_json::{Value, json};

use crate::driver::{Driver, KEY, answer_to, persona};
use reqwest::Method;

#[tokio::test]
async fn a_session_shows_from_the_engine_on_and_not_from_mint() {
    let driver = Driver::strict();
    let label = persona()["clientLabel"].as_str().unwrap().to_owned();
    let search = format!("/v1/sessions?search={label}");
    let token = driver.token(&persona()).await;
    assert_eq!(driver.get(&search).await.body["meta"]["total"], 0);
    let started = driver.start(&token).await;
    assert_eq!(started.status, 200, "{started:?}");
    let rows = driver.get(&search).await.body;
    let row = &rows["data"][0];
    assert_eq!(row["id"], started.body["sessionId"]);
    assert_eq!(row["clientLabel"], label);
    assert_eq!(row["clientMetadata"]["client"], "js-sdk");
    assert_eq!(row["personaConfig"]["systemPrompt"], "You are kind.");
    assert!(row["personaId"].is_null() && row["endTime"].is_null());
    let id = row["id"].as_str().unwrap();
    assert_eq!(
        driver.get(&format!("/v1/sessions/{id}")).await.body["id"],
        *id
    );
    assert_eq!(
        driver
            .get(&format!("/v1/sessions/{id}/transcript"))
            .await
            .status,
        404
    );
    assert_eq!(
        driver.get("/v1/sessions?search=somebody-else").await.body["meta"]["total"],
        0
    );
}

#[tokio::test]
async fn the_engine_tells_the_client_where_to_connect() {
    let driver = Driver::strict();
    let token = driver.token(&persona()).await;
    let body = driver.start(&token).await.body;
    assert_eq!(body["engineHost"], driver.anam.address().to_string());
    assert_eq!(body["engineProtocol"], "http");
    assert_eq!(body["signallingEndpoint"], "/v1/webrtc/engines/emu/ws");
    assert_eq!(body["clientConfig"]["iceServers"], json!([]));
    assert_eq!(body["clientConfig"]["heartbeatIntervalSeconds"], 5);
}

#[tokio::test]
async fn a_token_starts_one_conversation() {
    let driver = Driver::strict();
    let token = driver.token(&persona()).await;
    assert_eq!(driver.start(&token).await.status, 200);
    assert_eq!(driver.start(&token).await.status, 401);
    assert!(driver.anam.minted()[0].used);
}

#[tokio::test]
async fn a_token_may_be_reused_where_that_is_configured() {
    let driver = Driver::with(EmulatorConfig {
        single_use: false,
        ..EmulatorConfig::default()
    });
    let token = driver.token(&persona()).await;
    let first = driver.start(&token).await;
    let second = driver.start(&token).await;
    assert_eq!(second.status, 200);
    assert_ne!(first.body["sessionId"], second.body["sessionId"]);
}

#[tokio::test]
async fn a_failed_start_does_not_spend_the_token() {
    let driver = Driver::strict();
    let token = driver.token(&persona()).await;
    driver
        .fault(&json!({"on": "engine", "status": 503, "times": 1}))
        .await;
    assert_eq!(driver.start(&token).await.status, 503);
    assert_eq!(driver.start(&token).await.status, 200);
}

#[tokio::test]
async fn a_token_expires_after_an_hour() {
    let clock = Clock::manual(Clock::system().now());
    let driver = Driver::with(EmulatorConfig {
        clock: clock.clone(),
        ..EmulatorConfig::default()
    });
    let (early, late) = (
        driver.token(&persona()).await,
        driver.token(&persona()).await,
    );
    clock.advance(TimeDelta::seconds(3599));
    assert_eq!(driver.start(&early).await.status, 200);
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(driver.start(&late).await.status, 401);
}

#[tokio::test]
async fn a_made_up_token_starts_nothing() {
    let driver = Driver::strict();
    assert_eq!(driver.start("a.b.c").await.status, 401);
    assert_eq!(driver.start("nonsense").await.status, 401);
}

#[tokio::test]
async fn an_api_key_may_start_a_session_with_a_whole_configuration() {
    let driver = Driver::strict();
    let mut body = persona();
    body["clientMetadata"] = json!({"client": "server"});
    let answer = driver.post("/v1/engine/session", KEY, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    body["expiresIn"] = json!("1h");
    assert_eq!(
        driver.post("/v1/engine/session", KEY, &body).await.status,
        400
    );
}

#[tokio::test]
async fn a_token_holds_the_configuration_so_the_browser_may_not_bring_its_own() {
    let driver = Driver::strict();
    let token = driver.token(&persona()).await;
    let answer = driver.post("/v1/engine/session", &token, &persona()).await;
    assert_eq!(answer.status, 400);
}

fn two_slots() -> Driver {
    Driver::with(EmulatorConfig {
        concurrency: Some(2),
        ..EmulatorConfig::default()
    })
}

async fn started(driver: &Driver) -> Value {
    let token = driver.token(&persona()).await;
    let answer = driver.start(&token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["sessionId"].clone()
}

#[tokio::test]
async fn slots_run_out_and_a_stop_frees_one() {
    let driver = two_slots();
    let first = started(&driver).await;
    started(&driver).await;
    let free = driver.get("/v1/sessions/concurrency").await.body;
    assert_eq!(
        (&free["limit"], &free["active"], &free["canStartSession"]),
        (&json!(2), &json!(2), &json!(false))
    );
    let token = driver.token(&persona()).await;
    let refused = driver.start(&token).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["error"], "Concurrent session limit reached");
    assert_eq!(refused.body["reason"], "concurrent_limit");
    let stop = format!("/v1/sessions/{}/stop", first.as_str().unwrap());
    let stopped = answer_to(driver.call(Method::POST, &stop).bearer_auth(KEY)).await;
    assert_eq!((stopped.status, stopped.body), (200, json!({})));
    assert_eq!(driver.start(&token).await.status, 200);
    let row = driver
        .get(&format!("/v1/sessions/{}", first.as_str().unwrap()))
        .await
        .body;
    assert_eq!(row["exitStatus"], "CLOSED_BY_ENGINE");
    assert!(row["endTime"].is_string() && row["sessionLengthMs"].is_number());
    assert_eq!(row["toolCalls"], json!([]));
}

#[tokio::test]
async fn a_key_sees_and_fills_its_own_sessions_only() {
    let driver = two_slots();
    let id = started(&driver).await;
    started(&driver).await;
    let id = id.as_str().unwrap();
    let other = |path: String| answer_to(driver.call(Method::GET, &path).bearer_auth("other"));
    assert_eq!(
        other("/v1/sessions".to_owned()).await.body["meta"]["total"],
        0
    );
    assert_eq!(other(format!("/v1/sessions/{id}")).await.status, 404);
    assert_eq!(
        other("/v1/sessions/concurrency".to_owned()).await.body["active"],
        0
    );
    let minted = driver
        .post("/v1/auth/session-token", "other", &persona())
        .await;
    let token = minted.body["sessionToken"].as_str().unwrap().to_owned();
    assert_eq!(driver.start(&token).await.status, 200);
}

#[tokio::test]
async fn a_session_that_never_reached_an_engine_cannot_be_stopped() {
    let driver = Driver::strict();
    driver.token(&persona()).await;
    let id = driver.anam.minted()[0].session_id;
    let stop = driver.call(Method::POST, &format!("/v1/sessions/{id}/stop"));
    assert_eq!(answer_to(stop.bearer_auth(KEY)).await.status, 404);
}
