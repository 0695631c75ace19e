//! A document's versions and releases: what was live when, what changed, and the way back.

use actix_web::http::Method;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::Refused;
use super::frame::{Frame, page_after};
use super::parts::Faults;
use super::releasing::{Going, judge, release};
use super::visit::{Answer, Form, Signed, see};
use super::writing::{address, name_of};

#[derive(Debug, Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    kind: &'static str,
    key: String,
    live: Option<i32>,
    versions: Vec<Version>,
    releases: Vec<Release>,
    /// The version that is looked at, and what it changed.
    shown: Option<(i32, Comparison)>,
    faults: Faults,
    /// A release as the form says it.
    typed: Typed,
}

/// What somebody typed about a release.
#[derive(Debug, Default)]
struct Typed {
    version: i32,
    percent: String,
    from: String,
    zone: String,
    note: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    live_version: Option<i32>,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

/// A sealed version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    number: i32,
    author: String,
    message: String,
    created_at: String,
    #[serde(skip)]
    reviews: Option<Reviews>,
}

/// How a version stands with its reviewers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reviews {
    required: u32,
    #[serde(default)]
    approved_by: Vec<String>,
}

impl Reviews {
    fn given(&self) -> String {
        self.approved_by.len().to_string()
    }

    fn is_met(&self) -> bool {
        u32::try_from(self.approved_by.len()).is_ok_and(|given| given >= self.required)
    }
}

/// A release.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    id: String,
    version: i32,
    live_from: DateTime<Utc>,
    percent: Option<u8>,
    way: String,
    cancelled_by: Option<String>,
    actor: String,
    note: String,
    /// It is to take effect later than now.
    #[serde(skip)]
    is_ahead: bool,
    /// Who called it off.
    #[serde(skip)]
    cancelled_who: String,
}

impl Release {
    /// Whether it can still be cancelled.
    fn is_to_come(&self) -> bool {
        self.way == "release" && self.cancelled_by.is_none() && self.is_ahead
    }

    /// How it came about, as the name of a text.
    fn how(&self) -> String {
        if self.is_ahead && self.way == "release" {
            "way-scheduled".to_owned()
        } else {
            format!("way-{}", self.way)
        }
    }
}

/// What a version changed.
#[derive(Debug, Deserialize)]
struct Comparison {
    #[serde(default)]
    changes: Vec<Change>,
}

/// One place that differs.
#[derive(Debug, Deserialize)]
struct Change {
    pointer: String,
    before: Option<Value>,
    after: Option<Value>,
    /// Of long texts: line by line.
    #[serde(default)]
    text: Option<String>,
}

/// The history of a document.
pub async fn show(signed: &Signed, kind: &'static str, key: &str) -> Answer {
    render(signed, kind, key, None, Typed::default()).await
}

/// The history, with why something was not done.
pub async fn show_refused(
    signed: &Signed,
    kind: &'static str,
    key: &str,
    refused: &Refused,
) -> Answer {
    render(signed, kind, key, Some(refused), Typed::default()).await
}

/// Releases, rolls back, reviews or cancels: the button that was pressed says it.
pub async fn act(signed: &Signed, kind: &'static str, key: &str, sent: &Form) -> Answer {
    let path = address(kind, key);
    let here = format!("/console/{kind}s/{key}/history");
    let version = sent.get("version").parse().unwrap_or_default();
    let note = sent.get("note");
    let done = match sent.get("do") {
        "release" => {
            let going = Going::sent(sent);
            match judge(signed, sent) {
                Some(refused) => Err(refused),
                None => release(&signed.api, kind, key, version, &going)
                    .await
                    .map(|()| going.said()),
            }
        }
        "rollback" => {
            let asked = json!({ "note": note });
            let path = format!("{path}:rollback");
            let back: Result<Value, _> = signed.api.post(&path, &asked).await;
            back.map(|_release| "rolled-back")
        }
        verdict @ ("approve" | "reject") => {
            let asked = json!({ "verdict": verdict, "comment": note });
            let path = format!("{path}/versions/{version}/reviews");
            let review: Result<Value, _> = signed.api.post(&path, &asked).await;
            review.map(|_review| "reviewed")
        }
        "cancel" => {
            let id = super::api::encode_key(sent.get("release"));
            let path = format!("{path}/releases/{id}:cancel");
            let nothing = Value::Object(Map::new());
            let cancel: Result<Value, _> = signed
                .api
                .call(Method::POST, &path)
                .body(&nothing)
                .json()
                .await;
            cancel.map(|_release| "cancelled")
        }
        _ => return Ok(see(&here)),
    };
    match done {
        Ok(said) => Ok(see(&format!("{here}?said={said}"))),
        Err(refused) => {
            let typed = Typed {
                version,
                percent: sent.get("percent").to_owned(),
                from: sent.get("from").to_owned(),
                zone: sent.get("zone").to_owned(),
                note: note.to_owned(),
            };
            render(signed, kind, key, Some(&refused), typed).await
        }
    }
}

async fn render(
    signed: &Signed,
    kind: &'static str,
    key: &str,
    refused: Option<&Refused>,
    typed: Typed,
) -> Answer {
    let (api, path) = (&signed.api, address(kind, key));
    let document: Document = api.get(&path).await?;
    let mut versions: Page<Version> = api.get(&format!("{path}/versions?limit=50")).await?;
    let mut releases: Page<Release> = api.get(&format!("{path}/releases?limit=50")).await?;
    let cancels = releases.items.extract_if(.., |one| one.way == "cancel");
    let cancels: Vec<Release> = cancels.collect();
    for release in &mut releases.items {
        release.is_ahead = release.live_from > signed.now;
        let by = release.cancelled_by.as_ref();
        let by = cancels.iter().find(|cancel| Some(&cancel.id) == by);
        release.cancelled_who =
            by.map_or_else(String::new, |cancel| name_of(&cancel.actor).to_owned());
    }
    if let Some(newest) = versions.items.first_mut() {
        let reviews = format!("{path}/versions/{}/reviews", newest.number);
        let reviews: Reviews = api.get(&reviews).await?;
        newest.reviews = (reviews.required > 0).then_some(reviews);
    }
    let asked = signed
        .parameter("version")
        .and_then(|text| text.parse().ok());
    let shown = match asked.or_else(|| versions.items.first().map(|newest| newest.number)) {
        None => None,
        Some(number) => {
            let comparison = api.get(&format!("{path}/versions/{number}/diff")).await?;
            Some((number, comparison))
        }
    };
    let page = HistoryPage {
        frame: Frame::new(signed, signed.texts.with("history-of", "key", key)),
        kind,
        key: key.to_owned(),
        live: document.live_version,
        versions: versions.items,
        releases: releases.items,
        shown,
        faults: refused.cloned().map(Faults::from).unwrap_or_default(),
        typed,
    };
    Ok(page_after(refused, &page))
}

impl HistoryPage {
    fn t(&self, name: &str) -> String {
        self.frame.t(name)
    }

    fn is_live(&self, version: &Version) -> bool {
        self.live == Some(version.number)
    }

    /// Lines of a text difference, each with what it is.
    fn lines(lines: &str) -> Vec<(char, &str)> {
        let marked = lines.lines().map(|line| {
            let first = line.chars().next().unwrap_or(' ');
            (first, line.get(1..).unwrap_or_default())
        });
        marked.collect()
    }

    fn shown_value(&self, value: Option<&Value>) -> String {
        match value {
            None => self.t("nothing"),
            Some(Value::String(text)) => text.clone(),
            Some(other) => serde_json::to_string_pretty(other).unwrap_or_default(),
        }
    }
}
