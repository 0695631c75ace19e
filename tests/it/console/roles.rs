//! What each role sees and can do: what the API's rights say, page by page.

use persona_gateway::console::{NavGroup, PAGES};
use persona_gateway::domain::role::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::visitor::{Seen, Visitor};
use crate::harness::admins::body;
use crate::harness::{TestApp, context, spawn};

const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Publisher, Role::Owner];
const ACTION: &str = "/console/personas/support-agent";

/// The paths that the navigation leads to.
fn navigation(page: &Seen) -> Vec<&str> {
    let (_, nav) = page.html.split_once("<nav").unwrap();
    let (nav, _) = nav.split_once("</nav>").unwrap();
    let links = nav.split("href=\"").skip(1);
    links.map(|rest| rest.split('"').next().unwrap()).collect()
}

async fn member(app: &TestApp, role: Role) -> Visitor<'_> {
    let email = format!("{role}@example.com");
    app.member("demo", &email, role).await;
    Visitor::sign_in(app, &email).await
}

#[tokio::test]
async fn the_navigation_shows_the_pages_that_the_role_can_open() {
    let app = spawn().await;
    for role in ROLES {
        let visitor = member(&app, role).await;
        let shown = visitor.open("/console").await;
        let shown = navigation(&shown);
        for page in PAGES {
            let may = page.place != NavGroup::Operator && role >= page.role;
            assert_eq!(shown.contains(&page.path), may, "{role}: {}", page.path);
            let seen = visitor.open(page.path).await;
            if may {
                assert_eq!(seen.status, StatusCode::OK, "{role}: {}", page.path);
                let here = format!("<a href=\"{}\" aria-current=\"page\">", page.path);
                assert_eq!(seen.html.matches(&here).count(), 1, "{}", page.path);
            } else {
                assert_eq!(seen.status, StatusCode::FORBIDDEN, "{role}: {}", page.path);
                assert!(seen.text().contains("You may not do this"));
            }
        }
    }
    app.database
        .sql("update admin set operator = true where email = 'owner@example.com'")
        .await;
    let operator = Visitor::sign_in(&app, "owner@example.com").await;
    for page in PAGES {
        let seen = operator.open(page.path).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", page.path);
        assert!(navigation(&seen).contains(&page.path));
    }
    app.stop().await;
}

