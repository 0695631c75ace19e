//! Settings do what the page of settings says, where no other test has a reason to set them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{TestOptions, context, problem, spawn_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_stays_open_as_long_as_is_set() {
    let app = spawn_with(TestOptions::set(&[("SERVER__KEEP_ALIVE_SECONDS", "2")])).await;
    let mut stream = TcpStream::connect(app.app.address).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let ask = b"GET /nowhere HTTP/1.1\r\nhost: g\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut got = vec![0; 4096];
        let read = stream.read(&mut got).await.unwrap();
        answers.push(String::from_utf8_lossy(&got[..read]).into_owned());
    }
    assert!(
        answers
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 404 ")),
        "{answers:?}"
    );
    let idle = Instant::now();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    closed.unwrap().unwrap();
    assert!(rest.is_empty());
    assert!(
        idle.elapsed() > Duration::from_millis(1500),
        "{:?}",
        idle.elapsed()
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_answers_have_the_sizes_and_tries_that_are_set() {
    let app = spawn_with(TestOptions::set(&[
        ("SERVER__MAX_ADMIN_BODY_BYTES", "65536"),
        ("SERVER__MAX_BODY_BYTES", "1024"),
        ("ANAM__RETRIES", "0"),
        ("ANAM__MAX_BODY_BYTES", "1200"),
    ]))
    .await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let token = app.user("user-1");
    let long = |bytes: usize| json!({ "metadata": { "note": "x".repeat(bytes) } });
    for (path, credential, most) in [
        ("/v1/admin/preview", &key, 65_536),
        ("/v1/session-token", &token, 1_024),
    ] {
        let answer = app.tell(Method::POST, path, credential, &long(most)).await;
        problem(answer, 413, "body_too_large").await;
        let fits = app
            .tell(Method::POST, path, credential, &long(most - 100))
            .await;
        assert_ne!(fits.status(), 413, "{path}");
    }
    let before = app.mints_asked();
    app.anam.fault(Fault::status(FaultTarget::Mint, 503));
    let failed = app.mint(&token, &context("support")).await;
    problem(failed, 503, "upstream_busy").await;
    assert_eq!(app.mints_asked(), before + 1, "no second try");
    app.anam.clear();
    let too_long = json!({ "sessionToken": "x".repeat(2_000) });
    app.anam
        .fault(Fault::status(FaultTarget::Mint, 200).with_body(too_long));
    let failed = app.mint(&token, &context("support")).await;
    problem(failed, 502, "upstream_error").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_holds_no_more_connections_than_its_kinds_have_and_one() {
    let kinds =
        ["OWN", "MINT", "USER", "ADMIN"].map(|kind| format!("DATABASE__{kind}_CONNECTIONS"));
    let env: Vec<(&str, &str)> = kinds.iter().map(|name| (name.as_str(), "2")).collect();
    let app = spawn_with(TestOptions::set(&env)).await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let token = app.user("user-1");
    let count = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and application_name = 'persona-gateway'",
        app.database.name
    );
    let body = context("support");
    let asked = (0..30).map(|at| {
        let (app, key, token, body) = (&app, &key, &token, &body);
        async move {
            match at % 3 {
                0 => app.mint(token, body).await,
                1 => app.ask(Method::GET, "/v1/admin/documents", key).await,
                _ => {
                    let choice = json!({ "tone": format!("tone {at}") });
                    app.tell(Method::PUT, "/v1/me/preferences", token, &choice)
                        .await
                }
            };
        }
    });
    let all = join_all(asked);
    let looking = async {
        let mut most = 0_i64;
        let mut all = std::pin::pin!(all);
        loop {
            tokio::select! {
                _ = &mut all => return most,
                rows = app.database.rows(&count) => most = most.max(rows[0]["count"].as_i64().unwrap()),
            }
        }
    };
    let most = looking.await;
    let left = app.database.rows(&count).await[0]["count"]
        .as_i64()
        .unwrap();
    let most = most.max(left);
    assert!((4..=9).contains(&most), "{most}");
    app.stop().await;
}
