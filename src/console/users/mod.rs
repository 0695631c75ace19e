//! Users: what they chose, their sessions, and what is stored of them.

pub mod erase;
pub mod find;
pub mod form;
pub mod user;
