//! The catalogue at a glance, and reading Anam's lists.

use std::collections::BTreeMap;

use actix_web::http::Method;
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::{Entry, KINDS};
use crate::console::frame::{Frame, page};
use crate::console::parts::{At, words_of};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    kinds: Vec<Counts>,
    retired: Vec<Entry>,
    #[serde(default)]
    last_sync: Option<Sync>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    kind: String,
    allowed: i64,
    not_allowed: i64,
    retired: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sync {
    actor: String,
    started_at: At,
    outcome: String,
    #[serde(default)]
    report: BTreeMap<String, Value>,
}

/// What a reading of one list found.
#[derive(Debug)]
struct Found {
    kind: String,
    /// How many were listed, new, changed, retired, and returned.
    counts: Vec<String>,
    /// Why the kind was left alone.
    trouble: Option<String>,
    doubted: bool,
}

impl Sync {
    fn colour(&self) -> &'static str {
        match self.outcome.as_str() {
            "done" => "good",
            "partial" => "warn",
            "failed" => "bad",
            _ => "",
        }
    }

    fn found(&self) -> Vec<Found> {
        let kinds = self.report.iter().filter(|(_, report)| report.is_object());
        let found = kinds.map(|(kind, report)| Found {
            kind: kind.clone(),
            counts: ["listed", "new", "changed", "retired", "returned"]
                .iter()
                .map(|name| count(report.get(*name)))
                .collect(),
            trouble: report.get("error").map(words_of),
            doubted: report.get("doubted").is_some_and(|doubt| {
                doubt.as_bool() == Some(true) || doubt.as_u64().is_some_and(|count| count > 0)
            }),
        });
        found.collect()
    }
}

/// A count stands by itself, or beside the first ids.
fn count(found: Option<&Value>) -> String {
    let count = found.map_or(&Value::Null, |found| found.get("count").unwrap_or(found));
    match count {
        Value::Number(count) => count.to_string(),
        Value::Array(ids) => ids.len().to_string(),
        _ => "0".to_owned(),
    }
}

#[derive(Debug, Template)]
#[template(path = "catalogue/overview.html")]
struct CataloguePage {
    frame: Frame,
    catalogue: Overview,
}

/// The overview.
pub async fn show(signed: Signed) -> Answer {
    let mut catalogue: Overview = signed.api.get("/v1/admin/catalogue").await?;
    catalogue
        .kinds
        .sort_by_key(|counts| KINDS.iter().position(|kind| *kind == counts.kind));
    Ok(page(&CataloguePage {
        frame: Frame::new(&signed, signed.texts.say("catalogue")),
        catalogue,
    }))
}

/// Reads Anam's lists.
pub async fn sync(signed: Signed, _form: Form) -> Answer {
    let path = "/v1/admin/catalogue:sync";
    let done: Sync = signed.api.call(Method::POST, path).json().await?;
    let said = match done.outcome.as_str() {
        "done" => "catalogue-synced",
        "failed" => "catalogue-sync-failed",
        _ => "catalogue-synced-partly",
    };
    Ok(see(&format!("/console/catalogue?said={said}#sync")))
}
