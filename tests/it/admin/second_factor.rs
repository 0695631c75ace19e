//! A second factor beside the password: enrolling, signing in with it, losing it, and tenants that demand it.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::logs::logged;
use crate::harness::people::{PASSWORD, code_of};
use crate::harness::{TestApp, TestOptions, pointers, problem, spawn, spawn_with};

const FACTOR: &str = "/v1/admin/second-factor";
const CONFIRM: &str = "/v1/admin/second-factor:confirm";
const COMPLETE: &str = "/v1/admin/sign-in:complete";
const ANN: &str = "ann@example.com";

/// The service with a clock that the test moves.
async fn timed() -> (TestApp, Clock) {
    let clock = Clock::manual(Clock::system().now());
    let options = TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    };
    (spawn_with(options).await, clock)
}

/// A sign-in with the password alone.
async fn half(app: &TestApp) -> String {
    let signed_in = body(app.try_sign_in(ANN, PASSWORD).await, 200).await;
    assert_eq!(signed_in["missing"], "code", "{signed_in}");
    signed_in["token"].as_str().unwrap().to_owned()
}

async fn complete(app: &TestApp, token: &str, code: &str) -> reqwest::Response {
    let sent = json!({ "code": code });
    app.tell(Method::POST, COMPLETE, token, &sent).await
}

