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
pub mod migrate;
pub mod people;
pub mod preferences;
pub mod provider_keys;
pub mod recent_sessions;
pub mod releases;
pub mod reviews;
pub mod rights;
pub mod sample_users;
pub mod sealed;
pub mod sessions;
pub mod sso;
pub mod subjects;
pub mod tenant_tx;
pub mod tenants;
pub mod versions;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

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
                // Connections, resources, operator intervention, read-only after a failover, lock and statement time-outs.
                Some(code)
                    if code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57")
                        || matches!(code, "25006" | "40001" | "40P01" | "55P03") =>
                {
                    Self::Unavailable(error)
                }
                _ => Self::Refused(error),
            },
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

/// How long to wait for the database, and how many connections to hold.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseOptions {
    /// Connections at most.
    pub max_connections: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// Longest run of one statement.
    pub statement_timeout: Duration,
    /// Longest wait of one statement for a lock.
    pub lock_timeout: Duration,
}

/// The database, reached with the run-time login role.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    connect: PgConnectOptions,
    /// Whether [`Database::check_rights`] has passed; nothing is read or written before.
    checked: Arc<AtomicBool>,
}

// By hand: the options would print the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Prepares a pool; connects on first use, so that the service starts while the database is still down.
    pub fn new(url: &SecretString, options: DatabaseOptions) -> Result<Self, StoreError> {
        let connect = connect_options(url)?.options([
            (
                "statement_timeout",
                options.statement_timeout.as_millis().to_string(),
            ),
            ("lock_timeout", options.lock_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "30000".to_owned()),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            // A broken connection shows in its first statement; a ping before each use would double the round trips.
            .test_before_acquire(false)
            .connect_lazy_with(connect.clone());
        Ok(Self {
            pool,
            connect,
            checked: Arc::default(),
        })
    }

    /// Closes the pool; statements under way finish first.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Options from a URL; the URL itself stays out of errors, since it holds a password.
fn connect_options(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url.expose_secret())
        .map(|options| options.application_name("persona-gateway"))
        .map_err(|_may_hold_a_password| StoreError::Unreadable("the database URL is malformed; it looks like postgres://user:password@host:5432/database".into()))
}
