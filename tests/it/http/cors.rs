//! Which pages of other origins may call the user API, and read its answers.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use serde_json::json;

use crate::harness::{TestApp, problem, spawn};

const OURS: &str = "https://app.example.com";
const THEIRS: &str = "https://theirs.example.net";

/// The demo tenant with an origin of its own, and another tenant with another.
async fn two_tenants() -> TestApp {
    let app = spawn().await;
    app.apply(&format!(
        "tenant: demo\npolicy: {{allowedOrigins: ['{OURS}', 'http://localhost:*']}}\n"
    ))
    .await;
    app.apply(&format!(
        "tenant: other
issuers:
  - {{issuer: here, audiences: [other], algorithms: [RS256], keys: {{discovery: true}}}}
policy: {{allowedOrigins: ['{THEIRS}']}}
"
    ))
    .await;
    app.wait_for_token(&app.user_for("other", "user-1")).await;
    crate::harness::wait::until(
        "both origins are known",
        std::time::Duration::from_secs(10),
        || async {
            for origin in [OURS, THEIRS] {
                allowed(preflight(&app, origin).await.headers())?;
            }
            Some(())
        },
    )
    .await;
    app
}

async fn preflight(app: &TestApp, origin: &str) -> Response {
    preflight_for(app, origin, &["authorization,content-type"]).await
}

async fn preflight_for(app: &TestApp, origin: &str, asked: &[&str]) -> Response {
    let mut request = app
        .http
        .request(Method::OPTIONS, app.url("/v1/session-token"))
        .header("origin", origin)
        .header("access-control-request-method", "POST");
    for line in asked {
        request = request.header("access-control-request-headers", *line);
    }
    request.send().await.unwrap()
}

/// The names in `Access-Control-Allow-Headers`.
fn sendable(headers: &HeaderMap) -> Vec<String> {
    let list = headers["access-control-allow-headers"].to_str().unwrap();
    list.split(", ").map(str::to_owned).collect()
}

