//! The main job, and what belongs to its record.

pub mod conversations;
pub mod explain;
pub mod mint;
pub mod record;
pub mod sweep;
pub mod time_used;
pub mod timings;
pub mod written;
