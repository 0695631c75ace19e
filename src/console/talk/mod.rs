//! Talking with a persona before users do: a test call in the page, with Anam's own SDK.

pub mod call;
pub mod choice;
pub mod page;
pub mod setup;

use actix_web::web::{self, ServiceConfig};

/// The pages of test calls.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/talk", web::get().to(page::show))
        .route("/talk", web::post().to(page::choose))
        .route("/talk/call", web::post().to(call::start))
        .route("/talk/anam.js", web::get().to(setup::script))
        .route("/talk/anam.LICENSE.txt", web::get().to(setup::licence));
}
