//! Connections to the database, of each pool.

use std::sync::atomic::Ordering;

use super::Metrics;
use super::labels::{ByPool, ByPoolAndState};
use super::register::{Counters, Gauges, Register, set};

/// A pool at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolNow {
    /// What it is for: `own`, `mints`, `users` or `admins`.
    pub name: &'static str,
    /// Connections at most.
    pub limit: usize,
    /// Lent, or being made for somebody.
    pub in_use: usize,
    /// Open, and lent to nobody.
    pub idle: usize,
    /// Who waits for one.
    pub waiting: usize,
    /// Who waited in vain so far.
    pub timed_out: u64,
    /// Connections that broke or fell silent so far.
    pub lost: u64,
}

#[derive(Debug)]
pub(super) struct Pools {
    connections: Gauges<ByPoolAndState>,
    limits: Gauges<ByPool>,
    waiting: Gauges<ByPool>,
    timed_out: Counters<ByPool>,
    lost: Counters<ByPool>,
}

impl Pools {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        Self {
            connections: to.add(
                "database_connections",
                "Connections to the database, by pool and state: in_use, idle",
                Gauges::default(),
            ),
            limits: to.add(
                "database_connections_limit",
                "Connections that a pool may have",
                Gauges::default(),
            ),
            waiting: to.add(
                "database_waiting",
                "Transactions that wait for a connection, by pool",
                Gauges::default(),
            ),
            timed_out: to.add(
                "database_timeouts",
                "Transactions that waited for a connection in vain, by pool",
                Counters::default(),
            ),
            lost: to.add(
                "database_connections_lost",
                "Connections that broke or did not answer in time, by pool",
                Counters::default(),
            ),
        }
    }
}

impl Metrics {
    /// What a pool is at this moment.
    pub fn pool(&self, now: PoolNow) {
        let pools = &self.0.pools;
        let pool = now.name;
        for (state, connections) in [("in_use", now.in_use), ("idle", now.idle)] {
            let labels = ByPoolAndState { pool, state };
            set(&pools.connections.get_or_create(&labels), connections);
        }
        let labels = ByPool { pool };
        set(&pools.limits.get_or_create(&labels), now.limit);
        set(&pools.waiting.get_or_create(&labels), now.waiting);
        let counters = [(&pools.timed_out, now.timed_out), (&pools.lost, now.lost)];
        for (counter, value) in counters {
            let counter = counter.get_or_create(&labels);
            counter.inner().store(value, Ordering::Relaxed);
        }
    }
}
