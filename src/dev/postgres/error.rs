//! Why a private Postgres could not be had, and what to do about it.

use std::{io, path::PathBuf};

/// Each message names what to correct.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "no PostgreSQL 15 or later on this machine, and pip could not bring one ({why}): \
         `apt-get install postgresql`, `brew install postgresql@17`, or set PG_BIN or DATABASE_URL"
    )]
    NotFound { why: String },

    #[error(
        "PG_BIN is {path}: {why}; it must be a folder with `postgres` and `initdb`, version 15 or later"
    )]
    BadPgBin { path: PathBuf, why: String },

    #[error(
        "the data in {folder} was made by PostgreSQL {made_by}, which only that version opens, and {found}: \
         install PostgreSQL {made_by}, set PG_BIN to it, or give another folder"
    )]
    OtherVersion {
        folder: PathBuf,
        made_by: u32,
        found: String,
    },

    #[error(
        "PostgreSQL does not run as root, so the server runs as user `{user}`, who cannot enter {path}: \
         give a folder below ones that everybody may enter, such as /var/lib/persona-gateway/pg"
    )]
    Unreachable { path: PathBuf, user: String },

    #[error(
        "PostgreSQL does not run as root, and /etc/passwd has neither a user `postgres` nor `nobody` to run it as"
    )]
    NoServerUser,

    #[error("{path} {why}, so the server's files or its socket would not be safe there: remove it")]
    FolderNotOurs { path: PathBuf, why: &'static str },

    #[error("{folder} is in use by another process: stop that first")]
    InUse { folder: PathBuf },

    #[error("PostgreSQL did not start; its last words:\n{log}")]
    DidNotStart { log: String },

    #[error("could not {what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl PostgresError {
    /// For `map_err`: says what was being done, and to which file.
    pub(super) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
