//! Tenants and their settings: callers, credentials, catalogue, preferences, the audit trail.

pub mod access;
pub mod actor;
pub mod admin;
pub mod allowances;
pub mod api_keys;
pub mod audit;
pub mod catalogue;
pub mod change;
pub mod invitations;
pub mod issuer_secret;
pub mod issuers;
pub mod master_keys;
pub mod members;
pub mod operators;
pub mod password_reset;
pub mod preferences;
pub mod provider_keys;
pub mod quota_warnings;
pub mod refusal;
pub mod second_factor;
pub mod secrets;
pub mod sign_in;
pub mod signed_in;
pub mod sso;
pub mod subjects;
pub mod user_admission;
