//! What goes wrong while somebody writes: it is seen, where it is, and nothing that was typed is lost.

use std::time::Duration;

use persona_gateway::domain::role::Role;

use super::desk::Desk;
use super::looks::wrong;
use crate::browser::{forbidden, with_browser};
use crate::harness::spawn;
use crate::harness::wait::until;

const PATIENCE: Duration = Duration::from_secs(10);
const ANN: &str = "ann@example.com";
const PERSONA: &str = "/console/personas/support-agent";
const CONTEXT: &str = "/console/contexts/support";

/// Waits until a script on the page gives `true`.
async fn holds(desk: &Desk<'_>, what: &str, script: &str) {
    until(what, PATIENCE, || async {
        let script = format!("return {script}");
        (desk.of_page(&script).await == true).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_persona_from_being_saved_or_published_is_seen_at_once() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Publisher).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open(PERSONA).await;
        let folded = "document.getElementById('endOfSpeechSensitivity').closest('details')";
        desk.of_page("document.getElementById('endOfSpeechSensitivity').value = '7'")
            .await;
        holds(&desk, "it is folded away", &format!("!{folded}.open")).await;
        desk.press("button[value=save]").await;
        holds(&desk, "it is opened", &format!("{folded}.open")).await;

        desk.open(PERSONA).await;
        holds(
            &desk,
            "nothing is unsaved",
            "document.querySelector('[data-unsaved]').hidden",
        )
        .await;
        desk.fill("#systemPrompt", "Hello {{ user.name").await;
        desk.shows("[data-unsaved]", "not saved yet").await;
        desk.press("button[value=publish]").await;
        let said = desk
            .shows("main > .notice.bad", "Not published: first correct")
            .await;
        assert!(said.lines().count() > 1, "it says what is wrong: {said}");
        desk.of_page("document.getElementById('rest').value = '{'")
            .await;
        desk.press("button[value=save]").await;
        desk.shows("main > .notice.bad", "Nothing was saved yet.")
            .await;
        for (width, dark) in [(1280, false), (390, true)] {
            desk.screen(width, dark).await;
            assert_eq!(wrong(&desk).await, Vec::<String>::new(), "at {width}");
        }
        assert!(forbidden(&desk.browser).await.is_empty());
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_context_only_what_was_never_saved_is_offered_again_and_then_all_of_it() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Publisher).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open(CONTEXT).await;
        let open = "document.querySelector('[name=\"schema.open\"]').checked";
        let was = desk.of_page(&format!("return {open}")).await;
        // By script: the bar at the bottom of the window may be over it.
        desk.of_page("document.querySelector('[name=\"schema.open\"]').click()")
            .await;
        desk.fill("#description", "Whatever they ask").await;
        desk.open(CONTEXT).await;
        desk.press("#unsaved [data-restore]").await;
        let restored = format!(
            "document.getElementById('description').value === 'Whatever they ask' && {open} !== {was}"
        );
        holds(&desk, "all of it is back", &restored).await;

        desk.fill("#aliases", "Not An Alias!").await;
        desk.press("button[value=publish]").await;
        desk.shows("main .notice.bad", "").await;
        desk.fill("#aliases", "helpdesk").await;
        desk.press("button[value=save]").await;
        desk.shows("main > .notice.good", "The draft is saved").await;
        let offered = "return !document.getElementById('unsaved').hidden";
        assert_eq!(desk.of_page(offered).await, false);
        desk.open(CONTEXT).await;
        assert_eq!(desk.of_page(offered).await, false);
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_beside_one_that_was_changed_is_not_sent_without_a_question() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Owner).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/policy").await;
        desk.of_page("window.confirm = (words) => { window.asked = words; return false; };")
            .await;
        desk.fill("#zone", "Europe/Berlin").await;
        desk.fill("#name", "Another name").await;
        desk.press("form[action='/console/policy/name'] button")
            .await;
        let asked = desk.of_page("return window.asked").await;
        assert!(
            asked
                .as_str()
                .unwrap()
                .starts_with("You changed something else"),
            "{asked}"
        );
        let kept =
            "return [document.getElementById('zone').value, document.getElementById('name').value]";
        assert_eq!(
            desk.of_page(kept).await,
            serde_json::json!(["Europe/Berlin", "Another name"])
        );
        app.stop().await;
    })
    .await;
}
