//! The table of problem codes is a contract: each of them can really happen, with its status, title and body.

use std::collections::BTreeSet;
use std::time::Duration;

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::web::codes::Code;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::admin_codes as admins;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, problem, spawn, spawn_with};

const MINT: FaultTarget = FaultTarget::Mint;

/// Brings one problem about. The match is exhaustive: a new code needs its way here.
#[expect(clippy::too_many_lines, reason = "a table")]
async fn provoke(code: Code, app: &TestApp) -> Response {
    let token = app.user("user-1");
    let fault = |fault: Fault| async {
        app.anam.fault(fault);
        let answer = app.mint(&token, &context("support")).await;
        app.anam.clear();
        answer
    };
    let error =
        |status, text: &str| Fault::status(MINT, status).with_body(json!({ "error": text }));
    match code {
        Code::Unauthenticated => app.mint("bad", &json!({})).await,
        Code::Forbidden
        | Code::AlreadyExists
        | Code::Conflict
        | Code::InUse
        | Code::MergeConflict
        | Code::InputsExpired
        | Code::ApprovalMissing
        | Code::DocumentInvalid
        | Code::IdempotencyKeyReused
        | Code::SignInFailed
        | Code::SecondFactorRequired
        | Code::SecondFactorEnrolmentRequired
        | Code::InsufficientUserAuthentication
        | Code::IdentityProviderUnavailable
        | Code::PreconditionRequired => admins::provoke(code, app).await,
        Code::TenantSuspended => {
            broken(
                app,
                "update tenant set status = 'suspended'",
                "update tenant set status = 'active'",
                code,
            )
            .await
        }
        Code::OriginNotAllowed => app
            .request(Method::GET, "/v1/contexts", &token)
            .header("origin", "https://evil.example")
            .send()
            .await
            .unwrap(),
        Code::KeysUnavailable => keys_unavailable(app).await,
        Code::IntrospectionUnavailable => super::opaque::unavailable(app).await,
        Code::MalformedRequest => raw(app, &token, "application/json", "{").await,
        Code::InvalidRequest => app.mint(&token, &json!({ "other": 1 })).await,
        Code::UnsupportedMediaType => raw(app, &token, "text/plain", "{}").await,
        Code::BodyTooLarge => raw(app, &token, "application/json", &"x".repeat(70_000)).await,
        Code::BodyTimeout | Code::HeadersTimeout | Code::HeadersTooLarge => {
            unreachable!("told apart in `every_code_is_provoked`: it needs a connection of its own")
        }
        Code::NotFound => app
            .request(Method::GET, "/nowhere", &token)
            .send()
            .await
            .unwrap(),
        Code::MethodNotAllowed => app
            .request(Method::GET, "/v1/session-token", &token)
            .send()
            .await
            .unwrap(),
        Code::PreconditionFailed => app
            .request(Method::DELETE, "/v1/me/preferences", &token)
            .header("if-match", "\"none\"")
            .send()
            .await
            .unwrap(),
        Code::RateLimited | Code::Overloaded => over_a_limit(code).await,
        Code::ContextUnknown => {
            let archive = "update document set archived_at = now() where kind = 'context' and key = 'default'";
            let restore = "update document set archived_at = null";
            broken(app, archive, restore, code).await
        }
        Code::MetadataInvalid => {
            app.mint(
                &token,
                &json!({ "context": "sales", "metadata": { "seats": 0 } }),
            )
            .await
        }
        Code::PreferenceInvalid => app
            .request(Method::PUT, "/v1/me/preferences", &token)
            .json(&json!({ "avatarId": 1 }))
            .send()
            .await
            .unwrap(),
        Code::PersonaUnavailable => {
            let archive = "update document set archived_at = now() where kind = 'persona' and key = 'assistant'";
            let restore = "update document set archived_at = null";
            broken(app, archive, restore, code).await
        }
        Code::ProviderKeyUnavailable => {
            let add = "insert into provider_key (tenant_id, label, sealed, last_four)
                       select id, 'unreadable', '\\x00', '0000' from tenant";
            broken(app, add, "delete from provider_key", code).await
        }
        Code::SecretUnavailable => {
            let tools = r#"{"tools": [{"type": "server", "subtype": "webhook", "name": "x", "method": "GET",
                            "url": "https://a.example/${secret:lost}"}]}"#;
            let lock = format!(
                "update tenant set policy = policy || jsonb_build_object('locks', '{tools}'::jsonb)"
            );
            let unlock = "update tenant set policy = policy - 'locks'";
            broken(app, &lock, unlock, code).await
        }
        Code::Unavailable => {
            let revoke = "revoke insert on session from gateway_platform";
            broken(
                app,
                revoke,
                "grant insert on session to gateway_platform",
                code,
            )
            .await
        }
        Code::QuotaReached => {
            let set = r#"update tenant set policy = policy || '{"quotas": {"user": {"sessionsPerDay": 1}}}'"#;
            broken(
                app,
                set,
                "update tenant set policy = policy - 'quotas'",
                code,
            )
            .await
        }
        Code::PlacesTaken => {
            let set = r#"update tenant set policy = policy || '{"limits": {"conversations": 1}}'"#;
            broken(
                app,
                set,
                "update tenant set policy = policy - 'limits'",
                code,
            )
            .await
        }
        Code::Internal => {
            // Nobody is known any more, so that it is read.
            let revoke = "revoke select on preference from gateway_tenant; notify gateway_preferences, 'v1 * *'";
            broken(
                app,
                revoke,
                "grant select on preference to gateway_tenant",
                code,
            )
            .await
        }
        Code::PersonaConfigRejected => fault(Fault::status(MINT, 400)).await,
        Code::PersonaNotFound => fault(Fault::status(MINT, 404)).await,
        Code::UpstreamAuth => fault(Fault::status(MINT, 401)).await,
        Code::UpstreamForbidden => fault(Fault::status(MINT, 403)).await,
        Code::UpstreamPlan => fault(Fault::status(MINT, 402)).await,
        Code::UpstreamConcurrency => fault(error(429, "Concurrent session limit reached")).await,
        Code::UpstreamSpendCap => fault(error(429, "Spend cap reached")).await,
        Code::UpstreamRateLimited => fault(Fault::status(MINT, 429)).await,
        Code::UpstreamBusy => fault(Fault::status(MINT, 503)).await,
        Code::UpstreamError => fault(Fault::status(MINT, 500)).await,
        Code::UpstreamBadToken => fault(Fault::status(MINT, 200).with_body(json!({}))).await,
        Code::UpstreamUnreachable => fault(Fault::dropped(MINT)).await,
        Code::UpstreamPaused => paused().await,
        Code::UpstreamTimeout => fault(Fault::slow(MINT, Duration::from_secs(30))).await,
    }
}

