//! People: who works in the tenant, with which role, and who is invited.

pub mod forgotten;
pub mod join;
pub mod page;
