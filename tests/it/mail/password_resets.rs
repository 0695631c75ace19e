//! New passwords by a link: mailed to whoever asks, or made by an owner or an operator.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::logs::logged;
use crate::harness::people::PASSWORD;
use crate::harness::smtp::MailServer;
use crate::harness::{TestApp, TestOptions, pointers, problem, spawn, spawn_with};

const RESETS: &str = "/v1/admin/password-resets";
const REDEEM: &str = "/v1/admin/password-resets:redeem";
const NEW: &str = "quite another password";
const ANN: &str = "ann@example.com";

async fn forgotten(app: &TestApp, email: &str) {
    let answer = app.anonymous(RESETS, &json!({ "email": email })).await;
    assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
}

fn redemption(token: &str) -> Value {
    json!({ "token": token, "password": NEW })
}

#[tokio::test]
async fn who_forgot_their_password_chooses_another_by_a_mailed_link() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    forgotten(&app, " Ann@Example.com ").await;
    forgotten(&app, ANN).await;
    let (one, other) = (server.next().await, server.next().await);
    assert_eq!(one.to, ANN);
    assert!(
        one.text
            .contains("http://localhost:8080/console/new-password#pgr_"),
        "{}",
        one.text
    );
    let token = one.token("new-password");
    assert_eq!(
        app.status_of(&session).await,
        200,
        "nothing happens before the link is used"
    );

    let mut weak = redemption(&token);
    weak["password"] = json!("PasswordPassword");
    let told = problem(app.anonymous(REDEEM, &weak).await, 422, "invalid_request").await;
    assert_eq!(pointers(&told), ["/password"]);
    assert_eq!(
        app.anonymous(REDEEM, &redemption(&token)).await.status(),
        204
    );

    assert_eq!(app.status_of(&session).await, 401, "all sessions ended");
    problem(app.try_sign_in(ANN, PASSWORD).await, 401, "sign_in_failed").await;
    body(app.try_sign_in(ANN, NEW).await, 200).await;
    for used in [token.as_str(), &other.token("new-password")] {
        problem(
            app.anonymous(REDEEM, &redemption(used)).await,
            404,
            "not_found",
        )
        .await;
        assert!(!logged().contains(used), "no link is in the log");
    }
    let notice = server.next().await;
    assert!(
        notice.text.contains("was changed just now"),
        "{}",
        notice.text
    );
    let trail = app.audited("demo").await;
    let expected = "person:ann@example.com person.reset_password person/ann@example.com";
    assert!(trail.contains(&expected.to_owned()), "{trail:?}");
    app.stop().await;
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    app.member("demo", ANN, Role::Owner).await;
    app.member("demo", "gone@example.com", Role::Viewer).await;
    app.member("demo", "sso@example.com", Role::Viewer).await;
    app.database
        .sql("update admin set disabled_at = now() where email = 'gone@example.com'")
        .await;
    app.database
        .sql("update admin set password_hash = null where email = 'sso@example.com'")
        .await;
    // The answer comes although nobody can be looked up meanwhile: what depends on the account happens behind it.
    let mut owner = app.database.owner().await;
    crate::harness::sql::run(&mut owner, "begin; lock table admin")
        .await
        .unwrap();
    for email in [
        "stranger@example.com",
        "gone@example.com",
        "sso@example.com",
        "no address",
        ANN,
    ] {
        forgotten(&app, email).await;
    }
    crate::harness::sql::run(&mut owner, "rollback")
        .await
        .unwrap();
    assert_eq!(server.next().await.to, ANN, "the only one who gets a mail");
    let links = app
        .database
        .rows("select count(*) as count from password_reset")
        .await;
    assert_eq!(links[0]["count"], 1);
    app.stop().await;
}

#[tokio::test]
async fn a_link_ends_after_half_an_hour_and_with_any_other_change_of_the_password() {
    let mut server = MailServer::start().await;
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..server.options()
    })
    .await;
    let session = app.signed_in("demo", ANN, Role::Owner).await;
    forgotten(&app, ANN).await;
    let late = server.next().await.token("new-password");
    let change = json!({ "current": PASSWORD, "new": NEW });
    forgotten(&app, ANN).await;
    let void = server.next().await.token("new-password");
    let changed = app
        .tell(Method::POST, "/v1/admin/password", &session, &change)
        .await;
    assert_eq!(changed.status(), 204);
    problem(
        app.anonymous(REDEEM, &redemption(&void)).await,
        404,
        "not_found",
    )
    .await;
    forgotten(&app, ANN).await;
    let expired = server.next().await.token("new-password");
    clock.advance(TimeDelta::minutes(30));
    for token in [late, expired] {
        problem(
            app.anonymous(REDEEM, &redemption(&token)).await,
            404,
            "not_found",
        )
        .await;
    }
    app.stop().await;
}

