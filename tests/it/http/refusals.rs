//! Who is refused is told nothing; the tenant's admins are told why.

use std::collections::BTreeSet;
use std::time::Duration;

use persona_gateway::dev::issuer::{Audience, TokenRequest};
use persona_gateway::dev::seed;
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::logs::logged;
use crate::harness::wait::until;
use crate::harness::{TestApp, context, pointers, problem, spawn};

async fn refusals(app: &TestApp, key: &str, query: &str) -> Vec<Value> {
    let path = format!("/v1/admin/refusals{query}");
    let page = body(app.ask(Method::GET, &path, key).await, 200).await;
    page["items"].as_array().unwrap().clone()
}

fn reasons(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["reason"].as_str().unwrap())
        .collect()
}

/// What of a 401 could tell somebody something, and its request's id.
async fn refused(answer: Response) -> (String, String) {
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let challenge = format!("{:?}", answer.headers()["www-authenticate"]);
    (
        problem(answer, 401, "unauthenticated").await.to_string() + &challenge,
        id,
    )
}

fn with_audience(app: &TestApp, audience: &str, expires_in: i64) -> String {
    let mut asked = TokenRequest::new("somebody-secret", seed::user_claims());
    asked.aud = Some(Audience::One(audience.to_owned()));
    asked.expires_in = expires_in;
    app.issuer.sign(&asked).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_admins_see_why_a_token_was_refused_and_its_caller_does_not() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let neighbour = app.admin_key("acme", Role::Owner).await;
    let good = app.user("user-1");
    let (head, _) = good.rsplit_once('.').unwrap();
    let others = app.user("user-2");
    let (_, other_signature) = others.rsplit_once('.').unwrap();
    let tokens = [
        ("wrong_audience", with_audience(&app, "another-app", 300)),
        ("expired", with_audience(&app, seed::AUDIENCE, -3_600)),
        ("signature", format!("{head}.{other_signature}")),
    ];
    let mut answers = BTreeSet::new();
    let mut requests = Vec::new();
    for (_, token) in &tokens {
        let (told, id) = refused(app.mint(token, &json!({})).await).await;
        answers.insert(told);
        requests.push(id);
    }
    assert_eq!(answers.len(), 1, "one body for all reasons: {answers:?}");

    let seen = refusals(&app, &viewer, "").await;
    assert_eq!(
        reasons(&seen),
        ["signature", "expired", "wrong_audience"],
        "newest first"
    );
    let audience = &seen[2];
    assert_eq!(audience["issuer"], app.issuer.url());
    assert_eq!(audience["audience"], "another-app");
    assert!(audience["kid"].is_string());
    assert_eq!(audience["count"], 1);
    assert_eq!(audience["others"], false);
    assert_eq!(audience["requestId"], requests[0]);
    assert_eq!(audience["firstAt"], audience["lastAt"]);
    assert_eq!(
        audience["meaning"],
        "aud names none of this issuer's audiences"
    );
    assert!(
        audience["advice"]
            .as_str()
            .unwrap()
            .starts_with("Add the token's aud")
    );

    // Again, through another door: counted, not listed twice.
    let answer = app
        .request(Method::GET, "/v1/me/preferences", &tokens[0].1)
        .send()
        .await
        .unwrap();
    let (_, last) = refused(answer).await;
    let again = refusals(&app, &viewer, "?reason=wrong_audience").await;
    assert_eq!(again.len(), 1);
    assert_eq!(
        (&again[0]["count"], &again[0]["requestId"]),
        (&json!(2), &json!(last))
    );
    assert_eq!(refusals(&app, &viewer, "?limit=1").await.len(), 1);
    let wrong = app
        .ask(Method::GET, "/v1/admin/refusals?reason=others", &viewer)
        .await;
    assert_eq!(
        pointers(&problem(wrong, 422, "invalid_request").await),
        ["/reason"]
    );

    assert_eq!(
        refusals(&app, &neighbour, "").await,
        Vec::<Value>::new(),
        "none of another tenant's"
    );
    let told = serde_json::to_string(&seen).unwrap();
    let rows = app
        .database
        .rows("select to_jsonb(r)::text as text from refusal r")
        .await;
    for text in [told, serde_json::to_string(&rows).unwrap()] {
        assert!(
            !text.contains("somebody-secret") && !text.contains("user-1"),
            "{text}"
        );
        assert!(
            tokens
                .iter()
                .all(|(_, token)| !text.contains(token.get(..30).unwrap())),
            "{text}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_made_up_tokens_fills_few_rows_and_is_counted() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    for round in 0..5 {
        for number in 0..30 {
            let audience = format!("{}-{round}-{number}", "x".repeat(300));
            let answer = app
                .mint(&with_audience(&app, &audience, 300), &json!({}))
                .await;
            assert_eq!(answer.status(), 401);
        }
        // Each look writes what waits.
        let seen = refusals(&app, &key, "?limit=100").await;
        assert!(seen.len() <= 21, "{}", seen.len());
    }
    // Cut at 200 characters, the audiences of one round are alike.
    let hostile = [
        "a\u{0}b",
        "\u{202e}evil",
        "\u{1b}[31m",
        "\"};drop",
        &"y".repeat(1_000),
    ];
    for audience in hostile {
        app.mint(&with_audience(&app, audience, 300), &json!({}))
            .await;
    }
    let seen = refusals(&app, &key, "?limit=100").await;
    let counted: i64 = seen
        .iter()
        .map(|item| item["count"].as_i64().unwrap())
        .sum();
    assert_eq!(counted, 155);
    for item in &seen {
        let audience = item["audience"].as_str().unwrap_or_default();
        assert!(
            audience.chars().count() <= 200 && !audience.contains(char::is_control),
            "{item}"
        );
        assert!(!audience.contains('\u{202e}'), "{item}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kinds_of_a_flood_beyond_the_newest_are_counted_in_one_row() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    for number in 0..60 {
        app.mint(
            &with_audience(&app, &format!("app-{number}"), 300),
            &json!({}),
        )
        .await;
        if number % 6 == 5 {
            refusals(&app, &key, "").await;
        }
    }
    let seen = refusals(&app, &key, "?limit=100").await;
    assert_eq!(seen.len(), 21);
    let others: Vec<&Value> = seen.iter().filter(|item| item["others"] == true).collect();
    assert_eq!(others.len(), 1);
    assert_eq!(
        (&others[0]["count"], &others[0]["audience"]),
        (&json!(40), &Value::Null)
    );
    let newest: BTreeSet<&str> = seen
        .iter()
        .filter_map(|item| item["audience"].as_str())
        .collect();
    assert!(
        newest.contains("app-59") && !newest.contains("app-0"),
        "{newest:?}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_whom_a_limit_refuses_are_counted_for_their_tenant() {
    let app = spawn().await;
    app.apply("tenant: demo\npolicy: {quotas: {user: {sessionsPerDay: 1}}}\n")
        .await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let user = app.user("user-1");
    assert_eq!(app.mint(&user, &context("support")).await.status(), 200);
    for _ in 0..2 {
        let refused = app.mint(&user, &context("support")).await;
        problem(refused, 429, "quota_reached").await;
    }
    let seen = refusals(&app, &viewer, "?reason=quota_reached").await;
    let [seen] = seen.as_slice() else {
        panic!("one row: {seen:?}");
    };
    assert_eq!(
        (&seen["count"], &seen["issuer"], &seen["origin"]),
        (&json!(2), &json!(null), &json!(null))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_origins_are_told_to_the_tenant_that_they_call() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    app.apply("tenant: demo\npolicy: {allowedOrigins: ['https://app.example.com']}\n")
        .await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let neighbour = app.admin_key("acme", Role::Viewer).await;
    let preflight = async |origin: &str| {
        let request = app
            .http
            .request(Method::OPTIONS, app.url("/v1/session-token"));
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        request.send().await.unwrap()
    };
    until("the origin is known", Duration::from_secs(10), async || {
        let answer = preflight("https://app.example.com").await;
        answer
            .headers()
            .get("access-control-allow-origin")
            .map(|_| ())
    })
    .await;
    let mint = app.request(Method::POST, "/v1/session-token", &app.user("user-1"));
    let answer = mint
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    problem(answer, 403, "origin_not_allowed").await;
    // A preflight names no tenant: that of a page on a tenant's host, by a wrong port, is most likely meant for it.
    let nearly = preflight("https://app.example.com:8443").await;
    assert_eq!(nearly.status(), 204);
    assert!(!nearly.headers().contains_key("access-control-allow-origin"));
    preflight("https://nobody.example").await;

    let seen = refusals(&app, &viewer, "?reason=origin_not_allowed").await;
    let origins: Vec<&str> = seen
        .iter()
        .map(|item| item["origin"].as_str().unwrap())
        .collect();
    assert!(
        origins.contains(&"https://evil.example")
            && origins.contains(&"https://app.example.com:8443"),
        "{origins:?}"
    );
    assert!(!origins.contains(&"https://nobody.example"), "{origins:?}");
    assert!(refusals(&app, &neighbour, "").await.is_empty());
    let metrics = app.app.gateway.metrics.encode();
    assert!(
        metrics.contains(r#"gateway_origin_refusals_total{asked="request"} 1"#),
        "{metrics}"
    );
    let preflights = metrics
        .lines()
        .find(|line| line.starts_with(r#"gateway_origin_refusals_total{asked="preflight"}"#));
    assert!(
        preflights.is_some_and(|line| !line.ends_with(" 0")),
        "{metrics}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_add_up_and_the_log_has_the_tenant() {
    let app = spawn().await;
    let second = app.second().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    // The second instance's own issuer is another; its tokens come from the first.
    let token = with_audience(&app, "from-two-instances", 300);
    assert_eq!(app.mint(&token, &json!({})).await.status(), 401);
    assert_eq!(second.mint(&token, &json!({})).await.status(), 401);
    second.app.gateway.refusals.flush().await;
    let seen = refusals(&app, &key, "?reason=wrong_audience").await;
    assert_eq!(seen[0]["count"], 2);

    let tenant = app.tenant("demo").await.to_string();
    let lines = logged();
    let line = lines
        .lines()
        .find(|line| line.contains("from-two-instances") && line.contains("a token was refused"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(line["reason"], "wrong_audience");
    assert_eq!(line["tenant.id"], tenant);
    let metrics = app.app.gateway.metrics.encode();
    assert!(metrics.contains(r#"gateway_auth_refusals_total{reason="wrong_audience"}"#));
    second.stop().await;
    app.stop().await;
}
