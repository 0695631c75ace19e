//! Whose forms are taken, and whose cookies.

use persona_gateway::console::addresses;
use persona_gateway::domain::role::Role;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::visitor::{Fields, Seen, Visitor};
use crate::harness::people::PASSWORD;
use crate::harness::{TestApp, spawn};

const ACTION: &str = "/console/personas/support-agent";

/// Everything that forms could have changed.
async fn state(app: &TestApp) -> Vec<Value> {
    let rows = "select (select count(*) from draft) as drafts, (select count(*) from document_version) as versions,
        (select count(*) from audit_event where action not like 'person.sign%') as audited, (select count(*) from console_session) as sessions";
    app.database.rows(rows).await
}

/// An address with something in place of what it names.
fn filled(path: &str) -> String {
    let path = path
        .replace("{key}", "support-agent")
        .replace("{subject}", "user-1")
        .replace("{kind}", "avatar")
        .replace("{state}", "now")
        .replace("{name}", "console.css")
        .replace("{id}", "30fa96d0-26c4-4e55-94a0-517025942e18");
    format!("/console{path}")
}

/// Every path that takes forms.
fn paths() -> Vec<String> {
    let pages = addresses();
    let takes = pages
        .methods()
        .filter(|(_, methods)| methods.contains(&"POST"));
    let found: Vec<String> = takes.map(|(path, _)| filled(path)).collect();
    assert!(found.len() > 35, "{found:?}");
    found
}

#[tokio::test]
async fn a_method_that_a_page_does_not_take_is_told_the_ones_that_it_takes() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    let ann = Visitor::sign_in(&app, "ann@example.com").await;
    let pages = addresses();
    for (path, methods) in pages.methods() {
        let path = filled(path);
        for name in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if methods.contains(&name) {
                continue;
            }
            let answer = ann.ask(name.parse().unwrap(), &path).await;
            assert_eq!(
                answer.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{name} {path}"
            );
            assert_eq!(answer.headers()["allow"], methods.join(", "), "{path}");
        }
    }
    let answer = ann.ask(Method::POST, "/console/nothing").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let head = ann.ask(Method::HEAD, "/console/personas").await;
    assert_eq!(head.status(), StatusCode::OK);
    app.stop().await;
}

/// Where a form is sent, what it has, and the headers beside it.
type Attempt<'a> = (&'a str, &'a Fields, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn a_form_that_no_page_of_the_session_sent_is_refused_everywhere() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    let ann = Visitor::sign_in(&app, "ann@example.com").await;
    let before = state(&app).await;
    for path in paths() {
        let answer = ann.post_with(&path, &[], &[]).await;
        let page = Seen::of(&path, answer).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.html);
        assert!(page.text().contains("You may not do this"), "{path}");
    }
    assert_eq!(state(&app).await, before);
    app.stop().await;
}

#[tokio::test]
async fn a_form_of_another_origin_or_of_another_session_changes_nothing() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    app.member("demo", "bob@example.com", Role::Owner).await;
    let ann = Visitor::sign_in(&app, "ann@example.com").await;
    let bob = Visitor::sign_in(&app, "bob@example.com").await;
    let page = ann.open(ACTION).await;
    let mut form = page.form(ACTION);
    form.set("initialMessage", "Something else");
    form.tick("do", "publish");
    let bobs = bob.open(ACTION).await.form(ACTION);
    let with = |token: &str| {
        let mut form = form.clone();
        form.set("form", token);
        form
    };
    let mut without = form.clone();
    without.0.retain(|(name, _)| name != "form");
    let before = state(&app).await;
    let own = app.url("");
    let attempts: [Attempt<'_>; 9] = [
        ("cross-site", &form, &[("sec-fetch-site", "cross-site")]),
        ("same-site", &form, &[("sec-fetch-site", "same-site")]),
        (
            "cross-site with our origin",
            &form,
            &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        ),
        (
            "another origin",
            &form,
            &[("origin", "https://evil.example")],
        ),
        ("no origin", &form, &[("origin", "null")]),
        ("without its token", &without, &[]),
        ("an empty token", &with(""), &[]),
        ("another session's token", &with(bobs.get("form")), &[]),
        (
            "a token of nobody",
            &with(&"0".repeat(64)),
            &[("sec-fetch-site", "same-origin")],
        ),
    ];
    for (what, fields, headers) in attempts {
        let answer = ann.post_with(ACTION, &fields.0, headers).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{what}");
        assert!(answer.headers().contains_key("content-security-policy"));
    }
    assert_eq!(state(&app).await, before);

    // The same form, as the page sends it.
    let answer = ann
        .post_with(
            ACTION,
            &form.0,
            &[("sec-fetch-site", "same-origin"), ("origin", &own)],
        )
        .await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_ne!(state(&app).await, before);
    app.stop().await;
}