#[tokio::test]
async fn nobody_fills_a_mailbox_or_asks_without_end() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    app.member("demo", ANN, Role::Owner).await;
    app.member("demo", "bob@example.com", Role::Viewer).await;
    for _ in 0..5 {
        forgotten(&app, ANN).await;
    }
    for _ in 0..3 {
        assert_eq!(server.next().await.to, ANN);
    }
    // What was too much for one account is not told; another still gets its mail.
    forgotten(&app, "bob@example.com").await;
    assert_eq!(server.next().await.to, "bob@example.com");
    let mut statuses = Vec::new();
    for number in 0..10 {
        let asked = json!({ "email": format!("p{number}@example.com") });
        statuses.push(app.anonymous(RESETS, &asked).await.status().as_u16());
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    app.stop().await;
}

#[tokio::test]
async fn of_two_who_use_the_same_link_one_sets_a_password() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    app.member("demo", ANN, Role::Owner).await;
    forgotten(&app, ANN).await;
    let token = server.next().await.token("new-password");
    let (one, two) = (
        redemption(&token),
        json!({ "token": token, "password": "a third long password" }),
    );
    let (one, two) = tokio::join!(app.anonymous(REDEEM, &one), app.anonymous(REDEEM, &two));
    let mut statuses = [one.status().as_u16(), two.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404]);
    app.stop().await;
}

#[tokio::test]
async fn without_mail_an_owner_makes_a_link_for_members_of_their_tenant_alone() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let told = problem(
        app.anonymous(RESETS, &json!({ "email": ANN })).await,
        409,
        "conflict",
    )
    .await;
    assert!(
        told["detail"].as_str().unwrap().contains("An owner"),
        "{told}"
    );

    let bob = app.member("demo", "bob@example.com", Role::Editor).await;
    let path = format!("/v1/admin/members/{bob}:reset-password");
    let made = body(app.tell(Method::POST, &path, &owner, &json!({})).await, 201).await;
    assert!(made["token"].as_str().unwrap().starts_with("pgr_"));
    let sent = redemption(made["token"].as_str().unwrap());
    assert_eq!(app.anonymous(REDEEM, &sent).await.status(), 204);
    body(app.try_sign_in("bob@example.com", NEW).await, 200).await;
    let trail = app.audited("demo").await;
    let expected = "person:ann@example.com person.make_password_link person/bob@example.com";
    assert!(trail.contains(&expected.to_owned()), "{trail:?}");

    // Whoever makes a link has seen it, so it must open nothing beyond.
    app.member("acme", "bob@example.com", Role::Owner).await;
    problem(
        app.tell(Method::POST, &path, &owner, &json!({})).await,
        409,
        "conflict",
    )
    .await;
    app.operator("ops@example.com").await;
    let ops = app.member("demo", "ops@example.com", Role::Viewer).await;
    let path = format!("/v1/admin/members/{ops}:reset-password");
    problem(
        app.tell(Method::POST, &path, &owner, &json!({})).await,
        409,
        "conflict",
    )
    .await;
    app.stop().await;
}

#[tokio::test]
async fn an_operator_makes_a_link_for_any_account() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Owner).await;
    let operator = app.operator("ops@example.com").await;
    let path = "/v1/operator/accounts:reset-password";
    let asked = json!({ "email": ANN });
    let made = body(app.tell(Method::POST, path, &operator, &asked).await, 201).await;
    let sent = redemption(made["token"].as_str().unwrap());
    assert_eq!(app.anonymous(REDEEM, &sent).await.status(), 204);
    let unknown = json!({ "email": "nobody@example.com" });
    problem(
        app.tell(Method::POST, path, &operator, &unknown).await,
        404,
        "not_found",
    )
    .await;
    app.stop().await;
}
