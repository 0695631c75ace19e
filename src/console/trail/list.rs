//! What was changed, by whom, newest first.

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Trail;
use super::words::{action_in_words, detail_name};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, Search, moment_of, query_of, words_of};
use crate::console::visit::{Answer, Signed};

/// A row of the trail.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    seq: i64,
    at: At,
    actor: String,
    action: String,
    target: String,
    #[serde(default)]
    before_hash: Option<String>,
    #[serde(default)]
    after_hash: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    details: Map<String, Value>,
    hash: String,
}

impl Row {
    fn action_in_words(&self, frame: &Frame) -> Option<String> {
        action_in_words(frame.texts(), &self.action)
    }

    /// The details: what each is called, and what it is.
    fn details_in_words(&self, frame: &Frame) -> Vec<(String, String)> {
        let details = self.details.iter();
        details
            .map(|(name, value)| (detail_name(frame.texts(), name), words_of(value)))
            .collect()
    }
}

/// What is looked for.
#[derive(Debug)]
struct Filter {
    actor: String,
    action: String,
    target: String,
    user: String,
    from: String,
    to: String,
    /// Of these moments, as IANA names it; UTC if empty.
    zone: String,
}

impl Filter {
    fn of(signed: &Signed) -> Self {
        let field = |name| signed.parameter(name).unwrap_or_default().trim().to_owned();
        Self {
            actor: field("actor"),
            action: field("action"),
            target: field("target"),
            user: field("user"),
            from: field("from"),
            to: field("to"),
            zone: field("zone"),
        }
    }

    fn query(&self) -> String {
        query_of(&[
            ("actor", &self.actor),
            ("action", &self.action),
            ("target", &self.target),
            ("user", &self.user),
            ("from", &moment_of(&self.from, &self.zone)),
            ("to", &moment_of(&self.to, &self.zone)),
        ])
    }
}

#[derive(Debug, Template)]
#[template(path = "trail/list.html")]
struct TrailPage {
    frame: Frame,
    trail: Trail,
    filter: Filter,
    faults: Faults,
    list: Listed<Row>,
    next: Option<String>,
}

/// The tenant's trail.
pub async fn show(signed: Signed) -> Answer {
    search(signed, Trail::Tenant).await
}

/// The platform's trail.
pub async fn show_platform(signed: Signed) -> Answer {
    search(signed, Trail::Platform).await
}

async fn search(signed: Signed, trail: Trail) -> Answer {
    let filter = Filter::of(&signed);
    let Search { list, next, faults } = Search::ask(&signed, trail.api(), &filter.query()).await?;
    Ok(page_with(
        faults.status(),
        &TrailPage {
            frame: Frame::new(&signed, signed.texts.say(trail.title())),
            next,
            trail,
            filter,
            faults,
            list,
        },
    ))
}
