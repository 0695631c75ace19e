//! A local issuer of user tokens, for development and tests: `OpenID` discovery, a key set,
//! and an endpoint that signs whatever it is asked to. Never expose it: it asks for no password.

mod algorithm;
mod handle;
mod keys;
mod server;
mod shared;
mod token;

pub use algorithm::SigningAlgorithm;
pub use handle::DevIssuerHandle;
pub use keys::{DevIssuerKeys, KeyError};
pub use server::{DevIssuer, DevIssuerError};
pub use token::{Audience, TokenError, TokenRequest};
