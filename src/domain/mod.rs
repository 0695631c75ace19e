//! The pure part: words of the trade as types, and the decision who gets which persona.
//! No I/O, no clock, no randomness, so every function here can be replayed.

pub mod caller;
pub mod ids;
pub mod issuer;
pub mod template;
pub mod text;
