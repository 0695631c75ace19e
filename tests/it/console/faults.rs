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
