//! The pictures of docs/CONSOLE.md, drawn anew by `just console-pictures`.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persona_gateway::console::PAGES;
use serde_json::json;

use super::desk::Desk;
use super::looks::{EMAIL, furnished};
use super::talk::with_sdk;
use crate::browser::with_browser;

/// A picture has no more bytes than this.
const MOST_BYTES: usize = 60_000;

async fn draw(desk: &Desk<'_>, name: &str) {
    desk.drawn().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console");
    let asked = json!({ "format": "webp", "quality": 40 });
    let drawn = desk.tell("Page.captureScreenshot", asked).await;
    let picture = STANDARD.decode(drawn["data"].as_str().unwrap()).unwrap();
    assert!(picture.len() <= MOST_BYTES, "{name}: {}", picture.len());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.webp")), picture).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes docs/console: just console-pictures"]
async fn draw_the_pages() {
    let app = with_sdk(true).await;
    let pages = furnished(&app).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        let hidden = json!({ "hidden": true });
        desk.tell("Emulation.setScrollbarsHidden", hidden).await;
        desk.open("/console/sign-in").await;
        draw(&desk, "sign-in").await;
        desk.open("/console/forgotten").await;
        draw(&desk, "forgotten").await;
        desk.sign_in(EMAIL).await;
        for page in PAGES {
            desk.open(page.path).await;
            if page.path == "/console/talk" {
                desk.open("/console/talk?what=persona:support-agent").await;
                desk.fill("#facts", "name = Kim Lee").await;
                desk.press("#talk-start").await;
                desk.shows("#talk-transcript li", "Kim Lee").await;
            }
            draw(&desk, page.text).await;
        }
        let session = pages
            .iter()
            .find(|path| path.starts_with("/console/sessions/"))
            .unwrap();
        for (path, name) in [
            ("/console/personas/support-agent", "persona"),
            ("/console/personas/trainer/history?version=2", "history"),
            ("/console/contexts/support", "context"),
            (session, "session"),
            ("/console/users/user-1", "user"),
        ] {
            desk.open(path).await;
            draw(&desk, name).await;
        }
        desk.open("/console/second-factor").await;
        desk.press("button[value=enrol]").await;
        desk.shows("#secret", " ").await;
        draw(&desk, "second-factor").await;
        for (width, dark, path, name) in [
            (
                1280,
                true,
                "/console/personas/support-agent",
                "persona-dark",
            ),
            (1280, true, session, "session-dark"),
            (
                390,
                false,
                "/console/personas/support-agent",
                "persona-phone",
            ),
            (390, true, session, "session-phone"),
        ] {
            desk.screen(width, dark).await;
            desk.open(path).await;
            draw(&desk, name).await;
        }
        app.stop().await;
    })
    .await;
}
