//! The entries of a kind, and which of them may be chosen.

use actix_web::http::header::IF_NONE_MATCH;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::{Value, json};

use super::{Entry, KINDS};
use crate::console::api::{Refused, encode};
use crate::console::frame::Frame;
use crate::console::media;
use crate::console::parts::{Faults, Listed, query_of};
use crate::console::visit::{Answer, Form, Signed, see};

#[derive(Debug, Template)]
#[template(path = "catalogue/kind.html")]
struct KindPage {
    frame: Frame,
    kind: String,
    list: Listed<Entry>,
    next: Option<String>,
    faults: Faults,
    /// What was typed for a new entry.
    id: String,
    name: String,
}

fn require_kind(kind: &str) -> Result<(), Refused> {
    let known = KINDS.contains(&kind);
    known
        .then_some(())
        .ok_or_else(|| Refused::own(StatusCode::NOT_FOUND, "not_found", ""))
}

/// The entries.
pub async fn show(signed: Signed, kind: web::Path<String>) -> Answer {
    require_kind(&kind)?;
    render(&signed, kind.into_inner(), Faults::default(), "", "").await
}

async fn render(signed: &Signed, kind: String, faults: Faults, id: &str, name: &str) -> Answer {
    let cursor = signed.parameter("cursor").unwrap_or_default();
    let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
    let path = format!("/v1/admin/catalogue/{kind}?{query}");
    let list: Listed<Entry> = signed.api.get(&path).await?;
    let status = if faults.any() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let title = signed.texts.say(&format!("kinds-{kind}"));
    let shown = KindPage {
        frame: Frame::new(signed, title),
        next: list.next_page(signed),
        kind,
        list,
        faults,
        id: id.to_owned(),
        name: name.to_owned(),
    };
    let entries = shown.list.items.iter();
    let attributes = entries.map(|entry| &entry.attributes);
    Ok(media::page(status, &shown, attributes))
}

fn done(kind: &str, said: &str) -> HttpResponse {
    see(&format!("/console/catalogue/{kind}?said={said}"))
}

/// Allows or disallows those that are ticked, or adds one.
pub async fn change(signed: Signed, kind: web::Path<String>, form: Form) -> Answer {
    require_kind(&kind)?;
    let kind = kind.into_inner();
    if form.get("do") == "add" {
        return add(&signed, kind, &form).await;
    }
    let verb = if form.get("do") == "allow" {
        "allow"
    } else {
        "disallow"
    };
    let ids: Vec<&str> = form.all("id").collect();
    if ids.is_empty() {
        return Ok(done(&kind, "catalogue-nothing"));
    }
    let path = format!("/v1/admin/catalogue/{kind}:{verb}");
    let ticked = json!({ "ids": ids });
    match signed.api.post::<Value>(&path, &ticked).await {
        Ok(_) if verb == "allow" => Ok(done(&kind, "catalogue-allowed")),
        Ok(_) => Ok(done(&kind, "catalogue-disallowed")),
        Err(refused) if refused.status == 422 => {
            render(&signed, kind, Faults::from(refused), "", "").await
        }
        Err(refused) => Err(refused),
    }
}

async fn add(signed: &Signed, kind: String, form: &Form) -> Answer {
    let (id, name) = (form.get("new-id").trim(), form.get("new-name").trim());
    let path = format!("/v1/admin/catalogue/{kind}/{}", encode(id));
    let wish = json!({ "name": name });
    let call = signed.api.call(Method::PUT, &path).body(&wish);
    match call.header(IF_NONE_MATCH, "*").answered().await {
        Ok(_) => Ok(done(&kind, "catalogue-added")),
        Err(refused) if matches!(refused.status, 400 | 404 | 412 | 422) => {
            render(signed, kind, Faults::from(refused), id, name).await
        }
        Err(refused) => Err(refused),
    }
}
