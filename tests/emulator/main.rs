//! The stand-ins, over HTTP as the gateway and a browser see them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod catalogue;
mod driver;
mod faults;
mod issuer;
mod lax;
mod sessions;
mod signalling;
mod strict;
