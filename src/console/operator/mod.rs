//! The installation, for operators: tenants, and whose tokens are whose.

pub mod issuers;
pub mod tenants;
