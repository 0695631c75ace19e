//! Brings spooled rows into the database once it is there again: this instance's, and those of instances that ended.
//!
//! Records are put together, since most of them have a few rows, and a statement costs more than a row. Live rows come first: while there are some,
//! a replay rests for as long as it writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::Live;
use super::spool::{Left, Record, Spool, SpoolError, files};
use crate::crypto::seal::KeyRing;
use crate::store::ledger::LedgerWriter;
use crate::store::quota_use::{Judged, Judging};
use crate::store::sessions::{Outcome, Requested};
use crate::store::{Database, StoreError, log_not_done};
use crate::telemetry::metrics::Metrics;

/// How often is looked for files that nobody adds to.
const LOOK: Duration = Duration::from_millis(500);
/// Rows that are written together, at most and at least. Fewer where the database does not take so many in time.
const TOGETHER: (usize, usize) = (512, 16);
/// Where a statement takes less, the next may have more rows; where it takes more, the next has fewer.
const TAKES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));

/// Replays what is left in a folder.
#[derive(Debug)]
pub struct Replayer {
    folder: PathBuf,
    keys: KeyRing,
    rows: LedgerWriter,
    sizes: Sizes,
    live: Live,
    metrics: Metrics,
    /// Files that can't be read; each is logged once.
    unreadable: BTreeSet<PathBuf>,
}

/// Why a file was not replayed to its end.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Which rows of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Outcomes,
    Requested,
}

/// How many rows of each part are written together.
#[derive(Debug)]
struct Sizes {
    outcomes: usize,
    requested: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            outcomes: TOGETHER.0,
            requested: TOGETHER.0,
        }
    }
}

impl Sizes {
    fn of(&mut self, part: Part) -> &mut usize {
        match part {
            Part::Outcomes => &mut self.outcomes,
            Part::Requested => &mut self.requested,
        }
    }

    fn adapt(&mut self, part: Part, took: Duration) {
        let (most, least) = TOGETHER;
        let size = self.of(part);
        if took < TAKES.0 {
            *size = most.min(*size * 2);
        } else if took > TAKES.1 {
            *size = least.max(*size / 2);
        }
    }
}

impl Replayer {
    pub(super) fn new(spool: &Spool, database: Database, live: Live, metrics: Metrics) -> Self {
        Self {
            folder: spool.folder().to_owned(),
            keys: spool.keys().clone(),
            rows: LedgerWriter::new(database),
            sizes: Sizes::default(),
            live,
            metrics,
            unreadable: BTreeSet::new(),
        }
    }

