//! A connection that is lent for one transaction. All statements for a caller go through
//! [`Executor`] for a [`Lease`], so that no query can forget its end.

mod question;

use std::io;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sqlx::postgres::{PgDatabaseError, PgQueryResult, PgRow, PgSeverity, PgStatement, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Connection, Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use self::question::Question;
use super::StoreError;
use super::pool::{OpenConnection, Pool};
use super::silence::silence;
use crate::domain::ids::TenantId;

/// A connection of a [`Pool`], with a transaction open until [`Lease::commit`]. Dropped before, it is rolled back and goes
/// home, or is thrown away.
#[derive(Debug)]
pub(super) struct Lease {
    /// `None` between two connections, and after the deadline.
    kept: Option<OpenConnection>,
    standing: ConnectionState,
    in_transaction: bool,
    /// The statements that begin the transaction.
    first: String,
    /// Whether another transaction could take the place of this one unnoticed: so far it has only read.
    has_only_read: bool,
    /// The deadline of the transaction.
    end: Instant,
    pool: Arc<Pool>,
    turn: Option<OwnedSemaphorePermit>,
}

/// The state of the connection's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionState {
    /// Every statement was answered.
    InStep,
    /// An answer is awaited, or the caller that awaited it was cancelled.
    Asked,
    /// No answer in time, or the connection broke.
    Lost,
}

/// One statement and its result.
struct Exchange<'a> {
    standing: &'a mut ConnectionState,
    end: Instant,
}

impl Pool {
    /// Lends a connection with an open transaction, as a role and for a tenant where they are given. One that was idle
    /// may be dead or silent, and only its answer tells: half of the time is for that, the rest for a new one. Nothing was
    /// sent on it yet, so nothing is lost.
    pub(super) async fn begin(
        self: &Arc<Self>,
        role: Option<&str>,
        tenant: Option<TenantId>,
    ) -> Result<Lease, StoreError> {
        let first = self.first_message(role, tenant);
        let turn = self.turn().await?;
        // Counted again: a server that keeps many waiting is slow, and must not be taken for a silent one.
        let start = Instant::now();
        let mut lease = Lease::new(self.clone(), turn, first, start + self.ends().transaction);
        if let Some(kept) = self.take_idle() {
            lease.hold(kept);
            match lease.begin(start + self.ends().acquire / 2).await {
                Err(_) if lease.is_lost() => lease.let_go(),
                begun => return Ok(begun.map(|()| lease)?),
            }
        }
        let end = start + self.ends().acquire;
        lease.hold(self.connect(end).await?);
        lease.begin(end).await?;
        Ok(lease)
    }
}

impl Lease {
    /// `first` begins the transaction.
    pub(super) fn new(
        pool: Arc<Pool>,
        turn: OwnedSemaphorePermit,
        first: String,
        end: Instant,
    ) -> Self {
        Self {
            kept: None,
            standing: ConnectionState::InStep,
            in_transaction: false,
            first,
            has_only_read: true,
            end,
            pool,
            turn: Some(turn),
        }
    }

    /// Takes a connection.
    pub(super) fn hold(&mut self, kept: OpenConnection) {
        self.kept = Some(kept);
        self.standing = ConnectionState::InStep;
        self.in_transaction = false;
    }

    /// Whether the connection is lost.
    pub(super) fn is_lost(&self) -> bool {
        self.standing == ConnectionState::Lost
    }

    /// Returns the connection to the pool, or drops it.
    pub(super) fn let_go(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        match self.standing {
            ConnectionState::Lost => self.pool.distrust_idle(),
            ConnectionState::InStep if !self.in_transaction => self.pool.keep(kept),
            ConnectionState::InStep | ConnectionState::Asked => {
                self.pool.tidy_up(kept, self.turn.take());
            }
        }
    }

    /// Begins a transaction, until `end` at most.
    pub(super) async fn begin(&mut self, end: Instant) -> Result<(), sqlx::Error> {
        self.in_transaction = true;
        self.has_only_read = true;
        let first = sqlx::raw_sql(AssertSqlSafe(self.first.clone()));
        let (connection, exchange) = self.exchange(end)?;
        exchange.run(connection.execute(first)).await?;
        Ok(())
    }

