//! What every HTTP face shares: how errors look, how callers and bodies are read.

pub mod address;
pub mod admin;
pub mod bearer;
pub mod body;
pub mod codes;
pub mod cors;
pub mod etag;
pub mod finding;
mod forwarded;
pub mod html;
pub mod input;
pub mod operation;
mod owed;
pub mod own_address;
pub mod page;
pub mod path;
pub mod people;
pub mod problem;
pub mod quota;
pub mod trace;
pub mod turn;
pub mod user;
pub mod work;

pub use problem::Problem;
