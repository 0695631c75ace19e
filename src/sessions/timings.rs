//! How long the parts of a mint took.

use std::time::Duration;

use crate::telemetry::metrics::{Metrics, Stage};

/// How long each part took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Verifying the JWT.
    pub auth: Duration,
    /// Reading what is live, deciding, and taking a place.
    pub decide: Duration,
    /// Asking Anam, with the ledger's commit beside it.
    pub anam: Duration,
    pub total: Duration,
}

impl Timings {
    /// Counts them.
    pub(super) fn count(self, metrics: &Metrics) {
        metrics.mint_stage(Stage::Auth, self.auth);
        metrics.mint_stage(Stage::Decide, self.decide);
        metrics.mint_stage(Stage::Anam, self.anam);
        metrics.mint_stage(Stage::Total, self.total);
    }
}
