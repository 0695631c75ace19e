//! The unmodified browser SDK of Anam in headless Chromium, against the emulator: what a token is
//! really for. Needs chromium, chromedriver and npm; the SDK comes from npm once, then from target/.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod browser;
mod conversation;
mod gateway;
#[cfg(test)]
#[path = "../it/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the harness serves tests/it first"
)]
mod harness;
mod page;
#[cfg(test)]
mod reference;
mod sdk;
