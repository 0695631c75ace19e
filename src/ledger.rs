//! The ledger's writer: rows of many requests are committed together, and callers that need their row durable wait for
//! that commit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::lifecycle::{Lifecycle, Part};
use crate::store::sessions::{Outcome, Requested};
use crate::store::{Database, StoreError, log_not_done};
use crate::telemetry::metrics::{self, Metrics};

/// Rows committed together at most.
const BATCH: usize = 256;
/// Entries waiting at most; beyond, requests are turned away rather than piled up.
const QUEUE: usize = 4_096;
/// How often an outcome is tried before it is given up; the sweep then says `unknown` of its session.
const OUTCOME_TRIES: u32 = 5;
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
}

/// A row, and who waits for it.
#[derive(Debug)]
struct Waiting {
    row: Requested,
    done: oneshot::Sender<Result<(), LedgerError>>,
}

/// The writer itself; [`Writer::run`] ends when every [`Ledger`] is gone and the queues are empty.
#[derive(Debug)]
pub struct Writer {
    requested: mpsc::Receiver<Waiting>,
    outcomes: mpsc::Receiver<Outcome>,
    pen: RowWriter,
}

/// Writes batches of rows.
#[derive(Debug, Clone)]
struct RowWriter {
    database: Database,
    metrics: Metrics,
}

impl Ledger {
    /// A handle and the writer behind it, which needs two connections. `patience` is the longest wait for a commit.
    pub fn new(database: Database, patience: Duration, metrics: Metrics) -> (Self, Writer) {
        let (requested, waiting) = mpsc::channel(QUEUE);
        let (outcomes, ended) = mpsc::channel(QUEUE);
        (
            Self {
                requested,
                outcomes,
                patience,
            },
            Writer {
                requested: waiting,
                outcomes: ended,
                pen: RowWriter { database, metrics },
            },
        )
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
}

impl Writer {
    /// Writes until every handle is gone, and reports whether it can. Outcomes have a line of their own: nobody waits for
    /// them, so nobody shall wait behind them.
    pub async fn run(self, lifecycle: Lifecycle) {
        let Self {
            requested,
            outcomes,
            pen,
        } = self;
        tokio::join!(
            pen.write_all_requested(requested, &lifecycle),
            pen.write_all_outcomes(outcomes)
        );
    }
}

/// The result for everybody who waits for the batch.
fn to_ledger_result(written: &Result<(), StoreError>) -> Result<(), LedgerError> {
    match written {
        Ok(()) => Ok(()),
        Err(_) => Err(LedgerError::Unavailable),
    }
}

impl RowWriter {
    async fn write_all_requested(&self, mut queue: mpsc::Receiver<Waiting>, lifecycle: &Lifecycle) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut works = true;
        loop {
            tokio::select! {
                taken = queue.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                    self.metrics
                        .ledger_queue(i64::try_from(queue.len()).unwrap_or(i64::MAX));
                    // Whoever is gone has given up.
                    batch.retain(|waiting| !waiting.done.is_closed());
                    if !batch.is_empty() {
                        works = self.write_requested(std::mem::take(&mut batch)).await;
                    }
                }
                // Nobody is sent to an instance that is not ready, so it must find out by itself when it is again.
                () = tokio::time::sleep(PROBE), if !works => works = self.can_write().await,
            }
            lifecycle.report(Part::Ledger, works);
        }
    }

    /// False where the database is not there for it.
    async fn write_requested(&self, batch: Vec<Waiting>) -> bool {
        let (rows, mut waiting): (Vec<_>, VecDeque<_>) = batch
            .into_iter()
            .map(|Waiting { row, done }| (row, done))
            .unzip();
        let mut written = self.commit_requested(&rows).await;
        if matches!(&written, Err(error) if !error.is_transient()) {
            // One row that the database refuses must not turn the others away.
            for row in &rows {
                written = self.commit_requested(std::slice::from_ref(row)).await;
                match &written {
                    Err(error) if error.is_transient() => break,
                    Err(error) => {
                        tracing::error!(session.id = %row.session, %error, "a requested row was not written");
                    }
                    Ok(()) => {}
                }
                if let Some(done) = waiting.pop_front() {
                    _ = done.send(to_ledger_result(&written));
                }
            }
        }
        for done in waiting {
            _ = done.send(to_ledger_result(&written));
        }
        match written {
            Err(error) if error.is_transient() => {
                log_not_done(&error, "requested rows were not written");
                false
            }
            Ok(()) | Err(_) => true,
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

    async fn can_write(&self) -> bool {
        let look = async {
            let mut tx = self.database.platform().await?;
            let writable = tx.takes_writes().await?;
            tx.commit().await?;
            Ok::<_, StoreError>(writable)
        };
        look.await.unwrap_or(false)
    }

    async fn write_all_outcomes(&self, mut queue: mpsc::Receiver<Outcome>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            self.write_outcomes(&batch).await;
            batch.clear();
        }
    }

    async fn write_outcomes(&self, rows: &[Outcome]) {
        for attempt in 1..=OUTCOME_TRIES {
            match self.commit_outcomes(rows).await {
                Ok(()) => return,
                Err(error) if error.is_transient() && attempt < OUTCOME_TRIES => {
                    log_not_done(&error, "outcomes were not written; trying again");
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
