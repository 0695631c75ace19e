//! From text that admins write to what is live: reading bundles, applying them, writing them out again.

pub mod apply;
pub mod bundle;
mod document;
pub mod export;
mod fit;
pub mod plan;
pub mod schema;
pub mod world;
pub mod yaml;
