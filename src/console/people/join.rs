//! Joining a tenant with an invitation: first the invitation, which says who invites to what, then a name and a password.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use crate::console::api::Refused;
use crate::console::frame::{Frame, page, page_with};
use crate::console::parts::{At, Faults};
use crate::console::visit::{Answer, Form, Visitor, see};

/// An invitation that can be accepted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invitation {
    email: String,
    tenant_name: String,
    role: String,
    #[serde(default)]
    invited_by: Option<String>,
    expires_at: At,
}

#[derive(Debug, Template)]
#[template(path = "people/join.html")]
struct JoinPage {
    frame: Frame,
    token: String,
    name: String,
    faults: Faults,
    /// Once it was read.
    invitation: Option<Invitation>,
    /// Whether there is no such invitation, or no longer.
    unknown: bool,
}

impl JoinPage {
    fn new(visitor: &Visitor) -> Self {
        Self {
            frame: Frame::bare(visitor, visitor.texts.say("join")),
            token: String::new(),
            name: String::new(),
            faults: Faults::default(),
            invitation: None,
            unknown: false,
        }
    }

    /// The same after something was not taken.
    fn refused(self, refused: Refused) -> HttpResponse {
        let status = StatusCode::from_u16(refused.status).unwrap_or_default();
        let shown = Self {
            unknown: status == StatusCode::NOT_FOUND,
            faults: refused.into(),
            ..self
        };
        page_with(status, &shown)
    }
}

/// Asks for the invitation. A script takes it from behind the `#`, which no server sees, and sends it on.
pub async fn show(visitor: Visitor) -> HttpResponse {
    page(&JoinPage::new(&visitor))
}

/// Says who invites to what, and asks for a name and a password.
pub async fn look(visitor: Visitor, form: Form) -> Answer {
    let shown = JoinPage {
        token: form.get("token").trim().to_owned(),
        ..JoinPage::new(&visitor)
    };
    Ok(match read(&visitor, &shown.token).await {
        Ok(invitation) => page(&JoinPage {
            invitation: Some(invitation),
            ..shown
        }),
        Err(refused) => shown.refused(refused),
    })
}

/// Joins.
pub async fn join(visitor: Visitor, form: Form) -> Answer {
    let token = form.get("token").trim().to_owned();
    let mut wish = json!({ "token": token, "password": form.get("password") });
    if let (Some(name), Some(members)) = (form.filled("name"), wish.as_object_mut()) {
        members.insert("name".to_owned(), name.into());
    }
    let call = visitor
        .api
        .call(Method::POST, "/v1/admin/invitations:accept");
    let Err(refused) = call.body(&wish).answered().await else {
        return Ok(see("/console/sign-in?said=joined"));
    };
    let shown = JoinPage {
        invitation: read(&visitor, &token).await.ok(),
        token,
        name: form.get("name").to_owned(),
        ..JoinPage::new(&visitor)
    };
    Ok(shown.refused(refused))
}

async fn read(visitor: &Visitor, token: &str) -> Result<Invitation, Refused> {
    let call = visitor.api.call(Method::POST, "/v1/admin/invitations:read");
    call.body(&json!({ "token": token })).json().await
}
