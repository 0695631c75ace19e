//! The ledger's writer: rows of many requests are committed together, and callers that need their row durable wait for
//! that commit. While the database is away, rows go to a spool, where there is one.

mod replay;
mod spool;

pub use replay::Replayer;
pub use spool::{Spool, SpoolError};

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use spool::Record;

use crate::domain::ids::TenantId;
use crate::domain::quota::{Left, Reached};
use crate::lifecycle::{Lifecycle, Part};
use crate::store::ledger::LedgerWriter;
use crate::store::quota_use::{Judged, Judging, NotCounted};
use crate::store::sessions::{Outcome, Requested};
use crate::store::{Database, StoreError, log_not_done};
use crate::telemetry::metrics::{self, Metrics, SpoolNow};

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
/// How often is looked whether a database that was away takes writes again.
const PROBE: Duration = Duration::from_millis(100);
/// Where there is no spool, rows wait so long for a database that is away before they are refused.
const MOMENT: Duration = Duration::from_millis(250);
/// Where there is a spool, so long is waited for the database. Rows may be in both.
const SPOOL_AFTER: Duration = Duration::from_secs(1);

/// Why a row is not in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Neither the database nor a spool took it in time, or too many wait.
    #[error("the ledger is not available")]
    Unavailable,
    /// A quota has too little left, so the session is not recorded.
    #[error(transparent)]
    Quota(#[from] Reached),
}

/// A handle to the writer.
#[derive(Debug, Clone)]
pub struct Ledger {
    requested: mpsc::Sender<Waiting>,
    outcomes: mpsc::Sender<Outcome>,
    patience: Duration,
    pace: Arc<Pace>,
    /// The spool's folder, and how many bytes it may take, where there is one.
    folder: Option<(PathBuf, u64)>,
}

/// A row, and who waits for it.
#[derive(Debug)]
struct Waiting {
    row: Requested,
    done: Done,
}

/// Where the result goes: what is left of the session's quotas, if it has any.
type Done = oneshot::Sender<Result<Vec<Left>, LedgerError>>;

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
    rows: Gatherer,
    reach: Reach,
    spool: Option<Spool>,
    live: Live,
}

/// Batches of live rows, so that a replay knows of them. Clones count together.
#[derive(Debug, Clone, Default)]
struct Live(Arc<LiveBatches>);

#[derive(Debug, Default)]
struct LiveBatches {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Live {
    /// How many were begun so far.
    fn batches(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether one was begun since, or is still under way.
    fn any_since(&self, begun: usize) -> bool {
        let now = self.batches();
        now != begun || now != self.0.ended.load(Ordering::Relaxed)
    }
}

/// Whether the database is there.
enum Reach {
    Here(Pen),
    /// Looks for it, and gives the pen back when it takes writes.
    Away(BoxFuture<'static, Pen>),
}

/// Puts batches together.
#[derive(Debug)]
struct Gatherer {
    requested: mpsc::Receiver<Waiting>,
    outcomes: mpsc::Receiver<Outcome>,
    pace: Arc<Pace>,
    metrics: Metrics,
    /// What the next batch consists of so far.
    asked: Vec<Waiting>,
    ended: Vec<Outcome>,
    /// How often `ended` was tried.
    tries: u32,
}

/// Writes batches of rows, and counts them.
#[derive(Debug)]
struct Pen {
    rows: LedgerWriter,
    live: Live,
    metrics: Metrics,
    warned: Option<mpsc::Sender<QuotaWarning>>,
}

/// A tenant's quota of which four fifths are used for the first time.
#[derive(Debug, Clone, Copy)]
pub struct QuotaWarning {
    pub tenant: TenantId,
    pub left: Left,
}

impl Ledger {
    /// A handle and the writer behind it, which has a connection of its own. `patience` is the longest wait for a commit.
    pub fn new(
        database: Database,
        patience: Duration,
        spool: Option<Spool>,
        metrics: Metrics,
    ) -> (Self, Writer) {
        let (requested, waiting) = mpsc::channel(QUEUE);
        let (outcomes, ended) = mpsc::channel(QUEUE);
        let pace = Arc::<Pace>::default();
        let live = Live::default();
        let mut rows = LedgerWriter::new(database);
        if spool.is_some() {
            rows = rows.within(SPOOL_AFTER);
        }
        let folder = spool
            .as_ref()
            .map(|spool| (spool.folder().to_owned(), spool.max_bytes()));
        let writer = Writer {
            rows: Gatherer {
                requested: waiting,
                outcomes: ended,
                pace: pace.clone(),
                metrics: metrics.clone(),
                asked: Vec::with_capacity(BATCH),
                ended: Vec::with_capacity(BATCH),
                tries: 0,
            },
            reach: Reach::Here(Pen {
                rows,
                live: live.clone(),
                metrics,
                warned: None,
            }),
            spool,
            live,
        };
        let ledger = Self {
            requested,
            outcomes,
            patience,
            pace,
            folder,
        };
        (ledger, writer)
    }

