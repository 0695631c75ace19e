//! Headless Chromium: the unmodified browser SDK of Anam against the emulator, which is what a token is really for, the page that `dev`
//! serves, and the preferences picker. Needs chromium, chromedriver and npm; the SDK and axe come from npm once, then from target/.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod axe;
mod browser;
#[cfg(test)]
mod console;
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
#[cfg(test)]
mod newcomer;
mod npm;
mod page;
#[cfg(test)]
mod picker;
#[cfg(test)]
mod reference;
mod sdk;
