//! Talking with a persona before users do: a test call in the page, with Anam's own SDK.

pub mod call;
pub mod choice;
pub mod page;
pub mod setup;

use super::pages::Pages;

/// The pages of test calls.
pub fn routes(pages: Pages) -> Pages {
    pages
        .get("/talk", page::show)
        .post("/talk", page::choose)
        .post("/talk/call", call::start)
        .get("/talk/anam.js", setup::script)
        .get("/talk/anam.LICENSE.txt", setup::licence)
}
