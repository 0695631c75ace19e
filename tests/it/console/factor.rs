//! The second factor in the console, and showing again who one is without losing what was typed.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use reqwest::StatusCode;
use reqwest::header::SET_COOKIE;

use super::visitor::{Seen, Visitor};
use crate::harness::people::{PASSWORD, code_of};
use crate::harness::{TestOptions, spawn, spawn_with};

const ANN: &str = "ann@example.com";
const PAGE: &str = "/console/second-factor";
const CODE: &str = "/console/sign-in/code";

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

#[tokio::test]
async fn somebody_sets_a_second_factor_up_and_signs_in_with_it() {
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    app.member("demo", ANN, Role::Owner).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let page = ann.open(PAGE).await;
    let page = ann.press(&page, &page.form(PAGE), "enrol").await;
    assert!(
        page.html.contains("src=\"data:image/svg+xml;base64,"),
        "{}",
        page.html
    );
    let secret = between(&page.html, "<code id=\"secret\">", "</code>").replace(' ', "");
    let mut form = page.form(PAGE);
    form.set("code", "000000");
    let wrong = ann.press(&page, &form, "confirm").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.html.contains(&secret), "the secret is shown once");
    let mut form = wrong.form(PAGE);
    form.set("code", &code_of(&secret, clock.now()));
    let done = ann.press(&wrong, &form, "confirm").await;
    let codes = between(&done.html, "class=\"codes\">", "</pre>")
        .split_whitespace()
        .count();
    assert_eq!(codes, 10, "{}", done.html);

    // The password alone leads to the page that asks for a code, whatever page is opened.
    let mut again = Visitor::sign_in(&app, ANN).await;
    for path in ["/console", "/console/people?x=1", PAGE] {
        let to = again.open(path).await.to.unwrap();
        assert!(
            to.starts_with("/console/sign-in/code?next=%2Fconsole"),
            "{to}"
        );
    }
    let page = again
        .open("/console/sign-in/code?next=%2Fconsole%2Fpeople")
        .await;
    let mut form = page.form(CODE);
    form.set("code", &code_of(&secret, clock.now()));
    let used = again.press(&page, &form, "").await;
    assert_eq!(
        used.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a code counts once"
    );
    clock.advance(TimeDelta::seconds(30));
    form.set("code", &code_of(&secret, clock.now()));
    let answer = again.post_with(CODE, &form.0, &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/console/people");
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    cookie
        .split(';')
        .next()
        .unwrap()
        .clone_into(&mut again.cookie);
    let people = again.open("/console/people").await;
    assert_eq!(people.status, StatusCode::OK);
    assert!(people.text().contains("second factor"), "{}", people.text());
    app.stop().await;
}

#[tokio::test]
async fn who_owes_a_second_factor_is_led_to_it_and_then_on() {
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    app.member("demo", ANN, Role::Owner).await;
    app.database
        .sql("update tenant set policy = policy || '{\"requireSecondFactor\": true}'")
        .await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let to = ann.open("/console/people").await.to;
    assert_eq!(
        to.as_deref(),
        Some("/console/second-factor?next=%2Fconsole%2Fpeople")
    );
    let page = ann.open(&to.unwrap()).await;
    assert!(
        page.text().contains("This tenant demands a second factor"),
        "{}",
        page.text()
    );
    assert!(!page.html.contains("<nav"), "nothing else is within reach");
    let page = ann.press(&page, &page.form(PAGE), "enrol").await;
    let secret = between(&page.html, "<code id=\"secret\">", "</code>").replace(' ', "");
    let mut form = page.form(PAGE);
    form.set("code", &code_of(&secret, clock.now()));
    let done = ann.press(&page, &form, "confirm").await;
    assert!(
        done.html.contains("href=\"/console/people\""),
        "{}",
        done.html
    );
    assert_eq!(ann.open("/console/people").await.status, StatusCode::OK);
    app.stop().await;
}

#[tokio::test]
async fn something_dangerous_asks_who_one_is_and_loses_nothing_that_was_typed() {
    let clock = Clock::manual(Clock::system().now());
    let app = spawn_with(TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    })
    .await;
    app.member("demo", ANN, Role::Owner).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    clock.advance(TimeDelta::minutes(11));
    let people = ann.open("/console/people").await;
    let mut form = people.form("/console/people/invite");
    form.set("email", "bob@example.com");
    let asked = ann.send("/console/people/invite", &form, "invite").await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN);
    assert!(
        asked.text().contains("Confirm that it is you"),
        "{}",
        asked.text()
    );
    let count = "select count(*) as count from invitation";
    assert_eq!(app.database.rows(count).await[0]["count"], 0);

    let mut form = asked.form("/console/people/invite");
    assert_eq!(form.get("email"), "bob@example.com");
    form.set("confirm-password", "not the password");
    let again = Seen::of(
        "/console/people/invite",
        ann.post_with("/console/people/invite", &form.0, &[]).await,
    )
    .await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(
        again.text().contains("is not the password"),
        "{}",
        again.text()
    );
    assert!(
        !again.html.contains("not the password<"),
        "no password is in a page"
    );
    let mut form = again.form("/console/people/invite");
    form.set("confirm-password", PASSWORD);
    let done = Seen::of(
        "/console/people/invite",
        ann.post_with("/console/people/invite", &form.0, &[]).await,
    )
    .await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert!(
        done.text().contains("bob@example.com is invited"),
        "{}",
        done.text()
    );
    app.stop().await;
}

#[tokio::test]
async fn a_form_of_another_session_is_not_confirmed() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Owner).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let fields = [
        ("form", "0".repeat(64)),
        ("confirm-password", PASSWORD.to_owned()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let answer = ann.post_with("/console/people/invite", &fields, &[]).await;
    let page = Seen::of("/console/people/invite", answer).await;
    assert!(
        page.text().contains("You may not do this"),
        "{}",
        page.text()
    );
    app.stop().await;
}

#[tokio::test]
async fn who_forgot_their_password_reads_what_to_do_without_mail() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Owner).await;
    let nobody = Visitor::nobody(&app);
    let page = nobody.open("/console/forgotten").await;
    let mut form = page.form("/console/forgotten");
    form.set("email", ANN);
    let told = nobody.press(&page, &form, "").await;
    assert!(
        told.text().contains("No mail is sent here"),
        "{}",
        told.text()
    );
    // An owner makes the link instead.
    let ann = Visitor::sign_in(&app, ANN).await;
    let people = ann.open("/console/people").await;
    let made = ann
        .send("/console/people/member", &reset_form(&people), "reset")
        .await;
    let token = between(&made.html, "/console/new-password#", "<");
    let page = nobody.open("/console/new-password").await;
    let mut form = page.form("/console/new-password");
    form.set("token", token);
    form.set("password", "quite another password");
    let done = nobody
        .post_with("/console/new-password", &form.0, &[])
        .await;
    assert_eq!(
        done.headers()["location"],
        "/console/sign-in?said=password-changed"
    );
    assert_eq!(
        app.try_sign_in(ANN, "quite another password")
            .await
            .status(),
        200
    );
    app.stop().await;
}

/// The form of the only member that makes a link: it is the one with an address.
fn reset_form(page: &Seen) -> super::visitor::Fields {
    let html = page.html.split("action=\"/console/people/member\"");
    let part = html
        .filter(|part| part.contains("value=\"reset\""))
        .last()
        .unwrap();
    let part = part.split("</form>").next().unwrap();
    Seen {
        status: page.status,
        html: format!("<form action=\"x\" action=\"/console/people/member\"{part}</form>"),
        path: page.path.clone(),
        to: None,
    }
    .form("/console/people/member")
}