/// Breaks something in the database, mints until it shows, and mends it again.
async fn broken(app: &TestApp, breaking: &str, mending: &str, code: Code) -> Response {
    let token = app.user("user-1");
    app.database.sql(breaking).await;
    let patience = Duration::from_secs(10);
    until(code.as_str(), patience, || async {
        let answer = app.mint(&token, &json!({})).await;
        (answer.status() == code.status().as_u16()).then_some(())
    })
    .await;
    let answer = app.mint(&token, &json!({})).await;
    app.database.sql(mending).await;
    until("it works again", patience, || async {
        (app.mint(&token, &json!({})).await.status() == 200).then_some(())
    })
    .await;
    answer
}

async fn raw(app: &TestApp, token: &str, kind: &str, body: &str) -> Response {
    app.request(Method::POST, "/v1/session-token", token)
        .header("content-type", kind)
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
}

/// An issuer whose keys nobody serves.
async fn keys_unavailable(app: &TestApp) -> Response {
    app.apply(
        "tenant: keyless
issuers:
  - {issuer: here, audiences: [keyless], algorithms: [RS256], keys: {jwksUrl: 'http://127.0.0.1:1/jwks'}}
",
    )
    .await;
    let token = app.user_for("keyless", "user-1");
    until("the issuer is known", Duration::from_secs(10), || async {
        let answer = app.mint(&token, &json!({})).await;
        (answer.status() == 503).then_some(answer)
    })
    .await
}

