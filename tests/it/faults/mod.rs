//! Faults of everything around the gateway, and of the gateway itself, under load. What clients were told is compared with the ledger.
//!
//! The short ones run with all tests. The long ones are ignored; `just soak` runs them.

mod clients;
mod kills;
mod load;
mod outages;
mod promotion;
mod scale;
mod times;
mod upstream;
