//! The way in, the way out, and from one tenant to another.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Refused;
use super::frame::{Frame, page, page_with};
use super::visit::{Answer, Form, Signed, Visitor, own_path, see};

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    email: String,
    /// Why the last attempt did not succeed.
    refusal: Option<String>,
    /// The tenants to choose from, where there are several.
    tenants: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Session {
    token: String,
}

/// The form.
pub async fn show(visitor: Visitor) -> HttpResponse {
    page(&SignInPage {
        frame: Frame::bare(&visitor, visitor.texts.say("sign-in")),
        next: own_path(visitor.parameter("next")),
        email: String::new(),
        refusal: None,
        tenants: Vec::new(),
    })
}

/// Signs somebody in.
pub async fn sign_in(visitor: Visitor, form: Form) -> Answer {
    let mut credentials = json!({ "email": form.get("email"), "password": form.get("password") });
    if let (Some(tenant), Value::Object(members)) = (form.filled("tenant"), &mut credentials) {
        members.insert("tenant".to_owned(), tenant.into());
    }
    let next = own_path(Some(form.get("next").to_owned()));
    match visitor
        .api
        .post::<Session>("/v1/admin/sign-in", &credentials)
        .await
    {
        Ok(session) => {
            let mut answer = see(&next);
            _ = answer.add_cookie(&visitor.cookie(&session.token));
            Ok(answer)
        }
        Err(refused) => Ok(again(&visitor, &form, next, &refused)),
    }
}

/// The form again, with what was wrong. The password has to be typed again: it is in no page.
fn again(visitor: &Visitor, form: &Form, next: String, refused: &Refused) -> HttpResponse {
    let texts = visitor.texts;
    let named = |start| refused.errors.iter().find(|fault| fault.pointer == start);
    let tenants = named("/tenant")
        .and_then(|fault| fault.wrong.values.get("choices"))
        .map(|names| names.split(", ").map(str::to_owned).collect::<Vec<_>>())
        .unwrap_or_default();
    let refusal = match refused.code.as_str() {
        _ if !tenants.is_empty() => texts.say("sign-in-which-tenant"),
        "sign_in_failed" => texts.say("sign-in-failed"),
        "invalid_request" => texts.say("sign-in-incomplete"),
        "rate_limited" => texts.say("sign-in-too-often"),
        _ => refused.words(),
    };
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
    page_with(
        status,
        &SignInPage {
            frame: Frame::bare(visitor, texts.say("sign-in")),
            next,
            email: form.get("email").to_owned(),
            refusal: Some(refusal),
            tenants,
        },
    )
}

/// Ends the session.
pub async fn sign_out(visitor: Visitor, _form: Form) -> Answer {
    let ended = visitor
        .api
        .call(Method::POST, "/v1/admin/sign-out")
        .answered()
        .await;
    if let Err(refused) = ended
        && !refused.is_signed_out()
    {
        return Err(refused);
    }
    let mut answer = see("/console/sign-in?said=signed-out");
    _ = answer.add_cookie(&visitor.no_cookie());
    // What was typed and not saved is in the browser's storage, for whoever sits there next.
    answer.headers_mut().insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"storage\""),
    );
    Ok(answer)
}

/// Goes on in another tenant.
pub async fn switch(signed: Signed, form: Form) -> Answer {
    let to = json!({ "tenant": form.get("tenant") });
    let session: Session = signed.api.post("/v1/admin/account:switch", &to).await?;
    let mut answer = see("/console");
    _ = answer.add_cookie(&signed.cookie(&session.token));
    Ok(answer)
}
