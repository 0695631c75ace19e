//! What every test stands on.

pub(crate) mod app;
pub(crate) mod postgres;
pub(crate) mod wait;

pub(crate) use app::{TestApp, TestOptions, spawn, spawn_with};
