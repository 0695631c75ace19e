//! Showing again who one is, before something dangerous. The page holds the form that was sent, and sends it again together with the
//! password or a code: nothing that was typed is lost, also without a script.

use actix_web::http::StatusCode;
use actix_web::http::header::REFERER;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use url::Url;

use crate::console::asked::{Asked, SaysSo};
use crate::console::frame::{Frame, page_with};
use crate::console::visit::{Account, SentForm, Visitor, own_path};

#[derive(Debug, Template)]
#[template(path = "own/confirm.html")]
struct ConfirmPage {
    frame: Frame,
    action: String,
    /// Where they came from.
    back: String,
    fields: Vec<(String, String)>,
    fault: Option<String>,
    /// Whether the person has a second factor.
    second_factor: bool,
    /// Whether an identity provider vouches for them: only it can do so again, on a page of its own, while this one keeps the form.
    single_sign_on: bool,
}

/// The page, if somebody has to show who they are first.
pub fn asked(request: &HttpRequest) -> Option<HttpResponse> {
    let Asked { fault } = request.extensions().get::<Asked>().cloned()?;
    let visitor = Visitor::from_head(request).ok()?;
    let says_so = request.extensions().get::<SaysSo>().is_some();
    let fault = fault.or_else(|| says_so.then(|| visitor.texts.say("confirm-sso-not-yet")));
    let fields = request.extensions().get::<SentForm>().cloned();
    let account = request.extensions().get::<Account>().cloned();
    let page = ConfirmPage {
        frame: Frame::bare(&visitor, visitor.texts.say("confirm")),
        action: request.path().to_owned(),
        back: back(request),
        fields: fields.map(|sent| sent.0).unwrap_or_default(),
        fault,
        second_factor: account
            .as_ref()
            .is_some_and(|account| account.second_factor),
        single_sign_on: account.is_some_and(|account| account.single_sign_on),
    };
    Some(page_with(StatusCode::FORBIDDEN, &page))
}

/// The page that the form was on, as the browser says it.
fn back(request: &HttpRequest) -> String {
    let from = request.headers().get(REFERER);
    let from = from.and_then(|from| Url::parse(from.to_str().ok()?).ok());
    let path = from
        .as_ref()
        .map(Url::path)
        .filter(|path| *path != request.path());
    own_path(path.map(str::to_owned))
}
