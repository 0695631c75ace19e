//! The tenant's policy and name.

pub mod allowances;
pub mod document;
pub mod page;
pub mod rows;
