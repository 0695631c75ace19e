//! The history of a document in the console: what is live, what comes, and what somebody writes on.

use chrono::{TimeDelta, Timelike as _};
use persona_gateway::domain::role::Role;
use serde_json::json;

use super::visitor::{Seen, Visitor};
use crate::harness::{TestApp, spawn};

const ACTION: &str = "/console/personas/support-agent";
const HISTORY: &str = "/console/personas/support-agent/history";

async fn ann(app: &TestApp) -> Visitor<'_> {
    app.member("demo", "ann@example.com", Role::Publisher).await;
    Visitor::sign_in(app, "ann@example.com").await
}

/// Publishes another greeting, as version 2 and so on.
async fn publish(ann: &Visitor<'_>, greeting: &str) -> Seen {
    let page = ann.open(ACTION).await;
    let mut form = page.form(ACTION);
    form.set("initialMessage", greeting);
    ann.press(&page, &form, "publish").await
}

/// Publishes a version from the history, with these fields filled in.
async fn release(ann: &Visitor<'_>, fields: &[(&str, &str)]) -> Seen {
    let page = ann.open(HISTORY).await;
    let mut form = page.form(HISTORY);
    for (name, value) in fields {
        form.put(name, value);
    }
    ann.send(HISTORY, &form, "release").await
}

#[tokio::test]
async fn who_writes_goes_on_from_what_is_live_and_not_from_what_was_left_again() {
    let app = spawn().await;
    let ann = ann(&app).await;
    let live = ann.open(ACTION).await.form(ACTION);
    let live = live.get("initialMessage").to_owned();
    publish(&ann, "Hello from version 2").await;
    release(&ann, &[("version", "1")]).await;
    let page = ann.open(ACTION).await;
    assert_eq!(page.form(ACTION).get("initialMessage"), live);
    assert!(
        !page.text().contains("You see version 2"),
        "{}",
        page.text()
    );

    let shared = release(&ann, &[("version", "2"), ("percent", "20")]).await;
    assert!(
        shared.text().contains("Published for a share"),
        "{}",
        shared.text()
    );
    let page = ann.open(ACTION).await;
    let text = page.text();
    assert!(text.contains("which a share of the users have"), "{text}");
    assert_eq!(
        page.form(ACTION).get("initialMessage"),
        "Hello from version 2"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_moment_counts_in_the_zone_of_whoever_types_it() {
    let app = spawn().await;
    let ann = ann(&app).await;
    publish(&ann, "Hello from version 2").await;
    let there = chrono_tz::Asia::Kolkata;
    let at = (app.clock.now() + TimeDelta::days(2)).with_timezone(&there);
    let at = at.with_second(0).unwrap().with_nanosecond(0).unwrap();
    let typed = at.format("%Y-%m-%dT%H:%M").to_string();
    let fields = [("version", "1"), ("from", &typed), ("zone", "Asia/Kolkata")];
    let planned = release(&ann, &fields).await;
    assert!(planned.text().contains("Scheduled."), "{}", planned.text());
    let stored = app
        .database
        .rows("select live_from from release order by live_from desc limit 1")
        .await;
    let stored = stored[0]["live_from"].as_str().unwrap();
    let stored = chrono::DateTime::parse_from_rfc3339(stored).unwrap();
    assert_eq!(stored, at);
    let page = ann.open(ACTION).await;
    assert!(page.text().contains("version 1 from"), "{}", page.text());
    app.stop().await;
}

#[tokio::test]
async fn a_moment_that_is_past_publishes_nothing_and_seals_nothing() {
    let app = spawn().await;
    let ann = ann(&app).await;
    let page = ann.open(ACTION).await;
    let mut form = page.form(ACTION);
    form.set("initialMessage", "Hello");
    form.set("from", "2026-01-01T09:00");
    form.set("percent", "0");
    let refused = ann.press(&page, &form, "publish").await;
    let text = refused.text();
    assert!(text.contains("must be in the future"), "{text}");
    assert!(
        text.contains("must be a whole number from 1 to 99"),
        "{text}"
    );
    assert_eq!(refused.form(ACTION).get("initialMessage"), "Hello");
    let rows = app
        .database
        .rows("select (select count(*) from document_version v join document d on d.id = v.document_id where d.key = 'support-agent') as sealed, (select count(*) from draft) as drafts")
        .await;
    assert_eq!(
        (&rows[0]["sealed"], &rows[0]["drafts"]),
        (&json!(1), &json!(0))
    );

    let refused = release(&ann, &[("version", "1"), ("from", "2026-01-01T09:00")]).await;
    assert!(
        refused.text().contains("must be in the future"),
        "{}",
        refused.text()
    );
    app.stop().await;
}

#[tokio::test]
async fn a_release_that_was_called_off_says_by_whom() {
    let app = spawn().await;
    let ann = ann(&app).await;
    publish(&ann, "Hello from version 2").await;
    release(&ann, &[("version", "1"), ("from", "2099-01-01T09:00")]).await;
    // At most a year ahead.
    let soon = (app.clock.now() + TimeDelta::days(2)).format("%Y-%m-%dT%H:%M");
    let planned = release(&ann, &[("version", "1"), ("from", &soon.to_string())]).await;
    assert!(planned.text().contains("scheduled"), "{}", planned.text());
    let id = app
        .database
        .rows("select id from release where live_from > now()")
        .await;
    let mut form = planned.form(HISTORY);
    form.tick("release", id[0]["id"].as_str().unwrap());
    let off = ann.send(HISTORY, &form, "cancel").await;
    let text = off.text();
    assert!(text.contains("cancelled ann@example.com"), "{text}");
    assert!(!text.contains("cancellation"), "{text}");
    app.stop().await;
}
