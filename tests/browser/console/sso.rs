//! Single sign-on as a browser does it, whose page's policy holds for where a sent form leads to.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;

use super::desk::Desk;
use super::looks::wrong;
use super::states::look;
use crate::browser::with_browser;
use crate::harness::admins::state;
use crate::harness::openid::{CLIENT_ID, CLIENT_SECRET, OpenIdProvider};
use crate::harness::wait::until;
use crate::harness::{TestApp, spawn};

const PATIENCE: Duration = Duration::from_secs(30);
const ANN: &str = "ann@example.com";

/// The demo tenant's provider, where Ann signs in without being asked.
async fn with_provider(app: &TestApp) -> OpenIdProvider {
    let callback = app.url("/v1/admin/sso/demo/callback");
    let provider = OpenIdProvider::start(&callback).await;
    app.member("demo", ANN, Role::Owner).await;
    let key = app.admin_key("demo", Role::Owner).await;
    let settings = json!({
        "issuer": provider.issuer, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
        "allowedDomains": ["example.com"], "newPersonRole": null,
    });
    let put = app
        .request(Method::PUT, "/v1/admin/sso", &key)
        .header("if-none-match", "*")
        .json(&settings);
    state(put.send().await.unwrap(), 200).await;
    let ann = json!({ "sub": "ann", "email": ANN, "email_verified": true, "name": "Ann" });
    provider.person(&ann).await;
    provider
}

async fn sign_in(desk: &Desk<'_>) {
    desk.press(".other-way summary").await;
    desk.fill("#sso-tenant", "demo").await;
    desk.press("form[action='/console/sign-in/sso'] button")
        .await;
    desk.shows(".side .person", ANN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_with_their_companys_account_and_lands_on_the_page_they_wanted() {
    let app = spawn().await;
    let provider = with_provider(&app).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.open("/console/people").await;
        sign_in(&desk).await;
        desk.shows("h1", "People").await;
        assert_eq!(wrong(&desk).await, Vec::<String>::new());
        provider.stop().await;
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_confirms_who_they_are_on_a_page_of_its_own_while_their_form_waits() {
    let app = spawn().await;
    let provider = with_provider(&app).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        let mut faults = Vec::new();
        desk.open("/console/people").await;
        sign_in(&desk).await;
        desk.fill("#email", "bob@example.com").await;
        let old = "update console_session set proven_at = now() - interval '11 minutes'";
        app.database.sql(old).await;
        desk.press("button[value=invite]").await;
        desk.shows("h1", "Confirm that it is you").await;
        look(&desk, "who are you, says the provider", &mut faults).await;
        // Whoever has not yet been there is asked again.
        desk.press("main form.stack button").await;
        desk.shows("[role=alert]", "You have not confirmed it yet.")
            .await;

        let first = desk.browser.window().await.unwrap();
        desk.press("form[action='/console/confirm/sso'] button")
            .await;
        let other = until("another page", PATIENCE, || async {
            let all = desk.browser.windows().await.unwrap();
            all.into_iter().find(|window| *window != first)
        })
        .await;
        desk.browser.switch_to_window(other).await.unwrap();
        desk.shows("h1", "It is you").await;
        look(&desk, "it is you", &mut faults).await;
        desk.browser.close_window().await.unwrap();
        desk.browser.switch_to_window(first).await.unwrap();
        desk.press("main form.stack button").await;
        desk.shows("#made", "bob@example.com is invited").await;
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        provider.stop().await;
        app.stop().await;
    })
    .await;
}
