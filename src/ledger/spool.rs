//! Rows that the database did not take, in files until it does.
//!
//! A file belongs to whoever holds its lock, which ends with the process. A record is its length (4 bytes, little endian) and the rows as JSON, sealed with
//! the master key, since they have subjects in them. It counts once it is flushed to the disk: a torn one at the end is nobody's.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Clock;
use crate::crypto::seal::{Aad, KeyRing, SealError};
use crate::domain::ids::TenantId;
use crate::store::sessions::{Outcome, Requested};
use crate::telemetry::metrics::SpoolNow;

/// What a file's name ends with.
const ENDING: &str = "spool";
/// Longest record that is read; a batch takes a hundredth.
const LONGEST: u32 = 256 * 1024 * 1024;
/// So many names are tried for a new file.
const TRIES: u32 = 16;

/// Rows that were to be written together.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) requested: Vec<Requested>,
    pub(super) outcomes: Vec<Outcome>,
}

impl Record {
    pub(super) fn is_empty(&self) -> bool {
        self.requested.is_empty() && self.outcomes.is_empty()
    }
}

/// Why rows were not spooled, or can't be read again.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the spool folder {folder} can't be used: {source}", folder = .folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Io(#[from] io::Error),
    /// As large as it may become.
    #[error("the spool is full: it may have {0} bytes")]
    Full(u64),
    #[error("a record of the spool can't be opened: {0}")]
    Sealed(#[from] SealError),
    #[error("a record of the spool can't be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// A folder for files of several instances.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// For all files together.
    max_bytes: u64,
    keys: KeyRing,
    clock: Clock,
    open: Option<OpenFile>,
}

/// The file that rows are added to.
#[derive(Debug)]
struct OpenFile {
    file: File,
    id: Uuid,
    /// Up to the last whole record.
    length: u64,
    /// How long it may become.
    room: u64,
}

impl Spool {
    /// Makes the folder if it is not there, and tries whether rows could be kept in it.
    pub fn open(
        folder: &Path,
        max_bytes: u64,
        keys: KeyRing,
        clock: Clock,
    ) -> Result<Self, SpoolError> {
        let spool = Self {
            folder: folder.to_owned(),
            max_bytes,
            keys,
            clock,
            open: None,
        };
        let tried = spool.make_folder().and_then(|()| spool.create());
        let tried = tried.and_then(|tried| std::fs::remove_file(spool.path_of(tried.id)));
        tried.map_err(|source| SpoolError::Folder {
            folder: folder.to_owned(),
            source,
        })?;
        Ok(spool)
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.folder)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Returns once the rows are on the disk. After an error they are not in the spool, in no part. Blocks.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), SpoolError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create()?,
        };
        let text = SecretString::from(serde_json::to_string(record)?);
        let sealed = self.keys.seal(&text, &place(open.id))?;
        let written = self.write(&mut open, &sealed);
        if written.is_err() {
            // What was written of it must not stand before the next record.
            open.file.set_len(open.length)?;
            open.file.seek(SeekFrom::Start(open.length))?;
        }
        self.open = Some(open);
        written
    }

    fn write(&self, open: &mut OpenFile, sealed: &[u8]) -> Result<(), SpoolError> {
        let full = || SpoolError::Full(self.max_bytes);
        let length = u32::try_from(sealed.len()).map_err(|_long| full())?;
        let end = open.length + 4 + u64::from(length);
        if end > open.room || length > LONGEST {
            return Err(full());
        }
        open.file.write_all(&length.to_le_bytes())?;
        open.file.write_all(sealed)?;
        open.file.sync_data()?;
        open.length = end;
        Ok(())
    }

    /// Whoever replays may have the file from now on.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    fn path_of(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.{ENDING}"))
    }

    /// A new file, locked.
    fn create(&self) -> io::Result<OpenFile> {
        self.create_beside(|_| {})
    }

    /// Whoever replays may find a file before it is locked: then it is theirs, and another is made. `others` is what they do meanwhile.
    fn create_beside(&self, mut others: impl FnMut(&Path)) -> io::Result<OpenFile> {
        let used: u64 = files(&self.folder)?.iter().map(|path| size(path)).sum();
        for _ in 0..TRIES {
            let id = self.clock.new_id();
            let path = self.path_of(id);
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            others(&path);
            if !is_ours(&file, &path)? {
                continue;
            }
            // Its name must be on the disk as well.
            File::open(&self.folder)?.sync_all()?;
            return Ok(OpenFile {
                file,
                id,
                length: 0,
                room: self.max_bytes.saturating_sub(used),
            });
        }
        Err(io::Error::other("others take each new file"))
    }
}

/// Locks a new file. False if whoever replays was there before: they have it, or have removed it since it is empty.
fn is_ours(file: &File, path: &Path) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match std::fs::metadata(path) {
        Ok(there) => Ok(there.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The spool's files in a folder, the oldest first.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What is in a folder. A file that is gone meanwhile counts for nothing.
pub(super) fn now(folder: &Path, limit: u64) -> io::Result<SpoolNow> {
    let files = files(folder)?;
    // Names are ids, which have the time of their making in them.
    let oldest = files.iter().find_map(|path| id_of(path)?.get_timestamp());
    let (seconds, _) = oldest.map_or((0, 0), |oldest| oldest.to_unix());
    Ok(SpoolNow {
        files: files.len(),
        bytes: files.iter().map(|path| size(path)).sum(),
        limit,
        oldest: i64::try_from(seconds).unwrap_or(i64::MAX),
    })
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

/// Where a sealed record stands: in its file, and in no other.
fn place(file: Uuid) -> Aad {
    Aad {
        table: "spool",
        column: "record",
        tenant: TenantId(Uuid::nil()),
        row: file,
    }
}

/// A file that nobody adds to any more, locked.
#[derive(Debug)]
pub(super) struct Left {
    file: File,
    path: PathBuf,
    id: Uuid,
    keys: KeyRing,
}

impl Left {
    /// `None` if somebody has it, or it is no file of the spool.
    pub(super) fn take(path: &Path, keys: KeyRing) -> io::Result<Option<Self>> {
        let Some(id) = id_of(path) else {
            return Ok(None);
        };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Some(Self {
            file,
            path: path.to_owned(),
            id,
            keys,
        }))
    }

    /// Goes back to the first record.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()
    }

    /// The next record; `None` after the last whole one. Blocks.
    pub(super) fn next(&mut self) -> Result<Option<Record>, SpoolError> {
        let mut length = [0; 4];
        let Some(()) = whole(self.file.read_exact(&mut length))? else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(length);
        if length > LONGEST {
            return Err(SealError::Malformed.into());
        }
        let mut sealed = Vec::new();
        let read = (&mut self.file)
            .take(length.into())
            .read_to_end(&mut sealed)?;
        if u32::try_from(read) != Ok(length) {
            return Ok(None);
        }
        let text = self.keys.open(&sealed, &place(self.id))?;
        Ok(Some(serde_json::from_str(text.expose_secret())?))
    }

    /// Its rows are in the database.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

fn id_of(path: &Path) -> Option<Uuid> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn whole(read: io::Result<()>) -> io::Result<Option<()>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(Some),
    }
}

#[cfg(test)]
pub(in crate::ledger) mod tests;
