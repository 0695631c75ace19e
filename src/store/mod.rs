//! Every SQL statement, one file a table. Tenant rows are reached through [`tenant_tx`] only.

pub mod answers;
pub mod api_keys;
pub mod audit;
pub mod audit_checkpoints;
pub mod audit_read;
pub mod catalogue;
pub mod catalogue_sync;
pub mod changes;
mod connector;
pub mod console_sessions;
pub mod documents;
pub mod drafts;
pub mod explain;
pub mod invitations;
pub mod issuers;
mod lease;
pub mod ledger;
pub mod migrate;
pub mod pairs;
pub mod password_resets;
pub mod people;
pub mod place_checks;
pub mod place_shares;
pub mod places;
mod pool;
pub mod preferences;
pub mod provider_keys;
pub mod quota_holds;
pub mod quota_use;
pub mod recent_sessions;
pub mod refusals;
pub mod releases;
pub mod reviews;
pub mod rights;
mod roles;
pub mod sample_users;
pub mod sealed;
pub mod second_factors;
pub mod secrets;
pub mod session_counts;
pub mod sessions;
mod silence;
pub mod sso;
pub mod subjects;
pub mod sweep;
pub mod tenant_deletion;
pub mod tenant_tx;
pub mod tenants;
pub mod time_range;
pub mod versions;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

pub use self::connector::Unreachable;

use self::connector::Connector;
use self::pool::{Pool, Timeouts};
use self::roles::Roles;
use crate::config::DatabaseUrl;
use crate::domain::ids::TenantId;
use crate::keyed_semaphore::KeyedSemaphore;
use crate::telemetry::metrics::PoolNow;

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection can be made; the text says why, and what to do.
    #[error("the database is not available: {0}")]
    Unreachable(#[source] Box<Unreachable>),
    /// Too slow, or shutting down: worth another try later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A unique or foreign key was violated.
    #[error("the change conflicts with {constraint}")]
    Conflict {
        /// Name of the constraint.
        constraint: String,
        /// The error of Postgres.
        #[source]
        source: sqlx::Error,
    },
    /// A text, a number or a time of the request that Postgres can't store.
    #[error("a value can't be stored: {0}")]
    Unstorable(#[source] sqlx::Error),
    /// A stored value that this version of the program can't read.
    #[error("stored data can't be read: {0}")]
    Unreadable(String),
    /// The login role or the schema is not as it must be.
    #[error("{0}")]
    Unsafe(String),
    /// A lock or permit was not free in time.
    #[error("other changes of the same tenant take long")]
    Taken,
    /// Anything else; a bug, or a missing right.
    #[error("the database refused: {0}")]
    Refused(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether a later try may succeed, also after the database was repaired.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Unreachable(_) | Self::Taken
        )
    }

    /// Whether a later try may succeed without anybody's help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(error) => error.may_pass(),
            other => other.is_transient(),
        }
    }
}

impl From<Unreachable> for StoreError {
    fn from(error: Unreachable) -> Self {
        Self::Unreachable(Box::new(error))
    }
}

/// Logs what was not done. That the database can't be reached is logged once, by what keeps memory up to date, and not by everybody who
/// finds out.
pub fn log_not_done(error: &(dyn std::error::Error + 'static), what: &'static str) {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    if causes.any(|cause| cause.is::<Unreachable>() || cause.is::<Box<Unreachable>>()) {
        tracing::debug!(%error, "{what}");
    } else {
        tracing::warn!(%error, "{what}");
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
                // Statements that another connection has, or that this one had.
                Some("26000" | "42P05") => Self::Unsafe(POOLED.to_owned()),
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

/// Whether the columns of a statement that a connection has prepared are others by now, after a migration. Prepared again, it works.
fn is_stale_plan(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("0A000")
        && error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"))
}

/// The error about a pooler that is not configured.
const POOLED: &str = "DATABASE_URL leads through a pooler that hands connections out by transaction (PgBouncer's pool_mode = transaction): \
                      set database.direct_url (DIRECT_DATABASE_URL) too, to the same login's URL around the pooler";

/// How much longer than the server's own limit an answer is awaited; after that, none will come.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait for the database.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseOptions {
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
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
    /// A tenant has half of the connections at most; beyond, its requests wait for each other.
    shares: KeyedSemaphore<TenantId>,
    /// How long a transaction waits for one of them, and how long for what others of its tenant are changing.
    patience: (Duration, Duration),
    checked: Arc<Checked>,
}

/// What the check at the start has found, for all that share a database.
#[derive(Debug, Default)]
struct Checked {
    /// The roles of this database, known when [`Database::check_rights`] has passed; nothing is read or written before.
    roles: OnceLock<Roles>,
    /// Held by the request that checks. The check makes connections beside the pool, so a crowd must not make them at once.
    turn: Mutex<()>,
}

impl Database {
    /// `connections` at most, for what `name` says; made on first use, so that the service starts while the database is still
    /// down. They live on the runtime that this is called in. `direct` is the way around a pooler that hands connections out by
    /// transaction, where `url` leads through one.
    pub fn new(
        url: &DatabaseUrl,
        direct: Option<&DatabaseUrl>,
        name: &'static str,
        connections: u32,
        options: DatabaseOptions,
    ) -> Self {
        let ends = Timeouts {
            acquire: options.acquire_timeout,
            statement: options.statement_timeout,
            lock: options.lock_timeout,
            exchange: options.statement_timeout + GRACE,
            transaction: options.transaction_timeout,
        };
        Self {
            pool: Arc::new(Pool::new(
                name,
                connections,
                (Connector::new(url), direct.map(Connector::new)),
                ends,
                Handle::current(),
            )),
            shares: share(connections),
            patience: (options.acquire_timeout, options.lock_timeout),
            checked: Arc::default(),
        }
    }

    /// The same database over other connections: however long the users of one handle wait, those of the other do not.
    #[must_use]
    pub fn apart(&self, name: &'static str, connections: u32) -> Self {
        Self {
            pool: Arc::new(self.pool.apart(name, connections)),
            shares: share(connections),
            patience: self.patience,
            checked: self.checked.clone(),
        }
    }

    /// The database for admins' changes, which wait five times as long for each other instead of failing.
    #[must_use]
    pub fn patient(mut self) -> Self {
        let (share, change) = self.patience;
        self.patience = (share.saturating_mul(5), change.saturating_mul(5));
        self
    }

    /// What its connections are at this moment.
    pub fn pool_now(&self) -> PoolNow {
        self.pool.now()
    }

    /// Closes the connections; statements under way finish first, or are cut off when their time is over.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The connections that one tenant may hold: half of them.
fn share(connections: u32) -> KeyedSemaphore<TenantId> {
    KeyedSemaphore::new(usize::try_from(connections / 2).unwrap_or(1))
}
