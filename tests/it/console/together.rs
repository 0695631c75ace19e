//! People who work without scripts, in two languages, and on the same persona at once.

use std::collections::BTreeMap;

use persona_gateway::console::{NavGroup, PAGES};
use persona_gateway::domain::role::Role;
use reqwest::StatusCode;

use super::visitor::{Seen, Visitor};
use crate::harness::{TestApp, context, spawn};

const ACTION: &str = "/console/personas/support-agent";

async fn greeting(app: &TestApp) -> String {
    app.settle("demo").await;
    let sent = app
        .minted_config(&app.user("user-7"), &context("support"))
        .await;
    sent["personaConfig"]["initialMessage"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn pair(app: &TestApp) -> (Visitor<'_>, Visitor<'_>) {
    for email in ["ann@example.com", "bob@example.com"] {
        app.member("demo", email, Role::Publisher).await;
    }
    (
        Visitor::sign_in(app, "ann@example.com").await,
        Visitor::sign_in(app, "bob@example.com").await,
    )
}

/// Changes fields of the page and saves.
async fn save(visitor: &Visitor<'_>, page: &Seen, changes: &[(&str, &str)]) -> Seen {
    let mut form = page.form(ACTION);
    for (name, value) in changes {
        form.set(name, value);
    }
    visitor.press(page, &form, "save").await
}

#[tokio::test]
async fn writing_and_publishing_need_no_script() {
    let app = spawn().await;
    let (ann, _) = pair(&app).await;
    let list = ann.open("/console/personas").await;
    assert!(list.html.contains(&format!("href=\"{ACTION}\"")));
    assert!(
        list.text().contains("Liv from support support-agent"),
        "{}",
        list.text()
    );
    let page = ann.open(ACTION).await;
    let mut form = page.form(ACTION);
    form.set("initialMessage", "Hello {{ user.name }}");
    form.set("try-name", "Maria");
    let shown = ann.press(&page, &form, "preview").await;
    assert!(shown.text().contains("Hello Maria"), "{}", shown.text());
    assert!(
        !greeting(&app).await.starts_with("Hello"),
        "a preview is no change"
    );

    let saved = ann.press(&shown, &shown.form(ACTION), "save").await;
    assert!(
        saved.text().contains("The draft is saved."),
        "{}",
        saved.text()
    );
    assert_eq!(
        saved.form(ACTION).get("initialMessage"),
        "Hello {{ user.name }}"
    );
    let out = ann.press(&saved, &saved.form(ACTION), "publish").await;
    assert!(out.text().contains("Published."), "{}", out.text());
    assert_eq!(greeting(&app).await, "Hello Sam Rivera");

    let history = format!("{ACTION}/history");
    let page = ann.open(&history).await;
    let back = ann.press(&page, &page.form(&history), "rollback").await;
    assert!(back.text().contains("Rolled back."), "{}", back.text());
    assert!(greeting(&app).await.starts_with("Hi Sam Rivera"));
    app.stop().await;
}

#[tokio::test]
async fn two_who_change_different_fields_of_a_draft_both_have_their_change() {
    let app = spawn().await;
    let (ann, bob) = pair(&app).await;
    let page = ann.open(ACTION).await;
    save(&ann, &page, &[("name", "Liv")]).await;

    let (anns, bobs) = (ann.open(ACTION).await, bob.open(ACTION).await);
    let saved = save(&ann, &anns, &[("initialMessage", "Hello from Ann")]).await;
    assert!(saved.text().contains("The draft is saved."));
    let joined = save(&bob, &bobs, &[("systemPrompt", "Be Bob's.")]).await;
    assert!(
        joined.text().contains("Both changes are in it now"),
        "{}",
        joined.text()
    );
    let form = joined.form(ACTION);
    assert_eq!(form.get("name"), "Liv");
    assert_eq!(form.get("initialMessage"), "Hello from Ann");
    assert_eq!(form.get("systemPrompt"), "Be Bob's.");
    app.stop().await;
}

#[tokio::test]
async fn two_who_begin_at_the_same_time_write_in_one_draft() {
    let app = spawn().await;
    let (ann, bob) = pair(&app).await;
    let (anns, bobs) = (ann.open(ACTION).await, bob.open(ACTION).await);
    save(&ann, &anns, &[("initialMessage", "Hello from Ann")]).await;
    let joined = save(&bob, &bobs, &[("name", "Bob")]).await;
    assert!(joined.text().contains("Both changes are in it now"));
    assert_eq!(joined.form(ACTION).get("initialMessage"), "Hello from Ann");
    assert_eq!(app.database.rows("select id from draft").await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn two_who_change_the_same_field_see_both_and_the_chosen_one_stays() {
    let app = spawn().await;
    let (ann, bob) = pair(&app).await;
    let page = ann.open(ACTION).await;
    save(&ann, &page, &[("name", "Liv")]).await;
    for side in ["ours", "theirs"] {
        let (anns, bobs) = (ann.open(ACTION).await, bob.open(ACTION).await);
        let (from_ann, from_bob) = (format!("Ann's {side}"), format!("Bob's {side}"));
        save(&ann, &anns, &[("initialMessage", &from_ann)]).await;
        let asked = save(
            &bob,
            &bobs,
            &[("initialMessage", &from_bob), ("name", "Bob")],
        )
        .await;
        let text = asked.text();
        assert!(
            text.contains("Two changed the same")
                && text.contains("ann@example.com")
                && text.contains(&from_ann)
                && text.contains(&from_bob),
            "{text}"
        );
        let between = ann.open(ACTION).await;
        assert_eq!(
            between.form(ACTION).get("initialMessage"),
            from_ann,
            "nothing is saved yet"
        );

        let mut form = asked.form(ACTION);
        form.tick("keep:/initialMessage", side);
        let settled = bob.press(&asked, &form, "save").await;
        assert_eq!(settled.status, StatusCode::OK, "{}", settled.text());
        let form = settled.form(ACTION);
        let chosen = if side == "ours" { &from_bob } else { &from_ann };
        assert_eq!(form.get("initialMessage"), chosen);
        assert_eq!(form.get("name"), "Bob");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_written_in_a_draft_that_somebody_published_goes_on_in_another() {
    let app = spawn().await;
    let (ann, bob) = pair(&app).await;
    let page = ann.open(ACTION).await;
    let saved = save(&ann, &page, &[("name", "Liv")]).await;
    let bobs = bob.open(ACTION).await;
    let out = ann.press(&saved, &saved.form(ACTION), "publish").await;
    assert!(out.text().contains("Published."), "{}", out.text());
    let on = save(&bob, &bobs, &[("initialMessage", "Hello from Bob")]).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.text());
    let form = on.form(ACTION);
    assert_eq!(form.get("name"), "Liv");
    assert_eq!(form.get("initialMessage"), "Hello from Bob");
    let out = bob.press(&on, &form, "publish").await;
    assert!(out.text().contains("Published."), "{}", out.text());
    app.stop().await;
}

#[tokio::test]
async fn who_writes_on_goes_on_from_a_version_that_waits_and_not_from_one_that_was_taken_back() {
    let app = spawn().await;
    let (ann, _) = pair(&app).await;
    app.database
        .sql(
            "update tenant set policy = policy || '{\"requiredApprovals\": 1}' where slug = 'demo'",
        )
        .await;
    let page = ann.open(ACTION).await;
    let mut form = page.form(ACTION);
    form.set("initialMessage", "Hello from Ann");
    let waits = ann.press(&page, &form, "publish").await;
    assert!(waits.text().contains("approval"), "{}", waits.text());
    let page = ann.open(ACTION).await;
    assert!(page.text().contains("You see version 2"), "{}", page.text());
    let form = page.form(ACTION);
    assert_eq!(form.get("initialMessage"), "Hello from Ann");
    let same = ann.press(&page, &form, "publish").await;
    assert!(
        same.text().contains("Nothing has changed"),
        "{}",
        same.text()
    );
    app.stop().await;
}

/// Texts of a language that stand for themselves, by name.
fn texts(source: &'static str) -> BTreeMap<&'static str, &'static str> {
    let pairs = source.lines().filter_map(|line| line.split_once(" = "));
    pairs
        .filter(|(name, value)| !name.starts_with([' ', '#']) && !value.contains('{'))
        .collect()
}

#[tokio::test]
async fn who_asks_for_german_reads_german_on_every_page() {
    let english = texts(include_str!("../../../src/console/texts/en.ftl"));
    let german = texts(include_str!("../../../src/console/texts/de.ftl"));
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    app.database
        .sql("update admin set operator = true where email = 'ann@example.com'")
        .await;
    let mut ann = Visitor::sign_in(&app, "ann@example.com").await;
    let minted = app.mint(&app.user("user-1"), &context("support")).await;
    let session = minted.json::<serde_json::Value>().await.unwrap();
    let session = format!(
        "/console/sessions/{}",
        session["sessionId"].as_str().unwrap()
    );
    let more = [
        ACTION,
        "/console/personas/support-agent/history?version=1",
        "/console/contexts/support",
        "/console/users/user-1",
        "/console/nothing",
        &session,
    ];
    for path in PAGES.iter().map(|page| page.path).chain(more) {
        ann.language = "en-GB,en;q=0.8,de;q=0.5";
        let seen = ann.open(path).await;
        assert!(seen.html.contains("<html lang=\"en\">"), "{path}");
        ann.language = "de-AT,de;q=0.9,en;q=0.5";
        let seen = ann.open(path).await;
        assert!(seen.html.contains("<html lang=\"de\">"), "{path}");
        let text = seen.text();
        for (name, value) in &english {
            let is_sentence = value.len() > 14 && value.contains(' ');
            if is_sentence && german.get(name).is_some_and(|other| other != value) {
                assert!(!text.contains(value), "{path}: {name} is English");
            }
        }
    }
    for page in PAGES.iter().filter(|page| page.place != NavGroup::Start) {
        let seen = ann.open(page.path).await;
        let title = german[page.text];
        assert!(
            seen.html.contains(&format!("<title>{title} · ")),
            "{}",
            page.path
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_something_can_not_be_done_is_said_in_the_readers_language_alone() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    let mut ann = Visitor::sign_in(&app, "ann@example.com").await;
    for (language, words, other) in [
        (
            "en",
            "ann@example.com is the only owner who can sign in; make another person an owner first.",
            "Inhaber",
        ),
        (
            "de",
            "Nur ann@example.com kann sich als Inhaber anmelden: zuerst jemand anderen zum Inhaber machen.",
            "is the only owner",
        ),
    ] {
        ann.language = language;
        let page = ann.open("/console/people").await;
        let mut form = page.form("/console/people/member");
        form.set("role", "viewer");
        let refused = ann.send("/console/people/member", &form, "role").await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        let text = refused.text();
        assert!(text.contains(words), "{text}");
        assert!(!text.contains(other), "{text}");
    }
    app.stop().await;
}
