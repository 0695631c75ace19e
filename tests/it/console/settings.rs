//! Sample users, imports, single sign-on, keys, bundles, issuers and tenants: what is set up before anybody calls.

use persona_gateway::domain::role::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::visitor::{Fields, Seen, Visitor};
use crate::harness::admins::body;
use crate::harness::{TestApp, TestOptions, spawn, spawn_with};

/// The fields of a form that is one of several with the same address.
fn fields(page: &Seen, action: &str, own: &[(&str, &str)]) -> Fields {
    let mut fields = page.form(action);
    fields
        .0
        .retain(|(name, _)| name == "form" || name == "once");
    for (name, value) in own {
        fields.tick(name, value);
    }
    fields
}

async fn got(app: &TestApp, token: &str, path: &str) -> Value {
    let answer = app.request(Method::GET, path, token).send().await.unwrap();
    body(answer, 200).await
}

#[tokio::test]
async fn a_sample_user_is_made_up_used_changed_and_deleted() {
    let app = spawn().await;
    let token = app.signed_in("demo", "e@example.com", Role::Editor).await;
    let visitor = Visitor::sign_in(&app, "e@example.com").await;
    let path = "/console/sample-users";
    let page = visitor.open(path).await;
    let mut form = page.form(path);
    form.set("key", "Gold Customer");
    form.set("facts", "plan = gold\nseats = 5\nname = Ann");
    let told = visitor.press(&page, &form, "").await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        told.html.contains("<p class=\"fault\">must be 1 to 64"),
        "{}",
        told.html
    );
    let mut form = told.form(path);
    let kept = form.get("facts").replace("\r\n", "\n");
    assert_eq!(kept, "plan = gold\nseats = 5\nname = Ann");
    form.set("key", "gold-customer");
    form.set("preferences", "tone");
    let told = visitor.press(&told, &form, "").await;
    assert!(
        told.text().contains("can't be read at “tone”"),
        "{}",
        told.text()
    );
    form.set("preferences", "tone = brief");
    let made = visitor.press(&told, &form, "").await;
    assert!(
        made.text().contains("The sample user is there"),
        "{}",
        made.text()
    );
    let stored = got(&app, &token, "/v1/admin/sample-users/gold-customer").await;
    assert_eq!(
        stored["facts"],
        json!({ "plan": "gold", "seats": 5, "name": "Ann" })
    );
    let told = visitor.press(&made, &form, "").await;
    assert!(
        told.text().contains("There is one with this key already"),
        "{}",
        told.text()
    );

    let preview = "/console/personas/support-agent";
    let page = visitor.open(preview).await;
    let mut form = page.form(preview);
    form.set("try-sample", "gold-customer");
    let shown = visitor.press(&page, &form, "preview").await;
    assert!(
        shown
            .text()
            .contains("You are helping Ann, who is on the gold plan"),
        "{}",
        shown.text()
    );

    let own = "/console/sample-users/gold-customer";
    let page = visitor.open(own).await;
    let mut form = page.form(own);
    form.set("facts", "plan = free");
    let stale = form.clone();
    let saved = visitor.press(&page, &form, "save").await;
    assert!(saved.text().contains("Saved."), "{}", saved.text());
    let late = visitor.press(&page, &stale, "save").await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let page = visitor.open(own).await;
    assert_eq!(page.form(own).get("facts"), "plan = free");
    let gone = visitor.press(&page, &page.form(own), "delete").await;
    assert!(
        gone.text().contains("The sample user is deleted"),
        "{}",
        gone.text()
    );
    assert_eq!(visitor.open(own).await.status, StatusCode::NOT_FOUND);
    app.stop().await;
}

#[tokio::test]
async fn a_file_of_preferences_is_tried_first_and_then_taken() {
    let app = spawn().await;
    let token = app.signed_in("demo", "e@example.com", Role::Editor).await;
    let visitor = Visitor::sign_in(&app, "e@example.com").await;
    let path = "/console/import";
    let page = visitor.open(path).await;
    let mut form = page.form(path);
    form.set(
        "text",
        "subject;displayName;languageCode\nauth0|1;\"Ann; B\";de\nauth0|2;;xx-never\nauth0|3;Bo;",
    );
    let tried = visitor.press(&page, &form, "try").await;
    let text = tried.text();
    assert!(
        text.contains("What would happen 2 lines would change something"),
        "{text}"
    );
    assert!(text.contains("Line 3:"), "{text}");
    let stored = "/v1/admin/users/auth0%7C1/preferences";
    assert_eq!(got(&app, &token, stored).await, json!({}));
    let done = visitor.press(&tried, &tried.form(path), "import").await;
    assert!(
        done.text().contains("Imported 2 lines changed something"),
        "{}",
        done.text()
    );
    assert_eq!(
        got(&app, &token, stored).await,
        json!({ "displayName": "Ann; B", "languageCode": "de" })
    );

    let mut form = page.form(path);
    form.set("text", "{\"subject\": \"auth0|1\", \"preferences\": {\"displayName\": \"Ann; B\", \"languageCode\": \"de\"}}");
    let same = visitor.press(&page, &form, "import").await;
    assert!(
        same.text().contains("1 lines say what is there already"),
        "{}",
        same.text()
    );
    form.set("text", "user,tone\na,b");
    let told = visitor.press(&page, &form, "try").await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        told.text().contains("Row 1 does not fit"),
        "{}",
        told.text()
    );
    app.stop().await;
}

