//! Connections to Postgres, kept and lent.
//!
//! A pool of our own, since a connection may go silent: its host is gone, or its process stopped. Then nothing ever comes
//! back, no error either. Here every wait has a deadline on this side, and a connection that missed one is dropped: its socket is closed
//! without the protocol's termination message, which would be waited for as well.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::StoreError;
use super::connector::Connector;
use crate::domain::ids::TenantId;
use crate::telemetry::crowd::Crowd;
use crate::telemetry::metrics::PoolNow;

/// Longest life of a connection, so that new servers get some and grown memory is given back.
const LIFETIME: Duration = Duration::from_mins(30);
/// A connection that was idle for longer is checked first: a firewall may have dropped it silently.
const IDLE: Duration = Duration::from_mins(5);
/// Longest time for closing connections when the pool is closed.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long the pool waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For a permit; and then again for a connection that has begun a transaction.
    pub(super) acquire: Duration,
    /// For one statement, on the server.
    pub(super) statement: Duration,
    /// For a lock, on the server.
    pub(super) lock: Duration,
    /// For the answer to one statement. The server's own limit comes first, so reaching this one means that the server is silent.
    pub(super) exchange: Duration,
    /// For a whole transaction.
    pub(super) transaction: Duration,
}

/// The most connections; they are opened when they are needed.
pub(super) struct Pool {
    name: &'static str,
    size: u32,
    ends: Timeouts,
    reach: Connector,
    /// Connects past a pooler that assigns connections by transaction, where `reach` connects through one.
    direct: Option<Connector>,
    /// How often statements have become stale, in this pool and those beside it.
    stale: Arc<AtomicU64>,
    /// What begins each transaction, but for its role and tenant.
    begin: String,
    /// The runtime that drives the sockets. A web worker may be busy or gone while others wait for its connections.
    runtime: Handle,
    turns: Arc<Semaphore>,
    waiting: Crowd,
    timed_out: AtomicU64,
    lost: AtomicU64,
    /// The one used last is at the end, and taken first.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
pub(super) struct OpenConnection {
    pub(super) connection: PgConnection,
    born: Instant,
    /// How often statements had become stale before.
    pub(super) age: u64,
}

struct Idle {
    kept: OpenConnection,
    since: Instant,
}

impl Timeouts {
    /// What a connection begins with that only ever has one role: the same limits, until it ends.
    pub(super) fn prepare(&self, role: &str) -> String {
        let limits = self.limits("false");
        format!("select {limits}, set_config('role', '{role}', false)")
    }

    /// What begins a transaction. The time limits and the search path are the transaction's own: behind a pooler, a connection
    /// may have been anybody's before, and nothing of the role's or the database's own settings matters.
    fn begin(&self) -> String {
        format!("begin; select {}", self.limits("true"))
    }

    fn limits(&self, is_local: &str) -> String {
        let millis = |time: Duration| time.as_millis();
        format!(
            "set_config('search_path', 'public, pg_temp', {is_local}), set_config('statement_timeout', '{}', {is_local}), \
             set_config('lock_timeout', '{}', {is_local}), set_config('idle_in_transaction_session_timeout', '{}', {is_local})",
            millis(self.statement),
            millis(self.lock),
            millis(self.transaction)
        )
    }
}

impl Pool {
    /// Connects on first use. Connections are made, and tidied up, on the runtime that this is called in.
    pub(super) fn new(
        name: &'static str,
        size: u32,
        (reach, direct): (Connector, Option<Connector>),
        ends: Timeouts,
        runtime: Handle,
    ) -> Self {
        Self {
            name,
            size,
            ends,
            reach,
            direct,
            stale: Arc::default(),
            begin: ends.begin(),
            runtime,
            turns: Arc::new(Semaphore::new(size as usize)),
            waiting: Crowd::default(),
            timed_out: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            idle: Mutex::default(),
        }
    }

    /// As many connections as given, to the same database and with the same ends.
    pub(super) fn apart(&self, name: &'static str, size: u32) -> Self {
        let ways = (self.reach.clone(), self.direct.clone());
        Self {
            stale: self.stale.clone(),
            ..Self::new(name, size, ways, self.ends, self.runtime.clone())
        }
    }

    pub(super) fn ends(&self) -> Timeouts {
        self.ends
    }

    /// The way to the database, and the one around a pooler.
    pub(super) fn ways(&self) -> (&Connector, Option<&Connector>) {
        (&self.reach, self.direct.as_ref())
    }

    /// Whether connections remember statements. Behind a pooler that hands them out by transaction, the server process that has
    /// prepared one need not be used next.
    pub(super) fn remembers_statements(&self) -> bool {
        self.direct.is_none()
    }

