//! What all requests of one emulator share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::catalogue::Catalogue;
use super::config::EmulatorConfig;
use super::faults::Faults;
use super::requests::Recorder;
use super::sessions::Sessions;
use super::tokens::Tokens;

/// The state of one emulator; each part keeps its own lock.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: EmulatorConfig,
    pub(super) catalogue: Catalogue,
    pub(super) tokens: Tokens,
    pub(super) sessions: Sessions,
    pub(super) faults: Faults,
    pub(super) requests: Recorder,
}

/// Locks, also after a panic in another thread: every change here is made in one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