#[tokio::test]
async fn an_owner_sees_what_is_wrong_with_an_identity_provider_and_what_to_register_there() {
    let app = spawn().await;
    app.member("demo", "o@example.com", Role::Owner).await;
    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let path = "/console/single-sign-on";
    let page = owner.open(path).await;
    let callback = app.url("/v1/admin/sso/demo/callback");
    assert!(page.html.contains(&callback), "{}", page.html);
    assert!(!page.html.contains("value=\"remove\""));
    let mut form = page.form(path);
    form.set("issuer", "https://127.0.0.1:9/nobody");
    form.set("client", "persona-gateway");
    form.set("domains", "example.com, example.org");
    let told = owner.press(&page, &form, "set").await;
    assert_eq!(
        told.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        told.text()
    );
    let (_, field) = told.html.split_once("for=\"issuer\"").unwrap();
    assert!(
        field
            .split("</div>")
            .next()
            .unwrap()
            .contains("class=\"fault\""),
        "{field}"
    );
    assert_eq!(told.form(path).get("domains"), "example.com, example.org");
    app.stop().await;
}

#[tokio::test]
async fn keys_are_made_shown_once_and_taken_away() {
    let app = spawn().await;
    let token = app.signed_in("demo", "o@example.com", Role::Owner).await;
    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let (page, path) = ("/console/keys", "/console/keys/api");
    let opened = owner.open(page).await;
    let form = fields(&opened, path, &[("name", "ci"), ("role", "viewer")]);
    let made = owner.send(path, &form, "create").await;
    let keys = got(&app, &token, "/v1/admin/api-keys").await;
    let mut keys = keys["items"].as_array().unwrap().iter();
    let key = keys.find(|key| key["name"] == "ci").unwrap();
    let prefix = key["prefix"].as_str().unwrap();
    let is_whole = |html: &str| html.matches(prefix).count() > 1;
    assert!(is_whole(&made.html), "{}", made.text());
    assert!(!is_whole(&owner.open(page).await.html), "it is shown once");

    let path = "/console/keys/secrets";
    let secret = ("value", "s3cret-value-of-the-crm");
    let form = fields(&opened, path, &[("name", "crm-token"), secret]);
    let set = owner.send(path, &form, "").await;
    assert!(set.text().contains("crm-token"), "{}", set.text());
    assert!(!set.html.contains("s3cret-value"));
    app.stop().await;
}

#[tokio::test]
async fn a_bundle_is_planned_and_then_applied() {
    let app = spawn().await;
    app.member("demo", "o@example.com", Role::Owner).await;
    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let path = "/console/bundles";
    let page = owner.open(path).await;
    let mut form = page.form(path);
    form.set(
        "text",
        "tenant: demo\nsnippets:\n  farewell:\n    text: Good bye\n",
    );
    let planned = owner.press(&page, &form, "plan").await;
    assert!(planned.text().contains("farewell"), "{}", planned.text());
    let snippet = "/console/snippets/farewell";
    assert_eq!(owner.open(snippet).await.status, StatusCode::NOT_FOUND);
    let applied = owner.press(&planned, &planned.form(path), "apply").await;
    assert_eq!(applied.status, StatusCode::OK, "{}", applied.text());
    assert!(owner.open(snippet).await.html.contains("Good bye"));
    form.set("text", "tenant: demo\nsnippets: 7\n");
    let told = owner.press(&page, &form, "plan").await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told.html.contains("/snippets"), "{}", told.text());
    app.stop().await;
}

#[tokio::test]
async fn an_owner_checks_a_token_and_an_operator_makes_and_suspends_a_tenant() {
    let app = spawn().await;
    app.member("demo", "o@example.com", Role::Owner).await;
    app.database
        .sql("update admin set operator = true where email = 'o@example.com'")
        .await;
    let owner = Visitor::sign_in(&app, "o@example.com").await;
    let path = "/console/issuers/check";
    let page = owner.open(path).await;
    let mut form = page.form(path);
    form.set("token", &app.user("user-1"));
    let good = owner.press(&page, &form, "").await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text());
    assert!(good.text().contains("user-1"), "{}", good.text());

    let path = "/console/operator/tenants";
    let page = owner.open(path).await;
    let form = |slug| {
        fields(
            &page,
            path,
            &[("slug", slug), ("name", "Acme"), ("owner", "")],
        )
    };
    let told = owner.press(&page, &form("Not A Slug"), "create").await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told.html.contains("class=\"fault\""), "{}", told.text());
    let made = owner.press(&page, &form("acme"), "create").await;
    assert!(made.text().contains("Acme"), "{}", made.text());

    // What a tenant is allowed.
    let places = |guaranteed, most| {
        let wish = [("slug", "acme"), ("guaranteed", guaranteed), ("most", most)];
        fields(&page, path, &wish)
    };
    let told = owner.press(&page, &places("6", "5"), "places").await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        told.text().contains("must not be more than"),
        "{}",
        told.text()
    );
    let set = owner.press(&page, &places("2", "5"), "places").await;
    assert!(set.text().contains("2 – 5"), "{}", set.text());
    let quota = [
        ("slug", "acme"),
        ("sessionsPerDay", "40"),
        ("minutesPerDay", ""),
    ];
    let set = owner
        .press(&page, &fields(&page, path, &quota), "quotas")
        .await;
    assert!(set.html.contains(r#"value="40""#), "{}", set.text());
    app.stop().await;
}

#[tokio::test]
async fn the_page_of_the_design_is_there_beside_dev_only() {
    for (stand_in, status) in [(false, StatusCode::NOT_FOUND), (true, StatusCode::OK)] {
        let app = spawn_with(TestOptions {
            stand_in,
            ..TestOptions::default()
        })
        .await;
        app.member("demo", "v@example.com", Role::Viewer).await;
        let viewer = Visitor::sign_in(&app, "v@example.com").await;
        let page = viewer.open("/console/design").await;
        assert_eq!(page.status, status);
        app.stop().await;
    }
}
