//! Joining a tenant with an invitation.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde_json::json;

use crate::console::frame::{Frame, page, page_with};
use crate::console::parts::Faults;
use crate::console::visit::{Answer, Form, Visitor, see};

#[derive(Debug, Template)]
#[template(path = "people/join.html")]
struct JoinPage {
    frame: Frame,
    token: String,
    name: String,
    faults: Faults,
    /// Whether there is no such invitation, or no longer.
    unknown: bool,
}

/// The form. A script takes the invitation from behind the `#`, which no server sees.
pub async fn show(visitor: Visitor) -> HttpResponse {
    page(&JoinPage {
        frame: Frame::bare(&visitor, visitor.texts.say("join")),
        token: String::new(),
        name: String::new(),
        faults: Faults::default(),
        unknown: false,
    })
}

/// Joins.
pub async fn join(visitor: Visitor, form: Form) -> Answer {
    let mut wish = json!({ "token": form.get("token").trim(), "password": form.get("password") });
    if let (Some(name), Some(members)) = (form.filled("name"), wish.as_object_mut()) {
        members.insert("name".to_owned(), name.into());
    }
    let call = visitor
        .api
        .call(Method::POST, "/v1/admin/invitations:accept");
    match call.body(&wish).answered().await {
        Ok(_) => Ok(see("/console/sign-in?said=joined")),
        Err(refused) => {
            let status = StatusCode::from_u16(refused.status).unwrap_or_default();
            Ok(page_with(
                status,
                &JoinPage {
                    frame: Frame::bare(&visitor, visitor.texts.say("join")),
                    token: form.get("token").to_owned(),
                    name: form.get("name").to_owned(),
                    unknown: status == StatusCode::NOT_FOUND,
                    faults: refused.into(),
                },
            ))
        }
    }
}
