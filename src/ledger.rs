//! The ledger's writer: rows of many requests are committed together, and callers that need their row durable wait for
//! that commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use crate::lifecycle::{Lifecycle, Part};
use crate::store::ledger::LedgerWriter;
use crate::store::sessions::{Outcome, Requested};
use crate::store::{Database, StoreError, log_not_done};
use crate::telemetry::metrics::{self, Metrics};

/// Rows of a kind that are committed together at most.
const BATCH: usize = 256;
/// Entries waiting at most; beyond, requests are turned away rather than piled up.
const QUEUE: usize = 4_096;
/// How long outcomes wait for requested rows to be committed with: nobody waits for them.
const COMPANY: Duration = Duration::from_millis(50);
/// How long requested rows wait for more at most. A quarter of the time that Anam takes, so that the commit still ends before
/// Anam's answer, and not at all where that is too short to gain anything.
const LINGER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
/// How often an outcome is tried before it is given up; the sweep then says `unknown` of its session.
const OUTCOME_TRIES: u32 = 5;
/// The pause before outcomes are tried again, for each try that they had.
const OUTCOME_PAUSE: Duration = Duration::from_millis(100);
/// After a failure: how often is looked whether the database takes writes again.
const PROBE: Duration = Duration::from_secs(1);

/// Why a row is not in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The database did not take it in time, or too many wait.
    #[error("the ledger is not available")]
    Unavailable,
}

/// A handle to the writer.
#[derive(Debug, Clone)]
pub struct Ledger {
    requested: mpsc::Sender<Waiting>,
    outcomes: mpsc::Sender<Outcome>,
    patience: Duration,
    pace: Arc<Pace>,
}

/// A row, and who waits for it.
#[derive(Debug)]
struct Waiting {
    row: Requested,
    done: oneshot::Sender<Result<(), LedgerError>>,
}

/// How long Anam takes: a moving average, in microseconds.
#[derive(Debug, Default)]
struct Pace(AtomicU32);

impl Pace {
    fn note(&self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let known = self.0.load(Ordering::Relaxed);
        let next = known - known / 8 + took / 8;
        // Of two at once one is not counted, which does no harm.
        self.0.store(next, Ordering::Relaxed);
    }

    /// How long requested rows may wait for more.
    fn linger(&self) -> Duration {
        let quarter = Duration::from_micros(self.0.load(Ordering::Relaxed).into()) / 4;
        if quarter < LINGER.0 {
            return Duration::ZERO;
        }
        quarter.min(LINGER.1)
    }
}

/// The writer itself; [`Writer::run`] ends when every [`Ledger`] is gone and the queues are empty.
#[derive(Debug)]
pub struct Writer {
    requested: mpsc::Receiver<Waiting>,
    outcomes: mpsc::Receiver<Outcome>,
    pace: Arc<Pace>,
    /// What the next batch consists of so far.
    asked: Vec<Waiting>,
    ended: Vec<Outcome>,
    /// How often `ended` was tried.
    tries: u32,
    pen: Pen,
}

/// Writes batches of rows, and counts them.
#[derive(Debug)]
struct Pen {
    rows: LedgerWriter,
    metrics: Metrics,
}

impl Ledger {
    /// A handle and the writer behind it, which has a connection of its own. `patience` is the longest wait for a commit.
    pub fn new(database: Database, patience: Duration, metrics: Metrics) -> (Self, Writer) {
        let (requested, waiting) = mpsc::channel(QUEUE);
        let (outcomes, ended) = mpsc::channel(QUEUE);
        let pace = Arc::<Pace>::default();
        let writer = Writer {
            requested: waiting,
            outcomes: ended,
            pace: pace.clone(),
            asked: Vec::with_capacity(BATCH),
            ended: Vec::with_capacity(BATCH),
            tries: 0,
            pen: Pen {
                rows: LedgerWriter::new(database),
                metrics,
            },
        };
        let ledger = Self {
            requested,
            outcomes,
            patience,
            pace,
        };
        (ledger, writer)
    }

    /// Returns once the row is durable. After an error it may be there or not: no token may leave.
    pub async fn requested(&self, row: Requested) -> Result<(), LedgerError> {
        let (done, committed) = oneshot::channel();
        self.requested
            .try_send(Waiting { row, done })
            .map_err(|_full| LedgerError::Unavailable)?;
        match tokio::time::timeout(self.patience, committed).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(LedgerError::Unavailable),
        }
    }

    /// Hands over an outcome; it is written behind the answer.
    pub fn outcome(&self, row: Outcome) {
        if self.outcomes.try_send(row).is_err() {
            tracing::warn!(
                "an outcome did not fit the ledger's queue; the sweep will say unknown of its session"
            );
        }
    }

    /// Notes how long Anam took for an answer: rows that are committed beside it may wait a part of that for others.
    pub fn anam_took(&self, took: Duration) {
        self.pace.note(took);
    }
}

impl Writer {
    /// Writes until every handle is gone, and reports whether it can.
    pub async fn run(mut self, lifecycle: Lifecycle) {
        let mut works = true;
        loop {
            tokio::select! {
                more = self.gather() => {
                    if !more {
                        break;
                    }
                    works = self.write().await;
                }
                // Nobody is sent to an instance that is not ready, so it must find out by itself when it is again.
                () = sleep(PROBE), if !works => works = self.pen.can_write().await,
            }
            lifecycle.report(Part::Ledger, works);
        }
        self.pen.rows.close().await;
    }

