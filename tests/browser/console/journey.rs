//! What an admin does for a new greeting, from the sign-in to the user who hears it, and back.

use persona_gateway::domain::role::Role;
use serde_json::Value;

use super::desk::Desk;
use crate::browser::{forbidden, with_browser};
use crate::harness::{TestApp, context, spawn};

const ANN: &str = "ann@example.com";
const OLD: &str = "Hi Sam Rivera, I'm Liv from support. What can I do for you?";

async fn greeting(app: &TestApp) -> Value {
    app.settle("demo").await;
    let sent = app
        .minted_config(&app.user("user-7"), &context("support"))
        .await;
    sent["personaConfig"]["initialMessage"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_changes_a_greeting_that_the_next_user_hears_and_takes_it_back() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Publisher).await;
    assert_eq!(greeting(&app).await, OLD);
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.follow("Personas").await;
        desk.press("main a[href='/console/personas/support-agent']")
            .await;
        desk.shows("h1", "Liv from support").await;
        desk.shows("#preview .said", "Hi Kim Lee, I'm Liv").await;

        // The preview follows what is typed; nothing is pressed.
        let typed = "Good day{% if user.name %}, {{ user.name }}{% endif %} & welcome!";
        desk.fill("#initialMessage", typed).await;
        desk.shows("#preview .said", "Good day, Kim Lee & welcome!")
            .await;
        assert_eq!(greeting(&app).await, OLD, "no user meets what is typed");

        desk.press("button[value=publish]").await;
        desk.shows("[role=status]", "Published.").await;
        let new = "Good day, Sam Rivera & welcome!";
        assert_eq!(greeting(&app).await, new);

        desk.follow("Sessions").await;
        desk.press("main tbody tr:first-child th a").await;
        desk.shows("[aria-labelledby=prompt] blockquote", new).await;
        let story = desk.shows("[aria-labelledby=story]", "support-agent").await;
        assert!(
            story.contains("asked for the context “support”.")
                && story.contains("No rule held, so the context's default decided."),
            "{story}"
        );

        desk.press("main a[href='/console/personas/support-agent']")
            .await;
        desk.follow("History").await;
        desk.press("tbody tr:first-child a.button").await;
        desk.shows("#changes ins", "Good day").await;
        desk.shows("#changes del", "I'm Liv from support").await;
        desk.fill("#back-note", "Too stiff").await;
        desk.press("button[value=rollback]").await;
        desk.shows("[role=status]", "Rolled back.").await;
        assert_eq!(greeting(&app).await, OLD);
        assert!(forbidden(&desk.browser).await.is_empty());
        let trail = app.audited("demo").await;
        assert!(
            trail
                .iter()
                .any(|line| line.starts_with(&format!("person:{ANN} "))
                    && line.contains("persona/support-agent")),
            "{trail:?}"
        );
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_whose_browser_runs_no_scripts_changes_a_greeting_all_the_same() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Publisher).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        let off = serde_json::json!({ "value": true });
        desk.tell("Emulation.setScriptExecutionDisabled", off).await;
        desk.sign_in(ANN).await;
        desk.follow("Personas").await;
        desk.press("main a[href='/console/personas/support-agent']")
            .await;
        desk.fill("#initialMessage", "Hello {{ user.name }}").await;
        desk.press("button[value=preview]").await;
        desk.shows("#preview .said", "Hello Kim Lee").await;
        desk.press("button[value=save]").await;
        desk.shows("[role=status]", "The draft is saved.").await;
        assert_eq!(greeting(&app).await, OLD, "a draft reaches nobody");
        desk.press("button[value=publish]").await;
        desk.shows("[role=status]", "Published.").await;
        assert_eq!(greeting(&app).await, "Hello Sam Rivera");
        app.stop().await;
    })
    .await;
}
