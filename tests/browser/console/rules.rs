//! Rules as somebody builds, moves and leaves them, with the scripts of the page.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc, Weekday};
use fantoccini::Locator;
use fantoccini::actions::{
    InputSource as _, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use fantoccini::key::Key;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use serde_json::{Value, json};

use super::desk::Desk;
use super::looks::wrong;
use crate::browser::{forbidden, with_browser};
use crate::harness::admins::body;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, spawn, spawn_with};

const PATIENCE: Duration = Duration::from_secs(10);
const ANN: &str = "ann@example.com";
const PAGE: &str = "/console/contexts/support";

/// Which persona a customer of this plan gets.
async fn persona(app: &TestApp, plan: &str) -> Value {
    app.settle("demo").await;
    let user = app.user_with("user-7", json!({ "plan": plan }));
    let minted = app.mint(&user, &json!({ "context": "support" })).await;
    body(minted, 200).await["persona"]["key"].clone()
}

/// Ten o'clock on the next such day.
fn next(day: Weekday) -> DateTime<Utc> {
    let today = Clock::system().now().date_naive();
    let mut days = (1..=7).map(|days| today + TimeDelta::days(days));
    let day = days.find(|date| date.weekday() == day).unwrap();
    day.and_hms_opt(10, 0, 0).unwrap().and_utc()
}

async fn choose(desk: &Desk<'_>, id: &str, value: &str) {
    let wait = desk.browser.wait();
    let field = wait.for_element(Locator::Id(id)).await.unwrap();
    field.select_by_value(value).await.unwrap();
}

/// The sentences of the rules, in their order.
async fn sentences(desk: &Desk<'_>) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.rule[data-rule] .sentence')].map((line) => line.textContent);";
    let lines = desk.of_page(script).await;
    let lines = lines.as_array().unwrap().iter();
    lines
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the first rule says this.
async fn first_is(desk: &Desk<'_>, part: &str) {
    desk.shows("#r0 .sentence", part).await;
}

