//! What is refused before it can be read: a problem like any other, with an id to find it by, and no error in the log.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::logs::logged;
use crate::harness::{TestApp, TestOptions, spawn, spawn_with};

async fn impatient() -> TestApp {
    spawn_with(TestOptions {
        env: vec![("GATEWAY__SERVER__CLIENT_TIMEOUT_MS".into(), "3000".into())],
        no_demo: true,
        ..TestOptions::default()
    })
    .await
}

/// Everything that comes back.
async fn exchange(app: &TestApp, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.app.address).await.unwrap();
    // The gateway may have hung up before all is written.
    _ = stream.write_all(sent).await;
    let mut got = Vec::new();
    _ = stream.read_to_end(&mut got).await;
    String::from_utf8(got).unwrap()
}

/// The request's id, of an answer that is this problem.
fn problem_of(answer: &str, status: u16, code: &str) -> String {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
            .trim()
            .to_owned()
    };
    assert_eq!(header("content-type:"), "application/problem+json");
    assert_eq!(header("cache-control:"), "no-store");
    assert_eq!(header("content-length:"), body.len().to_string());
    assert_eq!(header("connection:"), "close");
    assert_eq!(header("access-control-allow-origin:"), "*");
    assert_eq!(header("access-control-expose-headers:"), "x-request-id");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&body["code"], &body["status"]),
        (&Value::from(code), &Value::from(status))
    );
    assert!(body["detail"].is_string());
    header("x-request-id:")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_gets_a_problem_and_an_id_and_is_no_error() {
    let app = impatient().await;
    let too_many: String = (0..200).fold(String::new(), |lines, number| {
        lines + &format!("a{number}: b\r\n")
    });
    let too_large = format!(
        "GET / HTTP/1.1\r\nhost: g\r\na: {}\r\n\r\n",
        "x".repeat(140_000)
    );
    let many = format!("GET / HTTP/1.1\r\nhost: g\r\n{too_many}\r\n");
    let mut ids = Vec::new();
    for (sent, status, code) in [
        (&b"\0\r\n\r\n"[..], 400, "malformed_request"),
        (b"\xff\xfe\r\n\r\n", 400, "malformed_request"),
        (
            b"GET /\0 HTTP/1.1\r\nhost: g\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            b"GET / HTTP/1.1\r\nhost: g\r\na: b\0c\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            b"GET / HTTP/1.1\r\nhost: g\r\na\0: b\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            b"GET / HTTP/1.1\r\nhost: g\r\ncontent-length: -1\r\n\r\n",
            400,
            "malformed_request",
        ),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (
            b"G\x7fT / HTTP/1.1\r\nhost: g\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            b"GET / HTTP/9.9\r\nhost: g\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            400,
            "malformed_request",
        ),
        (b"GET / HTTP/1.1\r\nhost: g\r\n", 408, "headers_timeout"),
        (many.as_bytes(), 431, "headers_too_large"),
        (too_large.as_bytes(), 431, "headers_too_large"),
    ] {
        let answer = exchange(&app, sent).await;
        ids.push(problem_of(&answer, status, code));
    }
    // A good request before a bad one keeps its answer.
    let both = b"GET /v1/openapi.json HTTP/1.1\r\nhost: g\r\n\r\n\0\r\n\r\n";
    let answers = exchange(&app, both).await;
    assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
    let second = answers.rfind("HTTP/1.1 400 ").unwrap();
    ids.push(problem_of(
        answers.split_at(second).1,
        400,
        "malformed_request",
    ));

    let lines = logged();
    for id in &ids {
        let line = lines.lines().find(|line| line.contains(id.as_str()));
        let line: Value = serde_json::from_str(line.unwrap()).unwrap();
        assert_eq!(
            (&line["level"], &line["message"]),
            (
                &Value::from("INFO"),
                &Value::from("refused before it was read")
            )
        );
    }
    let errors = lines
        .lines()
        .filter(|line| line.contains(r#""level":"ERROR""#) && line.contains("actix_http"));
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<&str>::new());
    let metrics = app.app.gateway.metrics.encode();
    let counted = format!(
        r#"gateway_http_requests_total{{route="none",class="4xx"}} {}"#,
        ids.len()
    );
    assert!(metrics.contains(&counted), "{metrics}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let app = impatient().await;
    let head = |path: &str, bytes: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\
             expect: 100-continue\r\n\r\n"
        )
    };
    for (path, bytes) in [
        ("/v1/session-token", "65537"),
        ("/api/session-token", "1000000000"),
        ("/v1/session-token", "18446744073709551615"),
        ("/v1/me/preferences", "65537"),
        ("/v1/administrators", "65537"),
        ("/v1/admin/validate", "4194305"),
        ("/v1/operator/tenants", "4194305"),
    ] {
        // All that comes, and the end of it, without a byte of the body.
        let answer = exchange(&app, head(path, bytes).as_bytes()).await;
        problem_of(&answer, 413, "body_too_large");
        let detail = "A body may have 65536 bytes at most, and 4194304 in the admin API.";
        assert!(answer.contains(detail), "{answer}");
    }
    // One that fits is let send.
    for (path, bytes) in [
        ("/v1/session-token", "65536"),
        ("/v1/admin/validate", "65537"),
    ] {
        let mut stream = TcpStream::connect(app.app.address).await.unwrap();
        stream
            .write_all(head(path, bytes).as_bytes())
            .await
            .unwrap();
        let mut got = [0; 25];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"HTTP/1.1 100 Continue\r\n\r\n", "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_too_large_is_refused_though_nobody_asked_first() {
    let app = spawn().await;
    let token = app.user("user-1");
    let head = format!(
        "POST /v1/session-token HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 65537\r\n\r\n{{"
    );
    let answer = exchange(&app, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_made_ahead_and_not_used_is_closed_without_a_word() {
    let app = impatient().await;
    let answer = exchange(&app, b"").await;
    assert_eq!(answer, "");
    app.stop().await;
}
