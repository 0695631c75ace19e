//! The record of sessions, and the spool for when the database is away.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use super::Metrics;
use super::labels::{ByResult, Outcome};
use super::register::{Counters, Register, seconds, set};
use crate::domain::ids::TenantId;
use crate::domain::quota::Left;

const BATCH_ROWS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 500.0];

/// What is in the spool's folder at a moment, of all instances that use it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolNow {
    pub files: usize,
    pub bytes: u64,
    /// How much of the disk they may take.
    pub limit: u64,
    /// When the oldest file was begun, in seconds since 1970; 0 where there is none.
    pub oldest: i64,
}

#[derive(Debug)]
pub(super) struct LedgerMetrics {
    writes: Counters<ByResult>,
    write_duration: Histogram,
    batch: Histogram,
    queue: Gauge,
    spooled: Counter,
    replayed: Counter,
    spool_files: Gauge,
    spool_bytes: Gauge,
    spool_limit: Gauge,
    spool_oldest: Gauge,
    ready_until: Gauge,
    quota_warnings: Counter,
}

impl LedgerMetrics {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        let writes = to.add(
            "ledger_writes",
            "Batches written to the ledger, by result",
            Counters::default(),
        );
        // There from the start, so that the first failure is an increase.
        for outcome in [Outcome::Ok, Outcome::Failed] {
            let result = outcome.label();
            drop(writes.get_or_create(&ByResult { result }));
        }
        Self {
            writes,
            write_duration: to.add_in(
                Unit::Seconds,
                "ledger_write_duration",
                "Time of a batch, commit included",
                seconds(),
            ),
            batch: to.add(
                "ledger_batch_rows",
                "Rows in a batch",
                Histogram::new(BATCH_ROWS),
            ),
            queue: to.add(
                "ledger_queue_rows",
                "Rows that wait to be written",
                Gauge::default(),
            ),
            spooled: to.add(
                "ledger_spooled_rows",
                "Rows that went to the spool, since the database did not take them",
                Counter::default(),
            ),
            replayed: to.add(
                "ledger_replayed_rows",
                "Rows that came from the spool into the database; another instance may have spooled them",
                Counter::default(),
            ),
            spool_files: to.add(
                "ledger_spool_files",
                "Files in the spool's folder, of all instances that use it",
                Gauge::default(),
            ),
            spool_bytes: to.add_in(
                Unit::Bytes,
                "ledger_spool",
                "What these files take",
                Gauge::default(),
            ),
            spool_limit: to.add_in(
                Unit::Bytes,
                "ledger_spool_limit",
                "What they may take; 0 without a spool",
                Gauge::default(),
            ),
            spool_oldest: to.add_in(
                Unit::Seconds,
                "ledger_spool_oldest_timestamp",
                "When the oldest of these files was begun; 0 where there is none",
                Gauge::default(),
            ),
            ready_until: to.add_in(
                Unit::Seconds,
                "ledger_ready_until_timestamp",
                "Until when the ledger's months are made; `migrate` makes more",
                Gauge::default(),
            ),
            quota_warnings: to.add(
                "quota_warnings",
                "Quotas of tenants of which four fifths were used; the log names them",
                Counter::default(),
            ),
        }
    }
}

impl Metrics {
    /// A batch of ledger rows was committed, or was not.
    pub fn ledger_write(&self, rows: u32, took: Duration, outcome: Outcome) {
        let ledger = &self.0.ledger;
        let labels = ByResult {
            result: outcome.label(),
        };
        ledger.writes.get_or_create(&labels).inc();
        ledger.write_duration.observe(took.as_secs_f64());
        ledger.batch.observe(f64::from(rows));
    }

    /// How many ledger rows wait to be written.
    pub fn ledger_queue(&self, rows: i64) {
        self.0.ledger.queue.set(rows);
    }

    /// So many ledger rows went to the spool, since the database did not take them.
    pub fn ledger_spooled(&self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.0.ledger.spooled.inc_by(rows);
    }

    /// So many ledger rows came from the spool into the database.
    pub fn ledger_replayed(&self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.0.ledger.replayed.inc_by(rows);
    }

    /// What is in the spool's folder.
    pub fn ledger_spool(&self, now: SpoolNow) {
        let ledger = &self.0.ledger;
        set(&ledger.spool_files, now.files);
        let size = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        ledger.spool_bytes.set(size(now.bytes));
        ledger.spool_limit.set(size(now.limit));
        ledger.spool_oldest.set(now.oldest);
    }

    /// Four fifths of a tenant's quota were used.
    pub fn quota_warning(&self) {
        self.0.ledger.quota_warnings.inc();
    }

    /// So much is left of a tenant's quotas for all its users.
    pub fn quota_left(&self, tenant: TenantId, left: &[Left]) {
        self.0.tenants.left(tenant, left);
    }

    /// Until when the ledger's months are made, in seconds since 1970.
    pub fn ledger_ready_until(&self, seconds: i64) {
        self.0.ledger.ready_until.set(seconds);
    }
}