/// Clauses for enterprise customers at weekends, in a new second rule.
async fn build(desk: &Desk<'_>) {
    desk.press("[value=rule-add]").await;
    choose(desk, "r1.c0.attribute", "user.plan").await;
    desk.shows("#r1 .sentence", "plan").await;
    desk.fill("[id='r1.c0.v0']", "enterprise").await;
    desk.press("[value='clause-add:1']").await;
    choose(desk, "r1.c1.attribute", "time.weekday").await;
    desk.press("[id='r1.c1.v.saturday']").await;
    desk.shows("#r1 .sentence", "it is Saturday").await;
    desk.press("[id='r1.c1.v.sunday']").await;
    desk.shows("#r1 .sentence", "it is Saturday or Sunday")
        .await;
    choose(desk, "r1.t.persona", "trainer").await;
    desk.shows(
        "#r1 .sentence",
        "When plan is enterprise and it is Saturday or Sunday → trainer",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enterprise_customers_get_another_persona_at_weekends_and_not_any_more() {
    let monday = next(Weekday::Mon);
    let saturday = monday + TimeDelta::days(5);
    let clock = Clock::manual(saturday);
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    app.member("demo", ANN, Role::Publisher).await;
    assert_eq!(persona(&app, "enterprise").await, "support-agent");
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.follow("Contexts").await;
        desk.press("main a[href='/console/contexts/support']").await;
        build(&desk).await;
        // Tried as it is typed, before anything is saved.
        desk.fill("[id='try.fact.user.plan']", "enterprise").await;
        for (at, answers) in [
            (saturday, "Answers: trainer – by rule 2"),
            (monday, "Answers: support-agent – since no rule fits"),
        ] {
            let at = at.format("%Y-%m-%dT%H:%M");
            let script = format!(
                "const at = document.getElementById('try.at');
                at.value = '{at}';
                at.dispatchEvent(new Event('input', {{ bubbles: true }}));"
            );
            desk.of_page(&script).await;
            desk.shows("#tried", answers).await;
        }
        assert_eq!(persona(&app, "enterprise").await, "support-agent");
        assert_eq!(wrong(&desk).await, Vec::<String>::new());

        desk.press("button[value=publish]").await;
        desk.shows("[role=status]", "Published.").await;
        assert_eq!(persona(&app, "free").await, "support-agent");
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(persona(&app, "enterprise").await, "trainer");
        desk.follow("Sessions").await;
        desk.press("main tbody tr:first-child th a").await;
        let story = desk.shows("[aria-labelledby=story]", "trainer").await;
        assert!(story.contains("plan is enterprise"), "{story}");
        clock.advance(TimeDelta::days(2));
        assert_eq!(persona(&app, "enterprise").await, "support-agent");
        clock.advance(TimeDelta::days(5));
        assert_eq!(persona(&app, "enterprise").await, "trainer");

        desk.sign_in(ANN).await;
        desk.open("/console/contexts/support/history").await;
        desk.press("tbody tr:first-child a.button").await;
        desk.press("button[value=rollback]").await;
        desk.shows("[role=status]", "Rolled back.").await;
        assert_eq!(persona(&app, "enterprise").await, "support-agent");
        assert!(forbidden(&desk.browser).await.is_empty());
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_moved_by_button_keyboard_and_mouse_and_unsaved_work_survives_a_reload() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Publisher).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open(PAGE).await;
        let [was] = &*sentences(&desk).await else {
            panic!("one rule");
        };
        build(&desk).await;

        desk.press("#r1 [data-up]").await;
        first_is(&desk, "→ trainer").await;
        assert_eq!(sentences(&desk).await[1], *was);
        // The rule keeps the focus, so the next key moves it again.
        let inside = "return document.activeElement.closest('.rule')?.id";
        assert_eq!(desk.of_page(inside).await, "r0");
        for (key, first) in [(Key::Down, was.as_str()), (Key::Up, "→ trainer")] {
            let keys = KeyActions::new("keyboard".to_owned())
                .then(KeyAction::Down {
                    value: Key::Alt.into(),
                })
                .then(KeyAction::Down { value: key.into() })
                .then(KeyAction::Up { value: key.into() })
                .then(KeyAction::Up {
                    value: Key::Alt.into(),
                });
            desk.browser.perform_actions(keys).await.unwrap();
            first_is(&desk, first).await;
        }

        // Folded, so that both are in sight.
        let in_sight =
            "for (const rule of document.querySelectorAll('.rule details')) rule.open = false;
            document.getElementById('rules').scrollIntoView({ block: 'center' });";
        desk.of_page(in_sight).await;
        let part = async |css: &str| desk.browser.find(Locator::Css(css)).await.unwrap();
        let [handle, other] = [part("#r0 [data-handle]").await, part("#r1 summary").await];
        let to = |element, x| PointerAction::MoveToElement {
            element,
            duration: Some(Duration::from_millis(100)),
            x,
            y: 0.0,
        };
        let drag = MouseActions::new("mouse".to_owned())
            .then(to(handle, 0.0))
            .then(PointerAction::Down {
                button: MOUSE_BUTTON_LEFT,
            })
            .then(to(other.clone(), 5.0))
            .then(to(other, 0.0))
            .then(PointerAction::Up {
                button: MOUSE_BUTTON_LEFT,
            });
        desk.browser.perform_actions(drag).await.unwrap();
        first_is(&desk, was).await;
        desk.press("#r1 [data-up]").await;
        first_is(&desk, "→ trainer").await;

        // Somebody closes the page, and comes back to it.
        desk.open(PAGE).await;
        first_is(&desk, was).await;
        desk.press("#unsaved [data-restore]").await;
        first_is(&desk, "→ trainer").await;
        desk.press("button[value=save]").await;
        desk.shows("[role=status]", "The draft is saved").await;
        first_is(&desk, "→ trainer").await;
        assert!(forbidden(&desk.browser).await.is_empty());
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_typed_and_left_is_offered_to_them_alone_and_only_in_its_tenant() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Publisher).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        for path in [PAGE, "/console/personas/support-agent"] {
            desk.open(path).await;
            let place = "return document.querySelector('[data-keep], [data-document]').dataset;";
            let place = desk.of_page(place).await.to_string();
            assert!(place.contains("ann@example.com/demo/"), "{place}");
        }
        desk.fill("#initialMessage", "A secret plan").await;
        let kept =
            "return Object.values(localStorage).some((text) => text.includes('A secret plan'))";
        until("it is kept", PATIENCE, || async {
            (desk.of_page(kept).await == true).then_some(())
        })
        .await;
        desk.open("/console/personas/support-agent").await;
        desk.shows("[data-kept]", "Unsaved changes").await;
        desk.press("form[action='/console/sign-out'] button").await;
        desk.shows("main", "You are signed out").await;
        assert_eq!(desk.of_page(kept).await, false);
        app.stop().await;
    })
    .await;
}
