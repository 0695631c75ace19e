//! Tidies up: sessions whose instance died, and everything whose time is over. In small steps, each a transaction of its own,
//! so that no load makes it fail for good and one trouble keeps nothing else from being done.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::store::sweep::{BATCH, Expiring};
use crate::store::{Database, StoreError, log_not_done};
use crate::telemetry::metrics::{Metrics, Task};

/// How far back the very first sweep of an installation looks.
const FIRST_LOOK: TimeDelta = TimeDelta::days(31);
/// The time of the ledger that one statement looks at, at most and at least. It shrinks where the database is too slow for it,
/// and grows where it is quick.
const SPANS: (TimeDelta, TimeDelta) = (TimeDelta::hours(6), TimeDelta::seconds(5));
/// Looked at again in each round, since sessions may be added behind the mark: by an instance whose clock is slow, or whose rows
/// waited for the database. What is further back is looked at more seldom; see [`look_back`].
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
/// Doublings of [`OVERLAP`] at most, which makes 42 hours.
const DOUBLINGS: u32 = 9;
/// Statements of one kind in one round: the next round goes on, and other kinds get their turn.
const STEPS: usize = 200;
/// The ledger's partitions are created two years ahead; a warning is logged this long before they end.
const WARN_BEFORE: TimeDelta = TimeDelta::days(92);
/// How long until the warning is logged again.
const WARN_EVERY: Duration = Duration::from_hours(24);

/// Sweeps round after round. Any number of instances may do so at once.
#[derive(Debug)]
pub struct Sweeper {
    database: Database,
    clock: Clock,
    metrics: Metrics,
    /// A session this old without an outcome will get none.
    unknown_after: TimeDelta,
    span: TimeDelta,
    /// Counts from one.
    rounds: u32,
    warned: Option<std::time::Instant>,
}

impl Sweeper {
    /// Begins where the last one stopped, whichever process that was.
    pub fn new(
        database: Database,
        clock: Clock,
        metrics: Metrics,
        unknown_after: TimeDelta,
    ) -> Self {
        Self {
            database,
            clock,
            metrics,
            unknown_after,
            span: SPANS.0,
            rounds: 0,
            warned: None,
        }
    }

    /// One round. What fails is logged and tried again in the next.
    pub async fn round(&mut self) {
        match self.settle().await {
            Ok(()) => self.succeeded(Task::Sweep),
            Err(error) => log_not_done(&error, "the ledger was not swept to its end"),
        }
        let mut is_deleted = true;
        for what in Expiring::ALL {
            if let Err(error) = self.delete(what).await {
                is_deleted = false;
                tracing::debug!(what = what.as_str(), "not deleted");
                log_not_done(&error, "what has ended was not deleted");
            }
        }
        if is_deleted {
            self.succeeded(Task::Expiry);
        }
        match self.look_ahead().await {
            Ok(()) => self.succeeded(Task::LedgerMonths),
            Err(error) => log_not_done(&error, "the ledger's months were not counted"),
        }
    }

    fn succeeded(&self, task: Task) {
        self.metrics.succeeded(task, self.clock.now());
    }

    /// Sets the outcome `unknown` for sessions without an outcome, from a while before the mark on.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let end = self.clock.now() - self.unknown_after;
        self.rounds = self.rounds.wrapping_add(1);
        let mut tx = self.database.platform().await?;
        let mut from = match tx.settled_until().await? {
            // Not after the end, where a clock that was fast has left the mark.
            Some(settled) => settled.min(end) - look_back(self.rounds),
            None if tx.has_sessions().await? => end - FIRST_LOOK,
            None => {
                tx.set_settled_until(end).await?;
                end
            }
        };
        tx.commit().await?;
        let mut unknown = 0;
        for _ in 0..STEPS {
            if from >= end {
                break;
            }
            let until = end.min(from + self.span);
            match self.settle_span(from, until).await {
                Ok(found) => {
                    unknown += found;
                    from = until;
                    self.span = SPANS.0.min(self.span * 2);
                }
                Err(error) if error.is_transient() && self.span > SPANS.1 => {
                    self.span = SPANS.1.max(self.span / 4);
                }
                Err(error) => return Err(error),
            }
        }
        if unknown > 0 {
            tracing::info!(unknown, "marked sessions without an outcome as unknown");
        }
        Ok(())
    }

    async fn settle_span(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.database.platform().await?;
        let found = tx.mark_unknown(from, until).await?;
        tx.set_settled_until(until).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn delete(&self, what: Expiring) -> Result<(), StoreError> {
        let mut deleted = 0;
        for _ in 0..STEPS {
            let mut tx = self.database.platform().await?;
            let some = tx.delete_ended(what).await?;
            tx.commit().await?;
            deleted += some;
            if some < BATCH.unsigned_abs() {
                break;
            }
        }
        if deleted > 0 {
            tracing::info!(what = what.as_str(), deleted, "deleted what has ended");
        }
        Ok(())
    }

    /// Warns in time of the end of the ledger's months.
    async fn look_ahead(&mut self) -> Result<(), StoreError> {
        let mut tx = self.database.platform().await?;
        let until = tx.ledger_ready_until().await?;
        tx.commit().await?;
        let Some(until) = until else {
            return Ok(());
        };
        self.metrics.ledger_ready_until(until.timestamp());
        let due = self.warned.is_none_or(|at| at.elapsed() >= WARN_EVERY);
        if ends_soon(until, self.clock.now()) && due {
            self.warned = Some(std::time::Instant::now());
            tracing::warn!(%until, "the ledger's months end soon: run `persona-gateway migrate`, which makes two more years");
        }
        Ok(())
    }
}

/// How far a round looks back: each second one twice as far as usual, each fourth one four times, and so on. A session that was added
/// late is found within twice as many rounds as it is old in [`OVERLAP`]s, if that is two days at most. On average, a round costs
/// what six usual ones do.
fn look_back(round: u32) -> TimeDelta {
    OVERLAP * (1 << round.trailing_zeros().min(DOUBLINGS))
}

/// Whether somebody should run `migrate` to make the ledger's next months.
pub fn ends_soon(until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    until - now < WARN_BEFORE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_ledgers_months_is_told_three_months_before() {
        let now = DateTime::UNIX_EPOCH;
        assert!(!ends_soon(now + TimeDelta::days(93), now));
        assert!(ends_soon(now + TimeDelta::days(91), now));
        assert!(ends_soon(now - TimeDelta::days(1), now));
    }

    #[test]
    fn what_was_added_late_is_found_in_as_many_rounds_as_it_is_late_and_costs_little() {
        for (minutes, within) in [(4, 1), (9, 2), (20, 4), (39, 8), (24 * 60, 512)] {
            let late = TimeDelta::minutes(minutes);
            for begin in 1..=1_024 {
                let found = (begin..begin + within).any(|round| look_back(round) >= late);
                assert!(found, "{minutes} minutes late, from round {begin} on");
            }
        }
        let all: TimeDelta = (1..=1_024).map(look_back).sum();
        assert!(all / 1_024 <= OVERLAP * 6, "{}", all / 1_024);
        assert!(look_back(0) <= TimeDelta::days(2));
    }
}
