//! A snippet while somebody writes it.

use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use serde_json::Value;

use super::api::Refused;
use super::findings::Finding;
use super::frame::{Frame, page_with};
use super::history;
use super::saving::{Contest, Outcome, Sent, Stay};
use super::visit::{Answer, Form, Signed};
use super::writing::{Begun, Writing};

const KIND: &str = "snippet";

#[derive(Debug, Template)]
#[template(path = "snippet.html")]
struct SnippetPage {
    frame: Frame,
    writing: Writing,
    text: String,
    refused: Option<Refused>,
    findings: Vec<Finding>,
    contest: Contest,
    note: String,
}

/// The editor.
pub async fn show(signed: Signed, key: web::Path<String>) -> Answer {
    render(&signed, &key, None).await
}

/// What somebody does with the snippet: the button that they pressed says it.
pub async fn act(signed: Signed, key: web::Path<String>, form: Form) -> Answer {
    let sent = Sent::new(&signed, KIND, &key, &form);
    if form.get("do") == "discard" {
        return sent.discard().await;
    }
    let mut content = Begun::sent(&form).content;
    content.insert("text".to_owned(), form.get("text").into());
    match sent.act(&content).await? {
        Outcome::Done(page) => Ok(page),
        Outcome::Stays(stay) => render(&signed, &key, Some((&form, *stay))).await,
    }
}

async fn render(signed: &Signed, key: &str, again: Option<(&Form, Stay)>) -> Answer {
    let mut writing = Writing::load(signed, KIND, key).await?;
    let status = again
        .as_ref()
        .map_or(StatusCode::OK, |(_, stay)| stay.status());
    let (form, stay) = again.unzip();
    let stay = stay.unwrap_or_default();
    let stored = writing.begun.content.get("text").and_then(Value::as_str);
    let text = form
        .map_or(stored.unwrap_or_default(), |form| form.get("text"))
        .to_owned();
    if form.is_some() {
        writing.go_on(stay.begun);
    }
    let shown = SnippetPage {
        frame: Frame::new(signed, key),
        writing,
        text,
        refused: stay.refused,
        findings: stay.found,
        contest: stay.contest,
        note: form.map_or("", |form| form.get("note")).to_owned(),
    };
    Ok(page_with(status, &shown))
}

/// The history of a snippet.
pub async fn show_history(signed: Signed, key: web::Path<String>) -> Answer {
    history::show(&signed, KIND, &key).await
}

/// What somebody does in the history.
pub async fn act_history(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    history::act(&signed, KIND, &key, &sent).await
}

impl SnippetPage {
    fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}
