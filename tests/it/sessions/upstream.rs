//! Failures at Anam, as `/v1` tells them.

use std::time::Duration;

use persona_gateway::anam::ApiKey;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::catalogue_kind::CatalogueKind;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::app::PLATFORM_KEY;
use crate::harness::{TestApp, TestOptions, context, full_text, problem, spawn, spawn_with};

const MINT: FaultTarget = FaultTarget::Mint;

/// What a fault must lead to.
struct Expected {
    status: u16,
    code: &'static str,
    retry_after: Option<&'static str>,
    /// How often Anam is asked.
    asked: usize,
}

async fn assert_leads_to(app: &TestApp, fault: Fault, expected: Expected) {
    let shown = format!("{fault:?}");
    app.anam.clear();
    app.anam.fault(fault);
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    let retry_after = answer
        .headers()
        .get("retry-after")
        .map(|after| after.to_str().unwrap().to_owned());
    problem(answer, expected.status, expected.code).await;
    assert_eq!(retry_after.as_deref(), expected.retry_after, "{shown}");
    assert_eq!(app.mints_asked(), expected.asked, "{shown}");
}

fn once(status: u16, code: &'static str) -> Expected {
    Expected {
        status,
        code,
        retry_after: None,
        asked: 1,
    }
}

fn twice(status: u16, code: &'static str) -> Expected {
    Expected {
        asked: 2,
        ..once(status, code)
    }
}

