//! What is wrong with a form stands beside its field, in the reader's language or marked as English.

use persona_gateway::domain::role::Role;
use reqwest::StatusCode;

use super::visitor::{Seen, Visitor};
use crate::harness::spawn;

/// The part of a page for the field of this name.
fn field<'a>(page: &'a Seen, name: &str) -> &'a str {
    let (_, rest) = page
        .html
        .split_once(&format!("<label for=\"{name}\""))
        .unwrap();
    rest.split("<div class=\"field\"").next().unwrap()
}

#[tokio::test]
async fn a_fault_stands_beside_its_field_in_the_language_of_the_page() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    let mut ann = Visitor::sign_in(&app, "ann@example.com").await;
    for (language, key, length, other) in [
        (
            "en",
            "a key is 1 to 64 characters of a-z",
            "must be 0 to 3650",
            "must be an IANA time zone",
        ),
        (
            "de",
            "muss 1 bis 64 Zeichen aus a-z",
            "muss von 0 bis 3650 sein",
            "muss eine Zeitzone sein",
        ),
    ] {
        ann.language = language;
        for path in ["/console/personas", "/console/snippets"] {
            let page = ann.open(path).await;
            let mut form = page.form(path);
            form.set("key", "No Key");
            let told = ann.press(&page, &form, "").await;
            assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            assert!(
                field(&told, "key").contains(&format!("<p class=\"fault\">{key}")),
                "{}",
                told.html
            );
            assert_eq!(told.form(path).get("key"), "No Key");
        }
        let path = "/console/policy";
        let page = ann.open(path).await;
        let mut form = page.form(path);
        form.set("retainInputsDays", "99999");
        form.set("timeZone", "Nowhere");
        let told = ann.press(&page, &form, "").await;
        assert!(field(&told, "retain").contains(length), "{}", told.html);
        assert!(field(&told, "zone").contains(other), "{}", told.html);
    }
    app.stop().await;
}

#[tokio::test]
async fn an_editor_and_its_preview_say_what_is_wrong_in_the_language_of_the_page() {
    let app = spawn().await;
    app.member("demo", "ann@example.com", Role::Owner).await;
    let mut ann = Visitor::sign_in(&app, "ann@example.com").await;
    let path = "/console/personas/support-agent";
    for (language, length, unknown, catalogue) in [
        (
            "en",
            "must be 1 to 86400",
            "is unknown; did you mean skipGreeting?",
            "is not in the tenant's catalogue of avatars",
        ),
        (
            "de",
            "muss von 1 bis 86400 sein",
            "ist unbekannt; bekannt sind ",
            "steht nicht im Katalog des Mandanten",
        ),
    ] {
        ann.language = language;
        let page = ann.open(path).await;
        let mut form = page.form(path);
        form.set("maxSessionLengthSeconds", "99999999");
        form.set("rest", r#"{"skipGreetin": true}"#);
        let shown = ann.press(&page, &form, "preview").await;
        let text = shown.text();
        assert!(text.contains(length) && text.contains(unknown), "{text}");
        assert!(
            !shown.html.contains(&format!("lang=\"en\">{unknown}")),
            "nothing of it is English"
        );

        let mut form = page.form(path);
        form.0.retain(|(name, _)| name != "avatarId");
        form.tick("avatarId", "00000000-0000-4000-8000-000000000001");
        let saved = ann.press(&page, &form, "save").await;
        let text = saved.text();
        assert!(text.contains(catalogue), "{text}");
        ann.press(&saved, &saved.form(path), "discard").await;
    }
    app.stop().await;
}
