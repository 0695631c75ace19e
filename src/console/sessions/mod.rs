//! Sessions: which tokens were asked for, and why each user got whom they got.

pub mod list;

pub mod replay;
pub mod story;
pub mod trace;
