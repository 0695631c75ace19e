//! Digests, random tokens, passwords and the sealing of secrets at rest.

pub mod client_secret;
pub mod digest;
pub mod guessable;
pub mod mac;
pub mod password;
pub mod scram;
pub mod seal;
pub mod shared_secret;
pub mod sign;
pub mod token;
pub mod totp;
