//! The second step of a sign-in: a code of the second factor.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use crate::console::frame::{Frame, page, page_after};
use crate::console::parts::Faults;
use crate::console::visit::{Answer, Arriving, Form, own_path, see};

#[derive(Debug, Template)]
#[template(path = "own/code.html")]
struct CodePage {
    frame: Frame,
    next: String,
    email: String,
    faults: Faults,
}

impl CodePage {
    fn new(arriving: &Arriving, next: String, faults: Faults) -> Self {
        Self {
            frame: Frame::bare(arriving, arriving.texts.say("code")),
            next,
            email: arriving.account.email.clone(),
            faults,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Session {
    token: String,
}

/// The form.
pub async fn show(arriving: Arriving) -> HttpResponse {
    let next = own_path(arriving.parameter("next"));
    if !arriving.owes_code() {
        return see(&next);
    }
    page(&CodePage::new(&arriving, next, Faults::default()))
}

/// Completes the sign-in; the session gets a new token.
pub async fn complete(arriving: Arriving, form: Form) -> Answer {
    let next = own_path(Some(form.get("next").to_owned()));
    let code = json!({ "code": form.get("code").trim() });
    let answer = arriving
        .api
        .post::<Session>("/v1/admin/sign-in:complete", &code)
        .await;
    match answer {
        Ok(session) => {
            let mut answer = see(&next);
            _ = answer.add_cookie(&arriving.cookie(&session.token));
            Ok(answer)
        }
        Err(refused) if matches!(refused.status, 409 | 422 | 429) => Ok(page_after(
            Some(&refused.clone()),
            &CodePage::new(&arriving, next, refused.into()),
        )),
        Err(refused) => Err(refused),
    }
}
