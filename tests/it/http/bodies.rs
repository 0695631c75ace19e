//! Bodies that are refused: what is wrong, where, and how to mend it.

use std::time::Duration;

use persona_gateway::dev::seed;
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{TestApp, TestOptions, errors, pointers, problem, spawn, spawn_with};

/// Every route that reads a body.
const ROUTES: [(Method, &str); 4] = [
    (Method::POST, "/v1/session-token"),
    (Method::POST, "/api/session-token"),
    (Method::PUT, "/v1/me/preferences"),
    (Method::PATCH, "/v1/me/preferences"),
];

async fn send(app: &TestApp, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Response {
    app.request(method, path, &app.user("user-1"))
        .header("content-type", kind)
        .body(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_plain_json_is_refused_with_its_place() {
    let app = spawn().await;
    for (method, path) in ROUTES {
        for (body, detail) in [
            (b"{\n  \"a\": ,\n}".to_vec(), "line 2, column 8"),
            (b"{".to_vec(), "line 1, column 2"),
            (b"{} {}".to_vec(), "line 1, column 4"),
            (b"{\"a\":\xff}".to_vec(), "byte 6 begins no character"),
            (b"{\"a\":\"\\ud800\"}".to_vec(), "line 1, column "),
            (
                b"{\"tone\":\"a\",\"t\\u006fne\":\"b\"}".to_vec(),
                "the member `tone` is twice",
            ),
            (
                b"{\"context\":\"a\",\"context\":\"b\"}".to_vec(),
                "the member `context` is twice",
            ),
            (
                b"{\"metadata\":{\"x\":{\"y\":1,\"y\":1}}}".to_vec(),
                "the member `y` is twice",
            ),
            (
                format!("{{\"metadata\":{}}}", "[".repeat(50) + &"]".repeat(50)).into_bytes(),
                "nested deeper than 32 levels",
            ),
            (
                "[".repeat(20_000).into_bytes(),
                "nested deeper than 32 levels",
            ),
            (b"{\"tone\":\"a\\u0000b\"}".to_vec(), "U+0000"),
            (b"{\"a\\u0000\":1}".to_vec(), "U+0000"),
        ] {
            let shown = String::from_utf8_lossy(&body)
                .chars()
                .take(60)
                .collect::<String>();
            let answer = send(&app, method.clone(), path, "application/json", body).await;
            let told = problem(answer, 400, "malformed_request").await;
            let said = told["detail"].as_str().unwrap();
            assert!(said.contains(detail), "{method} {path} {shown}: {said}");
        }
    }
    assert_eq!(app.mints_asked(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_another_media_type_or_size_is_refused() {
    let app = spawn().await;
    for (method, path) in ROUTES {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "",
        ] {
            let answer = send(&app, method.clone(), path, kind, b"{}".to_vec()).await;
            let told = problem(answer, 415, "unsupported_media_type").await;
            assert!(
                told["detail"]
                    .as_str()
                    .unwrap()
                    .contains("application/json")
            );
        }
        let answer = app
            .request(method.clone(), path, &app.user("user-1"))
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body("{}")
            .send()
            .await
            .unwrap();
        problem(answer, 415, "unsupported_media_type").await;
        let fits = send(
            &app,
            method.clone(),
            path,
            "Application/JSON; charset=utf-8",
            b"{}".to_vec(),
        );
        assert_eq!(fits.await.status(), 200, "{method} {path}");

        let large = format!("{{\"metadata\":{{\"a\":\"{}\"}}}}", "x".repeat(65_536));
        let answer = send(
            &app,
            method.clone(),
            path,
            "application/json",
            large.into_bytes(),
        )
        .await;
        let told = problem(answer, 413, "body_too_large").await;
        assert!(told["detail"].as_str().unwrap().contains("65536"));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_member_of_a_request_is_told_at_once() {
    let app = spawn().await;
    let token = app.user("user-1");
    for (body, expected) in [
        (json!([]), vec![""]),
        (json!("support"), vec![""]),
        (json!(null), vec![""]),
        (
            json!({ "context": 7, "metadata": [], "personaId": "x", "a/b~c": 1 }),
            vec!["/context", "/metadata", "/personaId", "/a~1b~0c"],
        ),
        (json!({ "context": "" }), vec!["/context"]),
        (json!({ "context": "x".repeat(65) }), vec!["/context"]),
        (json!({ "context": "two\nlines" }), vec!["/context"]),
        (json!({ "context": null }), vec!["/context"]),
        (json!({ "metadata": "x" }), vec!["/metadata"]),
    ] {
        let answer = app.mint(&token, &body).await;
        let told = problem(answer, 422, "invalid_request").await;
        assert_eq!(pointers(&told), expected, "{body}");
    }
    for (method, body) in [
        (Method::PUT, json!([])),
        (Method::PATCH, json!(null)),
        (Method::PUT, json!("x")),
    ] {
        let answer = app
            .request(method, "/v1/me/preferences", &token)
            .json(&body)
            .send()
            .await
            .unwrap();
        let told = problem(answer, 422, "invalid_request").await;
        assert_eq!(pointers(&told), [""]);
    }
    assert_eq!(app.mints_asked(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_breaks_the_schema_is_told_by_its_place_without_repeating_it() {
    let app = spawn().await;
    app.apply(
        "tenant: demo
contexts:
  nested:
    default: assistant
    metadata:
      type: object
      required: [order]
      properties:
        order:
          type: object
          required: [id]
          properties:
            id: {type: string, pattern: '^[A-Z]{2}-[0-9]+$'}
            lines: {type: array, items: {type: object, properties: {amount: {type: number, maximum: 10}}}}
",
    )
    .await;
    let token = app.user("user-1");
    let secret = "hunter2-canary";
    for (context, metadata, expected) in [
        (
            "support",
            json!({ "priority": secret, "ticketId": secret.repeat(4), "issue": 7 }),
            vec![
                "/metadata/issue",
                "/metadata/priority",
                "/metadata/ticketId",
            ],
        ),
        (
            "support",
            json!({ "unknown": secret }),
            vec!["/metadata/unknown"],
        ),
        ("sales", json!({ "seats": secret }), vec!["/metadata/seats"]),
        ("sales", json!({ "seats": 0 }), vec!["/metadata/seats"]),
        ("nested", json!({}), vec!["/metadata/order"]),
        ("nested", json!({ "order": {} }), vec!["/metadata/order/id"]),
        (
            "nested",
            json!({ "order": { "id": secret, "lines": [{ "amount": 1 }, { "amount": 4321.25 }] } }),
            vec!["/metadata/order/id", "/metadata/order/lines/1/amount"],
        ),
    ] {
        let body = json!({ "context": context, "metadata": metadata });
        let answer = app.mint(&token, &body).await;
        let told = problem(answer, 422, "metadata_invalid").await;
        let mut places = pointers(&told);
        places.sort();
        assert_eq!(places, expected, "{body}");
        let text = told.to_string();
        assert!(!text.contains(secret) && !text.contains("4321"), "{text}");
    }
    assert_eq!(app.mints_asked(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_context_is_told_with_the_known_ones_where_there_is_no_default() {
    let app = spawn().await;
    app.database
        .sql("update document set archived_at = now() where kind = 'context' and key = 'default'")
        .await;
    app.settle("demo").await;
    let token = app.user("user-1");
    for body in [
        json!({ "context": "nowhere" }),
        json!({}),
        json!({ "context": "Support" }),
    ] {
        let answer = app.mint(&token, &body).await;
        let told = problem(answer, 422, "context_unknown").await;
        let expected = [(
            "/context".to_owned(),
            "is unknown; known are sales, support, training".to_owned(),
        )];
        assert_eq!(errors(&told), expected, "{body}");
    }
    let answer = app
        .mint(&token, &json!({ "context": "customer-support" }))
        .await;
    assert_eq!(answer.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_methods_and_unknown_addresses_are_problems_too() {
    let app = spawn().await;
    for (path, allow) in [
        ("/v1/session-token", "POST"),
        ("/api/session-token", "POST"),
        ("/v1/me/preferences", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/v1/me/options", "GET, HEAD"),
        ("/v1/contexts", "GET, HEAD"),
        ("/v1/openapi.json", "GET, HEAD"),
    ] {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::TRACE,
        ] {
            if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                continue;
            }
            let answer = app
                .request(method.clone(), path, &app.user("user-1"))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.headers()["allow"], allow, "{method} {path}");
            problem(answer, 405, "method_not_allowed").await;
        }
    }
    for path in [
        "/",
        "/v1",
        "/v1/session-token/",
        "/v1//session-token",
        "/v1/Session-Token",
        "/v2/session-token",
        "/v1/me",
        "/v1/session-token/..%2f..%2fetc",
        "/metrics",
        "/healthz",
        "/_emulator/requests",
    ] {
        let answer = app
            .request(Method::POST, path, &app.user("user-1"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        problem(answer, 404, "not_found").await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let app = spawn_with(TestOptions {
        env: vec![("GATEWAY__SERVER__BODY_TIMEOUT_MS".into(), "100".into())],
        ..TestOptions::default()
    })
    .await;
    for (method, path) in ROUTES {
        let mut stream = TcpStream::connect(app.app.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 20\r\nconnection: close\r\n\r\n{{\"con",
            app.user("user-1")
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .expect("the connection is closed")
            .unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["code"], "body_timeout");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_the_body_of_a_request_without_a_good_token() {
    let app = spawn_with(TestOptions {
        env: vec![("GATEWAY__SERVER__BODY_TIMEOUT_MS".into(), "600000".into())],
        ..TestOptions::default()
    })
    .await;
    for (method, path) in ROUTES {
        let mut stream = TcpStream::connect(app.app.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer nonsense\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{{\"con"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .expect("an answer comes long before the body's time is over")
            .unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_answered_as_get_without_its_body() {
    let app = spawn().await;
    for path in [
        "/v1/me/preferences",
        "/v1/me/options",
        "/v1/contexts",
        "/v1/openapi.json",
    ] {
        let token = app.user("user-1");
        let get = app.request(Method::GET, path, &token).send().await.unwrap();
        let head = app
            .request(Method::HEAD, path, &token)
            .send()
            .await
            .unwrap();
        assert_eq!((get.status(), head.status()), (head.status(), get.status()));
        for header in ["content-type", "content-length", "cache-control", "etag"] {
            assert_eq!(
                head.headers().get(header),
                get.headers().get(header),
                "{path}"
            );
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
        assert!(!get.bytes().await.unwrap().is_empty(), "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_or_number_of_a_caller_makes_the_service_fail() {
    let app = spawn().await;
    let texts = [
        r#""""#,
        r#"" ""#,
        r#""\u0000""#,
        r#""\ud83d""#,
        r#""\udc00\ud800""#,
        r#""\uffff\ufffe\ufdd0""#,
        r#""\u202e\u2066\u200b\ufeff""#,
        r#""\u001b[31m\u0007\u0085\u2028""#,
        r#""Z\u0351\u036b\u0343\u036a\u0302""#,
        r#""👩‍👩‍👧‍👦\u{1}""#,
        r#""' or 1=1; drop table session; --""#,
        r#""../../etc/passwd""#,
        r#""{{ 7*7 }}{% raw %}""#,
        r#""constructor""#,
        "1e400",
        "-1e400",
        "1e308",
        "-0.0",
        "5e-324",
        "123456789012345678901234567890",
        "18446744073709551616",
        "-9223372036854775809",
        "NaN",
        "0x1F",
        "01",
        "true",
        "null",
        "[]",
        "{}",
    ];
    for text in texts {
        for body in [
            format!(r#"{{"context":{text}}}"#),
            format!(r#"{{"metadata":{{"topic":{text},"other":{text}}}}}"#),
            format!(r#"{{"metadata":{{{text}:1}}}}"#),
            format!("{{{text}:1}}"),
            format!(
                r#"{{"displayName":{text},"avatarId":{text},"experience":{text},"systemPrompt":{text}}}"#
            ),
            text.to_owned(),
        ] {
            for (method, path) in ROUTES {
                let answer = send(
                    &app,
                    method.clone(),
                    path,
                    "application/json",
                    body.clone().into(),
                )
                .await;
                let status = answer.status().as_u16();
                assert!(
                    matches!(status, 200 | 400 | 422),
                    "{method} {path} {body}: {status}"
                );
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_faults_are_no_answer_of_megabytes() {
    let app = spawn().await;
    let key = app.admin_key(seed::TENANT, Role::Owner).await;
    let unknown: Map<String, Value> = (0..4_000)
        .map(|at| (format!("m{at}"), Value::from(1)))
        .collect();
    let long = json!({ "metadata": { "x".repeat(50_000): 1, "priority": "x" } });
    let token = app.user("user-1");
    let answers = [
        app.mint(&token, &Value::Object(unknown.clone())).await,
        app.mint(
            &token,
            &json!({ "context": "support", "metadata": unknown }),
        )
        .await,
        app.mint(&token, &long).await,
        app.request(Method::PATCH, "/v1/me/preferences", &token)
            .json(&unknown)
            .send()
            .await
            .unwrap(),
        app.request(Method::PATCH, "/v1/admin/policy", &key)
            .header("if-match", "*")
            .json(&unknown)
            .send()
            .await
            .unwrap(),
        app.request(Method::POST, "/v1/admin/issuers:check", &key)
            .json(&json!({ "config": unknown }))
            .send()
            .await
            .unwrap(),
    ];
    for answer in answers {
        let (url, status) = (answer.url().clone(), answer.status());
        let body = answer.text().await.unwrap();
        assert!(
            body.len() < 128 * 1024,
            "{url} {status}: {} bytes",
            body.len()
        );
    }
    app.stop().await;
}
