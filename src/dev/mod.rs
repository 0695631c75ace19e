//! What production never runs: a private Postgres, a local issuer, a stand-in for Anam, a demo tenant, a page to try it.

mod address;
mod cors;
pub mod emulator;
pub mod issuer;
pub mod page;
pub mod postgres;
pub mod private_file;
pub mod seed;
