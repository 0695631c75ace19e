//! Contexts: which persona answers in which situation. The editor shows a context's content as a form ([`model`]) and turns the form back
//! into the same content; what no field shows stays as it is.

pub mod desk;
pub mod editor;
pub mod fields;
pub mod known;
pub mod list;
pub mod model;
pub mod moves;
pub mod page;
pub mod rule;
pub mod schema;
pub mod target;
pub mod try_it;
pub mod try_view;
pub mod view;
pub mod watch;
pub mod words;

use actix_web::web;

use super::history;
use super::pages::Pages;
use super::visit::{Answer, Form, Signed};

/// The kind of document.
const KIND: &str = "context";

/// The pages of contexts.
pub fn routes(pages: Pages) -> Pages {
    pages
        .get("/contexts", list::show)
        .post("/contexts", list::create)
        .get("/contexts/{key}", editor::show)
        .post("/contexts/{key}", editor::act)
        .get("/contexts/{key}/history", show_history)
        .post("/contexts/{key}/history", act_history)
}

/// A context's versions and releases.
async fn show_history(signed: Signed, key: web::Path<String>) -> Answer {
    history::show(&signed, KIND, &key).await
}

/// What somebody does there.
async fn act_history(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    history::act(&signed, KIND, &key, &sent).await
}
