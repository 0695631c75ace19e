//! Each page, as people with other eyes, screens and colours have it.

use persona_gateway::console::PAGES;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::axe;
use crate::browser::{forbidden, with_browser};
use crate::harness::admins::body;
use crate::harness::{TestApp, TestOptions, context, spawn_with};

pub(super) const EMAIL: &str = "owner@example.com";
const MOST_BYTES: u64 = 100_000;

/// An operator who owns the demo tenant, and one of everything that pages show; gives the pages.
pub(super) async fn furnished(app: &TestApp) -> Vec<String> {
    app.member("demo", EMAIL, Role::Owner).await;
    app.database
        .sql(&format!(
            "update admin set operator = true where email = '{EMAIL}'"
        ))
        .await;
    let user = app.user("user-1");
    app.prefer(&user, &json!({ "displayName": "Sam", "tone": "warm" }))
        .await;
    let asked =
        json!({ "context": "support", "metadata": { "ticketId": "T-9", "priority": "high" } });
    let minted = body(app.mint(&user, &asked).await, 200).await;
    let session = minted["sessionId"].as_str().unwrap();
    assert_eq!(app.mint(&user, &context("support")).await.status(), 200);
    let refused = app.mint("no.token.here", &context("support")).await;
    assert_eq!(refused.status(), 401);

    let key = app.admin_key("demo", Role::Owner).await;
    let path = "/v1/admin/documents/persona/trainer/drafts";
    let draft = json!({ "content": { "name": "Leo", "systemPrompt": "Be {{ user.nickname }}.", "initialMessage": "Hi" } });
    let answer = app.tell(Method::POST, path, &key, &draft).await;
    body(answer, 201).await;
    let live = app
        .ask(Method::GET, "/v1/admin/documents/persona/trainer", &key)
        .await;
    let mut content = body(live, 200).await["content"].clone();
    content["initialMessage"] = json!("Hi, I'm Leo. What do you want to learn today?");
    let second = json!({ "content": content });
    let opened = body(app.tell(Method::POST, path, &key, &second).await, 201).await;
    let seal = format!("/v1/admin/drafts/{}:seal", opened["id"].as_str().unwrap());
    let message = json!({ "message": "A greeting that asks" });
    body(
        app.tell_if(Method::POST, &seal, &key, "*", &message).await,
        201,
    )
    .await;
    let releases = "/v1/admin/documents/persona/trainer/releases";
    let release = json!({ "version": 2, "note": "For everybody" });
    body(app.tell(Method::POST, releases, &key, &release).await, 200).await;
    let issuers = body(app.ask(Method::GET, "/v1/admin/issuers", &key).await, 200).await;
    let issuer = issuers["items"][0]["id"].as_str().unwrap();
    PAGES
        .iter()
        .map(|page| page.path.to_owned())
        .chain(
            [
                "/console/personas/support-agent",
                "/console/personas/trainer",
                "/console/personas/support-agent/history",
                "/console/personas/support-agent/history?version=1",
                "/console/personas/trainer/history?version=2",
                "/console/contexts/support",
                "/console/contexts/training",
                "/console/contexts/support/history?version=1",
                "/console/talk?what=persona:trainer",
                "/console/talk?what=context:support",
                "/console/snippets/house-rules",
                "/console/snippets/house-rules/history",
                "/console/users/user-1",
                "/console/users/user-1/erase",
                "/console/import",
                "/console/sessions?persona=support-agent",
                "/console/audit/checkpoints",
                "/console/catalogue/avatar",
                "/console/catalogue/voice/de23e340-1416-4dd8-977d-065a7ca11697",
                "/console/policy/json",
                "/console/issuers/new",
                "/console/issuers/check",
                "/console/design",
                "/console/nothing",
            ]
            .map(str::to_owned),
        )
        .chain([
            format!("/console/sessions/{session}"),
            format!("/console/sessions/{session}/replay"),
            format!("/console/issuers/{issuer}"),
            format!("/console/issuers/{issuer}/edit"),
        ])
        .collect()
}

/// What is wrong with the page that is open, on this screen.
pub(super) async fn wrong(desk: &Desk<'_>) -> Vec<String> {
    desk.drawn().await;
    let mut wrong = axe::violations(&desk.browser).await;
    let over = desk
        .of_page(
            "const room = document.documentElement.clientWidth;
             if (document.documentElement.scrollWidth <= room) return [];
             return [...document.querySelectorAll('body *')]
                 .filter((part) => part.getBoundingClientRect().right > room && !part.closest('.scroll, .sr, pre'))
                 .slice(0, 4)
                 .map((part) => 'is wider than the screen: ' + part.outerHTML.slice(0, 160));",
        )
        .await;
    if let Value::Array(over) = over {
        wrong.extend(over.iter().map(ToString::to_string));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_can_be_read_by_everybody_on_every_screen_in_both_colours() {
    let app = spawn_with(TestOptions {
        stand_in: true,
        ..TestOptions::default()
    })
    .await;
    let pages = furnished(&app).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        let mut faults = Vec::new();
        desk.open("/console/sign-in").await;
        faults.extend(wrong(&desk).await);
        desk.sign_in(EMAIL).await;
        for path in &pages {
            desk.screen(1280, false).await;
            desk.open(path).await;
            for (width, dark) in [
                (1280, false),
                (768, false),
                (390, false),
                (390, true),
                (1280, true),
            ] {
                desk.screen(width, dark).await;
                let colours = if dark { "dark" } else { "light" };
                for fault in wrong(&desk).await {
                    faults.push(format!("{path} at {width}, {colours}: {fault}"));
                }
            }
            let size = desk
                .of_page("return performance.getEntriesByType('navigation')[0].decodedBodySize")
                .await;
            if size.as_u64().is_none_or(|size| size > MOST_BYTES) {
                faults.push(format!("{path} has {size} bytes"));
            }
            for report in forbidden(&desk.browser).await {
                faults.push(format!("{path} did what its policy forbids: {report}"));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        app.stop().await;
    })
    .await;
}
