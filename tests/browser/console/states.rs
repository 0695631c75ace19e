//! Pages that are not as they were opened: unfolded, refused, in conflict, in the other language.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use super::desk::Desk;
use super::looks::{EMAIL, furnished, wrong};
use crate::browser::{forbidden, with_browser};
use crate::harness::admins::body;
use crate::harness::{TestOptions, spawn_with};

const PERSONA: &str = "/console/personas/support-agent";

/// Looks at the page as it is, on a large screen and on a phone, in both colours.
pub(super) async fn look(desk: &Desk<'_>, what: &str, faults: &mut Vec<String>) {
    for (width, dark) in [(1280, false), (390, true)] {
        desk.screen(width, dark).await;
        for fault in wrong(desk).await {
            faults.push(format!("{what} at {width}: {fault}"));
        }
    }
    for report in forbidden(&desk.browser).await {
        faults.push(format!("{what}: {report}"));
    }
    desk.screen(1280, false).await;
}

const UNFOLD: &str = "for (const part of document.querySelectorAll('details')) part.open = true;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfolded_refused_and_contested_pages_can_be_read_as_well() {
    let app = spawn_with(TestOptions {
        stand_in: true,
        ..TestOptions::default()
    })
    .await;
    let pages = furnished(&app).await;
    let key = app.admin_key("demo", Role::Owner).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        let mut faults = Vec::new();
        desk.open("/console/sign-in").await;
        desk.fill("#email", EMAIL).await;
        desk.fill("#password", "a wrong long password").await;
        desk.press("form button").await;
        desk.shows("[role=alert]", "is wrong").await;
        look(&desk, "a refused sign-in", &mut faults).await;
        desk.sign_in(EMAIL).await;

        for path in &pages {
            desk.open(path).await;
            desk.screen(390, false).await;
            desk.of_page(UNFOLD).await;
            for fault in wrong(&desk).await {
                faults.push(format!("{path}, unfolded: {fault}"));
            }
        }
        desk.screen(1280, false).await;

        desk.open(PERSONA).await;
        desk.fill("#systemPrompt", "Be kind to {{ us").await;
        desk.shows("#complete-systemPrompt", "user.name").await;
        look(&desk, "names to complete", &mut faults).await;
        desk.fill("#systemPrompt", "Be {{ kind").await;
        desk.shows("#preview .notice.bad", "").await;
        look(&desk, "a prompt that can't be read", &mut faults).await;

        // Somebody else saves a draft with another greeting.
        desk.open(PERSONA).await;
        let path = "/v1/admin/documents/persona/support-agent";
        let live = app.ask(Method::GET, path, &key).await;
        let mut content = body(live, 200).await["content"].clone();
        content["initialMessage"] = json!("Hello from a program");
        let drafts = format!("{path}/drafts");
        let draft = json!({ "content": content });
        body(app.tell(Method::POST, &drafts, &key, &draft).await, 201).await;
        desk.fill("#initialMessage", "Hello from a person").await;
        desk.press("button[value=save]").await;
        desk.shows("[aria-labelledby=conflicts]", "Hello from a program")
            .await;
        look(&desk, "a conflict", &mut faults).await;
        desk.press("input[value=ours]").await;
        desk.press("[aria-labelledby=conflicts] button").await;
        desk.shows("[role=status]", "Both changes are in it now")
            .await;

        desk.open("/console/contexts/support").await;
        desk.press("[value=rule-add]").await;
        desk.drawn().await;
        desk.of_page(UNFOLD).await;
        look(&desk, "a context with a new rule", &mut faults).await;

        let german = json!({ "headers": { "Accept-Language": "de" } });
        desk.tell("Network.enable", json!({})).await;
        desk.tell("Network.setExtraHTTPHeaders", german).await;
        for path in &pages {
            desk.open(path).await;
            desk.shows("html[lang=de] h1", "").await;
            desk.screen(390, false).await;
            for fault in wrong(&desk).await {
                faults.push(format!("{path}, in German: {fault}"));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        app.stop().await;
    })
    .await;
}