fn varies(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all("vary").iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

fn allowed(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("access-control-allow-origin")?;
    Some(value.to_str().unwrap().to_owned())
}

async fn mint_from(app: &TestApp, token: &str, origin: &str) -> Response {
    app.request(Method::POST, "/v1/session-token", token)
        .header("origin", origin)
        .json(&json!({}))
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_is_answered_for_origins_of_any_tenant_and_for_no_other() {
    let app = two_tenants().await;
    for origin in [OURS, THEIRS, "http://localhost:3000", "http://localhost"] {
        let answer = preflight(&app, origin).await;
        assert_eq!(answer.status(), 204);
        let headers = answer.headers();
        assert_eq!(allowed(headers).as_deref(), Some(origin));
        assert_eq!(
            varies(headers),
            ["Origin", "Access-Control-Request-Headers"]
        );
        assert_eq!(headers["access-control-max-age"], "7200");
        let methods = headers["access-control-allow-methods"].to_str().unwrap();
        assert!(methods.contains("PATCH"));
        let always = [
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "persona-gateway-tenant",
        ];
        assert_eq!(sendable(headers), always);
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://APP.example.com",
        "null",
        "http://localhost.evil.example",
        "http://localhost:3000@evil.example",
        "https://localhost:3000",
        "*",
    ] {
        let answer = preflight(&app, origin).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(allowed(answer.headers()), None, "{origin}");
        assert!(
            !answer
                .headers()
                .contains_key("access-control-allow-methods")
        );
        assert!(
            !answer
                .headers()
                .contains_key("access-control-allow-headers")
        );
        assert_eq!(varies(answer.headers())[0], "Origin");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_may_send_whatever_its_tools_add_but_not_what_proxies_say() {
    let app = two_tenants().await;
    let harmless = [
        "authorization",
        "content-type",
        "sentry-trace",
        "baggage",
        "traceparent",
        "tracestate",
        "x-requested-with",
        "idempotency-key",
        "x-csrf-token",
        "x-b3-traceid",
        "x-datadog-trace-id",
        "cache-control",
    ];
    let answer = preflight_for(&app, OURS, &[&harmless.join(",")]).await;
    let names = sendable(answer.headers());
    for name in harmless {
        let found = names.iter().filter(|found| *found == name).count();
        assert_eq!(found, 1, "{name} in {names:?}");
    }
    // Nobody else learns more from asking for more.
    let answer = preflight_for(&app, "https://evil.example", &[&harmless.join(",")]).await;
    assert_eq!(allowed(answer.headers()), None);
    assert!(
        !answer
            .headers()
            .contains_key("access-control-allow-headers")
    );

    let long = "x".repeat(101);
    let lines = [
        "X-Forwarded-For, x-forwarded-proto,Forwarded",
        " , a b, \"c\",, *, X-One",
        &long,
        "x-two",
    ];
    let answer = preflight_for(&app, OURS, &lines).await;
    let names = sendable(answer.headers());
    assert_eq!(names.get(6..).unwrap(), ["x-one", "x-two"]);
    let many: Vec<String> = (0..1_000).map(|number| format!("x-{number}")).collect();
    let answer = preflight_for(&app, OURS, &[&many.join(",")]).await;
    assert_eq!(sendable(answer.headers()).len(), 106);

    // What the preflight lets through, the request may carry.
    let mut request = app
        .request(Method::POST, "/v1/session-token", &app.user("user-1"))
        .header("origin", OURS);
    for name in harmless.get(2..).unwrap() {
        request = request.header(*name, "1");
    }
    let answer = request.json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_api_answers_no_preflight() {
    let app = two_tenants().await;
    for path in ["/v1/admin/me", "/v1/operator/tenants", "/v1/admin"] {
        let answer = app
            .http
            .request(Method::OPTIONS, app.url(path))
            .header("origin", OURS)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_client_error(), "{path}");
        let mut names = answer.headers().keys();
        assert!(!names.any(|name| name.as_str().starts_with("access-control-")));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_origin_is_refused_for_another_tenants_token() {
    let app = two_tenants().await;
    let (ours, theirs) = (app.user("user-1"), app.user_for("other", "user-1"));
    let answer = mint_from(&app, &ours, OURS).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(allowed(answer.headers()).as_deref(), Some(OURS));
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    for name in ["etag", "retry-after", "server-timing", "x-request-id"] {
        assert!(exposed.contains(name));
    }
    for (token, origin) in [
        (&ours, THEIRS),
        (&theirs, OURS),
        (&ours, "https://evil.example"),
        (&ours, "null"),
    ] {
        let asked = app.mints_asked();
        problem(
            mint_from(&app, token, origin).await,
            403,
            "origin_not_allowed",
        )
        .await;
        assert_eq!(app.mints_asked(), asked, "nothing was asked for");
        for path in ["/v1/me/preferences", "/v1/me/options", "/v1/contexts"] {
            let answer = app
                .request(Method::GET, path, token)
                .header("origin", origin)
                .send()
                .await
                .unwrap();
            problem(answer, 403, "origin_not_allowed").await;
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_allowed_origins_can_read_errors_and_others_cannot() {
    let app = two_tenants().await;
    let token = app.user("user-1");
    for (method, path, token) in [
        (Method::POST, "/v1/session-token", "bad"),
        (Method::GET, "/v1/session-token", token.as_str()),
        (Method::GET, "/nowhere", token.as_str()),
        (Method::PUT, "/v1/me/preferences", token.as_str()),
    ] {
        for (origin, expected) in [(OURS, Some(OURS)), ("https://evil.example", None)] {
            let answer = app
                .request(method.clone(), path, token)
                .header("origin", origin)
                .body("{")
                .send()
                .await
                .unwrap();
            assert!(answer.status().is_client_error());
            assert_eq!(allowed(answer.headers()).as_deref(), expected, "{path}");
            assert_eq!(answer.headers()["vary"], "Origin");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateways_own_pages_and_callers_that_are_no_browser_need_no_permission() {
    let app = two_tenants().await;
    let token = app.user("user-1");
    let own = format!("http://{}", app.app.address);
    let answer = mint_from(&app, &token, &own).await;
    assert_eq!(answer.status(), 200);
    let answer = app.mint(&token, &json!({})).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(allowed(answer.headers()), None);
    app.stop().await;
}
