//! People sign in with passwords, and sessions end when they must.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::{TestApp, TestOptions, context, logs, pointers, problem, spawn, spawn_with};

const ANN: &str = "ann@example.com";
const OTHER: &str = "another long password";

async fn with_ann() -> TestApp {
    let app = spawn().await;
    app.member("demo", ANN, Role::Editor).await;
    app
}

async fn metrics(app: &TestApp) -> String {
    let url = format!("http://{}/metrics", app.app.ops_address);
    let answer = app.http.get(url).send().await.unwrap();
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_right_password_opens_a_session_that_the_audit_trail_knows() {
    let app = with_ann().await;
    let answer = app.try_sign_in(" Ann@Example.com ", PASSWORD).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(!answer.headers().contains_key("set-cookie"));
    let signed_in = body(answer, 200).await;
    let token = signed_in["token"].as_str().unwrap();
    assert!(token.starts_with("pgs_") && token.len() == 47, "{token}");
    assert_eq!(
        (&signed_in["tenant"], &signed_in["role"]),
        (&json!("demo"), &json!("editor"))
    );

    let me = body(app.ask(Method::GET, "/v1/admin/me", token).await, 200).await;
    assert_eq!(
        (&me["actor"], &me["role"]),
        (&json!("person:ann@example.com"), &json!("editor"))
    );
    let trail = app.audited("demo").await;
    assert_eq!(
        trail.last().unwrap(),
        "person:ann@example.com person.sign_in person/ann@example.com"
    );
    let stored = app
        .database
        .rows("select encode(hash, 'hex') as hash from console_session")
        .await;
    assert!(!stored[0]["hash"].as_str().unwrap().contains(token));
    app.stop().await;
}

#[tokio::test]
async fn unknown_wrong_disabled_and_without_a_tenant_read_the_same() {
    let app = with_ann().await;
    app.member("demo", "gone@example.com", Role::Viewer).await;
    app.database
        .sql("update admin set disabled_at = now() where email = 'gone@example.com'")
        .await;
    app.member("demo", "nowhere@example.com", Role::Viewer)
        .await;
    app.database
        .sql("delete from membership where admin_id = (select id from admin where email = 'nowhere@example.com')")
        .await;
    app.member("demo", "sso@example.com", Role::Viewer).await;
    app.database
        .sql("update admin set password_hash = null where email = 'sso@example.com'")
        .await;
    let mut told = Vec::new();
    for (email, password) in [
        (ANN, "a wrong long password"),
        (ANN, ""),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("nowhere@example.com", PASSWORD),
        ("sso@example.com", PASSWORD),
    ] {
        let password = if password.is_empty() { " " } else { password };
        told.push(
            problem(
                app.try_sign_in(email, password).await,
                401,
                "sign_in_failed",
            )
            .await,
        );
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    let page = metrics(&app).await;
    assert!(
        page.contains("gateway_sign_ins_total{result=\"wrong\"} 5"),
        "{page}"
    );
    let logged = logs::logged();
    assert!(logged.contains("a sign-in was refused"));
    assert!(
        !logged.contains("nowhere@example.com\",\"reason"),
        "the address stays out of the log"
    );
    app.stop().await;
}

#[tokio::test]
async fn who_belongs_to_several_tenants_names_one_and_learns_which_only_after_the_password() {
    let app = with_ann().await;
    app.empty_tenant("acme").await;
    app.member("acme", ANN, Role::Owner).await;
    problem(
        app.try_sign_in(ANN, "a wrong long password").await,
        401,
        "sign_in_failed",
    )
    .await;
    let told = problem(app.try_sign_in(ANN, PASSWORD).await, 422, "invalid_request").await;
    assert_eq!(
        told["errors"][0],
        json!({
            "pointer": "/tenant", "message": "must be one of acme, demo",
            "code": "one_of", "values": { "choices": "acme, demo" },
        })
    );

    let try_in = async |tenant: &str| {
        let sent = json!({ "email": ANN, "password": PASSWORD, "tenant": tenant });
        app.anonymous("/v1/admin/sign-in", &sent).await
    };
    problem(try_in("nowhere").await, 422, "invalid_request").await;
    let there = body(try_in("acme").await, 200).await;
    let token = there["token"].as_str().unwrap();
    let me = body(app.ask(Method::GET, "/v1/admin/me", token).await, 200).await;
    assert_eq!(
        (&me["tenant"], &me["role"]),
        (&json!("acme"), &json!("owner"))
    );

    let account = body(app.ask(Method::GET, "/v1/admin/account", token).await, 200).await;
    let slugs: Vec<&Value> = account["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["slug"])
        .collect();
    assert_eq!(slugs, ["acme", "demo"]);
    let switch = async |token: &str, tenant: &str| {
        app.tell(
            Method::POST,
            "/v1/admin/account:switch",
            token,
            &json!({ "tenant": tenant }),
        )
        .await
    };
    problem(switch(token, "nowhere").await, 422, "invalid_request").await;
    let here = body(switch(token, "demo").await, 200).await;
    assert_eq!(
        here["expiresAt"], there["expiresAt"],
        "a switch makes no session longer"
    );
    assert_eq!(app.status_of(token).await, 401, "the old token has ended");
    let token = here["token"].as_str().unwrap();
    let me = body(app.ask(Method::GET, "/v1/admin/me", token).await, 200).await;
    assert_eq!(
        (&me["tenant"], &me["role"]),
        (&json!("demo"), &json!("editor"))
    );
    app.stop().await;
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_after_twelve_hours() {
    let app = with_ann().await;
    let token = app.sign_in(ANN).await;
    assert_eq!(app.status_of(&token).await, 200);
    app.database
        .sql("update console_session set seen_at = now() - interval '29 minutes'")
        .await;
    assert_eq!(app.status_of(&token).await, 200);
    let seen = app
        .database
        .rows("select (now() - seen_at < interval '1 minute') as now from console_session")
        .await;
    assert_eq!(seen[0]["now"], true, "using a session keeps it alive");
    app.database
        .sql("update console_session set seen_at = now() - interval '31 minutes'")
        .await;
    assert_eq!(app.status_of(&token).await, 401);

    let token = app.sign_in(ANN).await;
    let left = app
        .database
        .rows("select count(*) from console_session")
        .await;
    assert_eq!(
        left[0]["count"], 1,
        "sessions that have run out are forgotten"
    );
    app.database
        .sql("update console_session set expires_at = now() - interval '1 second'")
        .await;
    assert_eq!(app.status_of(&token).await, 401);
    app.stop().await;
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() {
    let app = with_ann().await;
    let (one, two) = (app.sign_in(ANN).await, app.sign_in(ANN).await);
    let out = app.ask(Method::POST, "/v1/admin/sign-out", &one).await;
    assert_eq!(out.status(), 204);
    assert_eq!(
        (app.status_of(&one).await, app.status_of(&two).await),
        (401, 200)
    );
    assert!(
        app.audited("demo")
            .await
            .contains(&"person:ann@example.com person.sign_out person/ann@example.com".to_owned())
    );
    app.stop().await;
}

#[tokio::test]
async fn another_password_ends_every_session() {
    let app = with_ann().await;
    let (one, two) = (app.sign_in(ANN).await, app.sign_in(ANN).await);
    let change = async |current: &str, new: &str| {
        let sent = json!({ "current": current, "new": new });
        app.tell(Method::POST, "/v1/admin/password", &one, &sent)
            .await
    };
    for (current, new, at) in [
        ("a wrong long password", OTHER, "/current"),
        (PASSWORD, "too short", "/new"),
        (PASSWORD, "passwordpassword", "/new"),
    ] {
        let told = problem(change(current, new).await, 422, "invalid_request").await;
        assert_eq!(pointers(&told), [at]);
    }
    assert_eq!(app.status_of(&two).await, 200);
    assert_eq!(change(PASSWORD, OTHER).await.status(), 204);
    assert_eq!(
        (app.status_of(&one).await, app.status_of(&two).await),
        (401, 401)
    );
    problem(app.try_sign_in(ANN, PASSWORD).await, 401, "sign_in_failed").await;
    body(app.try_sign_in(ANN, OTHER).await, 200).await;
    assert!(
        app.audited("demo")
            .await
            .iter()
            .any(|line| line.contains("person.change_password"))
    );
    app.stop().await;
}

#[tokio::test]
async fn a_disabled_account_and_a_lost_membership_end_sessions_at_once() {
    let app = with_ann().await;
    let token = app.sign_in(ANN).await;
    app.database
        .sql("update membership set role = 'viewer'")
        .await;
    let me = body(app.ask(Method::GET, "/v1/admin/me", &token).await, 200).await;
    assert_eq!(me["role"], "viewer", "a role is what it is now");
    app.database
        .sql("update admin set disabled_at = now()")
        .await;
    assert_eq!(app.status_of(&token).await, 401);
    app.database
        .sql("update admin set disabled_at = null")
        .await;
    assert_eq!(app.status_of(&token).await, 200);
    app.database.sql("delete from membership").await;
    assert_eq!(app.status_of(&token).await, 401);
    let left = app
        .database
        .rows("select count(*) from console_session")
        .await;
    assert_eq!(left[0]["count"], 0, "the session went with the membership");
    app.stop().await;
}

#[tokio::test]
async fn a_suspended_tenant_lets_nobody_in() {
    let app = with_ann().await;
    let token = app.sign_in(ANN).await;
    app.database
        .sql("update tenant set status = 'suspended'")
        .await;
    problem(
        app.ask(Method::GET, "/v1/admin/me", &token).await,
        403,
        "tenant_suspended",
    )
    .await;
    problem(
        app.try_sign_in(ANN, PASSWORD).await,
        403,
        "tenant_suspended",
    )
    .await;
    app.stop().await;
}

#[tokio::test]
async fn many_wrong_passwords_from_one_address_are_stopped_with_a_time_to_wait() {
    let app = with_ann().await;
    for _ in 0..10 {
        problem(
            app.try_sign_in(ANN, "a wrong long password").await,
            401,
            "sign_in_failed",
        )
        .await;
    }
    let answer = app.try_sign_in(ANN, PASSWORD).await;
    let wait: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    problem(answer, 429, "rate_limited").await;
    let page = metrics(&app).await;
    assert!(
        page.contains("gateway_limit_refusals_total{limit=\"sign_in_account\"} 1"),
        "{page}"
    );
    // Somebody else at that address, with another account, may.
    app.member("demo", "bob@example.com", Role::Viewer).await;
    body(app.try_sign_in("bob@example.com", PASSWORD).await, 200).await;
    app.stop().await;
}

#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_known_one() {
    let app = with_ann().await;
    let mut known = Duration::MAX;
    let mut unknown = Duration::MAX;
    // On a busy machine single times say little: the shortest of some do.
    for round in 0..40 {
        if round >= 4 && unknown * 2 > known {
            break;
        }
        let started = Instant::now();
        app.try_sign_in(ANN, "a wrong long password").await;
        known = known.min(started.elapsed());
        let started = Instant::now();
        app.try_sign_in(
            &format!("nobody{round}@example.com"),
            "a wrong long password",
        )
        .await;
        unknown = unknown.min(started.elapsed());
    }
    assert!(unknown * 2 > known, "known {known:?}, unknown {unknown:?}");
    app.stop().await;
}

#[tokio::test]
async fn the_admin_api_has_no_cors() {
    let app = spawn().await;
    app.apply("tenant: demo\nname: Demo\npolicy: {allowedOrigins: ['https://app.example']}\n")
        .await;
    for path in ["/v1/admin/me", "/v1/admin/sign-in", "/v1/operator/tenants"] {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = app
                .http
                .request(method, app.url(path))
                .header("origin", "https://app.example")
                .header("access-control-request-method", "POST")
                .send()
                .await
                .unwrap();
            let names: Vec<&str> = answer
                .headers()
                .keys()
                .map(reqwest::header::HeaderName::as_str)
                .collect();
            assert!(
                !names.iter().any(|name| name.starts_with("access-control")),
                "{path} {names:?}"
            );
        }
    }
    app.stop().await;
}

/// A gateway behind a proxy that says where a try comes from.
async fn behind_a_proxy() -> TestApp {
    // On a busy machine hundreds of tries wait for a connection longer than people would.
    let patience = "20000";
    let app = spawn_with(TestOptions::set(&[
        ("SERVER__TRUSTED_PROXIES", "127.0.0.1/32"),
        ("DATABASE__ACQUIRE_TIMEOUT_MS", patience),
        ("DATABASE__STATEMENT_TIMEOUT_MS", patience),
    ]))
    .await;
    app.member("demo", ANN, Role::Editor).await;
    app
}

/// The status of a try from an address; whoever is put off is told until when.
async fn try_from(app: &TestApp, address: &str, email: &str, password: &str) -> u16 {
    let answer = app
        .http
        .post(app.url("/v1/admin/sign-in"))
        .header("x-forwarded-for", address)
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let put_off = matches!(status, 429 | 503);
    assert_eq!(put_off, answer.headers().contains_key("retry-after"));
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_network_waits_for_itself_while_others_sign_in_and_mint() {
    let app = behind_a_proxy().await;
    let begun = Instant::now();
    let flood = join_all((0..400).map(|number| {
        let address = format!("2001:db8:7:{number:x}::1");
        let email = format!("a{number}@example.com");
        let app = &app;
        async move { try_from(app, &address, &email, "a wrong long password").await }
    }));
    let others = async {
        let signed_in = try_from(&app, "192.0.2.7", ANN, PASSWORD).await;
        let minted = app
            .mint(&app.user("user-1"), &context("sales"))
            .await
            .status();
        (signed_in, minted.as_u16())
    };
    let (flood, others) = futures_util::future::join(flood, others).await;
    assert_eq!(others, (200, 200));
    let count = |status: u16| flood.iter().filter(|had| **had == status).count();
    assert_eq!(count(401) + count(429) + count(503), 400, "{flood:?}");
    // 120 at once, and two more each second.
    let most = 121 + 2 * usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(count(401) <= most, "checked: {} of {most}", count(401));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_everywhere_keep_nobody_out_of_where_they_signed_in_before() {
    let app = behind_a_proxy().await;
    assert_eq!(try_from(&app, "192.0.2.7", ANN, PASSWORD).await, 200);
    let marks = app
        .database
        .rows("select cardinality(sign_in_places) as count from admin")
        .await;
    assert_eq!(marks[0]["count"], 1);
    let begun = Instant::now();
    let strangers = join_all((0..250).map(|number| {
        let (app, address) = (&app, format!("198.51.100.{number}"));
        async move { try_from(app, &address, ANN, "a wrong long password").await }
    }));
    let owner = try_from(&app, "192.0.2.7", ANN, PASSWORD);
    let (strangers, owner) = futures_util::future::join(strangers, owner).await;
    assert_eq!(owner, 200);
    // The account's limit for strangers: a hundred at once, and one more each second.
    let most = 101 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    let checked = strangers.iter().filter(|status| **status == 401).count();
    assert!(checked <= most, "checked: {checked} of {most}");
    assert_eq!(try_from(&app, "192.0.2.7", ANN, PASSWORD).await, 200);
    let marks = app
        .database
        .rows("select cardinality(sign_in_places) as count from admin")
        .await;
    assert_eq!(marks[0]["count"], 1, "known already");
    app.stop().await;
}
