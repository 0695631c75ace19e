//! Tenants and their furniture: who may call, what users chose.

pub mod access;
pub mod admin;
pub mod audit;
pub mod catalogue;
pub mod change;
pub mod issuers;
pub mod preferences;
pub mod provider_keys;
pub mod refusal;
pub mod subjects;
pub mod visit;
