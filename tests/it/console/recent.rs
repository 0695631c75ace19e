//! What wants a recent sign-in asks who one is, and then does what was asked for, with everything that was typed.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use reqwest::{Method, StatusCode};

use super::visitor::{Fields, Seen, Visitor};
use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::{TestOptions, spawn_with};

const ANN: &str = "ann@example.com";
const BUNDLE: &str = "tenant: demo\nsnippets:\n  farewell:\n    text: Good bye\n";

/// Where a form is, where it is sent, the button, what is typed, and what the next page says.
type Dangerous<'a> = (&'a str, String, &'a str, Vec<(&'a str, &'a str)>, &'a str);

#[tokio::test]
async fn issuers_bundles_and_secrets_ask_who_one_is_and_lose_nothing_that_was_typed() {
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    app.member("demo", ANN, Role::Owner).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let issuers = app.ask(Method::GET, "/v1/admin/issuers", &key).await;
    let issuers = body(issuers, 200).await;
    let id = issuers["items"][0]["id"].as_str().unwrap();
    let issuer = format!("/console/issuers/{id}");
    let dangerous: [Dangerous<'_>; 5] = [
        (
            "/console/keys",
            "/console/keys/secrets".into(),
            "set",
            vec![("name", "crm-token"), ("value", "s3cret of the CRM")],
            "The secret is set.",
        ),
        (
            "/console/bundles",
            "/console/bundles".into(),
            "apply",
            vec![("text", BUNDLE), ("message", "From a file")],
            "The bundle is applied.",
        ),
        (&issuer, issuer.clone(), "disable", vec![], "Disabled."),
        (&issuer, issuer.clone(), "enable", vec![], "Enabled."),
        (
            "/console/issuers/new",
            "/console/issuers/new".into(),
            "save",
            vec![
                ("issuer", "https://id.example"),
                ("audiences", "a"),
                ("algorithm", "RS256"),
                ("unchecked", "on"),
            ],
            "The issuer is saved.",
        ),
    ];
    for (at, action, button, typed, says) in dangerous {
        let mut form = ann.open(at).await.form(&action);
        for (name, value) in &typed {
            // A box that is not ticked is no field yet.
            if matches!(*name, "algorithm" | "unchecked") {
                form.0.retain(|(own, _)| own != name);
                form.tick(name, value);
            } else {
                form.set(name, value);
            }
        }
        clock.advance(TimeDelta::minutes(11));
        let asked = ann.send(&action, &form, button).await;
        assert_eq!(asked.status, StatusCode::FORBIDDEN, "{action}");
        let text = asked.text();
        assert!(text.contains("Confirm that it is you"), "{action}: {text}");
        let mut again = asked.form(&action);
        for (name, value) in typed.iter().chain(&[("do", button)]) {
            assert_eq!(again.get(name).replace("\r\n", "\n"), *value, "{action}");
        }
        again.set("confirm-password", PASSWORD);
        let done = confirmed(&ann, &action, &again).await;
        assert!(done.text().contains(says), "{action}: {}", done.text());
    }
    app.stop().await;
}

/// Sends a form with the proof in it, and goes where that leads.
async fn confirmed(visitor: &Visitor<'_>, action: &str, form: &Fields) -> Seen {
    let answer = visitor.post_with(action, &form.0, &[]).await;
    let seen = Seen::of(action, answer).await;
    match &seen.to {
        Some(to) => visitor.open(to).await,
        None => seen,
    }
}