/// The second of two requests of a service that takes only one.
async fn over_a_limit(code: Code) -> Response {
    let limit = if code == Code::RateLimited {
        "USER_MINTS_PER_MINUTE"
    } else {
        "MINTS_IN_FLIGHT"
    };
    let app = spawn_with(TestOptions {
        env: vec![(format!("GATEWAY__LIMITS__{limit}"), "1".into())],
        ..TestOptions::default()
    })
    .await;
    let token = app.user("user-1");
    app.anam.fault(Fault::slow(MINT, Duration::from_secs(30)));
    let body = json!({});
    let answer = tokio::select! {
        _ = app.mint(&token, &body) => panic!("Anam is slow"),
        answer = async {
            app.anam.request_where(|request| request.path == "/v1/auth/session-token").await;
            app.mint(&token, &body).await
        } => answer,
    };
    app.anam.clear();
    answer
}

/// The second of two requests of a service that stops asking after one failure.
async fn paused() -> Response {
    let app = spawn_with(TestOptions::set(&[("ANAM__BREAKER_FAILURES", "1")])).await;
    app.anam.fault(Fault::status(MINT, 500));
    let token = app.user("user-1");
    app.mint(&token, &context("support")).await;
    app.mint(&token, &context("support")).await
}

/// What a request that is written by hand is answered.
async fn by_hand(app: &TestApp, code: Code) -> Value {
    let start = format!(
        "POST /v1/session-token HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {}\r\n",
        app.user("user-1")
    );
    let sent = match code {
        Code::BodyTimeout => format!("{start}content-length: 9\r\nconnection: close\r\n\r\n"),
        Code::HeadersTooLarge => start + &"a: b\r\n".repeat(200) + "\r\n",
        _ => start,
    };
    let mut stream = TcpStream::connect(app.app.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = format!("HTTP/1.1 {} ", code.status().as_u16());
    assert!(answer.starts_with(&status), "{answer}");
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["code"], code.as_str());
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_is_provoked() {
    let times = [
        ("SERVER__BODY_TIMEOUT_MS", "100"),
        ("SERVER__CLIENT_TIMEOUT_MS", "3000"),
        ("ANAM__CONNECT_TIMEOUT_MS", "500"),
        ("ANAM__TIMEOUT_MS", "500"),
        ("AUTH__JWKS_WAIT_MS", "500"),
    ];
    let app = spawn_with(TestOptions {
        env: times
            .map(|(name, ms)| (format!("GATEWAY__{name}"), ms.to_owned()))
            .into(),
        ..TestOptions::default()
    })
    .await;
    for &code in Code::ALL {
        let body = match code {
            Code::BodyTimeout | Code::HeadersTimeout | Code::HeadersTooLarge => {
                by_hand(&app, code).await
            }
            _ => {
                let answer = provoke(code, &app).await;
                problem(answer, code.status().as_u16(), code.as_str()).await
            }
        };
        assert_eq!(body["title"], code.title());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_stands_in_the_api_description_once() {
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    let app = spawn().await;
    let answer = app
        .http
        .get(app.url("/v1/openapi.json"))
        .send()
        .await
        .unwrap();
    let description: Value = answer.json().await.unwrap();
    let code = &description["components"]["schemas"]["ProblemBody"]["properties"]["code"];
    let text = code["description"].as_str().unwrap();
    for code in Code::ALL {
        let (name, status) = (code.as_str(), code.status().as_u16());
        let line = format!("- `{name}` ({status}): ");
        assert_eq!(text.matches(&line).count(), 1, "{line}");
    }
    app.stop().await;
}
