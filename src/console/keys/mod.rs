//! Keys: Anam's, the API's, and the secrets of tools. What is secret is shown once, or never.

pub mod api_keys;
pub mod page;
pub mod provider;
pub mod secrets;
