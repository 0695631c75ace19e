//! The real program: exit codes, what it prints, what it leaves behind.

mod bundles;
mod dev;
mod files;
mod people;
mod preferences;
mod serve;
mod shared_issuer;
mod small;
mod surroundings;
