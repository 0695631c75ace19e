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

use actix_web::web::{self, ServiceConfig};

use super::history;
use super::visit::{Answer, Form, Signed};

/// The kind of document.
const KIND: &str = "context";

/// The pages of contexts.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/contexts", web::get().to(list::show))
        .route("/contexts", web::post().to(list::create))
        .route("/contexts/{key}", web::get().to(editor::show))
        .route("/contexts/{key}", web::post().to(editor::act))
        .route("/contexts/{key}/history", web::get().to(show_history))
        .route("/contexts/{key}/history", web::post().to(act_history));
}

/// A context's versions and releases.
async fn show_history(signed: Signed, key: web::Path<String>) -> Answer {
    history::show(&signed, KIND, &key).await
}

/// What somebody does there.
async fn act_history(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    history::act(&signed, KIND, &key, &sent).await
}
