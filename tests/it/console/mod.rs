//! The console, as a browser without scripts uses it.

mod contexts;
mod doors;
mod factor;
mod faults;
mod recent;
mod releases;
mod roles;
mod settings;
mod single_sign_on;
mod talk;
mod together;
mod visitor;
mod watching;
