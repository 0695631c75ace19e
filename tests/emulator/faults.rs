//! Faults on demand, and the record of what was received.

use std::time::Duration;

use persona_gateway::dev::emulator::{EmulatorConfig, Fault, FaultTarget};
use reqwest::Method;
use serde_json::{Value, json};

use crate::driver::{Answer, Driver, KEY, answer_to, persona};

const MINT: &str = "/v1/auth/session-token";

#[tokio::test]
async fn a_counted_fault_strikes_so_often_and_no_more() {
    let driver = Driver::strict();
    let fault = json!({"on": "mint", "status": 503, "times": 2});
    assert_eq!(driver.fault(&fault).await.status, 201);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(driver.mint(&persona()).await.status);
    }
    assert_eq!(seen, [503, 503, 200]);
}

#[tokio::test]
async fn counted_faults_strike_in_turn_before_a_standing_one() {
    let driver = Driver::strict();
    driver.anam.fault(Fault::status(FaultTarget::Mint, 500));
    driver
        .anam
        .fault(Fault::status(FaultTarget::Mint, 429).times(1));
    driver
        .anam
        .fault(Fault::status(FaultTarget::Mint, 402).times(1));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(driver.mint(&persona()).await.status);
    }
    assert_eq!(seen, [429, 402, 500, 500]);
    driver.anam.fault(Fault::status(FaultTarget::Mint, 403));
    assert_eq!(driver.mint(&persona()).await.status, 403);
}

#[tokio::test]
async fn a_fault_strikes_its_target_only() {
    let driver = Driver::strict();
    for (on, path) in [
        ("catalogue", "/v1/voices"),
        (
            "catalogue",
            "/v1/avatars/071b0286-4cce-4808-bee2-e642f1062de3",
        ),
        ("sessions", "/v1/sessions/concurrency"),
    ] {
        assert_eq!(driver.get(path).await.status, 200);
        driver.fault(&json!({"on": on, "status": 500})).await;
        assert_eq!(driver.get(path).await.status, 500, "{path}");
        assert_eq!(driver.mint(&persona()).await.status, 200);
        driver.anam.clear();
    }
    driver.fault(&json!({"on": "engine", "status": 402})).await;
    let token = driver.token(&persona()).await;
    assert_eq!(driver.start(&token).await.status, 402);
}

#[tokio::test]
async fn a_fault_answers_before_the_key_is_looked_at_and_with_the_body_that_was_asked_for() {
    let driver = Driver::strict();
    let body = json!({"error": "Spend cap reached", "reason": ["any", {"json": null}]});
    driver
        .fault(&json!({"on": "mint", "status": 429, "body": body}))
        .await;
    let answer = driver.post(MINT, "wrong", &json!({})).await;
    assert_eq!((answer.status, answer.body), (429, body));
}

#[tokio::test]
async fn a_string_is_sent_raw_as_a_page() {
    let driver = Driver::strict();
    let page = "<h1>502 Bad Gateway</h1>";
    driver
        .fault(&json!({"on": "mint", "status": 502, "body": page}))
        .await;
    let request = driver
        .call(Method::POST, MINT)
        .bearer_auth(KEY)
        .json(&persona());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 502);
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    assert_eq!(response.text().await.unwrap(), page);
}

#[tokio::test]
async fn a_drop_closes_the_connection_without_a_byte() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let driver = Driver::strict();
    driver
        .fault(&json!({"on": "mint", "drop": true, "times": 1}))
        .await;
    let mut socket = tokio::net::TcpStream::connect(driver.anam.address())
        .await
        .unwrap();
    let head = format!("POST {MINT} HTTP/1.1\r\nhost: emulator\r\ncontent-length: 2\r\n\r\n{{}}");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An end or a reset, as the system likes it, but no answer.
    let end = socket.read_to_end(&mut answer).await;
    assert!(
        answer.is_empty(),
        "{end:?} {}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(driver.mint(&persona()).await.status, 200);
}

#[tokio::test]
async fn a_delay_holds_the_true_answer_back() {
    let driver = Driver::strict();
    driver
        .anam
        .fault(Fault::slow(FaultTarget::Mint, Duration::from_mins(10)).times(1));
    let request = driver
        .call(Method::POST, MINT)
        .bearer_auth(KEY)
        .json(&persona())
        .timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    driver
        .anam
        .fault(Fault::slow(FaultTarget::Mint, Duration::from_millis(1)).times(1));
    assert_eq!(driver.mint(&persona()).await.status, 200);
}

#[tokio::test]
async fn latency_holds_every_answer_of_anam_back_but_not_the_record() {
    let driver = Driver::with(EmulatorConfig {
        latency: Duration::from_mins(10),
        ..EmulatorConfig::default()
    });
    let request = driver
        .call(Method::GET, "/v1/avatars")
        .bearer_auth(KEY)
        .timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(requests(&driver).await.body[0]["path"], "/v1/avatars");
}

