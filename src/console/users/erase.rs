//! Erasing what is stored of a user, after a question.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::console::api::encode;
use crate::console::frame::{Frame, page, page_with};
use crate::console::visit::{Answer, Form, Signed};

#[derive(Debug, Template)]
#[template(path = "users/erase.html")]
struct ErasePage {
    frame: Frame,
    subject: String,
    encoded: String,
    /// What was typed in place of the subject.
    wrong: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Erased {
    preferences: bool,
    sessions: i64,
    inputs: i64,
}

#[derive(Debug, Template)]
#[template(path = "users/erased.html")]
struct ErasedPage {
    frame: Frame,
    erased: Erased,
}

/// The question.
pub async fn ask(signed: Signed, subject: web::Path<String>) -> HttpResponse {
    page(&question(&signed, subject.into_inner(), None))
}

fn question(signed: &Signed, subject: String, wrong: Option<String>) -> ErasePage {
    ErasePage {
        frame: Frame::new(signed, signed.texts.say("user-erase")),
        encoded: encode(&subject),
        subject,
        wrong,
    }
}

/// Erases.
pub async fn erase(signed: Signed, subject: web::Path<String>, form: Form) -> Answer {
    let subject = subject.into_inner();
    if form.get("typed").trim() != subject {
        let wrong = Some(form.get("typed").to_owned());
        let page = question(&signed, subject, wrong);
        return Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let path = format!("/v1/admin/users/{}:erase", encode(&subject));
    let erased = signed.api.call(Method::POST, &path).json().await?;
    Ok(page(&ErasedPage {
        frame: Frame::new(&signed, signed.texts.say("user-erased")),
        erased,
    }))
}