    /// Returns once the row is durable, with what is left of its quotas. After an error it may be there or not: no token may leave.
    pub async fn requested(&self, row: Requested) -> Result<Vec<Left>, LedgerError> {
        let (done, committed) = oneshot::channel();
        self.requested
            .try_send(Waiting { row, done })
            .map_err(|_full| LedgerError::Unavailable)?;
        match timeout(self.patience, committed).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(LedgerError::Unavailable),
        }
    }

    /// What is in the spool's folder; `None` without one. Blocks.
    pub fn spool_now(&self) -> Option<io::Result<SpoolNow>> {
        let (folder, limit) = self.folder.as_ref()?;
        Some(spool::now(folder, *limit))
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
    /// Tells of quotas that are nearly used up, too.
    pub fn warn_to(&mut self, warned: mpsc::Sender<QuotaWarning>) {
        if let Reach::Here(pen) = &mut self.reach {
            pen.warned = Some(warned);
        }
    }

    /// What brings spooled rows into the database.
    pub fn replayer(&self, database: Database) -> Option<Replayer> {
        let spool = self.spool.as_ref()?;
        let metrics = self.rows.metrics.clone();
        Some(Replayer::new(spool, database, self.live.clone(), metrics))
    }

    /// Writes until every handle is gone, and reports whether it can.
    pub async fn run(mut self, lifecycle: Lifecycle) {
        loop {
            tokio::select! {
                more = self.rows.gather() => {
                    if !more {
                        break;
                    }
                    let works = self.write().await;
                    lifecycle.report(Part::Ledger, works);
                }
                pen = self.reach.back() => {
                    self.reach = Reach::Here(pen);
                    if let Some(spool) = &mut self.spool {
                        spool.close();
                    }
                    lifecycle.report(Part::Ledger, true);
                }
            }
        }
        if let Reach::Here(pen) = self.reach {
            pen.rows.close().await;
        }
    }

    /// Writes what was gathered. False where it can be kept nowhere.
    async fn write(&mut self) -> bool {
        // Whoever is gone has given up.
        let asked = self.rows.asked.drain(..);
        let asked = asked.filter(|one| !one.done.is_closed());
        let (requested, waiting): (Vec<_>, Vec<_>) = asked.map(|one| (one.row, one.done)).unzip();
        let mut batch = Batch {
            record: Record {
                requested,
                outcomes: std::mem::take(&mut self.rows.ended),
            },
            waiting,
        };
        if self.spool.is_none()
            && matches!(self.reach, Reach::Away(_))
            && let Ok(pen) = timeout(MOMENT, self.reach.back()).await
        {
            self.reach = Reach::Here(pen);
        }
        if let Reach::Here(pen) = &mut self.reach {
            match pen.write_batch(&mut batch).await {
                Ok(()) => {
                    self.rows.tries = 0;
                    return true;
                }
                Err(error) => log_not_done(&error, "rows of the ledger were not written"),
            }
            self.reach.look_for();
        }
        self.set_aside(batch).await
    }

    /// Spools what the database did not take, or keeps the outcomes for another try. False where no row can be kept.
    async fn set_aside(&mut self, batch: Batch) -> bool {
        let Batch { record, waiting } = batch;
        let (spooled, record) = match self.spool.take() {
            None => (false, record),
            Some(spool) if record.is_empty() => {
                self.spool = Some(spool);
                (true, record)
            }
            Some(spool) => {
                let (spool, spooled, record) = append(spool, record).await;
                self.spool = Some(spool);
                if let Err(error) = &spooled {
                    tracing::error!(%error, "rows of the ledger were not spooled");
                }
                (spooled.is_ok(), record)
            }
        };
        for done in waiting {
            let result = if spooled {
                // Counted when it is brought in.
                Ok(Vec::new())
            } else {
                Err(LedgerError::Unavailable)
            };
            _ = done.send(result);
        }
        if spooled {
            let rows = record.requested.len() + record.outcomes.len();
            self.rows.metrics.ledger_spooled(rows);
            self.rows.tries = 0;
        } else {
            self.rows.keep(record.outcomes);
        }
        spooled
    }
}

/// Writes a record on a thread that may block.
async fn append(mut spool: Spool, record: Record) -> (Spool, Result<(), SpoolError>, Record) {
    let writing = tokio::task::spawn_blocking(move || {
        let appended = spool.append(&record);
        (spool, appended, record)
    });
    match writing.await {
        Ok(written) => written,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

impl Reach {
    /// Begins to look for a database that does not take writes.
    fn look_for(&mut self) {
        let nobody = Self::Away(Box::pin(std::future::pending()));
        if let Self::Here(mut pen) = std::mem::replace(self, nobody) {
            *self = Self::Away(Box::pin(async move {
                while !pen.can_write().await {
                    sleep(PROBE).await;
                }
                pen
            }));
        }
    }

    /// The pen, when the database is back. Never returns while it is here.
    async fn back(&mut self) -> Pen {
        match self {
            Self::Here(_) => std::future::pending().await,
            Self::Away(looking) => looking.await,
        }
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Away(_) => "Away",
        })
    }
}

impl Gatherer {
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
        self.metrics
            .ledger_queue(i64::try_from(waiting).unwrap_or(i64::MAX));
        true
    }

