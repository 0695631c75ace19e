//! What happened, and what a tenant allows: pages for support, admins and operators.

use persona_gateway::console::{NavGroup, PAGES};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::{TestApp, context, spawn};

async fn policy(app: &TestApp, token: &str) -> Value {
    let path = "/v1/admin/policy";
    let answer = app.request(Method::GET, path, token).send().await.unwrap();
    body(answer, 200).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_navigation_is_there_for_whoever_sees_its_line() {
    let app = spawn().await;
    for role in [Role::Viewer, Role::Editor, Role::Publisher, Role::Owner] {
        let email = format!("{role}@example.com");
        app.signed_in("demo", &email, role).await;
        let visitor = Visitor::sign_in(&app, &email).await;
        let start = visitor.open("/console").await;
        for page in PAGES.iter().filter(|page| page.place != NavGroup::Operator) {
            let link = format!("href=\"{}\"", page.path);
            assert_eq!(
                start.html.contains(&link),
                role >= page.role,
                "{}",
                page.path
            );
            if role >= page.role {
                let page = visitor.open(page.path).await;
                assert_eq!(page.status, 200, "{role} {}", page.path);
                assert!(page.html.contains("<h1>"), "{}", page.path);
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_reads_why_a_user_got_somebody() {
    let app = spawn().await;
    app.signed_in("demo", "v@example.com", Role::Viewer).await;
    let user = app.user_with("ann/1", json!({ "name": "<b>Ann</b>", "plan": "pro" }));
    let wish = json!({ "context": "support", "metadata": { "ticketId": "T-<1>" } });
    app.minted_config(&user, &wish).await;
    let visitor = Visitor::sign_in(&app, "v@example.com").await;

    let list = visitor.open("/console/sessions?subject=ann%2F1").await;
    let (_, link) = list
        .html
        .split_once("<a href=\"/console/sessions/")
        .unwrap();
    let session = link.split('"').next().unwrap();
    let story = visitor.open(&format!("/console/sessions/{session}")).await;
    assert_eq!(story.status, 200);
    for words in [
        "asked for the context “support”",
        "urgent calls of enterprise customers did not hold It wants plan is enterprise user.plan There was pro",
        "Recording at Anam",
        "locked by the policy",
        "T-<1>",
    ] {
        assert!(story.text().contains(words), "{words}: {}", story.text());
    }
    assert!(!story.html.contains("<b>Ann") && !story.html.contains("T-<1>"));

    let replay = visitor
        .open(&format!("/console/sessions/{session}/replay?with=live"))
        .await;
    assert!(replay.text().contains("Nothing differs"));
    // A wrong filter is said beside its field, and stays as it was typed.
    let list = visitor.open("/console/sessions?from=soon&subject=x").await;
    assert_eq!(list.status, 422);
    assert!(list.html.contains("value=\"soon\"") && list.html.contains("class=\"fault\""));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_came_lately_is_found_by_a_part_of_id_or_name() {
    let app = spawn().await;
    app.signed_in("demo", "v@example.com", Role::Viewer).await;
    for (subject, name) in [("u-1", "Ann Lee"), ("u-10", "Joanna Roy"), ("x-2", "Kim")] {
        let user = app.user_with(subject, json!({ "name": name, "plan": "pro" }));
        app.minted_config(&user, &context("support")).await;
    }
    let visitor = Visitor::sign_in(&app, "v@example.com").await;
    let look_up = async |sought: &str| {
        let path = format!("/console/users?subject={sought}");
        let page = visitor.open(&path).await;
        match &page.to {
            Some(to) => visitor.open(to).await,
            None => page,
        }
    };
    for (sought, wanted) in [
        ("ANN", "Whom “ANN” fits"),
        ("kim", "Whom “kim” fits"),
        ("u-1", "User Ann Lee (u-1)"),
        ("nobody", "Nothing is known of a user with this id"),
    ] {
        let text = look_up(sought).await.text();
        assert!(text.contains(wanted), "{sought}: {text}");
    }
    let page = look_up("ann").await;
    let text = page.text();
    assert!(text.contains("Ann Lee u-1") && text.contains("Joanna Roy u-10"));
    assert!(!text.contains("Kim"), "{text}");
    assert!(page.html.contains("href=\"/console/users/ann\""));
    let list = visitor.open("/console/sessions?subject=x-2").await;
    assert!(list.text().contains("Kim x-2"), "{}", list.text());
    assert!(list.html.contains("value=\"u-1\" label=\"Ann Lee\""));
    let list = visitor.open("/console/sessions?subject=joa").await;
    assert!(
        list.html.contains("subject=u%2D10\">Joanna Roy (u-10)</a>"),
        "{}",
        list.text()
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_changed_by_editors_and_erased_by_owners_who_mean_it() {
    let app = spawn().await;
    app.signed_in("demo", "e@example.com", Role::Editor).await;
    app.signed_in("demo", "o@example.com", Role::Owner).await;
    let editor = Visitor::sign_in(&app, "e@example.com").await;
    let (address, erase) = ("/console/users/ann%2F1", "/console/users/ann%2F1/erase");

    let page = editor.open(address).await;
    let stale = page.form(address);
    let mut form = page.form(address);
    form.set("p.displayName", "Ann");
    let page = editor.press(&page, &form, "save").await;
    assert!(page.text().contains("The preferences are saved"));
    assert_eq!(page.form(address).get("p.displayName"), "Ann");
    assert!(!page.html.contains(erase), "an editor does not erase");

    let mut form = stale;
    form.set("p.displayName", "Anna");
    let page = editor.press(&page, &form, "save").await;
    assert_eq!(page.status, 412);
    assert!(page.text().contains("Stored now: Ann"), "{}", page.text());
    let form = page.form(address);
    assert_eq!(form.get("p.displayName"), "Anna");
    let page = editor.press(&page, &form, "save").await;
    assert!(page.text().contains("The preferences are saved"));
    let mut form = page.form(address);
    form.set("p.displayName", &"x".repeat(200));
    let page = editor.press(&page, &form, "save").await;
    assert_eq!(page.status, 422);
    assert!(
        page.text()
            .contains("must be one line of 1 to 80 characters")
    );

    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let question = owner.open(erase).await;
    let mut form = question.form(erase);
    form.set("typed", "ann");
    let refused = owner.press(&question, &form, "").await;
    assert_eq!(refused.status, 422);
    form.set("typed", "ann/1");
    let done = owner.press(&question, &form, "").await;
    assert!(
        done.text().contains("Preferences deleted yes"),
        "{}",
        done.text()
    );
    let page = owner.open(address).await;
    assert_eq!(page.form(address).get("p.displayName"), "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policys_form_says_exactly_what_the_policy_says() {
    let app = spawn().await;
    let token = app.signed_in("demo", "o@example.com", Role::Owner).await;
    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let before = policy(&app, &token).await;
    let address = "/console/policy";
    let page = owner.open(address).await;
    let page = owner.press(&page, &page.form(address), "").await;
    assert!(page.text().contains("The policy is saved"));
    assert_eq!(policy(&app, &token).await, before);

    let mut form = page.form(address);
    form.set("locks.maxSessionLengthSeconds", "a while");
    let page = owner.press(&page, &form, "").await;
    assert_eq!(page.status, 422);
    let mut form = page.form(address);
    assert_eq!(form.get("locks.maxSessionLengthSeconds"), "a while");
    assert!(page.html.contains("class=\"fault\""));
    form.set("locks.maxSessionLengthSeconds", "600");
    form.set(
        "allowedOrigins",
        "https://a.example\r\nhttps://b.example\r\n",
    );
    owner.press(&page, &form, "").await;
    let after = policy(&app, &token).await;
    assert_eq!(after["locks"]["maxSessionLengthSeconds"], 600);
    assert_eq!(
        after["allowedOrigins"],
        json!(["https://a.example", "https://b.example"])
    );
    assert_eq!(
        after["locks"]["sessionOptions"],
        before["locks"]["sessionOptions"]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_shown_once_and_lets_somebody_in() {
    let app = spawn().await;
    app.signed_in("demo", "o@example.com", Role::Owner).await;
    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let people = owner.open("/console/people").await;
    let mut form = people.form("/console/people/invite");
    form.set("email", "cid@example.com");
    form.set("role", "editor");
    let made = owner.send("/console/people/invite", &form, "invite").await;
    let (_, link) = made.html.split_once("/console/join#").unwrap();
    let token = link.split('<').next().unwrap().to_owned();
    let later = owner.open("/console/people").await;
    assert!(!later.html.contains(&token) && later.text().contains("cid@example.com"));

    // Whoever was given it, here in the same browser.
    let (read_path, join_path) = ("/console/join/read", "/console/join");
    let page = owner.open(join_path).await;
    let mut form = page.form(read_path);
    form.set("token", "pgi_of-nobody");
    let unknown = owner.send(read_path, &form, "").await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.text().contains("no such invitation"),
        "{}",
        unknown.text()
    );
    form.set("token", &token);
    let read = owner.send(read_path, &form, "").await;
    let words = read.text();
    assert!(
        words.contains("o@example.com invites you to work on"),
        "{words}"
    );
    assert!(words.contains("cid@example.com") && words.contains("editor"));
    let mut form = read.form(join_path);
    form.set("name", "Cid");
    form.set("password", "short");
    let refused = owner.send(join_path, &form, "").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("o@example.com invites you"));
    let mut form = refused.form(join_path);
    assert_eq!(form.get("name"), "Cid");
    form.set("password", PASSWORD);
    let joined = owner.send(join_path, &form, "").await;
    assert!(
        joined.text().contains("You have joined"),
        "{}",
        joined.text()
    );
    app.sign_in("cid@example.com").await;
    app.stop().await;
}

#[tokio::test]
async fn quotas_are_set_in_the_policys_form_and_what_is_left_is_seen_at_a_glance() {
    let app = spawn().await;
    app.signed_in("demo", "o@example.com", Role::Owner).await;
    let visitor = Visitor::sign_in(&app, "o@example.com").await;
    let overview = visitor.open("/console").await;
    assert!(!overview.html.contains("Left of the quotas"));
    let path = "/console/policy";
    let page = visitor.open(path).await;
    let mut form = page.form(path);
    form.set("/quotas/tenant/sessionsPerDay", "many");
    form.set("/quotas/user/sessionsPerDay", "1");
    form.set("/limits/userPerMinute", "100");
    let told = visitor.press(&page, &form, "").await;
    assert_eq!(told.status, 422);
    assert!(
        told.html
            .contains("<p class=\"fault\">must be a whole number from 1 to"),
        "{}",
        told.html
    );
    let mut form = told.form(path);
    assert_eq!(form.get("/quotas/tenant/sessionsPerDay"), "many");
    form.set("/quotas/tenant/sessionsPerDay", "5");
    let saved = visitor.press(&told, &form, "").await;
    assert_eq!(saved.status, 200);
    assert_eq!(saved.form(path).get("/quotas/tenant/sessionsPerDay"), "5");
    assert_eq!(saved.form(path).get("/limits/userPerMinute"), "100");
    app.settle("demo").await;
    for user in ["ann", "bob", "cleo", "dora"] {
        let answer = app.mint(&app.user(user), &context("support")).await;
        assert_eq!(answer.status(), 200);
    }
    let overview = visitor.open("/console").await.text();
    for part in [
        "Left of the quotas",
        "Sessions a day:",
        "1 of 5 left",
        "nearly used up",
    ] {
        assert!(overview.contains(part), "{part}: {overview}");
    }
    let ann = visitor.open("/console/users/ann").await.text();
    assert!(
        ann.contains("0 of 1 left") && ann.contains("used up"),
        "{ann}"
    );

    // What is emptied is no longer there.
    let page = visitor.open(path).await;
    let mut form = page.form(path);
    for (name, value) in &mut form.0 {
        if name.starts_with("/quotas/") {
            value.clear();
        }
    }
    visitor.press(&page, &form, "").await;
    let overview = visitor.open("/console").await;
    assert!(!overview.html.contains("Left of the quotas"));
    app.stop().await;
}
