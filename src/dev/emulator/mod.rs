//! A stand-in for Anam that speaks its HTTP and signalling, so that the gateway and the unmodified
//! browser SDK can be driven without the real service.
//!
//! It shares no type with the gateway: it reads bodies by the names that Anam documents, so a field
//! that the gateway misspells is refused here too. Strict mode refuses what Anam would only trip
//! over later, in the user's browser; lax mode behaves as Anam was seen to.

mod access;
mod answer;
mod catalogue;
mod config;
mod engine;
mod engine_page;
mod faults;
mod handle;
mod lock;
mod mint;
mod requests;
mod routes;
mod schema;
mod server;
mod sessions;
mod shared;
mod signalling;
mod tokens;

pub use config::{ApiKeys, EmulatorConfig, Mode};
pub use faults::{Fault, FaultBody, FaultTarget};
pub use handle::{EmulatorHandle, Minted};
pub use requests::RecordedRequest;
pub use server::{Emulator, EmulatorError};
