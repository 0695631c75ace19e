//! A session, decided again with other versions.

use actix_web::web;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::list::Given;
use super::trace::Trace;
use crate::console::api::encode;
use crate::console::frame::{Frame, page};
use crate::console::parts::Change;
use crate::console::visit::{Answer, Signed};

#[derive(Debug, Deserialize)]
struct Replayed {
    session: String,
    same: bool,
    exact: bool,
    then: Decision,
    now: Decision,
    #[serde(default)]
    differences: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Decision {
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    persona: Option<Given>,
    #[serde(default)]
    trace: Option<Trace>,
    #[serde(default)]
    undecided: Option<Undecided>,
}

#[derive(Debug, Deserialize)]
struct Undecided {
    code: String,
    message: String,
}

impl Decision {
    fn rule(&self) -> Option<&str> {
        self.trace.as_ref()?.by_rule()
    }
}

#[derive(Debug, Template)]
#[template(path = "sessions/replay.html")]
struct ReplayPage {
    frame: Frame,
    /// `live`, `then` or `draft`.
    with: &'static str,
    replayed: Replayed,
}

fn body(with: &str) -> (&'static str, Value) {
    match with {
        "" | "live" => ("live", json!({ "against": "live" })),
        "then" => ("then", json!({ "against": "then" })),
        draft => ("draft", json!({ "use": [{ "draft": draft }] })),
    }
}

/// What the session would get.
pub async fn show(signed: Signed, id: web::Path<String>) -> Answer {
    let (with, body) = body(&signed.parameter("with").unwrap_or_default());
    let path = format!("/v1/admin/sessions/{}:replay", encode(&id));
    let replayed = signed.api.post(&path, &body).await?;
    Ok(page(&ReplayPage {
        frame: Frame::new(&signed, signed.texts.say("replay")),
        with,
        replayed,
    }))
}
