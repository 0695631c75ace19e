//! README and docs: each of their commands does what its page says.

mod pages;
mod reader;
mod typescript;
