//! Somebody at the console: what they see, type and press, and the screen that they have.

use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, Locator};
use http::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::harness::TestApp;
use crate::harness::people::PASSWORD;
use crate::harness::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);

/// A browser at a gateway's console.
pub(super) struct Desk<'a> {
    pub(super) app: &'a TestApp,
    pub(super) browser: Client,
}

/// Told to Chromium itself: its screen, its colours, its language.
#[derive(Debug)]
struct Told(Value);

impl WebDriverCompatibleCommand for Told {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

impl<'a> Desk<'a> {
    /// In front of a browser, with a usual screen.
    pub(super) async fn new(app: &'a TestApp, browser: Client) -> Self {
        let desk = Self { app, browser };
        desk.screen(1280, false).await;
        desk
    }

    /// Tells Chromium something in its own protocol.
    pub(super) async fn tell(&self, command: &str, parameters: Value) -> Value {
        let told = Told(json!({ "cmd": command, "params": parameters }));
        self.browser.issue_cmd(told).await.unwrap()
    }

    /// A screen of this width, in light or dark colours.
    pub(super) async fn screen(&self, width: u32, dark: bool) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        let colours = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": colours }] });
        self.tell("Emulation.setEmulatedMedia", media).await;
    }

    /// Opens a page of the gateway.
    pub(super) async fn open(&self, path: &str) {
        self.browser.goto(&self.app.url(path)).await.unwrap();
    }

    /// Signs in with a password, at the page that asks for it.
    pub(super) async fn sign_in(&self, email: &str) {
        self.open("/console").await;
        self.fill("#email", email).await;
        self.fill("#password", PASSWORD).await;
        self.press("form[action='/console/sign-in'] button").await;
        self.shows(".side .person", email).await;
    }

    /// Puts a text into a field.
    pub(super) async fn fill(&self, css: &str, text: &str) {
        let wait = self.browser.wait().at_most(PATIENCE);
        let field = wait.for_element(Locator::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses a button or a link.
    pub(super) async fn press(&self, css: &str) {
        let wait = self.browser.wait().at_most(PATIENCE);
        let found = wait.for_element(Locator::Css(css)).await.unwrap();
        found.click().await.unwrap();
    }

    /// Follows the link with these words.
    pub(super) async fn follow(&self, words: &str) {
        let link = self.browser.find(Locator::LinkText(words)).await;
        link.unwrap().click().await.unwrap();
    }

    /// Waits until something shows this; gives all that it shows.
    pub(super) async fn shows(&self, css: &str, part: &str) -> String {
        until(&format!("{css} with {part:?}"), PATIENCE, || async {
            let found = self.browser.find(Locator::Css(css)).await.ok()?;
            let text = found.text().await.ok()?;
            text.contains(part).then_some(text)
        })
        .await
    }

    /// Waits until the page is drawn as the screen is now.
    pub(super) async fn drawn(&self) {
        let script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));";
        self.browser
            .execute_async(script, Vec::new())
            .await
            .unwrap();
    }

    /// What a script on the page gives.
    pub(super) async fn of_page(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap()
    }
}