    /// Asks, and where the connection remembers the statement for columns that a migration has changed meanwhile, has it forget
    /// that, and asks again. That takes another transaction, so it is done only as long as nothing would be lost with this one.
    async fn answers(
        &mut self,
        question: Question,
    ) -> Result<Vec<Either<PgQueryResult, PgRow>>, sqlx::Error> {
        self.has_only_read = self.has_only_read && question.only_reads();
        let again = self.has_only_read.then(|| question.clone());
        let answered = self.query(question).await;
        if !answered.as_ref().is_err_and(is_stale) {
            return answered;
        }
        let age = self.kept.as_ref().map_or(0, |kept| kept.age);
        let age = self.pool.statements_are_stale(age);
        let Some(again) = again else {
            return answered;
        };
        self.renew().await?;
        if let Some(kept) = &mut self.kept {
            kept.age = age;
        }
        self.query(again).await
    }

    async fn query(
        &mut self,
        question: Question,
    ) -> Result<Vec<Either<PgQueryResult, PgRow>>, sqlx::Error> {
        let question = question.remembered(self.pool.remembers_statements());
        let (connection, exchange) = self.exchange(self.statement_end())?;
        exchange
            .run(connection.fetch_many(question).try_collect())
            .await
    }

    /// Begins again on the same connection, which forgets its statements.
    async fn renew(&mut self) -> Result<(), sqlx::Error> {
        let (connection, exchange) = self.exchange(self.statement_end())?;
        let renewing = async {
            sqlx::raw_sql("rollback").execute(&mut *connection).await?;
            connection.clear_cached_statements().await
        };
        exchange.run(renewing).await?;
        self.begin(self.statement_end()).await
    }

    /// Commits the transaction.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let committed = self.execute("commit").await;
        // Also where it was refused: a commit ends the transaction either way.
        self.in_transaction = self.standing != ConnectionState::InStep;
        committed.map(|_| ())
    }

    /// The deadline of a statement that starts now.
    fn statement_end(&self) -> Instant {
        self.end.min(Instant::now() + self.pool.ends().exchange)
    }

    fn exchange(&mut self, end: Instant) -> Result<(&mut PgConnection, Exchange<'_>), sqlx::Error> {
        if self.end <= Instant::now() {
            // Closed at once: whoever is late may hold locks.
            self.kept = None;
        }
        match &mut self.kept {
            Some(kept) if self.standing != ConnectionState::Lost => {
                self.standing = ConnectionState::Asked;
                let standing = &mut self.standing;
                Ok((&mut kept.connection, Exchange { standing, end }))
            }
            _ => Err(given_up()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Exchange<'_> {
    async fn run<T>(
        mut self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let answer = self.heard(timeout_at(self.end, answer).await)?;
        self.done();
        Ok(answer)
    }

    /// The result of the exchange, and the state of the connection after it. An error that is not the server's leaves it open
    /// whether there is more to come.
    fn heard<T>(
        &mut self,
        heard: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, sqlx::Error> {
        let heard = heard.unwrap_or_else(|_late| Err(silence()));
        match &heard {
            Err(error) if breaks(error) => *self.standing = ConnectionState::Lost,
            Err(sqlx::Error::Database(_)) => self.done(),
            _ => {}
        }
        heard
    }

    fn done(&mut self) {
        *self.standing = ConnectionState::InStep;
    }
}

/// The connection is gone.
fn given_up() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(
        io::ErrorKind::NotConnected,
        "the transaction took too long, or its connection was lost",
    ))
}

/// Whether the connection remembers a statement for columns that have changed meanwhile.
fn is_stale(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if super::is_stale_plan(&**error))
}

/// Whether the connection can't be used after this error.
pub(super) fn breaks(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        // The server's last words: it restarts, fails over, or has had enough. Or it takes no writes: then the right one is another.
        sqlx::Error::Database(error) => {
            error
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|error| {
                    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                        || error.code() == "25006"
                })
        }
        _ => false,
    }
}

impl<'c> Executor<'c> for &'c mut Lease {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let question = Question::new(query);
        async move {
            let answers = self.answers(question?).await?;
            Ok::<_, sqlx::Error>(stream::iter(answers).map(Ok))
        }
        .into_stream()
        .try_flatten()
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let question = Question::new(query);
        Box::pin(async move {
            let answers = self.answers(question?).await?;
            Ok(answers.into_iter().find_map(Either::right))
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (connection, exchange) = self.exchange(self.statement_end())?;
            exchange.run(connection.prepare_with(sql, parameters)).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (connection, exchange) = self.exchange(self.statement_end())?;
            exchange.run(connection.describe(sql)).await
        })
    }
}
