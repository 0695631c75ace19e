//! Persona gateway: a logged-in user's JWT in, a personalised Anam session token out.
//!
//! The modules are in layer order, lowest first: a module imports only from those above it in
//! this list. `tests/architecture/` holds that rule; `docs/ARCHITECTURE.md` tells the story.

pub mod domain;

pub mod threads;

pub mod anam_sdk;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod keyed_semaphore;
pub mod lifecycle;
pub mod telemetry;
pub mod turns;
pub mod wording;
pub mod work;

pub mod shared;

pub mod anam;
pub mod auth;
pub mod client;

pub mod store;

pub mod ledger;
pub mod limits;
pub mod mail;
pub mod places;
pub mod refusals;
pub mod repeats;
pub mod sources;

pub mod gateway;

pub mod sessions;
pub mod tenants;

pub mod authoring;

pub mod web;

pub mod api;

pub mod console;

pub mod app;

pub mod dev;

pub mod cli;

/// The Rust of the documentation compiles.
#[cfg(doctest)]
#[doc = include_str!("../docs/CLIENTS.md")]
struct Clients;
