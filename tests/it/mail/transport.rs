//! The way to the mail server: encrypted, to nobody else, with the gateway's password.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::logs::logged;
use crate::harness::smtp::{MailServer, SMTP_PASSWORD};
use crate::harness::wait::until;
use crate::harness::{TestApp, spawn_with};

async fn invite(app: &TestApp) -> String {
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    let sent = json!({ "email": "bob@example.com", "role": "viewer" });
    let answer = app
        .tell(Method::POST, "/v1/admin/invitations", &owner, &sent)
        .await;
    body(answer, 201).await;
    owner
}

#[tokio::test]
async fn mail_goes_through_tls_with_the_gateways_password() {
    for mode in ["starttls", "tls"] {
        let mut server = MailServer::start_with(mode).await;
        let app = spawn_with(server.options()).await;
        invite(&app).await;
        let mail = server.next().await;
        assert!(mail.encrypted, "{mode}");
        assert_eq!(mail.login.as_deref(), Some("gateway"), "{mode}");
        app.stop().await;
    }
    assert!(!logged().contains(SMTP_PASSWORD));
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let server = MailServer::start_with("tls").await;
    let mut options = server.options();
    options
        .env
        .retain(|(name, _)| !name.ends_with("ROOT_CERTIFICATES"));
    let app = spawn_with(options).await;
    invite(&app).await;
    // It is tried again, and no mail is ever sent.
    let retried = r#"gateway_mails_total{result="retried"}"#;
    until("a try has failed", Duration::from_secs(20), async || {
        app.app
            .gateway
            .metrics
            .encode()
            .contains(retried)
            .then_some(())
    })
    .await;
    assert!(
        !app.app
            .gateway
            .metrics
            .encode()
            .contains(r#"gateway_mails_total{result="sent"}"#)
    );
    app.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password() {
    let server = MailServer::start_with("starttls").await;
    let mut options = server.options();
    for (name, value) in &mut options.env {
        if name == "GATEWAY__MAIL__URL" {
            *value = value.replace(":open", ":shut");
        }
    }
    let app = spawn_with(options).await;
    let owner = invite(&app).await;
    let failure = until("it failed", Duration::from_secs(20), async || {
        let listed = body(
            app.ask(Method::GET, "/v1/admin/invitations", &owner).await,
            200,
        )
        .await;
        let mail: &Value = &listed["items"][0]["mail"];
        mail["failure"].as_str().map(str::to_owned)
    })
    .await;
    assert!(
        failure.starts_with("the mail server refused it: 535"),
        "{failure}"
    );
    assert!(!failure.contains("sesame"));
    app.stop().await;
}
