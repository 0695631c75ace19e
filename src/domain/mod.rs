//! The pure part: words of the trade as types, and the decision who gets which persona.
//! No I/O, no clock, no randomness, so every function here can be replayed.

pub mod caller;
pub mod catalogue;
pub mod context;
pub mod decide;
pub mod diff;
mod draw;
pub mod email;
pub mod examine;
pub mod fault;
pub mod finding;
pub mod ids;
pub mod issuer;
pub mod json;
pub mod kept_test;
pub mod key;
pub mod members;
pub mod merge;
pub mod merge_patch;
pub mod nearest;
pub mod pattern;
pub mod persona;
pub mod policy;
pub mod preferences;
pub mod request;
pub mod role;
pub mod rules;
pub mod sample_user;
pub mod schema;
pub mod settings;
pub mod snapshot;
pub mod template;
pub mod text;
pub mod timeline;
pub mod tool;
pub mod trace;
pub mod web_url;
