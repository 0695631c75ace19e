//! The page for test calls, as a browser without scripts has it, and what it answers to one with scripts.

use persona_gateway::domain::role::Role;
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::harness::spawn;

const ANN: &str = "ann@example.com";
const TALK: &str = "/console/talk";

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
