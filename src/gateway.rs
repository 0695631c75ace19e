//! What use cases receive: everything that the main job needs, put together once in app.rs.

use std::sync::Arc;

use crate::anam::Anam;
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::sources::Sources;
use crate::store::Database;
use crate::telemetry::metrics::Metrics;

/// The rooms that a use case may enter.
#[derive(Debug)]
pub struct Gateway {
    /// Verifies users' JWTs.
    pub auth: Arc<Authenticator>,
    /// Counts requests in.
    pub limits: Limits,
    /// Reads what is live.
    pub sources: Arc<Sources>,
    /// Records sessions.
    pub ledger: Ledger,
    /// Asks Anam.
    pub anam: Anam,
    /// For use cases that write.
    pub database: Database,
    /// The time, and new ids.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
}