    /// Waits until there is something to write. False where nothing will ever be again. Cut off in between, it loses nothing.
    async fn gather(&mut self) -> bool {
        if self.asked.is_empty() && self.ended.is_empty() {
            let taken = tokio::select! {
                taken = self.requested.recv_many(&mut self.asked, BATCH) => taken,
                taken = self.outcomes.recv_many(&mut self.ended, BATCH) => taken,
            };
            // The handle of both is gone; what was handed over before is still there.
            if taken == 0
                && self.requested.recv_many(&mut self.asked, BATCH).await == 0
                && self.outcomes.recv_many(&mut self.ended, BATCH).await == 0
            {
                return false;
            }
        }
        if self.asked.is_empty() {
            let pause = COMPANY.max(OUTCOME_PAUSE * self.tries);
            self.more_requested(pause).await;
        }
        if !self.asked.is_empty() {
            self.more_requested(self.pace.linger()).await;
        }
        while self.ended.len() < BATCH
            && let Ok(row) = self.outcomes.try_recv()
        {
            self.ended.push(row);
        }
        let waiting = self.requested.len();
        self.pen
            .metrics
            .ledger_queue(i64::try_from(waiting).unwrap_or(i64::MAX));
        true
    }

    /// Takes requested rows that are there, and those that come within this time. Without one so far, the first ends the wait.
    async fn more_requested(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        let alone = self.asked.is_empty();
        while self.asked.len() < BATCH {
            let room = BATCH - self.asked.len();
            let taking = self.requested.recv_many(&mut self.asked, room);
            match timeout_at(end, taking).await {
                Ok(0) | Err(_) => return,
                Ok(_) if alone => return,
                Ok(_) => {}
            }
        }
    }

    /// Writes what was gathered. False where the database is not there for it.
    async fn write(&mut self) -> bool {
        // Whoever is gone has given up.
        let waiting = self.asked.drain(..).filter(|one| !one.done.is_closed());
        let (rows, waiting): (Vec<_>, Vec<_>) = waiting.map(|one| (one.row, one.done)).unzip();
        let written = self.pen.write(&rows, &self.ended).await;
        let is_there = match &written {
            Err(error) if !error.is_transient() => return self.write_singly(rows, waiting).await,
            Err(error) => {
                log_not_done(error, "rows of the ledger were not written");
                false
            }
            Ok(()) => true,
        };
        for done in waiting {
            _ = done.send(if is_there {
                Ok(())
            } else {
                Err(LedgerError::Unavailable)
            });
        }
        if is_there {
            self.forget_outcomes();
        } else {
            self.keep_outcomes();
        }
        is_there
    }

    /// One row that the database refuses must not affect the others.
    async fn write_singly(
        &mut self,
        rows: Vec<Requested>,
        waiting: Vec<oneshot::Sender<Result<(), LedgerError>>>,
    ) -> bool {
        let mut is_there = true;
        for (row, done) in rows.iter().zip(waiting) {
            if !is_there {
                // A database that has just not answered is not asked for each of the others.
                _ = done.send(Err(LedgerError::Unavailable));
                continue;
            }
            let written = self.pen.write(std::slice::from_ref(row), &[]).await;
            if let Err(error) = &written {
                tracing::error!(session.id = %row.session, %error, "a requested row was not written");
                is_there = !error.is_transient();
            }
            _ = done.send(written.map_err(|_refused| LedgerError::Unavailable));
        }
        let ended = std::mem::take(&mut self.ended);
        let mut left = ended.into_iter();
        while is_there && let Some(row) = left.next() {
            match self.pen.write(&[], std::slice::from_ref(&row)).await {
                Ok(()) => {}
                Err(error) if error.is_transient() => {
                    is_there = false;
                    self.ended.push(row);
                }
                Err(error) => {
                    tracing::error!(session.id = %row.session, %error, "an outcome was not written; the sweep will say unknown");
                }
            }
        }
        self.ended.extend(left);
        if self.ended.is_empty() {
            self.forget_outcomes();
        } else {
            self.keep_outcomes();
        }
        is_there
    }

    fn forget_outcomes(&mut self) {
        self.ended.clear();
        self.tries = 0;
    }

    /// Keeps the outcomes that were not written for another try, unless they had enough.
    fn keep_outcomes(&mut self) {
        self.tries += 1;
        if self.tries >= OUTCOME_TRIES && !self.ended.is_empty() {
            let rows = self.ended.len();
            tracing::error!(
                rows,
                "outcomes were not written; the sweep will say unknown"
            );
            self.forget_outcomes();
        }
    }
}

impl Pen {
    async fn write(
        &mut self,
        requested: &[Requested],
        outcomes: &[Outcome],
    ) -> Result<(), StoreError> {
        if requested.is_empty() && outcomes.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let written = self.rows.write(requested, outcomes).await;
        let outcome = if written.is_ok() {
            metrics::Outcome::Ok
        } else {
            metrics::Outcome::Failed
        };
        let rows = requested.len() + outcomes.len();
        self.metrics.ledger_write(
            u32::try_from(rows).unwrap_or(u32::MAX),
            started.elapsed(),
            outcome,
        );
        written
    }

    async fn can_write(&mut self) -> bool {
        self.rows.takes_writes().await.unwrap_or(false)
    }
}
