//! What production never runs: a private Postgres, a local issuer, a stand-in for Anam, a demo tenant.

mod address;
mod cors;
pub mod emulator;
pub mod issuer;
pub mod postgres;
pub mod private_file;
pub mod seed;
