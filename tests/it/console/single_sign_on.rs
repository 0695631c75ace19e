//! Signing in with an identity provider that was set up through the page.

use persona_gateway::domain::role::Role;
use reqwest::StatusCode;
use reqwest::header::{LOCATION, SET_COOKIE};
use serde_json::json;
use url::Url;

use super::visitor::{Seen, Visitor};
use crate::harness::openid::{Browser, CLIENT_ID, CLIENT_SECRET, OpenIdProvider};
use crate::harness::spawn;

const PAGE: &str = "/console/single-sign-on";
const ANN: &str = "ann@example.com";

#[tokio::test]
async fn an_owner_sets_up_a_provider_signs_out_and_comes_back_through_it_to_the_page_they_wanted() {
    let app = spawn().await;
    let provider = OpenIdProvider::start(&app.url("/v1/admin/sso/demo/callback")).await;
    app.member("demo", ANN, Role::Owner).await;
    let ann = Visitor::sign_in(&app, ANN).await;
    let page = ann.open(PAGE).await;
    assert!(page.html.contains(&app.url("/v1/admin/sso/demo/callback")));
    let mut form = page.form(PAGE);
    for (name, value) in [
        ("issuer", provider.issuer.as_str()),
        ("client", CLIENT_ID),
        ("secret", CLIENT_SECRET),
        ("domains", "example.com"),
        ("role", "viewer"),
    ] {
        form.set(name, value);
    }
    let set = ann.press(&page, &form, "set").await;
    let text = set.text();
    assert!(text.contains("The identity provider is set."), "{text}");
    assert!(!set.html.contains(CLIENT_SECRET));
    let out = set.form("/console/sign-out");
    let out = ann.send("/console/sign-out", &out, "").await;
    assert!(out.path.starts_with("/console/sign-in"), "{}", out.path);
    let closed = ann.open("/console/people").await;
    assert_eq!(closed.status, StatusCode::SEE_OTHER, "the session is over");

    // The owner, and somebody new whom the form gives a role; each asked for a page first, and lands there.
    for (person, wanted, shown) in [
        (
            json!({ "sub": "ann", "email": ANN, "email_verified": true, "name": "Ann Lee" }),
            "/console/people",
            "owner",
        ),
        (
            json!({ "sub": "bob", "email": "bob@example.com", "email_verified": true, "name": "Bob" }),
            "/console/personas?said=x",
            "viewer",
        ),
    ] {
        provider.person(&person).await;
        let mut browser = Browser::of_a_person();
        let first = browser.get(&Url::parse(&app.url(wanted)).unwrap()).await;
        let sign_in = first.headers()[LOCATION].to_str().unwrap().to_owned();
        let url = Url::parse(&app.url(&sign_in)).unwrap();
        let page = Seen::of(&sign_in, browser.get(&url).await).await;
        let action = "/console/sign-in/sso";
        let mut form = page.form(action);
        form.set("tenant", "demo");
        let fields: Vec<(&str, &str)> = form
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let url = Url::parse(&app.url(action)).unwrap();
        let start = browser.send(&url, &fields).await;
        let start = Browser::onward(&url, &start);
        let back = browser.follow(start.as_str(), action).await;
        let signed_in = browser.get(&back).await;
        assert!(signed_in.headers().contains_key(SET_COOKIE));
        assert_eq!(signed_in.headers()[LOCATION], wanted);
        let landed = browser.get(&Url::parse(&app.url(wanted)).unwrap()).await;
        let landed = Seen::of(wanted, landed).await;
        assert_eq!(landed.status, StatusCode::OK, "{}", landed.text());
        let email = person["email"].as_str().unwrap();
        let who = format!("{email} · {shown}");
        assert!(landed.text().contains(&who), "{}", landed.text());
    }

    // Whoever is not let in reads why in the console, where they began.
    let eve =
        json!({ "sub": "eve", "email": "eve@evil.example", "email_verified": true, "name": "Eve" });
    provider.person(&eve).await;
    for (tenant, reason, words) in [
        (
            "demo",
            "foreign_domain",
            "does not take addresses of your domain",
        ),
        ("nobody", "no_provider", "check the tenant's name"),
    ] {
        let mut browser = Browser::of_a_person();
        let url = Url::parse(&app.url("/console/sign-in/sso")).unwrap();
        let start = browser.send(&url, &[("tenant", tenant)]).await;
        let start = Browser::onward(&url, &start);
        let back = browser.follow(start.as_str(), "/console/sign-in/sso").await;
        assert!(
            back.query().unwrap().contains(&format!("reason={reason}")),
            "{back}"
        );
        let refused = browser.get(&back).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(!refused.headers().contains_key(SET_COOKIE));
        let page = Seen::of(back.path(), refused).await;
        assert!(page.text().contains(words), "{}", page.text());
        let heading = "<h1>The sign-in did not work</h1>";
        assert!(page.html.contains(heading), "{}", page.html);
    }
    provider.stop().await;
    app.stop().await;
}