#[tokio::test]
async fn a_viewer_reads_an_editor_writes_and_a_publisher_publishes() {
    let app = spawn().await;
    for role in ROLES {
        let visitor = member(&app, role).await;
        let page = visitor.open(ACTION).await;
        assert_eq!(page.status, StatusCode::OK, "{role}");
        let has = |button: &str| page.html.contains(&format!("value=\"{button}\""));
        assert_eq!(has("save"), role >= Role::Editor, "{role}");
        assert_eq!(has("publish"), role >= Role::Publisher, "{role}");

        // The buttons that are not there, pressed all the same.
        let mut form = page.form(ACTION);
        form.set("initialMessage", &format!("Hello from {role}"));
        let saved = visitor.press(&page, &form, "save").await;
        if role < Role::Editor {
            assert_eq!(saved.status, StatusCode::FORBIDDEN, "{}", saved.text());
            assert!(app.database.rows("select id from draft").await.is_empty());
            continue;
        }
        assert!(saved.text().contains("The draft is saved."), "{role}");
        let form = saved.form(ACTION);
        let published = visitor.press(&saved, &form, "publish").await;
        app.settle("demo").await;
        let sent = app
            .minted_config(&app.user("user-1"), &context("support"))
            .await;
        let greeting = &sent["personaConfig"]["initialMessage"];
        let is_out = *greeting == format!("Hello from {role}");
        assert_eq!(
            is_out,
            role >= Role::Publisher,
            "{role}: {}",
            published.text()
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn a_viewer_can_change_nothing_on_any_page() {
    let app = spawn().await;
    let visitor = member(&app, Role::Viewer).await;
    let token = visitor.open("/console").await;
    let token = token.form("/console/sign-out").get("form").to_owned();
    let before = app.audited("demo").await;
    let fields = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = [("form", token.as_str())];
        let all = own.iter().chain(more);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    for (path, more) in [
        ("/console/personas", &[("key", "new"), ("name", "New")][..]),
        ("/console/archive/personas", &[("key", "trainer")]),
        ("/console/snippets", &[("key", "new")]),
        (
            "/console/snippets/house-rules",
            &[("do", "save"), ("text", "x")],
        ),
        (
            "/console/personas/trainer/history",
            &[("do", "release"), ("version", "1")],
        ),
        (
            "/console/contexts",
            &[("key", "new"), ("default", "trainer")],
        ),
        ("/console/sample-users", &[("key", "new")]),
        (
            "/console/import",
            &[("do", "import"), ("text", "subject,tone\na,warm")],
        ),
        (
            "/console/single-sign-on",
            &[("issuer", "https://login.example.com"), ("client", "c")],
        ),
        ("/console/users/user-1", &[("p.tone", "warm")]),
        ("/console/users/user-1/export", &[]),
        (
            "/console/users/user-1/erase",
            &[("subject", "user-1"), ("sure", "user-1")],
        ),
        ("/console/catalogue/sync", &[]),
        ("/console/policy", &[("timeZone", "UTC")]),
        ("/console/policy/name", &[("name", "Other")]),
        (
            "/console/policy/json",
            &[("policy", "{}"), ("document", "{}")],
        ),
        (
            "/console/keys/anam",
            &[("do", "add"), ("key", "k"), ("label", "l")],
        ),
        (
            "/console/keys/api",
            &[("do", "create"), ("name", "n"), ("role", "viewer")],
        ),
        (
            "/console/keys/secrets",
            &[("do", "set"), ("name", "n"), ("value", "v")],
        ),
        (
            "/console/people/invite",
            &[
                ("do", "invite"),
                ("email", "x@example.com"),
                ("role", "owner"),
            ],
        ),
        ("/console/audit/checkpoints", &[]),
        (
            "/console/bundles",
            &[
                ("do", "apply"),
                ("bundle", "tenant: demo"),
                ("text", "tenant: demo"),
            ],
        ),
        (
            "/console/operator/tenants",
            &[("do", "create"), ("slug", "x"), ("name", "x")],
        ),
    ] {
        let answer = visitor.post_with(path, &fields(more), &[]).await;
        let status = answer.status();
        assert!(
            status.is_client_error(),
            "{path}: {status} {:?}",
            answer.headers().get("location")
        );
    }
    assert_eq!(app.audited("demo").await, before);
    app.stop().await;
}

#[tokio::test]
async fn what_another_tenant_has_is_not_there() {
    let app = spawn().await;
    app.empty_tenant("acme").await;
    app.member("acme", "ann@example.com", Role::Owner).await;
    let minted = app.mint(&app.user("user-1"), &context("support")).await;
    let minted = body(minted, 200).await;
    let key = app.admin_key("demo", Role::Owner).await;
    let issuers = body(app.ask(Method::GET, "/v1/admin/issuers", &key).await, 200).await;
    let drafts = "/v1/admin/documents/persona/trainer/drafts";
    let draft = json!({ "content": { "name": "Leo" } });
    body(app.tell(Method::POST, drafts, &key, &draft).await, 201).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let session = text(&minted["sessionId"]);
    let issuer = text(&issuers["items"][0]["id"]);

    let ann = Visitor::sign_in(&app, "ann@example.com").await;
    for path in [
        ACTION.to_owned(),
        format!("{ACTION}/history"),
        "/console/contexts/support".to_owned(),
        "/console/snippets/house-rules".to_owned(),
        format!("/console/sessions/{session}"),
        format!("/console/sessions/{session}/replay"),
        format!("/console/issuers/{issuer}"),
        format!("/console/issuers/{issuer}/edit"),
        "/console/catalogue/avatar/30fa96d0-26c4-4e55-94a0-517025942e18".to_owned(),
        "/console/nothing".to_owned(),
    ] {
        let seen = ann.open(&path).await;
        assert_eq!(
            seen.status,
            StatusCode::NOT_FOUND,
            "{path}: {}",
            seen.text()
        );
        assert!(seen.text().contains("There is nothing here"), "{path}");
    }
    for page in PAGES.iter().filter(|page| page.place != NavGroup::Operator) {
        let seen = ann.open(page.path).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", page.path);
        for word in ["support-agent", "house-rules", "user-1", "Northwind"] {
            assert!(!seen.html.contains(word), "{}: {word}", page.path);
        }
    }
    app.stop().await;
}
