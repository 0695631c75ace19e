//! What all that is fetched from issuers shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::outbound::Outbound;
use crate::clock::Clock;
use crate::telemetry::metrics::Metrics;

/// How key sets are renewed. All durations are in the clock's time but for `wait`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSettings {
    /// After any attempt, also a failed one, no request goes to the same issuer for this long.
    pub cooldown: Duration,
    /// Life of a set whose answer names no `max-age`.
    pub refresh: Duration,
    /// Shortest life, whatever `Cache-Control` says.
    pub refresh_floor: Duration,
    /// Longest life, whatever `Cache-Control` says: the bound within which a key that the issuer
    /// withdrew stops working.
    pub refresh_ceiling: Duration,
    /// While the issuer cannot be reached, its last good set serves until it is this old.
    pub max_stale: Duration,
    /// Longest time that a request waits for a fetch, in real time; the fetch itself goes on.
    pub wait: Duration,
}

impl Default for JwksSettings {
    fn default() -> Self {
        Self {
            cooldown: Duration::from_secs(30),
            refresh: Duration::from_mins(10),
            refresh_floor: Duration::from_mins(1),
            refresh_ceiling: Duration::from_mins(30),
            max_stale: Duration::from_hours(1),
            wait: Duration::from_secs(2),
        }
    }
}

/// Bounds on requests to introspection endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntrospectionSettings {
    /// Questions to one issuer in a second.
    pub per_second: u32,
    /// Questions to one issuer at the same time.
    pub in_flight: usize,
}

impl Default for IntrospectionSettings {
    fn default() -> Self {
        Self {
            per_second: 50,
            in_flight: 32,
        }
    }
}

/// Bytes that everybody's may have together. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub(super) struct MemoryBudget {
    most: usize,
    taken: Arc<AtomicUsize>,
}

impl MemoryBudget {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// Whether there was room for so many bytes, which are taken now.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let within = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.most);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// What fetches from issuers share: the guarded client, the clock, the bounds.
pub(super) struct Fetcher {
    pub(super) outbound: Outbound,
    pub(super) settings: JwksSettings,
    pub(super) introspection: IntrospectionSettings,
    /// The memory budget of remembered opaque tokens.
    pub(super) room: MemoryBudget,
    pub(super) clock: Clock,
    pub(super) tracker: TaskTracker,
    /// Fetches outlive the request that started them, and its worker.
    pub(super) runtime: Handle,
    pub(super) metrics: Metrics,
}
