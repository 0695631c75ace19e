//! Invitations by mail.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::smtp::MailServer;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, problem, spawn_with};

const INVITATIONS: &str = "/v1/admin/invitations";
const ACCEPT: &str = "/v1/admin/invitations:accept";
const PATIENCE: Duration = Duration::from_secs(20);

async fn invite(app: &TestApp, owner: &str, sent: &Value) -> Value {
    body(app.tell(Method::POST, INVITATIONS, owner, sent).await, 201).await
}

/// How the mail of the newest invitation went, once it is known.
async fn went(app: &TestApp, owner: &str) -> Value {
    until("the mail was delivered or not", PATIENCE, async || {
        let listed = body(app.ask(Method::GET, INVITATIONS, owner).await, 200).await;
        let mail = listed["items"][0]["mail"].clone();
        (mail["state"] != "sending").then_some(mail)
    })
    .await
}

#[tokio::test]
async fn the_invited_get_a_mail_in_the_language_of_choice_and_join_by_its_link() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    let sent = json!({ "email": "bob@example.com", "role": "editor", "language": "de" });
    let made = invite(&app, &owner, &sent).await;
    assert_eq!(made["mail"], json!({ "state": "sending" }));

    let mail = server.next().await;
    assert_eq!(mail.to, "bob@example.com");
    for line in [
        "From: \"Persona gateway\" <gateway@example.com>",
        "To: bob@example.com",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
    ] {
        assert!(
            mail.headers.contains(&line.to_owned()),
            "{line}: {:?}",
            mail.headers
        );
    }
    assert!(
        mail.text
            .starts_with("Guten Tag,\n\nann@example.com lädt Sie ein"),
        "{}",
        mail.text
    );
    assert!(
        mail.text
            .contains("http://localhost:8080/console/join#pgi_"),
        "{}",
        mail.text
    );
    assert_eq!(mail.token("join"), made["token"].as_str().unwrap());
    assert_eq!(went(&app, &owner).await, json!({ "state": "sent" }));

    let acceptance =
        json!({ "token": mail.token("join"), "name": "Bob Ray", "password": PASSWORD });
    body(app.anonymous(ACCEPT, &acceptance).await, 200).await;
    app.stop().await;
}

#[tokio::test]
async fn the_first_owner_of_a_tenant_gets_a_mail_in_the_language_of_choice() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    let operator = app.operator("ops@example.com").await;
    let tenants = "/v1/operator/tenants";
    for (slug, language, greeting) in [
        ("acme", Some("de"), "Guten Tag,"),
        ("globex", Some("en"), "Hello,"),
        ("initech", None, "Hello,"),
    ] {
        let mut sent = json!({ "slug": slug, "owner": format!("ann@{slug}.example") });
        if let Some(language) = language {
            sent["language"] = language.into();
        }
        body(app.tell(Method::POST, tenants, &operator, &sent).await, 201).await;
        let mail = server.next().await;
        assert_eq!(mail.to, format!("ann@{slug}.example"));
        assert!(mail.text.starts_with(greeting), "{}", mail.text);
    }
    app.stop().await;
}

#[tokio::test]
async fn names_and_addresses_stay_in_their_places() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    let name = "<b>Acme</b> \"& Söhne\" =?utf-8?q?x?= Bcc: eve@example.com";
    let renamed = json!({ "name": name });
    let (etag, _) =
        crate::harness::admins::state(app.ask(Method::GET, "/v1/admin/tenant", &owner).await, 200)
            .await;
    let answer = app
        .tell_if(Method::PATCH, "/v1/admin/tenant", &owner, &etag, &renamed)
        .await;
    body(answer, 200).await;
    for email in [
        "bob@example.com\r\nBcc: eve@example.com",
        "bob@example.com,eve@example.com",
        "bob@example.com>\r\nRCPT TO:<eve@example.com",
        "<bob@example.com>",
    ] {
        let sent = json!({ "email": email, "role": "viewer" });
        let answer = app.tell(Method::POST, INVITATIONS, &owner, &sent).await;
        problem(answer, 422, "invalid_request").await;
    }
    invite(
        &app,
        &owner,
        &json!({ "email": "bob@example.com", "role": "viewer" }),
    )
    .await;
    let mail = server.next().await;
    assert!(
        mail.text.contains(&format!("work on “{name}”")),
        "{}",
        mail.text
    );
    let names: Vec<&str> = mail
        .headers
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert!(!names.contains(&"Bcc"), "{:?}", mail.headers);
    assert_eq!(names.iter().filter(|name| **name == "Subject").count(), 1);
    app.stop().await;
}

#[tokio::test]
async fn an_address_that_the_server_refuses_is_told_and_the_link_still_works() {
    let server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    let sent = json!({ "email": "nobody@example.com", "role": "viewer" });
    let made = invite(&app, &owner, &sent).await;
    let mail = went(&app, &owner).await;
    assert_eq!(mail["state"], "failed");
    let why = mail["failure"].as_str().unwrap();
    assert!(why.starts_with("the mail server refused it: 550"), "{why}");
    assert!(why.contains("there is nobody of this name"), "{why}");
    let acceptance = json!({ "token": made["token"], "name": "N. Body", "password": PASSWORD });
    body(app.anonymous(ACCEPT, &acceptance).await, 200).await;
    app.stop().await;
}

#[tokio::test]
async fn a_mail_that_is_put_off_is_tried_again() {
    let mut server = MailServer::start().await;
    let app = spawn_with(server.options()).await;
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    invite(
        &app,
        &owner,
        &json!({ "email": "later@example.com", "role": "viewer" }),
    )
    .await;
    assert_eq!(server.next().await.to, "later@example.com");
    assert_eq!(went(&app, &owner).await, json!({ "state": "sent" }));
    app.stop().await;
}

#[tokio::test]
async fn without_a_mail_server_and_with_one_that_is_away_invitations_are_made_all_the_same() {
    for url in ["", "smtp://localhost:1?tls=none"] {
        let mut settings = vec![("SERVER__PUBLIC_URL", "http://localhost:8080")];
        if !url.is_empty() {
            settings.extend([("MAIL__URL", url), ("MAIL__FROM", "gateway@example.com")]);
        }
        let app = spawn_with(TestOptions::set(&settings)).await;
        let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
        let sent = json!({ "email": "bob@example.com", "role": "viewer" });
        let made = invite(&app, &owner, &sent).await;
        assert_eq!(made.get("mail").is_some(), !url.is_empty());
        let acceptance = json!({ "token": made["token"], "name": "Bob", "password": PASSWORD });
        body(app.anonymous(ACCEPT, &acceptance).await, 200).await;
        // Also with a mail that waits for its next try, the process stops soon.
        app.stop().await;
    }
}