#[tokio::test]
async fn a_body_beyond_a_mebibyte_is_refused_in_the_error_shape() {
    let driver = Driver::strict();
    let mut body = persona();
    body["personaConfig"]["systemPrompt"] = json!("x".repeat(1 << 20));
    let answer = driver.mint(&body).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body["error"], "Payload too large");
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused_with_what_to_mend() {
    let driver = Driver::strict();
    for (fault, told) in [
        (json!({"status": 503}), "missing field `on`"),
        (
            json!({"on": "everything", "status": 503}),
            "unknown variant `everything`",
        ),
        (json!({"on": "mint"}), "say what should happen"),
        (
            json!({"on": "mint", "status": 503, "delay": 5}),
            "unknown field `delay`",
        ),
        (json!({"on": "mint", "status": 99}), "from 200 to 599"),
        (json!({"on": "mint", "status": "503"}), "invalid type"),
        (
            json!({"on": "mint", "drop": true, "status": 503}),
            "neither `status` nor `body`",
        ),
        (
            json!({"on": "mint", "delayMs": 5, "body": {}}),
            "`body` needs a `status`",
        ),
        (
            json!({"on": "mint", "status": 503, "times": 0}),
            "at least 1",
        ),
        (json!({"on": "mint", "delayMs": 600_001}), "at most 600000"),
        (json!([]), "A fault looks like"),
    ] {
        let answer = driver.fault(&fault).await;
        assert_eq!(answer.status, 400, "{fault}");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains(told), "{fault}: {message}");
    }
    assert_eq!(driver.mint(&persona()).await.status, 200);
}

#[tokio::test]
async fn a_delete_on_either_path_clears_both() {
    let driver = Driver::strict();
    for path in ["/_emulator/faults", "/_emulator/requests"] {
        driver.fault(&json!({"on": "mint", "status": 503})).await;
        driver.mint(&persona()).await;
        assert_eq!(
            answer_to(driver.call(Method::DELETE, path)).await.status,
            204
        );
        assert_eq!(requests(&driver).await.body, json!([]));
        assert_eq!(driver.mint(&persona()).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_record_is_newest_first_and_holds_method_path_body_and_time() {
    let driver = Driver::strict();
    driver.mint(&persona()).await;
    driver.get("/v1/voices?page=2").await;
    let record = requests(&driver).await.body;
    let [voices, mint] = record.as_array().unwrap().as_slice() else {
        panic!("{record}");
    };
    assert_eq!(voices["method"], "GET");
    assert_eq!(voices["path"], "/v1/voices");
    assert_eq!(voices["query"], "page=2");
    assert_eq!(voices["body"], Value::Null);
    assert_eq!(mint["path"], MINT);
    assert_eq!(mint["body"], persona());
    let at = mint["at"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok(), "{at}");
}

#[tokio::test]
async fn the_record_never_shows_the_key_not_even_from_a_body() {
    let driver = Driver::strict();
    let mut body = persona();
    body["personaConfig"]["systemPrompt"] = json!(format!("The key is {KEY}."));
    driver.mint(&body).await;
    driver.get("/v1/avatars").await;
    let record = requests(&driver).await.body.to_string();
    assert!(record.contains("The key is [bearer token]."), "{record}");
    assert!(!record.contains(KEY));
}

#[tokio::test]
async fn the_record_keeps_the_last_thousand_calls() {
    let driver = Driver::strict();
    for page in 1..=1001 {
        driver.get(&format!("/v1/tools?page={page}")).await;
    }
    let kept = driver.anam.requests();
    assert_eq!(kept.len(), 1000);
    assert_eq!(kept[0].query.as_deref(), Some("page=1001"));
    assert_eq!(kept[999].query.as_deref(), Some("page=2"));
}

#[tokio::test]
async fn every_answer_is_open_to_any_page() {
    let driver = Driver::strict();
    driver.anam.fault(Fault::status(FaultTarget::Engine, 503));
    for (method, path) in [
        (Method::GET, "/v1/avatars"),
        (Method::GET, "/nowhere"),
        (Method::POST, "/v1/engine/session"),
        (Method::OPTIONS, "/v1/engine/session"),
        (Method::GET, "/_emulator/requests"),
        (Method::GET, "/v1/webrtc/engines/emu/ws"),
    ] {
        let response = driver.call(method, path).send().await.unwrap();
        assert_eq!(
            response.headers()["access-control-allow-origin"],
            "*",
            "{path}"
        );
        let allowed = response.headers()["access-control-allow-headers"]
            .to_str()
            .unwrap();
        assert!(allowed.contains("authorization, content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_waiting_test_is_told_of_the_call_it_waits_for() {
    let driver = Driver::strict();
    let body = persona();
    let (seen, _) = tokio::join!(
        driver.anam.request_where(|call| call.path == MINT),
        driver.mint(&body)
    );
    assert_eq!(seen.unwrap().body, persona());
}

async fn requests(driver: &Driver) -> Answer {
    answer_to(driver.call(Method::GET, "/_emulator/requests")).await
}