fn with_error(status: u16, error: &str) -> Fault {
    Fault::status(MINT, status).with_body(json!({ "error": error }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_class_of_failure_has_its_status_and_code_and_only_passing_ones_are_tried_again() {
    let app = spawn().await;
    let later = |expected| Expected {
        retry_after: Some("2"),
        ..expected
    };
    for (fault, expected) in [
        (
            Fault::status(MINT, 400),
            once(502, "persona_config_rejected"),
        ),
        (
            with_error(400, "invalid_persona_configuration"),
            once(502, "persona_not_found"),
        ),
        (Fault::status(MINT, 404), once(502, "persona_not_found")),
        (Fault::status(MINT, 401), once(502, "upstream_auth")),
        (Fault::status(MINT, 402), once(503, "upstream_plan")),
        (Fault::status(MINT, 403), once(502, "upstream_forbidden")),
        (
            with_error(429, "Concurrent session limit reached"),
            later(once(429, "upstream_concurrency")),
        ),
        (
            with_error(429, "Spend cap reached"),
            once(503, "upstream_spend_cap"),
        ),
        (
            Fault::status(MINT, 429),
            later(once(429, "upstream_rate_limited")),
        ),
        (Fault::status(MINT, 503), later(twice(503, "upstream_busy"))),
        (Fault::status(MINT, 418), once(502, "upstream_error")),
        (Fault::status(MINT, 500), twice(502, "upstream_error")),
        (Fault::dropped(MINT), twice(502, "upstream_unreachable")),
    ] {
        assert_leads_to(&app, fault, expected).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_passes_is_not_seen_by_the_user() {
    let app = spawn().await;
    for fault in [
        Fault::status(MINT, 503).times(1),
        Fault::status(MINT, 502).times(1),
        Fault::dropped(MINT).times(1),
    ] {
        app.anam.clear();
        app.anam.fault(fault);
        let answer = app.mint(&app.user("user-1"), &context("support")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(app.mints_asked(), 2);
        let labels: Vec<Value> = app
            .anam
            .requests()
            .iter()
            .map(|request| request.body["clientLabel"].clone())
            .collect();
        assert_eq!(labels[0], labels[1], "both tries are for one session");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_what_anam_documents_is_told_apart_from_a_token() {
    let app = spawn().await;
    let payload = |claims: &str| {
        use base64::Engine as _;
        let part = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        json!({ "sessionToken": format!("eyJhbGciOiJIUzI1NiJ9.{part}.c2ln") })
    };
    for (status, body, expected) in [
        (
            502,
            json!("<html><h1>502 Bad Gateway</h1></html>"),
            twice(502, "upstream_error"),
        ),
        (
            200,
            json!("<html>Please sign in</html>"),
            once(502, "upstream_bad_token"),
        ),
        (200, json!({}), once(502, "upstream_bad_token")),
        (
            200,
            json!({ "sessionToken": null }),
            once(502, "upstream_bad_token"),
        ),
        (
            200,
            json!({ "sessionToken": "" }),
            once(502, "upstream_bad_token"),
        ),
        (
            200,
            json!({ "sessionToken": "not-a-jwt" }),
            once(502, "upstream_bad_token"),
        ),
        (
            200,
            payload(r#"{"type":"legacy"}"#),
            once(502, "upstream_bad_token"),
        ),
        (
            200,
            json!({ "sessionToken": "x".repeat(200_000) }),
            once(502, "upstream_error"),
        ),
        (
            400,
            json!({ "error": "x".repeat(200_000) }),
            once(502, "upstream_error"),
        ),
        (302, json!({ "moved": true }), once(502, "upstream_error")),
    ] {
        assert_leads_to(&app, Fault::status(MINT, status).with_body(body), expected).await;
    }
    let good = payload(r#"{"type":"ephemeral"}"#);
    app.anam
        .fault(Fault::status(MINT, 200).with_body(good.clone()));
    app.anam.clear();
    app.anam
        .fault(Fault::status(MINT, 200).with_body(good.clone()));
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        answer["sessionToken"], good["sessionToken"],
        "the same shape with the right type passes"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_anam_is_a_gateway_timeout_within_the_deadline() {
    let app = spawn_with(TestOptions {
        env: vec![
            ("GATEWAY__ANAM__CONNECT_TIMEOUT_MS".into(), "200".into()),
            ("GATEWAY__ANAM__TIMEOUT_MS".into(), "200".into()),
        ],
        ..TestOptions::default()
    })
    .await;
    let slow = Fault::slow(MINT, Duration::from_secs(30));
    assert_leads_to(&app, slow, once(504, "upstream_timeout")).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anam_that_nobody_reaches_is_unreachable() {
    // Bound, so that nobody else gets it, and never listening.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = closed.local_addr().unwrap();
    let app = spawn_with(TestOptions {
        env: vec![("ANAM_BASE_URL".into(), format!("http://{address}"))],
        ..TestOptions::default()
    })
    .await;
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    problem(answer, 502, "upstream_unreachable").await;
    app.stop().await;
    drop(closed);
}

/// Answers every connection's first request with these bytes; gives what it was sent.
async fn answering(bytes: String) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            if sender.send(text).is_err() {
                return;
            }
            _ = stream.write_all(bytes.as_bytes()).await;
            _ = stream.shutdown().await;
        }
    });
    (url, received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_does_not_follow_a_redirect() {
    let (elsewhere, mut caught) =
        answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}/v1/auth/session-token\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (anam, mut asked) = answering(redirect).await;
    let app = spawn_with(TestOptions {
        env: vec![("ANAM_BASE_URL".into(), anam)],
        ..TestOptions::default()
    })
    .await;
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    problem(answer, 502, "upstream_error").await;
    assert!(
        asked
            .recv()
            .await
            .unwrap()
            .contains("authorization: Bearer ")
    );
    assert!(caught.try_recv().is_err(), "nobody asked the other address");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anams_own_wish_for_a_pause_is_passed_on_but_an_hour_at_most() {
    for (header, expected) in [("7", "7"), ("999999", "3600"), ("soon", "2")] {
        let busy = format!(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: {header}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        let (anam, _asked) = answering(busy).await;
        let app = spawn_with(TestOptions {
            env: vec![("ANAM_BASE_URL".into(), anam)],
            ..TestOptions::default()
        })
        .await;
        let answer = app.mint(&app.user("user-1"), &context("support")).await;
        assert_eq!(answer.headers()["retry-after"], expected);
        problem(answer, 429, "upstream_rate_limited").await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anam_says_never_reaches_the_caller() {
    const CANARY: &str = "canary-5d02 You are a patient support specialist";
    let app = spawn().await;
    for status in [200, 400, 401, 402, 403, 404, 418, 429, 500, 503] {
        for body in [
            json!({ "error": CANARY, "message": CANARY, "sessionToken": 7 }),
            json!(format!("<h1>{CANARY}</h1>")),
        ] {
            app.anam.fault(Fault::status(MINT, status).with_body(body));
            for path in ["/v1/session-token", "/api/session-token"] {
                let answer = app
                    .request(Method::POST, path, &app.user("user-1"))
                    .json(&context("support"))
                    .send()
                    .await
                    .unwrap();
                assert_ne!(answer.status(), 200);
                let told = full_text(answer).await;
                assert!(!told.contains("canary-5d02"), "{status}: {told}");
            }
            app.anam.clear();
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_anam_turns_on_while_the_thread_that_first_needed_it_does_not() {
    let app = spawn().await;
    let key = ApiKey::new(&SecretString::from(PLATFORM_KEY)).unwrap();
    let gateway = app.app.gateway.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (used, was_used) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn({
        let key = key.clone();
        move || {
            let worker = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let listed = gateway.anam.list(&key, CatalogueKind::Avatar);
            worker.block_on(listed).unwrap();
            used.send(()).unwrap();
            // From here on it computes, as far as others can see.
            stopped.recv().unwrap();
        }
    });
    was_used.await.unwrap();
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    assert_eq!(answer.status(), 200);
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(|| thread.join().unwrap())
        .await
        .unwrap();
    app.stop().await;
}
