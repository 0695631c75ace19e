//! The console, as people use it in Chromium.

mod desk;
mod factor;
mod hostile;
mod journey;
mod looks;
mod pictures;
mod rules;
mod slips;
mod sso;
mod states;
mod talk;
