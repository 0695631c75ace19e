//! A new password for somebody who forgot theirs: asking for a mail, and using the link in it.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde_json::json;

use crate::console::frame::{Frame, page, page_after};
use crate::console::parts::Faults;
use crate::console::visit::{Answer, Form, Visitor, see};

#[derive(Debug, Template)]
#[template(path = "people/forgotten.html")]
struct ForgottenPage {
    frame: Frame,
    email: String,
    /// Whether a mail is on its way, if the address has an account.
    asked: bool,
    /// Whether no mail is sent here.
    no_mail: bool,
    faults: Faults,
}

impl ForgottenPage {
    fn new(visitor: &Visitor) -> Self {
        Self {
            frame: Frame::bare(visitor, visitor.texts.say("forgotten")),
            email: String::new(),
            asked: false,
            no_mail: false,
            faults: Faults::default(),
        }
    }
}

/// The form.
pub async fn show(visitor: Visitor) -> HttpResponse {
    page(&ForgottenPage::new(&visitor))
}

/// Asks for a mail. The page says the same whether the address has an account.
pub async fn ask(visitor: Visitor, form: Form) -> Answer {
    let email = form.get("email").trim();
    let asked = json!({ "email": email, "language": visitor.texts.tag() });
    let call = visitor.api.call(Method::POST, "/v1/admin/password-resets");
    let answer = call.body(&asked).answered().await;
    let shown = ForgottenPage {
        email: email.to_owned(),
        ..ForgottenPage::new(&visitor)
    };
    match answer {
        Ok(_) => Ok(page(&ForgottenPage {
            asked: true,
            ..shown
        })),
        Err(refused) => Ok(page_after(
            Some(&refused.clone()),
            &ForgottenPage {
                no_mail: refused.status == StatusCode::CONFLICT.as_u16(),
                faults: refused.into(),
                ..shown
            },
        )),
    }
}

#[derive(Debug, Template)]
#[template(path = "people/new_password.html")]
struct NewPasswordPage {
    frame: Frame,
    token: String,
    /// Whether there is no such link, or no longer.
    unknown: bool,
    faults: Faults,
}

/// The form. A script takes the link's token from behind the `#`, which no server sees.
pub async fn show_new(visitor: Visitor) -> HttpResponse {
    page(&NewPasswordPage {
        frame: Frame::bare(&visitor, visitor.texts.say("new-password")),
        token: String::new(),
        unknown: false,
        faults: Faults::default(),
    })
}

/// Sets the new password, which ends all sessions of the person: whatever this browser had, too.
pub async fn set_new(visitor: Visitor, form: Form) -> Answer {
    let token = form.get("token").trim();
    let sent = json!({
        "token": token, "password": form.get("password"), "language": visitor.texts.tag(),
    });
    let call = visitor
        .api
        .call(Method::POST, "/v1/admin/password-resets:redeem");
    match call.body(&sent).answered().await {
        Ok(_) => {
            let mut answer = see("/console/sign-in?said=password-changed");
            _ = answer.add_cookie(&visitor.no_cookie());
            Ok(answer)
        }
        Err(refused) => Ok(page_after(
            Some(&refused.clone()),
            &NewPasswordPage {
                frame: Frame::bare(&visitor, visitor.texts.say("new-password")),
                token: token.to_owned(),
                unknown: refused.status == StatusCode::NOT_FOUND.as_u16(),
                faults: refused.into(),
            },
        )),
    }
}
