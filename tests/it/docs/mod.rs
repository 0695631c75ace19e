//! README and docs: each of their commands does what its page says.

mod kubernetes;
mod pages;
mod reader;
mod typescript;
