//! What the user API says to whoever has no token, and how large a head may be.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::openapi;
use crate::harness::{TestApp, TestOptions, problem, spawn_with};

async fn bare() -> TestApp {
    spawn_with(TestOptions {
        no_demo: true,
        ..TestOptions::default()
    })
    .await
}

#[tokio::test]
async fn without_a_token_the_description_is_the_only_call_and_every_answer_has_an_id() {
    let app = bare().await;
    let document = openapi::document();
    let mut asked = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if path.starts_with("/v1/admin") || path.starts_with("/v1/operator") {
            continue;
        }
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = app
                .http
                .request(method.clone(), app.url(path))
                .json(&json!({}))
                .send();
            let answer = answer.await.unwrap();
            assert!(
                answer.headers().contains_key("x-request-id"),
                "{method} {path}"
            );
            if path == "/v1/openapi.json" {
                let told = answer.json::<Value>().await.unwrap();
                assert_eq!(&told, document);
            } else {
                problem(answer, 401, "unauthenticated").await;
            }
            asked.push(format!("{method} {path}"));
        }
    }
    assert!(asked.len() >= 9, "{asked:?}");
    app.stop().await;
}

/// The first line of the answer to a request with so many headers, one of them this long.
async fn first_line(app: &TestApp, headers: usize, longest: usize) -> String {
    let long = format!("long: {}\r\n", "x".repeat(longest));
    let mut sent =
        format!("GET /v1/openapi.json HTTP/1.1\r\nhost: g\r\nconnection: close\r\n{long}");
    let others = (3..headers).map(|number| format!("h{number}: x\r\n"));
    sent.extend(others.chain(["\r\n".to_owned()]));
    let mut stream = TcpStream::connect(app.app.address).await.unwrap();
    // The gateway may have hung up before all is written.
    _ = stream.write_all(sent.as_bytes()).await;
    let mut got = Vec::new();
    _ = stream.read_to_end(&mut got).await;
    let got = String::from_utf8_lossy(&got);
    got.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_may_have_96_headers_and_128_kilobytes() {
    let app = bare().await;
    for (headers, longest, status) in [
        (96, 1, "200"),
        (97, 1, "431"),
        (4, 127 * 1024, "200"),
        (4, 129 * 1024, "431"),
    ] {
        let line = first_line(&app, headers, longest).await;
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status} ")),
            "{headers}, {longest}: {line:?}"
        );
    }
    app.stop().await;
}
