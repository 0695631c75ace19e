//! Members and invitations, and one's own password.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use crate::console::api::{Refused, Tagged, encode};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, query_of};
use crate::console::visit::{Answer, Form, Signed, see};

const ROLES: [&str; 4] = ["viewer", "editor", "publisher", "owner"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    id: String,
    email: String,
    name: String,
    role: String,
    single_sign_on: bool,
    disabled: bool,
    since: At,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invitation {
    id: String,
    email: String,
    role: String,
    state: String,
    invited_by: String,
    expires_at: At,
    #[serde(default)]
    token: Option<String>,
}

/// What happened to a form of the page.
#[derive(Debug, Default)]
struct Outcome {
    /// The form: `member`, `invite` or `password`.
    form: &'static str,
    faults: Faults,
    email: String,
    role: String,
    /// The invitation that was just made, with the address for whom it is.
    made: Option<Invitation>,
    link: String,
}

impl Outcome {
    fn refused(form: &'static str, sent: &Form, refused: Refused) -> Self {
        Self {
            form,
            faults: Faults::from(refused),
            email: sent.get("email").to_owned(),
            role: sent.get("role").to_owned(),
            ..Self::default()
        }
    }

    fn is_of(&self, form: &str) -> bool {
        self.form == form
    }
}

#[derive(Debug, Template)]
#[template(path = "people/page.html")]
struct PeoplePage {
    frame: Frame,
    members: Listed<Member>,
    invitations: Vec<Invitation>,
    next: Option<String>,
    outcome: Outcome,
    /// Whether whoever looks has a password here.
    has_password: bool,
}

/// The page.
pub async fn show(signed: Signed) -> Answer {
    shown(&signed, Outcome::default()).await
}

async fn shown(signed: &Signed, outcome: Outcome) -> Answer {
    let frame = Frame::new(signed, signed.texts.say("people"));
    let cursor = signed.parameter("cursor").unwrap_or_default();
    let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
    let path = format!("/v1/admin/members?{query}");
    let members: Listed<Member> = signed.api.get(&path).await?;
    let invitations: Listed<Invitation> = if frame.owns() {
        signed.api.get("/v1/admin/invitations?limit=100").await?
    } else {
        Listed::default()
    };
    let status = outcome
        .faults
        .refused()
        .and_then(|refused| StatusCode::from_u16(refused.status).ok());
    Ok(page_with(
        status.unwrap_or(StatusCode::OK),
        &PeoplePage {
            frame,
            next: members.next_page(signed),
            members,
            invitations: invitations.items,
            outcome,
            has_password: !signed.account.single_sign_on,
        },
    ))
}

fn told(said: &str) -> HttpResponse {
    see(&format!("/console/people?said={said}"))
}

/// Changes a role, or removes a member.
pub async fn member(signed: Signed, form: Form) -> Answer {
    let path = format!("/v1/admin/members/{}", encode(form.get("id")));
    let Tagged { body, etag } = signed.api.tagged::<Member>(&path).await?;
    if body.role != form.get("was") {
        return Ok(told("member-changed"));
    }
    let role = json!({ "role": form.get("role") });
    let (call, said) = if form.get("do") == "remove" {
        (signed.api.call(Method::DELETE, &path), "member-removed")
    } else {
        (
            signed.api.call(Method::PATCH, &path).body(&role),
            "member-role",
        )
    };
    match call.seen(&etag).told().await {
        Ok(_) => Ok(told(said)),
        Err(refused) if matches!(refused.status, 409 | 412 | 422) => {
            shown(&signed, Outcome::refused("member", &form, refused)).await
        }
        Err(refused) => Err(refused),
    }
}

/// Invites somebody, or takes an invitation back.
pub async fn invite(signed: Signed, form: Form) -> Answer {
    if form.get("do") == "revoke" {
        let path = format!("/v1/admin/invitations/{}", encode(form.get("id")));
        return match signed.api.call(Method::DELETE, &path).told().await {
            Ok(_) => Ok(told("invitation-revoked")),
            Err(refused) => shown(&signed, Outcome::refused("invite", &form, refused)).await,
        };
    }
    let wish = json!({ "email": form.get("email").trim(), "role": form.get("role") });
    let invitations = "/v1/admin/invitations";
    let outcome = match signed.api.post::<Invitation>(invitations, &wish).await {
        Ok(made) => Outcome {
            form: "invite",
            link: made.token.as_ref().map_or_else(String::new, |token| {
                format!("{}/console/join#{token}", signed.origin())
            }),
            made: Some(made),
            ..Outcome::default()
        },
        Err(refused) if matches!(refused.status, 409 | 422) => {
            Outcome::refused("invite", &form, refused)
        }
        Err(refused) => return Err(refused),
    };
    shown(&signed, outcome).await
}

/// Changes one's own password, which ends all sessions.
pub async fn password(signed: Signed, form: Form) -> Answer {
    let change = json!({ "current": form.get("current"), "new": form.get("new") });
    let call = signed.api.call(Method::POST, "/v1/admin/password");
    match call.body(&change).told().await {
        Ok(_) => {
            let mut answer = see("/console/sign-in?said=password-changed");
            _ = answer.add_cookie(&signed.no_cookie());
            Ok(answer)
        }
        Err(refused) if refused.is_signed_out() && refused.code == "unauthenticated" => {
            Err(refused)
        }
        Err(refused) => shown(&signed, Outcome::refused("password", &form, refused)).await,
    }
}