    /// Takes requested rows that are there, and those that come within this time. Without one so far, the first ends the wait.
    async fn more_requested(&mut self, wait: Duration) {
        // A timer for no time at all would ring at the end of the next millisecond.
        if wait.is_zero() {
            while self.asked.len() < BATCH
                && let Ok(row) = self.requested.try_recv()
            {
                self.asked.push(row);
            }
            return;
        }
        let end = Instant::now() + wait;
        let alone = self.asked.is_empty();
        while self.asked.len() < BATCH {
            let room = BATCH - self.asked.len();
            let taking = self.requested.recv_many(&mut self.asked, room);
            match timeout_at(end, taking).await {
                Ok(0) if alone => return sleep_until(end).await,
                Ok(0) | Err(_) => return,
                Ok(_) if alone => return,
                Ok(_) => {}
            }
        }
    }

    /// Keeps outcomes that were not written for another try, unless they had enough and nothing else comes.
    fn keep(&mut self, outcomes: Vec<Outcome>) {
        self.ended = outcomes;
        self.tries = OUTCOME_TRIES.min(self.tries + 1);
        if self.tries == OUTCOME_TRIES && self.requested.is_closed() && !self.ended.is_empty() {
            let rows = self.ended.len();
            tracing::error!(
                rows,
                "outcomes were not written; the sweep will say unknown"
            );
            self.ended.clear();
        }
    }
}

/// What became of a session.
fn result(judged: &mut Judged, row: &Requested) -> Result<Vec<Left>, LedgerError> {
    judged.take(row.session).map_err(|refused| match refused {
        NotCounted::Reached(reached) => reached.into(),
        NotCounted::Busy => LedgerError::Unavailable,
    })
}

/// Rows, and who waits for the requested ones among them.
struct Batch {
    record: Record,
    waiting: Vec<Done>,
}

impl Pen {
    /// Writes a batch and tells who waits. After an error, what the batch still has was not written.
    async fn write_batch(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        let Record {
            requested,
            outcomes,
        } = &batch.record;
        match self.write(requested, outcomes).await {
            Ok(mut judged) => {
                for (done, row) in batch.waiting.drain(..).zip(requested) {
                    _ = done.send(result(&mut judged, row));
                }
                Ok(())
            }
            Err(error) if error.is_transient() => Err(error),
            Err(_) => self.write_singly(batch).await,
        }
    }

    /// One row that the database refuses must not affect the others.
    async fn write_singly(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        while let Some(row) = batch.record.requested.first() {
            let result = match self.write(std::slice::from_ref(row), &[]).await {
                Ok(mut judged) => result(&mut judged, row),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    tracing::error!(session.id = %row.session, %error, "a requested row was not written");
                    Err(LedgerError::Unavailable)
                }
            };
            batch.record.requested.remove(0);
            let done = batch.waiting.remove(0);
            _ = done.send(result);
        }
        while let Some(row) = batch.record.outcomes.first() {
            if let Err(error) = self.write(&[], std::slice::from_ref(row)).await {
                if error.is_transient() {
                    return Err(error);
                }
                tracing::error!(session.id = %row.session, %error, "an outcome was not written; the sweep will say unknown");
            }
            batch.record.outcomes.remove(0);
        }
        Ok(())
    }

    async fn write(
        &mut self,
        requested: &[Requested],
        outcomes: &[Outcome],
    ) -> Result<Judged, StoreError> {
        if requested.is_empty() && outcomes.is_empty() {
            return Ok(Judged::default());
        }
        let started = Instant::now();
        self.live.0.begun.fetch_add(1, Ordering::Relaxed);
        let written = self.rows.write(requested, outcomes, Judging::Judge).await;
        self.live.0.ended.fetch_add(1, Ordering::Relaxed);
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
        for (tenant, left) in written.iter().flat_map(|judged| &judged.of_tenants) {
            self.metrics.quota_left(*tenant, left);
        }
        for (tenant, left) in written.iter().flat_map(|judged| &judged.warnings) {
            self.metrics.quota_warning();
            tracing::warn!(
                tenant.id = %tenant,
                quota = left.measure.as_str(),
                most = left.most,
                left = left.left,
                resets_at = %left.resets_at,
                "a tenant's quota is nearly used up"
            );
            if let Some(warned) = &self.warned {
                let (tenant, left) = (*tenant, *left);
                // Full: it stands in the log.
                _ = warned.try_send(QuotaWarning { tenant, left });
            }
        }
        written
    }

    async fn can_write(&mut self) -> bool {
        self.rows.takes_writes().await.unwrap_or(false)
    }
}
