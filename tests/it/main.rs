//! Behaviour through the real server over HTTP, against a real Postgres: a database for each test, a strict emulator
//! of Anam, a real issuer that serves its keys.

// Marked so that clippy allows what tests may do in their helpers too.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod authoring;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod console;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod http;
#[cfg(test)]
mod instances;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod me;
#[cfg(test)]
mod previews;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod store;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tenancy;
#[cfg(test)]
mod tenant_settings;
