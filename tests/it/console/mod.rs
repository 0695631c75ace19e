//! The console, as a browser without scripts uses it.

mod contexts;
mod visitor;
