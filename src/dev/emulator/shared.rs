//! What all requests of one emulator share.

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
