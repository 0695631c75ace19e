//! The page for test calls, as a browser without scripts has it, and what it answers to one with scripts.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::visitor::{Seen, Visitor};
use crate::harness::admins::body;
use crate::harness::spawn;

const ANN: &str = "ann@example.com";
const TALK: &str = "/console/talk";
const PERSONA: &str = "/console/personas/support-agent";
const CONTEXT: &str = "/console/contexts/support";
const SAMPLE: &str = "gold-customer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scripts_everything_can_be_chosen_and_the_page_says_what_talking_needs() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Editor).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let page = ann.open(TALK).await;
    assert!(page.text().contains("Talking needs JavaScript"));
    let mut form = page.form(TALK);
    form.set("what", "context:support");
    let page = ann.send(TALK, &form, "").await;
    assert_eq!(page.status, 200);
    let mut form = page.form(TALK);
    form.set("try.meta.ticketId", "T-9");
    form.set("facts", "name = Kim");
    let page = ann.send(TALK, &form, "").await;
    let kept = page.form(TALK);
    assert_eq!(kept.get("try.meta.ticketId"), "T-9");
    assert_eq!(kept.get("facts"), "name = Kim");
    assert!(page.text().contains("Live: version 1"));

    // Another choice has other versions, and keeps what is said of the user.
    let mut form = kept.clone();
    form.set("what", "persona:trainer");
    let page = ann.send(TALK, &form, "").await;
    let form = page.form(TALK);
    assert_eq!(form.get("facts"), "name = Kim");
    assert_eq!(form.get("place"), "training");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_this_page_may_listen_and_connect_to_anam_and_only_there() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Editor).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let anam = app.anam.url();
    let anam = anam.trim_end_matches('/');
    for (path, listens) in [(TALK, true), ("/console/personas", false)] {
        let headers = ann.headers(path).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        let connects = format!(
            "connect-src 'self' {anam} {};",
            anam.replacen("http", "ws", 1)
        );
        assert_eq!(policy.contains(&connects), listens, "{path}: {policy}");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        let permissions = headers["permissions-policy"].to_str().unwrap();
        assert_eq!(permissions.contains("microphone=(self)"), listens, "{path}");
        assert_eq!(headers["cache-control"], "no-store");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_with_the_token_and_nothing_secret_or_with_the_reason_in_words() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Editor).await;
    app.member("demo", "vic@example.com", Role::Viewer).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let page = ann.open("/console/talk?what=context:support").await;
    let mut form = page.form(TALK);
    form.set("try.meta.priority", "urgent");
    form.set("facts", "plan = enterprise\nname = Kim");
    let answer = ann.post_with("/console/talk/call", &form.0, &[]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let told: Value = answer.json().await.unwrap();
    assert_eq!(
        told["by"], "Rule 1 of support: When plan is enterprise and priority is high or urgent",
        "{told}"
    );
    assert_eq!(told["name"], "Leo, your account engineer");
    assert_eq!(told["session"], app.last_mint()["clientLabel"]);
    let members: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "token", "session", "name", "version", "by", "greeting", "limit", "notes"
        ]
    );

    form.set("what", "");
    let answer = ann.post_with("/console/talk/call", &form.0, &[]).await;
    assert_eq!(answer.status(), 422);
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told["refused"], "Choose a persona or a context");

    let vic = Visitor::sign_in(&app, "vic@example.com").await;
    let page = vic.open("/console/talk?what=context:support").await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains("Talking needs the role editor"));
    let token = vic.open("/console/personas").await;
    let token = token.form("/console/sign-out").get("form").to_owned();
    form.set("what", "context:support");
    form.set("form", &token);
    let answer = vic.post_with("/console/talk/call", &form.0, &[]).await;
    assert_eq!(answer.status(), 403);
    let told: Value = answer.json().await.unwrap();
    assert_eq!(
        (&told["code"], told.get("token")),
        (&json!("forbidden"), None)
    );
    app.stop().await;
}

