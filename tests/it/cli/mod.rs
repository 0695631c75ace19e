//! The real program: exit codes, what it prints, what it leaves behind.

mod bundles;
mod dev;
mod preferences;
mod serve;
mod small;