#[tokio::test]
async fn with_a_second_factor_the_password_alone_opens_nothing() {
    let (app, clock) = timed().await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    let other = app.sign_in(ANN).await;
    let (secret, _) = app.enrolled(&session).await;
    assert_eq!(app.status_of(&session).await, 200, "it has shown its code");
    let mine = body(app.ask(Method::GET, FACTOR, &session).await, 200).await;
    assert_eq!(
        (&mine["enrolled"], &mine["recoveryCodes"]),
        (&json!(true), &json!(10))
    );

    // A session that began before must show a code too.
    assert_eq!(app.status_of(&other).await, 401);
    let token = half(&app).await;
    let refused = app.ask(Method::GET, "/v1/admin/me", &token).await;
    let challenge = refused.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        challenge.contains("insufficient_user_authentication"),
        "{challenge}"
    );
    problem(refused, 401, "second_factor_required").await;
    for (method, path) in [
        (Method::POST, "/v1/admin/password"),
        (Method::POST, "/v1/admin/account:switch"),
        (Method::POST, "/v1/admin/account:confirm"),
        (Method::POST, FACTOR),
        (Method::DELETE, FACTOR),
        (Method::POST, CONFIRM),
        (Method::GET, "/v1/admin/members"),
    ] {
        let answer = app.tell(method, path, &token, &json!({})).await;
        problem(answer, 401, "second_factor_required").await;
    }
    let account = body(app.ask(Method::GET, "/v1/admin/account", &token).await, 200).await;
    assert_eq!(account["missing"], "code");

    clock.advance(TimeDelta::seconds(60));
    let code = code_of(&secret, clock.now());
    let done = body(complete(&app, &token, &code).await, 200).await;
    assert!(done.get("missing").is_none(), "{done}");
    let fresh = done["token"].as_str().unwrap();
    assert_ne!(fresh, token, "the session has a new token");
    assert_eq!(
        (app.status_of(fresh).await, app.status_of(&token).await),
        (200, 401)
    );
    assert!(!logged().contains(&secret), "no secret is in the log");
    let sealed = app
        .database
        .rows("select encode(secret, 'escape') as secret from second_factor")
        .await;
    assert!(
        !sealed[0]["secret"].as_str().unwrap().contains(&secret),
        "nor in the database"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_code_counts_once_and_in_its_time_alone() {
    let (app, clock) = timed().await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    let (secret, _) = app.enrolled(&session).await;
    let token = half(&app).await;
    // The code that confirmed the enrolment is used up.
    let told = problem(
        complete(&app, &token, &code_of(&secret, clock.now())).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(pointers(&told), ["/code"]);
    clock.advance(TimeDelta::seconds(90));
    let early = code_of(&secret, clock.now() - TimeDelta::seconds(60));
    problem(complete(&app, &token, &early).await, 422, "invalid_request").await;
    let code = code_of(&secret, clock.now());
    let (one, two) = (half(&app).await, half(&app).await);
    let (one, two) = tokio::join!(complete(&app, &one, &code), complete(&app, &two, &code));
    let mut statuses = [one.status().as_u16(), two.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [200, 422],
        "of two with the same code one comes in"
    );
    // Five tries are over.
    problem(complete(&app, &token, "000000").await, 429, "rate_limited").await;
    app.stop().await;
}

#[tokio::test]
async fn recovery_codes_open_the_account_once_each_until_there_are_new_ones() {
    let (app, clock) = timed().await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    let (_, codes) = app.enrolled(&session).await;
    assert_eq!(codes.len(), 10);
    let typed = codes[0].to_uppercase().replace('-', " ");
    let done = body(complete(&app, &half(&app).await, &typed).await, 200).await;
    problem(
        complete(&app, &half(&app).await, &codes[0]).await,
        422,
        "invalid_request",
    )
    .await;
    let token = done["token"].as_str().unwrap();
    let mine = body(app.ask(Method::GET, FACTOR, token).await, 200).await;
    assert_eq!(mine["recoveryCodes"], 9);
    let renew = format!("{FACTOR}:renew-recovery-codes");
    let renewed = body(app.tell(Method::POST, &renew, token, &json!({})).await, 200).await;
    problem(
        complete(&app, &half(&app).await, &codes[1]).await,
        422,
        "invalid_request",
    )
    .await;
    let fresh = renewed["recoveryCodes"][0].as_str().unwrap();
    body(complete(&app, &half(&app).await, fresh).await, 200).await;
    assert!(!logged().contains(fresh));
    let hashes = app
        .database
        .rows("select count(*) as count from recovery_code")
        .await;
    assert_eq!(hashes[0]["count"], 9);
    let trail = app.audited("demo").await;
    for action in ["person.enrol_second_factor", "person.renew_recovery_codes"] {
        let line = format!("person:{ANN} {action} person/{ANN}");
        assert!(trail.contains(&line), "{line} {trail:?}");
    }
    clock.advance(TimeDelta::zero());
    app.stop().await;
}

#[tokio::test]
async fn an_enrolment_counts_once_a_code_is_confirmed() {
    let app = spawn().await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    let made = body(
        app.tell(Method::POST, FACTOR, &session, &json!({})).await,
        201,
    )
    .await;
    assert!(
        made["uri"]
            .as_str()
            .unwrap()
            .starts_with("otpauth://totp/Persona%20gateway:ann%40example")
    );
    let wrong = json!({ "code": "000000" });
    let told = problem(
        app.tell(Method::POST, CONFIRM, &session, &wrong).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(pointers(&told), ["/code"]);
    let signed_in = body(app.try_sign_in(ANN, PASSWORD).await, 200).await;
    assert!(signed_in.get("missing").is_none(), "not yet");
    // A second beginning makes the first secret void.
    let (secret, _) = app.enrolled(&session).await;
    assert_ne!(made["secret"], json!(secret));
    let again = app.tell(Method::POST, FACTOR, &session, &json!({})).await;
    problem(again, 409, "conflict").await;
    assert_eq!(
        app.ask(Method::DELETE, FACTOR, &session).await.status(),
        204
    );
    let signed_in = body(app.try_sign_in(ANN, PASSWORD).await, 200).await;
    assert!(signed_in.get("missing").is_none());
    let trail = app.audited("demo").await;
    assert!(trail.contains(&format!(
        "person:{ANN} person.remove_second_factor person/{ANN}"
    )));
    app.stop().await;
}

#[tokio::test]
async fn a_tenant_that_demands_a_second_factor_opens_to_nobody_without_one() {
    let (app, _) = timed().await;
    app.empty_tenant("acme").await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let key = app.admin_key("demo", Role::Owner).await;
    let (etag, _) = state(app.ask(Method::GET, "/v1/admin/policy", &owner).await, 200).await;
    let demand = json!({ "requireSecondFactor": true });
    let answer = app
        .tell_if(Method::PATCH, "/v1/admin/policy", &owner, &etag, &demand)
        .await;
    assert_eq!(body(answer, 200).await["requireSecondFactor"], true);

    // It holds at once, also for whoever set it.
    let refused = app.ask(Method::GET, "/v1/admin/me", &owner).await;
    problem(refused, 403, "second_factor_enrolment_required").await;
    assert_eq!(
        app.status_of(&key).await,
        200,
        "keys of machines are not people"
    );
    app.member("acme", ANN, Role::Viewer).await;
    let switch = json!({ "tenant": "acme" });
    let switched = app
        .tell(Method::POST, "/v1/admin/account:switch", &owner, &switch)
        .await;
    let there = body(switched, 200).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        app.status_of(&there).await,
        200,
        "another tenant demands none"
    );

    let back = app
        .tell(
            Method::POST,
            "/v1/admin/account:switch",
            &there,
            &json!({ "tenant": "demo" }),
        )
        .await;
    let back = body(back, 200).await;
    assert_eq!(back["missing"], "enrolment");
    let token = back["token"].as_str().unwrap();
    app.enrolled(token).await;
    assert_eq!(app.status_of(token).await, 200);
    app.stop().await;
}

#[tokio::test]
async fn an_owner_removes_the_factor_of_a_member_of_their_tenant_alone() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let bob = app.member("demo", "bob@example.com", Role::Editor).await;
    let session = app.sign_in("bob@example.com").await;
    app.enrolled(&session).await;
    let member = format!("/v1/admin/members/{bob}");
    let shown = body(app.ask(Method::GET, &member, &owner).await, 200).await;
    assert_eq!(shown["secondFactor"], true);
    let path = format!("{member}:remove-second-factor");
    app.member("acme", "bob@example.com", Role::Viewer).await;
    problem(
        app.tell(Method::POST, &path, &owner, &json!({})).await,
        409,
        "conflict",
    )
    .await;
    app.database
        .sql("delete from membership using tenant t where t.id = tenant_id and t.slug = 'acme'")
        .await;
    assert_eq!(
        app.tell(Method::POST, &path, &owner, &json!({}))
            .await
            .status(),
        204
    );
    problem(
        app.tell(Method::POST, &path, &owner, &json!({})).await,
        404,
        "not_found",
    )
    .await;
    assert_eq!(app.status_of(&session).await, 401, "their sessions ended");
    let signed_in = body(app.try_sign_in("bob@example.com", PASSWORD).await, 200).await;
    assert!(signed_in.get("missing").is_none());
    let trail = app.audited("demo").await;
    assert!(trail.contains(&format!(
        "person:{ANN} person.remove_second_factor person/bob@example.com"
    )));
    app.stop().await;
}

#[tokio::test]
async fn an_operator_has_a_second_factor_too_and_removes_those_of_others() {
    let app = spawn().await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    app.enrolled(&session).await;
    let operator = app.operator("ops@example.com").await;
    let path = "/v1/operator/accounts:remove-second-factor";
    let sent = json!({ "email": ANN });
    assert_eq!(
        app.tell(Method::POST, path, &operator, &sent)
            .await
            .status(),
        204
    );
    problem(
        app.tell(Method::POST, path, &operator, &sent).await,
        404,
        "not_found",
    )
    .await;
    app.enrolled(&operator).await;
    let signed_in: Value = body(app.try_sign_in("ops@example.com", PASSWORD).await, 200).await;
    let half = signed_in["token"].as_str().unwrap();
    let refused = app.ask(Method::GET, "/v1/operator/tenants", half).await;
    problem(refused, 401, "second_factor_required").await;
    app.stop().await;
}
