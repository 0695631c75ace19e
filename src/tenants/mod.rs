//! Tenants and their furniture: who may call, what users chose.

pub mod access;
pub mod admin;
pub mod audit;
pub mod change;
pub mod preferences;
pub mod refusal;
pub mod subjects;
pub mod visit;
