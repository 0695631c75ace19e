//! Digests, random tokens and the sealing of secrets at rest; all of it on aws-lc.

pub mod digest;
pub mod mac;
pub mod seal;
pub mod sign;
pub mod token;