#[tokio::test]
async fn an_old_cookie_leads_to_the_sign_in() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    let ann = Visitor::sign_in(&app, "ann@example.com").await;
    let page = ann.open(ACTION).await;
    let mut form = page.form(ACTION);
    form.tick("do", "save");
    let out = page.form("/console/sign-out");
    let answer = ann.post_with("/console/sign-out", &out.0, &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let ended = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        ended.contains("Max-Age=0") && ended.contains("HttpOnly"),
        "{ended}"
    );
    let expected = "/console/sign-in?next=%2Fconsole%2Fpersonas%2Fsupport%2Dagent".to_owned();
    assert_eq!(ann.open(ACTION).await.to, Some(expected));
    let answer = ann.post_with(ACTION, &form.0, &[]).await;
    assert_eq!(answer.headers()["location"], "/console/sign-in");

    let again = Visitor::sign_in(&app, "ann@example.com").await;
    assert_eq!(again.open(ACTION).await.status, StatusCode::OK);
    app.database
        .sql("update admin set disabled_at = now() where email = 'ann@example.com'")
        .await;
    let page = again.open("/console").await;
    assert_eq!(page.to.as_deref(), Some("/console/sign-in?next=%2Fconsole"));
    assert!(page.html.is_empty());
    app.stop().await;
}

#[tokio::test]
async fn a_sign_in_leads_to_no_page_but_the_consoles() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Viewer).await;
    let nobody = Visitor::nobody(&app);
    let hostile = [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/console//evil.example",
        "/console/../../evil",
        "/console/%2e%2e/%2e%2e/x",
        "/console\t//evil.example",
        "/consolesque",
        "javascript:alert(1)",
        " https://evil.example",
        "https:evil.example",
        "/console@evil.example",
        "/v1/admin/me",
    ];
    for next in hostile.into_iter().chain(["/console/personas?x=1"]) {
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = nobody.open(&format!("/console/sign-in?next={query}")).await;
        let form = page.form("/console/sign-in");
        let to = form.get("next");
        let base = url::Url::parse(&app.url("/console/sign-in")).unwrap();
        let reached = base.join(to).unwrap();
        assert_eq!(reached.origin(), base.origin(), "{next}");
        assert!(
            reached.path() == "/console" || reached.path().starts_with("/console/"),
            "{next}: {reached}"
        );
        assert_eq!(to == "/console/personas?x=1", next == to, "{next}");
    }
    // Whatever the page said, the form is judged as well.
    for (next, to) in [
        ("https://evil.example/", "/console"),
        ("/console/personas?x=1", "/console/personas?x=1"),
    ] {
        let page = nobody.open("/console/sign-in").await;
        let mut form = page.form("/console/sign-in");
        form.set("next", next);
        form.set("email", "ann@example.com");
        form.set("password", PASSWORD);
        let answer = nobody.post_with("/console/sign-in", &form.0, &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{next}");
        assert_eq!(answer.headers()["location"], to);
    }
    app.stop().await;
}
