//! Tenants and their furniture: who may call, what users chose.

pub mod access;
pub mod preferences;
pub mod visit;
