//! What the gateway keeps up to date beside answering: memory, regular tasks, mail, the log.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::Metrics;
use super::labels::{ByResult, ByTask, Outcome, Task};
use super::register::{Counters, Gauges, Register, set};
use crate::telemetry::logging::dropped_lines;

/// Why a letter is not delivered.
const UNDELIVERED: [&str; 6] = [
    "bad_address",
    "queue_full",
    "refused",
    "timeout",
    "too_many",
    "unreachable",
];

#[derive(Debug)]
pub(super) struct Upkeep {
    ready: Gauge,
    snapshot_loads: Counters<ByResult>,
    tenants_in_memory: Gauge,
    known_users: Gauge,
    known_users_memory: Gauge,
    tasks: Gauges<ByTask>,
    mails: Counters<ByResult>,
    log_lines_dropped: Counter,
    spans: Counters<ByResult>,
}

impl Upkeep {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        let snapshot_loads = to.add(
            "snapshot_loads",
            "Snapshots of tenants built, by result",
            Counters::default(),
        );
        // There from the start, so that the first failure is an increase, and a task that never succeeds is seen.
        for outcome in [Outcome::Ok, Outcome::Failed] {
            let result = outcome.label();
            drop(snapshot_loads.get_or_create(&ByResult { result }));
        }
        let tasks = to.add_in(
            Unit::Seconds,
            "task_succeeded_timestamp",
            "When a regular task last succeeded; 0 before the first time",
            Gauges::default(),
        );
        for task in Task::ALL {
            drop(tasks.get_or_create(&ByTask { task: task.label() }));
        }
        let mails = to.add(
            "mails",
            "Letters to people who administer, by result; retried counts tries that are made again",
            Counters::default(),
        );
        for result in UNDELIVERED {
            drop(mails.get_or_create(&ByResult { result }));
        }
        Self {
            ready: to.add(
                "ready",
                "Whether requests may come, as /readyz says: 1 or 0",
                Gauge::default(),
            ),
            snapshot_loads,
            tenants_in_memory: to.add(
                "tenants_in_memory",
                "Tenants whose snapshots are in memory",
                Gauge::default(),
            ),
            known_users: to.add(
                "known_users",
                "Users whose preferences are in memory",
                Gauge::default(),
            ),
            known_users_memory: to.add_in(
                Unit::Bytes,
                "known_users_memory",
                "What they take there, about",
                Gauge::default(),
            ),
            tasks,
            mails,
            log_lines_dropped: to.add(
                "log_lines_dropped",
                "Lines that are not in the log, since nobody read it fast enough",
                Counter::default(),
            ),
            spans: to.add(
                "spans",
                "Spans of traces that were sent, by result; those that did not fit the queue are not counted",
                Counters::default(),
            ),
        }
    }

    /// Takes over what the log counts itself.
    pub(super) fn count_dropped_lines(&self) {
        let dropped = u64::try_from(dropped_lines()).unwrap_or(u64::MAX);
        self.log_lines_dropped
            .inner()
            .store(dropped, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Whether requests may come.
    pub fn ready(&self, is_ready: bool) {
        self.0.upkeep.ready.set(i64::from(is_ready));
    }

    /// A tenant's snapshot was built again, or could not be.
    pub fn snapshot_load(&self, outcome: Outcome) {
        let labels = ByResult {
            result: outcome.label(),
        };
        self.0.upkeep.snapshot_loads.get_or_create(&labels).inc();
    }

    /// So many tenants' snapshots are in memory.
    pub fn tenants_in_memory(&self, tenants: usize) {
        set(&self.0.upkeep.tenants_in_memory, tenants);
    }

    /// So many users' preferences are in memory, and take about so many bytes.
    pub fn known_users(&self, users: usize, bytes: usize) {
        set(&self.0.upkeep.known_users, users);
        set(&self.0.upkeep.known_users_memory, bytes);
    }

    /// A regular task succeeded.
    pub fn succeeded(&self, task: Task, at: DateTime<Utc>) {
        let labels = ByTask { task: task.label() };
        let gauge = self.0.upkeep.tasks.get_or_create(&labels);
        gauge.set(at.timestamp());
    }

    /// So many spans were sent to the receiver of traces, or were not.
    pub fn spans(&self, spans: usize, outcome: Outcome) {
        let labels = ByResult {
            result: outcome.label(),
        };
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        self.0.upkeep.spans.get_or_create(&labels).inc_by(spans);
    }

    /// A letter was sent, or the label of why not yet or not at all.
    pub fn mail(&self, result: &'static str) {
        self.0
            .upkeep
            .mails
            .get_or_create(&ByResult { result })
            .inc();
    }
}
