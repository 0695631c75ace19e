//! The tenant's policy and name.

pub mod document;
pub mod page;
pub mod quotas;
pub mod rows;
