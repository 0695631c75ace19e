//! The audit trail: signed checkpoints, its export, and the proof that nobody rewrote it.

pub mod chain;
pub mod checkpoint;
pub mod export;
