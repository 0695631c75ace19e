//! From text that admins write to what is live: drafts, versions, releases, and whole tenants as bundles. One verb a file,
//! the same for every kind of document.

pub mod amend;
pub mod apply;
pub mod bundle;
pub mod compare;
pub mod create;
mod document;
pub mod documents;
pub mod drafts;
pub mod dry_run;
pub mod examine;
pub mod export;
pub mod impact;
mod live_set;
pub mod plan;
pub mod policy;
pub mod preview;
pub mod rebase;
pub mod release;
pub mod replay;
pub mod review;
pub mod sample_users;
pub mod scenario;
pub mod schema;
pub mod seal;
mod secrets;
mod soundness;
pub mod test_call;
pub mod uses;
pub mod yaml;
