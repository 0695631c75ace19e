//! Anam's API, as far as the gateway uses it.

pub mod breaker;
mod breakers;
pub mod catalogue;
pub mod client;
mod connections;
pub mod error;
mod key;
mod pace;
pub mod reason;
pub mod sessions;
pub mod token;
pub mod wire;

pub use catalogue::{ListedEntry, Listing, Probe};
pub use client::Anam;
pub use connections::{AnamOptions, SetUpError};
pub use error::{AnamError, MintRefused};
pub use key::ApiKey;
pub use sessions::{AnamSession, Concurrency};
pub use token::SessionToken;
