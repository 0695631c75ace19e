//! A second factor, from its QR code to a sign-in with it, and the pages around sign-in, as people see them.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::desk::Desk;
use super::states::look;
use crate::browser::with_browser;
use crate::harness::people::{PASSWORD, code_of};
use crate::harness::{TestOptions, spawn_with};

const ANN: &str = "ann@example.com";
const PAGE: &str = "/console/second-factor";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_scans_a_code_signs_in_with_the_app_and_confirms_who_they_are() {
    let clock = Clock::manual(Clock::system().now());
    let options = TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    };
    let app = spawn_with(options).await;
    app.member("demo", ANN, Role::Owner).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        let mut faults = Vec::new();
        desk.open("/console/forgotten").await;
        look(&desk, "forgotten", &mut faults).await;
        desk.fill("#email", ANN).await;
        desk.press("form button").await;
        desk.shows("[role=alert]", "No mail is sent here").await;
        desk.open(&format!("/console/new-password#pgr_{}", "a".repeat(43)))
            .await;
        desk.fill("#password", "quite another password").await;
        desk.press("form button").await;
        desk.shows("[role=alert]", "There is no such link").await;
        look(&desk, "a link that is none", &mut faults).await;

        let invitation = json!({ "email": "cid@example.com", "role": "editor" });
        let key = app.admin_key("demo", Role::Owner).await;
        let made = app.tell(Method::POST, "/v1/admin/invitations", &key, &invitation);
        let made: Value = made.await.json().await.unwrap();
        let token = made["token"].as_str().unwrap();
        desk.open(&format!("/console/join#{token}")).await;
        desk.shows("main", "You are invited to work on “Northwind Cloud”")
            .await;
        look(&desk, "an invitation", &mut faults).await;
        desk.fill("#name", "Cid Ray").await;
        desk.fill("#password", PASSWORD).await;
        desk.press("form[action='/console/join'] button").await;
        desk.shows("main", "You have joined").await;

        desk.sign_in(ANN).await;
        desk.open(PAGE).await;
        look(&desk, "no second factor", &mut faults).await;
        desk.press("button[value=enrol]").await;
        let secret = desk.shows("#secret", " ").await.replace(' ', "");
        let width = desk
            .of_page("return document.querySelector('.qr').naturalWidth")
            .await;
        assert!(
            width.as_u64().unwrap() > 0,
            "the QR code is drawn under the page's policy"
        );
        look(&desk, "the QR code", &mut faults).await;
        desk.fill("#code", &code_of(&secret, clock.now())).await;
        desk.press("button[value=confirm]").await;
        desk.shows("#code-list", "-").await;
        look(&desk, "recovery codes", &mut faults).await;
        desk.open(PAGE).await;
        desk.shows("#on", "A second factor is on").await;
        look(&desk, "a second factor", &mut faults).await;

        desk.press("form[action='/console/sign-out'] button").await;
        desk.shows("main", "You are signed out").await;
        desk.fill("#email", ANN).await;
        desk.fill("#password", PASSWORD).await;
        desk.press("form[action='/console/sign-in'] button").await;
        desk.fill("#code", "000000").await;
        desk.press("form[action='/console/sign-in/code'] button")
            .await;
        desk.shows(".fault", "is wrong").await;
        look(&desk, "a wrong code", &mut faults).await;
        clock.advance(TimeDelta::seconds(30));
        desk.fill("#code", &code_of(&secret, clock.now())).await;
        desk.press("form[action='/console/sign-in/code'] button")
            .await;
        desk.shows(".side .person", ANN).await;

        clock.advance(TimeDelta::minutes(11));
        desk.open("/console/people").await;
        desk.fill("#email", "bob@example.com").await;
        desk.press("button[value=invite]").await;
        desk.shows("h1", "Confirm that it is you").await;
        look(&desk, "who are you", &mut faults).await;
        desk.fill("#confirm-code", &code_of(&secret, clock.now()))
            .await;
        desk.press("main form button").await;
        desk.shows("#made", "bob@example.com is invited").await;
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        app.stop().await;
    })
    .await;
}