/// Presses "Save and talk" with these changes.
async fn talk_to(visitor: &Visitor<'_>, page: &Seen, changes: &[(&str, &str)]) -> Seen {
    let mut form = page.form(PERSONA);
    for (name, value) in changes {
        form.set(name, value);
    }
    visitor.press(page, &form, "talk").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_just_typed_is_saved_and_talked_with_as_whom_they_tried() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Editor).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let new = app.request(
        Method::PUT,
        &format!("/v1/admin/sample-users/{SAMPLE}"),
        &app.admin_key("demo", Role::Editor).await,
    );
    let user = json!({ "facts": { "plan": "gold" } });
    let new = new.header("if-none-match", "*").json(&user);
    body(new.send().await.unwrap(), 201).await;
    let page = ann.open(PERSONA).await;

    // Nothing is changed: nothing is saved, and what the page shows is chosen.
    let talk = talk_to(&ann, &page, &[]).await;
    assert_eq!(talk.form(TALK).get("state"), "version:1");
    assert!(!talk.text().contains("saved as a draft"));
    assert!(!ann.open(PERSONA).await.text().contains("Discard draft"));

    let typed = [
        (
            "initialMessage",
            "Welcome, {{ user.name }}, as {{ user.plan }}",
        ),
        ("try-context", "support"),
        ("try-name", "5"),
        ("try-facts", "plan = gold"),
        ("try-metadata", "ticketId = T-7"),
    ];
    let talk = talk_to(&ann, &page, &typed).await;
    let text = talk.text();
    assert!(text.contains("Your changes are saved as a draft"), "{text}");
    let form = talk.form(TALK);
    assert!(form.get("state").starts_with("draft:"), "{form:?}");
    assert_eq!(form.get("place"), "support");
    assert_eq!(form.get("try.meta.ticketId"), "T-7");
    let answer = ann.post_with("/console/talk/call", &form.0, &[]).await;
    assert_eq!(answer.status(), 200);
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told["greeting"], "Welcome, 5, as gold");

    // Somebody without a context and with a sample user keeps both.
    let page = ann.open(PERSONA).await;
    let changes = [
        ("initialMessage", "Welcome back"),
        ("try-context", ""),
        ("try-sample", SAMPLE),
    ];
    let form = talk_to(&ann, &page, &changes).await.form(TALK);
    assert_eq!(form.get("place"), "");
    assert_eq!(form.get("try.user"), format!("sample:{SAMPLE}"));
    assert_eq!(form.get("facts"), "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_talks_with_a_text_that_could_not_be_saved() {
    let app = spawn().await;
    for email in [ANN, "bob@example.com"] {
        app.member("demo", email, Role::Editor).await;
    }
    let ann = Visitor::sign_in(&app, ANN).await;
    let bob = Visitor::sign_in(&app, "bob@example.com").await;
    let (anns, bobs) = (ann.open(PERSONA).await, bob.open(PERSONA).await);
    let wrong = talk_to(&ann, &anns, &[("rest", "{ nothing")]).await;
    assert_eq!((wrong.status.as_u16(), wrong.path.as_str()), (422, PERSONA));

    talk_to(&bob, &bobs, &[("initialMessage", "Bob's")]).await;
    let typed = [("initialMessage", "Ann's"), ("try-name", "Kim")];
    let both = talk_to(&ann, &anns, &typed).await;
    assert_eq!((both.status.as_u16(), both.path.as_str()), (409, PERSONA));
    let form = both.form(PERSONA);
    assert_eq!(form.get("initialMessage"), "Ann's", "nothing is lost");
    let mut chosen = form.clone();
    chosen.tick("keep:/initialMessage", "ours");
    let talk = ann.press(&both, &chosen, "talk").await;
    assert_eq!(talk.form(TALK).get("facts"), "name = Kim");
    assert!(talk.text().contains("changed the draft meanwhile"));

    // Where they changed different fields, both are talked with.
    let (anns, bobs) = (ann.open(PERSONA).await, bob.open(PERSONA).await);
    talk_to(&bob, &bobs, &[("name", "Bob's name")]).await;
    let talk = talk_to(&ann, &anns, &[("initialMessage", "Ann's again")]).await;
    assert!(talk.text().contains("changed the draft meanwhile"));
    let form = talk.form(TALK);
    let answer = ann.post_with("/console/talk/call", &form.0, &[]).await;
    let told: Value = answer.json().await.unwrap();
    assert_eq!(
        (&told["name"], &told["greeting"]),
        (&json!("Bob's name"), &json!("Ann's again"))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contexts_rules_are_saved_and_talked_with_too() {
    let app = spawn().await;
    app.member("demo", ANN, Role::Editor).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let page = ann.open(CONTEXT).await;
    let mut form = page.form(CONTEXT);
    form.set("description", "Changed");
    form.set("try.user", "");
    form.set("try.meta.priority", "urgent");
    form.set("try.fact.user.plan", "enterprise");
    let talk = ann.press(&page, &form, "talk").await;
    assert!(talk.text().contains("Your changes are saved as a draft"));
    let form = talk.form(TALK);
    assert!(form.get("state").starts_with("draft:"), "{form:?}");
    assert_eq!(form.get("what"), "context:support");
    assert_eq!(form.get("try.meta.priority"), "urgent");
    assert_eq!(form.get("facts"), "plan = enterprise");
    app.stop().await;
}