    /// Looks again and again. Cut off anywhere, it loses nothing: a file is removed after its last row was written.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.replay_all().await {
                log_not_done(&error, "spooled rows of the ledger were not written yet");
            }
            sleep(LOOK).await;
        }
    }

    async fn replay_all(&mut self) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        let found = blocking(move || files(&folder)).await;
        let paths = found.inspect_err(
            |error| tracing::error!(%error, folder = %self.folder.display(), "the spool folder can't be read"),
        );
        for path in paths.unwrap_or_default() {
            match self.replay(&path).await {
                Ok(None) => {}
                Ok(Some(rows)) => {
                    self.metrics.ledger_replayed(rows);
                    tracing::info!(rows, "brought spooled rows into the ledger");
                    self.unreadable.remove(&path);
                }
                Err(ReplayError::Store(error)) => return Err(error),
                Err(ReplayError::Spool(error)) => {
                    if self.unreadable.insert(path.clone()) {
                        tracing::error!(%error, file = %path.display(), "a file of the spool can't be replayed, and stays");
                    }
                }
            }
        }
        Ok(())
    }

    /// How many rows were in a file, unless somebody has it.
    async fn replay(&mut self, path: &Path) -> Result<Option<usize>, ReplayError> {
        let (path, keys) = (path.to_owned(), self.keys.clone());
        let taken = blocking(move || Left::take(&path, keys)).await;
        let Some(mut left) = taken.map_err(SpoolError::from)? else {
            return Ok(None);
        };
        let mut rows = 0;
        // Outcomes first: the sweep must never find a session whose outcome is still to come.
        for part in [Part::Outcomes, Part::Requested] {
            left.rewind().map_err(SpoolError::from)?;
            loop {
                let (read, back) = blocking(move || (some_of(&mut left, part), left)).await;
                left = back;
                let (record, end) = read;
                rows += self.write(&record, part).await?;
                // Only now, so that what stands before a record that can't be read is written.
                match end {
                    End::More => {}
                    End::Reached => break,
                    End::Failed(error) => return Err(error.into()),
                }
            }
        }
        blocking(move || left.remove())
            .await
            .map_err(SpoolError::from)?;
        Ok(Some(rows))
    }

    /// How many of these rows were written: all that were not refused.
    async fn write(&mut self, record: &Record, part: Part) -> Result<usize, StoreError> {
        let mut written = 0;
        let mut requested = record.requested.as_slice();
        let mut outcomes = record.outcomes.as_slice();
        while !requested.is_empty() || !outcomes.is_empty() {
            let size = *self.sizes.of(part);
            let (now, later) = requested.split_at(size.min(requested.len()));
            let (ended, ended_later) = outcomes.split_at(size.min(outcomes.len()));
            written += self.write_some(now, ended, part).await?;
            (requested, outcomes) = (later, ended_later);
        }
        Ok(written)
    }

    async fn write_some(
        &mut self,
        requested: &[Requested],
        outcomes: &[Outcome],
        part: Part,
    ) -> Result<usize, StoreError> {
        let (started, live) = (Instant::now(), self.live.batches());
        let written = self.rows.write(requested, outcomes, Judging::Count).await;
        let took = started.elapsed();
        self.sizes.adapt(part, took);
        if self.live.any_since(live) {
            sleep(took).await;
        }
        match written {
            Err(error) if is_of_a_row(&error) => self.write_singly(requested, outcomes).await,
            written => written.map(|_judged| requested.len() + outcomes.len()),
        }
    }

    /// One that is refused, as one of a tenant that was deleted meanwhile, must not keep the others out.
    async fn write_singly(
        &mut self,
        requested: &[Requested],
        outcomes: &[Outcome],
    ) -> Result<usize, StoreError> {
        let mut written = 0;
        for row in requested {
            let one = self
                .rows
                .write(std::slice::from_ref(row), &[], Judging::Count)
                .await;
            written += usize::from(unless_refused(row.session.0, one)?);
        }
        for row in outcomes {
            let one = self
                .rows
                .write(&[], std::slice::from_ref(row), Judging::Count)
                .await;
            written += usize::from(unless_refused(row.session.0, one)?);
        }
        Ok(written)
    }
}

/// Why reading stopped.
enum End {
    More,
    Reached,
    Failed(SpoolError),
}

/// The rows of one kind in the next records, as many as are written together. Blocks.
fn some_of(left: &mut Left, part: Part) -> (Record, End) {
    let mut all = Record::default();
    while all.requested.len() + all.outcomes.len() < TOGETHER.0 {
        match left.next() {
            Ok(None) => return (all, End::Reached),
            Err(error) => return (all, End::Failed(error)),
            Ok(Some(record)) => match part {
                Part::Outcomes => all.outcomes.extend(record.outcomes),
                Part::Requested => all.requested.extend(record.requested),
            },
        }
    }
    (all, End::More)
}

/// Whether an error is a row's own: its tenant is gone, or a value can't be stored. After any other, as a right that is missing, nothing may be
/// given up: the file stays until that is repaired.
fn is_of_a_row(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Conflict { .. } | StoreError::Unstorable(_)
    )
}

/// Whether a row was written; one that never will be is logged.
fn unless_refused(
    session: uuid::Uuid,
    written: Result<Judged, StoreError>,
) -> Result<bool, StoreError> {
    match written {
        Err(error) if is_of_a_row(&error) => {
            tracing::error!(session.id = %session, %error, "a spooled row was refused");
            Ok(false)
        }
        written => written.map(|_judged| true),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

#[cfg(test)]
mod tests;
