//! Anam's API, as far as the gateway uses it.

pub mod catalogue;
pub mod client;
pub mod error;
pub mod reason;
pub mod sessions;
pub mod token;
pub mod wire;

pub use catalogue::{ListedEntry, Listing, Probe};
pub use client::{Anam, AnamOptions, ApiKey, SetUpError};
pub use error::{AnamError, MintRefused};
pub use sessions::AnamSession;
pub use token::SessionToken;
