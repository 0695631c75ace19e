//! Tenants and their furniture: who may call, what users chose.

pub mod access;
pub mod audit;
pub mod preferences;
pub mod subjects;
pub mod visit;
