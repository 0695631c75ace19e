//! The example page: sign in as a sample user, choose, talk. Its files are those of examples/page/, and an editor of them needs nothing
//! else; what they can't know is at settings.json and sdk.json.

mod sdk;
mod server;

pub use sdk::{fetched_into, given};
pub use server::{Page, PageError, PageHandle, PageSettings};
