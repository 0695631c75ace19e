//! Everything at a glance.

use actix_web::HttpResponse;
use askama::Template;

use super::frame::{Frame, page};
use super::visit::Signed;

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
}

/// The first page.
pub async fn show(signed: Signed) -> HttpResponse {
    page(&Overview {
        frame: Frame::new(&signed, signed.texts.say("overview")),
    })
}
