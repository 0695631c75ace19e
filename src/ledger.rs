//! The ledger's writer: rows of many requests are committed together, and whoever needs its row durable waits for
//! that commit.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::store::sessions::{Outcome, Requested};
use crate::store::{Database, StoreError};
use crate::telemetry::metrics::{self, Metrics};

/// Rows committed together at most.
const BATCH: usize = 256;
/// Entries waiting at most; beyond, requests are turned away rather than piled up.
const QUEUE: usize = 4_096;
/// How often an outcome is tried before it is given up; the sweep then says `unknown` of its session.
const OUTCOME_TRIES: u32 = 5;

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
    queue: mpsc::Sender<Entry>,
    patience: Duration,
}

/// What the writer is handed.
#[derive(Debug)]
enum Entry {
    Requested(Box<Requested>, oneshot::Sender<Result<(), LedgerError>>),
    Outcome(Outcome),
}

/// The writer itself; [`Writer::run`] ends when every [`Ledger`] is gone and the queue is empty.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Receiver<Entry>,
    database: Database,
    metrics: Metrics,
}

impl Ledger {
    /// A handle and the writer behind it. `patience` is the longest wait for a commit.
    pub fn new(database: Database, patience: Duration, metrics: Metrics) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (
            Self {
                queue: sender,
                patience,
            },
            Writer {
                queue: receiver,
                database,
                metrics,
            },
        )
    }

    /// Returns once the row is durable. After an error it may be there or not: no token may leave.
    pub async fn requested(&self, row: Requested) -> Result<(), LedgerError> {
        let (done, committed) = oneshot::channel();
        self.queue
            .try_send(Entry::Requested(Box::new(row), done))
            .map_err(|_full| LedgerError::Unavailable)?;
        match tokio::time::timeout(self.patience, committed).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(LedgerError::Unavailable),
        }
    }

    /// Hands over an outcome; it is written behind the answer.
    pub fn outcome(&self, row: Outcome) {
        if self.queue.try_send(Entry::Outcome(row)).is_err() {
            tracing::warn!(
                "an outcome did not fit the ledger's queue; the sweep will say unknown of its session"
            );
        }
    }
}

impl Writer {
    /// Writes until every handle is gone.
    pub async fn run(mut self) {
        let mut entries = Vec::with_capacity(BATCH);
        while self.queue.recv_many(&mut entries, BATCH).await > 0 {
            self.metrics
                .ledger_queue(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
            let mut requested = Vec::new();
            let mut waiting = Vec::new();
            let mut outcomes = Vec::new();
            for entry in entries.drain(..) {
                match entry {
                    // Whoever waited for this one has given up.
                    Entry::Requested(_, done) if done.is_closed() => {}
                    Entry::Requested(row, done) => {
                        requested.push(*row);
                        waiting.push(done);
                    }
                    Entry::Outcome(row) => outcomes.push(row),
                }
            }
            self.write_requested(requested, waiting).await;
            self.write_outcomes(&outcomes).await;
        }
    }

    async fn write_requested(
        &self,
        rows: Vec<Requested>,
        waiting: Vec<oneshot::Sender<Result<(), LedgerError>>>,
    ) {
        if rows.is_empty() {
            return;
        }
        if self.commit_requested(&rows).await.is_ok() {
            for done in waiting {
                _ = done.send(Ok(()));
            }
            return;
        }
        // One row that the database refuses must not turn the others away.
        for (row, done) in rows.into_iter().zip(waiting) {
            let outcome = self.commit_requested(std::slice::from_ref(&row)).await.map_err(|error| {
                tracing::error!(session.id = %row.session, %error, "a requested row was not written");
                LedgerError::Unavailable
            });
            _ = done.send(outcome);
        }
    }

    async fn commit_requested(&self, rows: &[Requested]) -> Result<(), StoreError> {
        let write = async {
            let mut tx = self.database.platform().await?;
            tx.insert_requested(rows).await?;
            tx.commit().await
        };
        self.counted(rows.len(), write).await
    }

    async fn write_outcomes(&self, rows: &[Outcome]) {
        if rows.is_empty() {
            return;
        }
        for attempt in 1..=OUTCOME_TRIES {
            match self.commit_outcomes(rows).await {
                Ok(()) => return,
                Err(error) if error.is_transient() && attempt < OUTCOME_TRIES => {
                    tracing::warn!(%error, attempt, "outcomes were not written; trying again");
                    tokio::time::sleep(Duration::from_millis(100 * u64::from(attempt))).await;
                }
                Err(error) => {
                    tracing::error!(%error, rows = rows.len(), "outcomes were not written; the sweep will say unknown");
                    return;
                }
            }
        }
    }

    async fn commit_outcomes(&self, rows: &[Outcome]) -> Result<(), StoreError> {
        let write = async {
            let mut tx = self.database.platform().await?;
            tx.insert_outcomes(rows).await?;
            tx.commit().await
        };
        self.counted(rows.len(), write).await
    }

    async fn counted(
        &self,
        rows: usize,
        write: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let started = Instant::now();
        let written = write.await;
        let outcome = if written.is_ok() {
            metrics::Outcome::Ok
        } else {
            metrics::Outcome::Failed
        };
        self.metrics.ledger_write(
            u32::try_from(rows).unwrap_or(u32::MAX),
            started.elapsed(),
            outcome,
        );
        written
    }
}