    /// A connection of this age remembers what is not so any more: those of its age are not lent again. Gives the next age.
    pub(super) fn statements_are_stale(&self, age: u64) -> u64 {
        let next = age + 1;
        let set = self
            .stale
            .compare_exchange(age, next, Ordering::Relaxed, Ordering::Relaxed);
        match set {
            Ok(_) => {
                tracing::info!("the database's tables have changed: statements are prepared again");
                next
            }
            Err(newer) => newer,
        }
    }

    /// Waits for a turn, since all connections may be lent.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let _waiting = self.waiting.enter();
        let turn = timeout(self.ends.acquire, self.turns.clone().acquire_owned());
        match turn.await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_closed)) => Err(sqlx::Error::PoolClosed.into()),
            Err(_late) => {
                self.timed_out.fetch_add(1, Ordering::Relaxed);
                Err(sqlx::Error::PoolTimedOut.into())
            }
        }
    }

    /// What it is at this moment.
    pub(super) fn now(&self) -> PoolNow {
        let limit = usize::try_from(self.size).unwrap_or(usize::MAX);
        PoolNow {
            name: self.name,
            limit,
            in_use: limit.saturating_sub(self.turns.available_permits()),
            idle: self.idle().len(),
            waiting: self.waiting.count(),
            timed_out: self.timed_out.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    /// The statements that begin a transaction, as a role and for a tenant where they are given.
    pub(super) fn first_message(&self, role: Option<&str>, tenant: Option<TenantId>) -> String {
        let mut first = self.begin.clone();
        if let Some(role) = role {
            first += &[", set_config('role', '", role, "', true)"].concat();
        }
        if let Some(tenant) = tenant {
            let id = tenant.0.hyphenated().to_string();
            first += &[", set_config('app.tenant', '", &id, "', true)"].concat();
        }
        first
    }

    /// A new connection, by `end`.
    pub(super) async fn connect(&self, end: Instant) -> Result<OpenConnection, StoreError> {
        let reach = self.reach.clone();
        let age = self.stale.load(Ordering::Relaxed);
        let connecting = self.runtime.spawn(async move { reach.connect(end).await });
        let connection = match AbortOnDropHandle::new(connecting).await {
            Ok(connected) => connected?,
            Err(_stopping) => return Err(sqlx::Error::PoolClosed.into()),
        };
        Ok(OpenConnection {
            connection,
            born: Instant::now(),
            age,
        })
    }

    /// A connection that was idle, the one used last, if any is good.
    pub(super) fn take_idle(&self) -> Option<OpenConnection> {
        let mut idle = self.idle();
        let last = idle.pop()?;
        if last.since.elapsed() < IDLE && last.kept.age == self.stale.load(Ordering::Relaxed) {
            return Some(last.kept);
        }
        // The others have been idle for even longer, and are not newer.
        idle.clear();
        None
    }

    /// Takes back a connection that is ready for the next borrower.
    pub(super) fn keep(&self, kept: OpenConnection) {
        if self.turns.is_closed() || kept.born.elapsed() > LIFETIME {
            return;
        }
        let mut idle = self.idle();
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        idle.push(Idle {
            kept,
            since: Instant::now(),
        });
    }

    /// A connection was lost: the idle ones may be lost too, and finding out one by one
    /// would take as long each time.
    pub(super) fn distrust_idle(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(pool = self.name, "a database connection was lost");
        self.idle().clear();
    }

    /// Ends what a connection was left with, aside; then it is kept, or closed where that does not go well.
    pub(super) fn tidy_up(self: &Arc<Self>, mut kept: OpenConnection, turn: impl Send + 'static) {
        let pool = self.clone();
        self.runtime.spawn(async move {
            let tidied = timeout(pool.ends.exchange, roll_back(&mut kept.connection)).await;
            match tidied {
                Ok(true) => pool.keep(kept),
                Ok(false) | Err(_) => pool.distrust_idle(),
            }
            drop(turn);
        });
    }

    /// Waits for transactions under way, within their deadlines, and closes all connections.
    pub(super) async fn close(&self) {
        _ = timeout(self.ends.exchange, self.turns.acquire_many(self.size)).await;
        self.turns.close();
        let idle = std::mem::take(&mut *self.idle());
        let goodbyes = idle.into_iter().map(|idle| idle.kept.connection.close());
        _ = timeout(GOODBYE, futures_util::future::join_all(goodbyes)).await;
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rolls back, and says whether the connection is in step again: a statement that was cut off leaves answers behind, and
/// the next borrower must never read those. So it has to give back a number that it can't have given before.
async fn roll_back(connection: &mut PgConnection) -> bool {
    static NUMBER: AtomicI64 = AtomicI64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // The first answer may still be the error of what was cut off.
    for _ in 0..2 {
        let ask = sqlx::raw_sql(AssertSqlSafe(format!("rollback; select {number}::bigint")));
        match connection.fetch_optional(ask).await {
            Ok(Some(row)) => return row.try_get(0).is_ok_and(|echo: i64| echo == number),
            Err(sqlx::Error::Database(_)) => {}
            Ok(None) | Err(_) => return false,
        }
    }
    false
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
