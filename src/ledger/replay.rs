//! Brings spooled rows into the database once it is there again: this instance's, and those of instances that ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::spool::{Left, Record, Spool, SpoolError, files};
use crate::crypto::seal::KeyRing;
use crate::store::ledger::LedgerWriter;
use crate::store::sessions::{Outcome, Requested};
use crate::store::{Database, StoreError, log_not_done};

/// How often is looked for files that nobody adds to.
const LOOK: Duration = Duration::from_millis(500);

/// Replays what is left in a folder.
#[derive(Debug)]
pub struct Replayer {
    folder: PathBuf,
    keys: KeyRing,
    rows: LedgerWriter,
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

impl Replayer {
    pub(super) fn new(spool: &Spool, database: Database) -> Self {
        Self {
            folder: spool.folder().to_owned(),
            keys: spool.keys().clone(),
            rows: LedgerWriter::new(database),
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
                let (read, back) = blocking(move || (left.next(), left)).await;
                left = back;
                let Some(record) = read? else { break };
                rows += self.write(record, part).await?;
            }
        }
        blocking(move || left.remove())
            .await
            .map_err(SpoolError::from)?;
        Ok(Some(rows))
    }

    async fn write(&mut self, record: Record, part: Part) -> Result<usize, StoreError> {
        let (requested, outcomes): (&[Requested], &[Outcome]) = match part {
            Part::Outcomes => (&[], &record.outcomes),
            Part::Requested => (&record.requested, &[]),
        };
        match self.rows.write(requested, outcomes).await {
            Err(error) if is_of_a_row(&error) => {}
            written => return written.map(|()| requested.len() + outcomes.len()),
        }
        // One that is refused, as one of a tenant that was deleted meanwhile, must not keep the others out.
        let mut written = 0;
        for row in requested {
            let one = self.rows.write(std::slice::from_ref(row), &[]).await;
            written += usize::from(unless_refused(row.session.0, one)?);
        }
        for row in outcomes {
            let one = self.rows.write(&[], std::slice::from_ref(row)).await;
            written += usize::from(unless_refused(row.session.0, one)?);
        }
        Ok(written)
    }
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
    written: Result<(), StoreError>,
) -> Result<bool, StoreError> {
    match written {
        Err(error) if is_of_a_row(&error) => {
            tracing::error!(session.id = %session, %error, "a spooled row was refused");
            Ok(false)
        }
        written => written.map(|()| true),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
