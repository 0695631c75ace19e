//! What operators are shown.

mod alerts;
mod commands;
mod metrics;
mod prometheus;
mod traces;
