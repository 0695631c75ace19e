//! Tokens that are refused: one answer for all reasons.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use persona_gateway::dev::issuer::{Audience, DevIssuer, DevIssuerKeys, TokenRequest};
use persona_gateway::dev::seed;
use reqwest::Method;
use serde_json::json;

use crate::harness::{TestApp, spawn};

/// Every route that wants a user's token.
const ROUTES: [(Method, &str); 8] = [
    (Method::POST, "/v1/session-token"),
    (Method::POST, "/api/session-token"),
    (Method::GET, "/v1/me/preferences"),
    (Method::PUT, "/v1/me/preferences"),
    (Method::PATCH, "/v1/me/preferences"),
    (Method::DELETE, "/v1/me/preferences"),
    (Method::GET, "/v1/me/options"),
    (Method::GET, "/v1/contexts"),
];

const PLAIN: &str = r#"Bearer realm="persona-gateway""#;
const INVALID: &str = r#"Bearer realm="persona-gateway", error="invalid_token", error_description="The access token is missing, expired or not valid here""#;

/// Sends these Authorization headers everywhere; gives the bodies.
async fn refused(app: &TestApp, what: &str, headers: &[&str], challenge: &str) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for (method, path) in ROUTES {
        let mut request = app.http.request(method.clone(), app.url(path));
        for header in headers {
            request = request.header("authorization", *header);
        }
        if !matches!(method, Method::GET | Method::DELETE) {
            request = request.json(&json!({}));
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{what} at {method} {path}");
        assert_eq!(answer.headers()["www-authenticate"], challenge, "{what}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        bodies.insert(answer.text().await.unwrap());
    }
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_that_is_not_good_gets_the_same_body() {
    let app = spawn().await;
    // Another tenant, with an issuer of its own.
    let keys = DevIssuerKeys::generate().unwrap();
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let theirs = DevIssuer::start(local, "theirs", keys, app.clock.clone()).unwrap();
    app.apply(&format!(
        "tenant: other\nissuers:\n  - {{issuer: '{}', audiences: [theirs], algorithms: [RS256], keys: {{discovery: true}}}}\n",
        theirs.url()
    ))
    .await;
    let their_user = theirs.token("user-1", serde_json::Map::new()).unwrap();
    app.wait_for_token(&their_user).await;

    let good = app.user("user-1");
    let [head, claims, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let their_signature = their_user.rsplit('.').next().unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let mut expired = TokenRequest::new("user-1", seed::user_claims());
    expired.expires_in = -3_600;
    let mut for_us = TokenRequest::new("user-1", seed::user_claims());
    for_us.aud = Some(Audience::One(seed::AUDIENCE.into()));

    let mut bodies = refused(&app, "no header", &[], PLAIN).await;
    for (what, token) in [
        ("expired", app.issuer.sign(&expired).unwrap()),
        ("wrong audience", app.user_for("somebody-else", "user-1")),
        ("their issuer, our audience", theirs.sign(&for_us).unwrap()),
        (
            "our claims, their signature",
            format!("{head}.{claims}.{their_signature}"),
        ),
        ("unsigned", format!("{none}.{claims}.")),
        (
            "unsigned, with a signature",
            format!("{none}.{claims}.{signature}"),
        ),
        ("signature cut off", format!("{head}.{claims}.")),
        ("two parts", format!("{head}.{claims}")),
        ("not a JWT", "abc".into()),
        ("oversized", "a".repeat(20_000)),
        (
            "oversized JWT",
            format!("{head}.{}.{signature}", "a".repeat(20_000)),
        ),
        ("a space inside", format!("{head} {claims}")),
    ] {
        let header = format!("Bearer {token}");
        bodies.extend(refused(&app, what, &[&header], INVALID).await);
    }
    let good = format!("Bearer {good}");
    for (what, headers) in [
        ("twice the same", [good.as_str(), good.as_str()].as_slice()),
        ("a good and a bad one", &[&good, "Bearer abc"]),
        ("another scheme", &["Basic dXNlcjpwYXNz"]),
        ("a scheme alone", &["Bearer"]),
        ("nothing behind the scheme", &["Bearer "]),
        ("two in one header", &[&format!("{good}, {good}")]),
    ] {
        bodies.extend(refused(&app, what, headers, INVALID).await);
    }
    assert_eq!(bodies.len(), 1, "byte for byte the same: {bodies:?}");
    assert_eq!(app.mints_asked(), 0);
    assert!(app.database.rows("select * from session").await.is_empty());
    theirs.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_counts_only_in_its_header() {
    let app = spawn().await;
    let good = app.user("user-1");
    for request in [
        app.http
            .post(app.url(&format!("/v1/session-token?access_token={good}"))),
        app.http
            .post(app.url("/v1/session-token"))
            .header("cookie", format!("access_token={good}; token={good}")),
        app.http
            .post(app.url("/v1/session-token"))
            .json(&json!({ "access_token": good })),
        app.http
            .post(app.url("/v1/session-token"))
            .header("x-authorization", format!("Bearer {good}"))
            .header("proxy-authorization", format!("Bearer {good}")),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], PLAIN);
    }
    let answer = app
        .http
        .post(app.url("/v1/session-token"))
        .header("authorization", format!("bEaReR {good}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "the scheme's case does not matter");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tenant_comes_from_the_token_and_from_nowhere_else() {
    let app = spawn().await;
    app.apply(
        "tenant: other
issuers:
  - {issuer: here, audiences: [other], algorithms: [RS256], keys: {discovery: true}}
catalogue:
  avatars: [{id: 121d5df1-3f3e-4a48-a237-8ff488e9eed8, name: Leo}]
  voices: [{id: b7274f87-8b72-4c5b-bf52-954768b28c75, name: Leo}]
  llms: [{id: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7, name: GPT-4o}]
personas:
  theirs:
    name: Theirs
    systemPrompt: Only for them.
    avatarId: 121d5df1-3f3e-4a48-a237-8ff488e9eed8
    voiceId: b7274f87-8b72-4c5b-bf52-954768b28c75
    llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7
contexts:
  default: {default: theirs}
",
    )
    .await;
    let (ours, theirs) = (app.user("user-1"), app.user_for("other", "user-1"));
    app.wait_for_token(&theirs).await;
    for (token, tenant, persona) in [(&ours, "other", "Cara"), (&theirs, "demo", "Theirs")] {
        let answer = app
            .request(
                Method::POST,
                &format!("/v1/session-token?tenant={tenant}"),
                token,
            )
            .header("x-tenant", tenant)
            .header("x-tenant-id", app.tenant(tenant).await.0.to_string())
            .send()
            .await
            .unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["persona"]["name"], persona);
    }
    // The same subject of two tenants is two users.
    let preferences = app
        .request(Method::GET, "/v1/me/preferences", &theirs)
        .send()
        .await
        .unwrap();
    assert_eq!(preferences.text().await.unwrap(), "{}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_spellings_of_a_subject_are_two_users_and_one_with_controls_is_none() {
    let app = spawn().await;
    let (composed, decomposed) = (app.user("Zo\u{EB}"), app.user("Zoe\u{308}"));
    app.prefer(&composed, &json!({ "tone": "dry" })).await;
    for (token, expected) in [
        (&composed, r#"{"tone":"dry"}"#),
        (&decomposed, "{}"),
        (&app.user("zo\u{EB}"), "{}"),
        (&app.user("Zo\u{EB} "), "{}"),
    ] {
        let answer = app
            .request(Method::GET, "/v1/me/preferences", token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text().await.unwrap(), expected);
    }
    for subject in ["a\0b", "a\nb", "a\u{202E}b", "a\u{85}", &"a".repeat(256)] {
        let answer = app.mint(&app.user(subject), &json!({})).await;
        assert_eq!(answer.status(), 401, "{subject:?}");
    }
    app.stop().await;
}
