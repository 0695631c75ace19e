//! Members and invitations, and one's own password.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use crate::console::api::{Refused, Tagged, encode};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, mail_languages, query_of};
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
    second_factor: bool,
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
    mail: Option<InvitationMail>,
    #[serde(default)]
    token: Option<String>,
}

/// How the mail with an invitation goes.
#[derive(Debug, Deserialize)]
struct InvitationMail {
    state: String,
    #[serde(default)]
    failure: Option<String>,
}

impl Invitation {
    /// The name of the text that says how its mail goes.
    fn mail_text(&self) -> String {
        let state = self.mail.as_ref().map_or("none", |mail| &mail.state);
        format!("invitation-mail-{state}")
    }

    /// Why the mail failed.
    fn failure(&self) -> &str {
        let failure = self.mail.as_ref().and_then(|mail| mail.failure.as_deref());
        failure.unwrap_or_default()
    }
}

/// A link for a new password.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordLink {
    token: String,
    expires_at: At,
}

/// What happened to a form of the page.
#[derive(Debug, Default)]
struct Outcome {
    /// The form: `member`, `invite` or `password`.
    form: &'static str,
    faults: Faults,
    email: String,
    role: String,
    /// Of the mail, as chosen.
    language: String,
    /// The invitation that was just made, with the address for whom it is.
    made: Option<Invitation>,
    /// The end of a link for a new password that was just made for `email`.
    reset_until: Option<At>,
    link: String,
}

impl Outcome {
    fn refused(form: &'static str, sent: &Form, refused: Refused) -> Self {
        Self {
            form,
            faults: Faults::from(refused),
            email: sent.get("email").to_owned(),
            role: sent.get("role").to_owned(),
            language: sent.get("language").to_owned(),
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
    /// Of the invitation's mail, the preferred first.
    languages: Vec<&'static str>,
    /// Whether whoever looks has a password here.
    has_password: bool,
    /// Whether they have a second factor.
    own_factor: bool,
}

/// The page.
pub async fn show(signed: Signed) -> Answer {
    render(&signed, Outcome::default()).await
}

async fn render(signed: &Signed, outcome: Outcome) -> Answer {
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
            languages: mail_languages(&[&outcome.language, signed.texts.tag()]),
            own_factor: signed.account.second_factor,
            has_password: !signed.account.single_sign_on,
            outcome,
        },
    ))
}

fn back_with(said: &str) -> HttpResponse {
    see(&format!("/console/people?said={said}"))
}

/// Changes a role, removes a member or their second factor, or makes a link for a new password.
pub async fn member(signed: Signed, form: Form) -> Answer {
    let path = format!("/v1/admin/members/{}", encode(form.get("id")));
    if form.get("do") == "reset" {
        return reset(&signed, &path, &form).await;
    }
    if form.get("do") == "remove-factor" {
        let path = format!("{path}:remove-second-factor");
        return match signed.api.call(Method::POST, &path).answered().await {
            Ok(_) => Ok(back_with("member-factor")),
            Err(refused) => render(&signed, Outcome::refused("member", &form, refused)).await,
        };
    }
    let Tagged { body, etag } = signed.api.tagged::<Member>(&path).await?;
    if body.role != form.get("was") {
        return Ok(back_with("member-changed"));
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
    match call.seen(&etag).answered().await {
        Ok(_) => Ok(back_with(said)),
        Err(refused) if matches!(refused.status, 409 | 412 | 422) => {
            render(&signed, Outcome::refused("member", &form, refused)).await
        }
        Err(refused) => Err(refused),
    }
}

async fn reset(signed: &Signed, member: &str, form: &Form) -> Answer {
    let path = format!("{member}:reset-password");
    let call = signed.api.call(Method::POST, &path);
    let outcome = match call.json::<PasswordLink>().await {
        Ok(made) => Outcome {
            form: "member",
            email: form.get("email").to_owned(),
            link: format!("{}/console/new-password#{}", signed.origin(), made.token),
            reset_until: Some(made.expires_at),
            ..Outcome::default()
        },
        Err(refused) if matches!(refused.status, 404 | 409) => {
            Outcome::refused("member", form, refused)
        }
        Err(refused) => return Err(refused),
    };
    render(signed, outcome).await
}

/// Invites somebody, or takes an invitation back.
pub async fn invite(signed: Signed, form: Form) -> Answer {
    if form.get("do") == "revoke" {
        let path = format!("/v1/admin/invitations/{}", encode(form.get("id")));
        return match signed.api.call(Method::DELETE, &path).answered().await {
            Ok(_) => Ok(back_with("invitation-revoked")),
            Err(refused) => render(&signed, Outcome::refused("invite", &form, refused)).await,
        };
    }
    let mut wish = json!({ "email": form.get("email").trim(), "role": form.get("role") });
    if let (Some(language), Some(members)) = (form.filled("language"), wish.as_object_mut()) {
        members.insert("language".to_owned(), language.into());
    }
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
    render(&signed, outcome).await
}

/// Changes one's own password, which ends all sessions.
pub async fn password(signed: Signed, form: Form) -> Answer {
    let change = json!({ "current": form.get("current"), "new": form.get("new") });
    let call = signed.api.call(Method::POST, "/v1/admin/password");
    match call.body(&change).answered().await {
        Ok(_) => {
            let mut answer = see("/console/sign-in?said=password-changed");
            _ = answer.add_cookie(&signed.no_cookie());
            Ok(answer)
        }
        Err(refused) if refused.is_signed_out() && refused.code == "unauthenticated" => {
            Err(refused)
        }
        Err(refused) => render(&signed, Outcome::refused("password", &form, refused)).await,
    }
}
