//! A private Postgres for `dev` and for tests: a real server as a child process, no Docker.
//!
//! The server listens on a Unix socket only, in a folder of mode 0700 that belongs to the user
//! whom the server runs as. The kernel thereby admits that user and root and nobody else, which is
//! why the server itself asks for no password: any role can log in, and the URL holds no secret.
//!
//! All calls block; from async code use `spawn_blocking`.

mod account;
mod binaries;
mod directories;
mod error;
mod server;

use std::{
    fs::{self, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

pub use self::error::PostgresError;
use self::{
    account::Account,
    binaries::Requirement,
    directories::Directories,
    server::{Mode, Server},
};
use crate::config::environment;

/// How long a second process waits for the first one's server.
const GUEST_PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);

/// A running server, or a seat at another process's server.
///
/// Dropping the owner stops the server; so does the end of its process, even by SIGKILL.
#[derive(Debug)]
pub struct Cluster {
    place: Directories,
    /// None for a guest.
    server: Option<Server>,
    /// Held for life by the owner. Declared last, so that the server has stopped when it goes.
    _lock: Option<fs::File>,
}

impl Cluster {
    /// Starts, or joins, the durable server whose data are kept in `folder`.
    ///
    /// The first process owns the server; a second one becomes its guest, and loses it when the
    /// owner ends. The first start makes the data folder, which takes a second or so.
    pub fn persistent(folder: &Path) -> Result<Self, PostgresError> {
        let account = Account::for_server()?;
        let place = Directories::persistent(folder, account)?;
        let lock = place.lock_file()?;
        let patience = Instant::now() + GUEST_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    let server = start(&place, Mode::Durable)?;
                    return Ok(Self {
                        place,
                        server: Some(server),
                        _lock: Some(lock),
                    });
                }
                Err(TryLockError::WouldBlock) if place.is_ready() => {
                    tracing::info!("PostgreSQL: joined the server that another process started");
                    return Ok(Self {
                        place,
                        server: None,
                        _lock: None,
                    });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(PostgresError::InUse {
                        folder: place.home().to_path_buf(),
                    });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(PostgresError::io("lock", place.home())(source));
                }
            }
        }
    }

    /// Starts a server for tests: fast, not durable, in memory where there is room, and gone
    /// without a trace when this value or this process ends.
    pub fn ephemeral() -> Result<Self, PostgresError> {
        let place = Directories::ephemeral(Account::for_server()?)?;
        let server = start(&place, Mode::Ephemeral)?;
        Ok(Self {
            place,
            server: Some(server),
            _lock: None,
        })
    }

    /// The superuser `postgres`' URL of one database; `postgres` always exists.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// The URL of one database for any role with LOGIN. Both names must be plain identifiers.
    /// The form is understood by sqlx and by libpq (`psql "$URL"`).
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!(
            "postgres://{role}@localhost/{database}?host={}",
            self.place.socket_folder().display()
        )
    }

    /// Whether this process started the server. A guest's server ends with its owner.
    pub fn is_owner(&self) -> bool {
        self.server.is_some()
    }

    /// The folder that holds the data.
    pub fn folder(&self) -> &Path {
        self.place.home()
    }

    /// Stops the server, if it is ours, and waits until it is gone.
    pub fn stop(mut self) -> Result<(), PostgresError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), PostgresError> {
        match self.server.take() {
            Some(server) => {
                server.stop(&self.place)?;
                self.place.tidy()
            }
            None => Ok(()),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!("PostgreSQL did not stop cleanly: {error}");
        }
    }
}

/// As root, where [`Cluster::persistent`] can keep data: the server runs as another user, who could not enter root's own folders.
pub fn shared_folder() -> Result<Option<PathBuf>, PostgresError> {
    let is_other = Account::for_server()?.is_other();
    Ok(is_other.then(|| PathBuf::from("/var/lib/persona-gateway")))
}

/// Deletes the data that [`Cluster::persistent`] keeps in `folder`, if there are any; fails while
/// a process uses them.
pub fn erase(folder: &Path) -> Result<(), PostgresError> {
    if !folder.exists() {
        return Ok(());
    }
    let place = Directories::persistent(folder, Account::for_server()?)?;
    let lock = place.lock_file()?;
    match lock.try_lock() {
        Ok(()) => {
            place.end_orphan()?;
            place.tidy()?;
            place.discard()
        }
        Err(TryLockError::WouldBlock) => Err(PostgresError::InUse {
            folder: place.home().to_path_buf(),
        }),
        Err(TryLockError::Error(source)) => Err(PostgresError::io("lock", place.home())(source)),
    }
}

fn start(place: &Directories, mode: Mode) -> Result<Server, PostgresError> {
    let started = try_to_start(place, mode);
    if started.is_err() {
        place.tidy()?;
    }
    started
}

fn try_to_start(place: &Directories, mode: Mode) -> Result<Server, PostgresError> {
    let env = environment();
    let made_by = place.made_by();
    let wanted = Requirement {
        account: place.account(),
        data: made_by.map(|major| (place.home(), major)),
    };
    let binaries = binaries::find(&env, &wanted)?;
    tracing::info!(
        "PostgreSQL {} from {}: {} in {}",
        binaries.major,
        binaries.folder.display(),
        if made_by.is_some() {
            "starting"
        } else {
            "making a new server"
        },
        place.home().display()
    );
    place.end_orphan()?;
    place.prepare()?;
    Server::start(place, &binaries, mode, &env)
}
