//! The configuration as an operator meets it.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod database_url;
mod settings;
