//! Every SQL statement, one file a table. Tenant rows are reached through [`tenant_tx`] only.

pub mod answers;
pub mod api_keys;
pub mod audit;
pub mod audit_checkpoints;
pub mod audit_read;
pub mod catalogue;
pub mod catalogue_sync;
pub mod changes;
pub mod console_sessions;
pub mod documents;
pub mod drafts;
pub mod explain;
pub mod invitations;
pub mod issuers;
mod lease;
pub mod migrate;
pub mod pairs;
pub mod people;
mod pool;
pub mod preferences;
pub mod provider_keys;
pub mod recent_sessions;
pub mod refusals;
pub mod releases;
pub mod reviews;
pub mod rights;
pub mod sample_users;
pub mod sealed;
pub mod secrets;
pub mod sessions;
pub mod sso;
pub mod subjects;
pub mod sweep;
pub mod tenant_deletion;
pub mod tenant_tx;
pub mod tenants;
pub mod versions;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError};
use tokio::runtime::Handle;

use self::pool::{Ends, Pool};
use crate::domain::ids::TenantId;
use crate::turns::Turns;

/// Why the database did not answer as hoped.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, too slow, or shutting down: worth another try later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A unique or foreign key said no.
    #[error("the change conflicts with {constraint}")]
    Conflict {
        /// Name of the constraint.
        constraint: String,
        /// What Postgres said.
        #[source]
        source: sqlx::Error,
    },
    /// A text, a number or a moment of the request that Postgres has no room for.
    #[error("a value can't be stored: {0}")]
    Unstorable(#[source] sqlx::Error),
    /// A stored value that this version of the program can't read.
    #[error("stored data can't be read: {0}")]
    Unreadable(String),
    /// The login role or the schema is not as it must be.
    #[error("{0}")]
    Unsafe(String),
    /// Anything else; a bug, or a missing right.
    #[error("the database refused: {0}")]
    Refused(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // Unique and foreign keys.
                Some("23505" | "23503") => {
                    let constraint = database.constraint().unwrap_or("another row").to_owned();
                    Self::Conflict {
                        constraint,
                        source: error,
                    }
                }
                // Numbers and moments out of range; bytes that are no text, U+0000 among them.
                Some("22003" | "22008" | "22021" | "22P05") => Self::Unstorable(error),
                // Connections, resources, operator intervention, read-only after a failover, lock and statement time-outs.
                Some(code)
                    if code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57")
                        || matches!(code, "25006" | "40001" | "40P01" | "55P03") =>
                {
                    Self::Unavailable(error)
                }
                _ if is_stale_plan(&**database) => Self::Unavailable(error),
                _ => Self::Refused(error),
            },
            sqlx::Error::Encode(_) => Self::Unstorable(error),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Refused(error),
        }
    }
}

/// Whether the columns of a statement that a connection has prepared are others by now, after a migration. Prepared anew, it works.
fn is_stale_plan(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("0A000")
        && error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"))
}

/// How much longer than the server's own limit an answer is waited for; past that, nothing will come.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait for the database.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseOptions {
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
    /// Longest run of one statement.
    pub statement_timeout: Duration,
    /// Longest wait of one statement for a lock.
    pub lock_timeout: Duration,
    /// Longest life of one transaction.
    pub transaction_timeout: Duration,
}

/// The database, reached with the run-time login role over some connections. Clones share these.
#[derive(Debug, Clone)]
pub struct Database {
    pool: Arc<Pool>,
    /// A tenant has half of the connections at most, and waits for the others among its own.
    shares: Turns<TenantId>,
    acquire_timeout: Duration,
    /// Whether [`Database::check_rights`] has passed; nothing is read or written before.
    checked: Arc<AtomicBool>,
}

impl Database {
    /// `connections` at most, for what `name` says; made on first use, so that the service starts while the database is still
    /// down. They live on the runtime that this is called in.
    pub fn new(
        url: &SecretString,
        name: &'static str,
        connections: u32,
        options: DatabaseOptions,
    ) -> Result<Self, StoreError> {
        let millis = |time: Duration| time.as_millis().to_string();
        let connect = connect_options(url)?.options([
            ("statement_timeout", millis(options.statement_timeout)),
            ("lock_timeout", millis(options.lock_timeout)),
            (
                "idle_in_transaction_session_timeout",
                millis(options.transaction_timeout),
            ),
        ]);
        let ends = Ends {
            acquire: options.acquire_timeout,
            exchange: options.statement_timeout + GRACE,
            transaction: options.transaction_timeout,
        };
        Ok(Self {
            pool: Arc::new(Pool::new(
                name,
                connections,
                connect,
                ends,
                Handle::current(),
            )),
            shares: share(connections),
            acquire_timeout: options.acquire_timeout,
            checked: Arc::default(),
        })
    }

    /// The same database over other connections: however long the users of one handle wait, those of the other do not.
    #[must_use]
    pub fn apart(&self, name: &'static str, connections: u32) -> Self {
        Self {
            pool: Arc::new(self.pool.apart(name, connections)),
            shares: share(connections),
            acquire_timeout: self.acquire_timeout,
            checked: self.checked.clone(),
        }
    }

    /// Closes the connections; statements under way finish first, or are cut off when their time is over.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Half of the connections.
fn share(connections: u32) -> Turns<TenantId> {
    Turns::new(usize::try_from(connections / 2).unwrap_or(1))
}

/// Options from a URL; the URL itself stays out of errors, since it holds a password.
fn connect_options(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url.expose_secret())
        .map(|options| options.application_name("persona-gateway"))
        .map_err(|_may_hold_a_password| StoreError::Unreadable("the database URL is malformed; it looks like postgres://user:password@host:5432/database".into()))
}
