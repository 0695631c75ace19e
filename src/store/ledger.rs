//! Writing the ledger: rows of many requests in one statement, over a connection that does nothing else.
//!
//! The statement is a transaction of its own, so a batch costs one message there and one back. It may be repeated: a row that is there
//! already stays as it is.

use std::io::ErrorKind;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::lease::breaks;
use super::quota_use::{Counting, Judged, Judging};
use super::sessions::{Outcome, OutcomeResult, Requested, Timings};
use super::silence::silence;
use super::{Database, StoreError};

/// Longest life of a connection, so that new servers get some and grown memory is given back.
const LIFETIME: Duration = Duration::from_mins(30);
/// A connection that was idle for longer is checked first: a firewall may have dropped it silently.
const IDLE: Duration = Duration::from_secs(10);

/// Writes rows of the ledger. It keeps one connection, beside the pools, with the platform's role.
#[derive(Debug)]
pub struct LedgerWriter {
    database: Database,
    open: Option<Open>,
    /// Longest wait for a connection, and then for an answer.
    limits: (Duration, Duration),
}

/// The connection, between two batches.
#[derive(Debug)]
struct Open {
    connection: PgConnection,
    born: Instant,
    used: Instant,
}

impl LedgerWriter {
    /// Connects when it is first used.
    pub fn new(database: Database) -> Self {
        let ends = database.pool.ends();
        Self {
            database,
            open: None,
            limits: (ends.acquire, ends.exchange),
        }
    }

    /// One that does not wait longer than this, neither for a connection nor for an answer. A statement that is given up may still be
    /// carried out.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        let (acquire, exchange) = self.limits;
        self.limits = (acquire.min(limit), exchange.min(limit));
        self
    }

    /// Writes rows, all or none, but for sessions whose quota is used up. After a transient error they may be there or not; to write them
    /// again is safe.
    ///
    /// An outcome that stands already stays: a session has one. A row of a tenant that is deleted meanwhile goes with it.
    pub async fn write(
        &mut self,
        requested: &[Requested],
        outcomes: &[Outcome],
        judging: Judging,
    ) -> Result<Judged, StoreError> {
        let was_open = self.open.is_some();
        match self.try_once(requested, outcomes, judging).await {
            // The server has closed the connection since it was last used, as when it restarted.
            Err(StoreError::Unavailable(error)) if was_open && is_cut(&error) => {
                self.try_once(requested, outcomes, judging).await
            }
            written => written,
        }
    }

    async fn try_once(
        &mut self,
        requested: &[Requested],
        outcomes: &[Outcome],
        judging: Judging,
    ) -> Result<Judged, StoreError> {
        let mut open = self.take().await?;
        let inserting = write(&mut open.connection, requested, outcomes, judging);
        let written = self.within_exchange(inserting).await;
        // Kept only if it is in step: one that is silent, or was given up in the middle, is closed.
        if !written.as_ref().is_err_and(StoreError::is_transient) {
            open.used = Instant::now();
            self.open = Some(open);
        }
        written
    }

    /// Whether rows can be written at all: not on a standby, before it is promoted.
    pub async fn takes_writes(&mut self) -> Result<bool, StoreError> {
        let mut open = self.take().await?;
        let ask = async {
            let is_writable =
                sqlx::query_scalar!("select current_setting('transaction_read_only') = 'off'")
                    .fetch_one(&mut open.connection)
                    .await?;
            Ok(is_writable == Some(true))
        };
        let is_writable = self.within_exchange(ask).await?;
        self.open = Some(open);
        Ok(is_writable)
    }

    /// Says goodbye to the server.
    pub async fn close(mut self) {
        if let Some(open) = self.open.take() {
            _ = self
                .within_exchange(async { Ok(open.connection.close().await?) })
                .await;
        }
    }

    /// The connection that is open, or a new one.
    async fn take(&mut self) -> Result<Open, StoreError> {
        let (acquire, _) = self.limits;
        if let Some(mut open) = self.open.take()
            && open.born.elapsed() < LIFETIME
        {
            if open.used.elapsed() < IDLE {
                return Ok(open);
            }
            let asked = timeout(acquire / 2, open.connection.execute("select 1")).await;
            if matches!(asked, Ok(Ok(_))) {
                return Ok(open);
            }
        }
        self.connect(acquire).await
    }

    /// Past a pooler that hands connections out by transaction, since the role and the limits stay with the connection.
    async fn connect(&self, acquire: Duration) -> Result<Open, StoreError> {
        let role = self.database.checked_roles().await?.platform.clone();
        let pool = &self.database.pool;
        let (reach, direct) = pool.ways();
        let mut connection = direct.unwrap_or(reach).connect_within(acquire).await?;
        let prepare = pool.ends().prepare(&role);
        let prepared = timeout(acquire, connection.execute(AssertSqlSafe(prepare)));
        prepared.await.map_err(|_late| silence())??;
        Ok(Open {
            connection,
            born: Instant::now(),
            used: Instant::now(),
        })
    }

    async fn within_exchange<T>(
        &self,
        exchange: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.limits.1, exchange)
            .await
            .unwrap_or_else(|_late| Err(silence().into()))
    }
}

/// Whether a connection was closed by the other side, and did not just stay silent.
fn is_cut(error: &sqlx::Error) -> bool {
    let is_silent = matches!(error, sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut);
    breaks(error) && !is_silent
}

/// The columns that all three tables have, as the arrays that Postgres unnests.
#[derive(Default)]
struct Columns {
    tenants: Vec<Uuid>,
    sessions: Vec<Uuid>,
    ats: Vec<DateTime<Utc>>,
}

impl Columns {
    fn push(&mut self, tenant: Uuid, session: Uuid, at: DateTime<Utc>) {
        self.tenants.push(tenant);
        self.sessions.push(session);
        self.ats.push(at);
    }
}

/// The columns of `session_outcome`, but for its times.
#[derive(Default)]
struct Ended<'a> {
    rows: Columns,
    outcomes: Vec<&'static str>,
    codes: Vec<Option<&'a str>>,
    tokens: Vec<Option<&'a [u8]>>,
    expiries: Vec<Option<DateTime<Utc>>>,
}

impl<'a> Ended<'a> {
    fn of(outcomes: &'a [Outcome]) -> Self {
        let mut columns = Self::default();
        for row in outcomes {
            columns.rows.push(row.tenant.0, row.session.0, row.at);
            let (outcome, code, token, expiry) = match &row.result {
                OutcomeResult::Issued {
                    token_hash,
                    expires_at,
                } => ("issued", None, Some(&**token_hash), Some(*expires_at)),
                OutcomeResult::Failed { code } => ("failed", Some(&**code), None, None),
            };
            columns.outcomes.push(outcome);
            columns.codes.push(code);
            columns.tokens.push(token);
            columns.expiries.push(expiry);
        }
        columns
    }
}

/// In one statement; with quotas, in a transaction of several.
async fn write(
    connection: &mut PgConnection,
    requested: &[Requested],
    outcomes: &[Outcome],
    judging: Judging,
) -> Result<Judged, StoreError> {
    if !Counting::is_due(requested, outcomes) {
        let requested: Vec<&Requested> = requested.iter().collect();
        insert(connection, &requested, outcomes).await?;
        return Ok(Judged::default());
    }
    match count(connection, requested, outcomes, judging).await {
        // The connection is in step, and is kept.
        Err(error) if !error.is_transient() => {
            connection.execute("rollback").await?;
            Err(error)
        }
        counted => counted,
    }
}

async fn count(
    connection: &mut PgConnection,
    requested: &[Requested],
    outcomes: &[Outcome],
    judging: Judging,
) -> Result<Judged, StoreError> {
    let (counting, added) = Counting::begin(connection, requested, outcomes, judging).await?;
    insert(connection, &added, outcomes).await?;
    counting.commit(connection, outcomes).await
}

async fn insert(
    connection: &mut PgConnection,
    requested: &[&Requested],
    ended: &[Outcome],
) -> Result<(), StoreError> {
    let mut asked = Columns::default();
    let mut kept = Columns::default();
    let (mut untils, mut inputs) = (Vec::new(), Vec::new());
    for row in requested {
        asked.push(row.tenant.0, row.session.0, row.at);
        if let Some((text, until)) = &row.inputs {
            kept.push(row.tenant.0, row.session.0, row.at);
            inputs.push(text.as_str());
            untils.push(*until);
        }
    }
    let issuers: Vec<Uuid> = requested.iter().map(|row| row.issuer.0).collect();
    let subjects: Vec<&str> = requested.iter().map(|row| row.subject.as_str()).collect();
    let contexts: Vec<&str> = requested.iter().map(|row| row.context.as_str()).collect();
    let personas: Vec<&str> = requested.iter().map(|row| row.persona.as_str()).collect();
    let versions: Vec<i32> = requested.iter().map(|row| row.persona_version).collect();
    let hashes: Vec<&[u8]> = requested
        .iter()
        .map(|row| row.config_hash.as_slice())
        .collect();
    let traces: Vec<&str> = requested.iter().map(|row| row.trace.as_str()).collect();
    let tests: Vec<Option<&str>> = requested.iter().map(|row| row.test.as_deref()).collect();
    let requests: Vec<Option<Uuid>> = requested
        .iter()
        .map(|row| row.request.map(|id| id.0))
        .collect();

    let over = Ended::of(ended);
    let times = |of: fn(&Timings) -> Option<i32>| -> Vec<Option<i32>> {
        ended.iter().map(|row| of(&row.timings)).collect()
    };
    sqlx::query!(
        "with requested as (
             insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace,
                                  request_id, test)
             select r.tenant_id, r.id, r.at, r.issuer_id, r.subject, r.context_key, r.persona_key, r.persona_version, r.config_hash,
                    r.trace::jsonb, r.request_id, r.test::json
             from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int[],
                         $9::bytea[], $10::text[], $11::uuid[], $12::text[])
                  r (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace, request_id,
                     test)
             on conflict do nothing),
         kept as (
             insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
             select k.tenant_id, k.session_id, k.at, k.keep_until, k.inputs::jsonb
             from unnest($13::uuid[], $14::uuid[], $15::timestamptz[], $16::timestamptz[], $17::text[])
                  k (tenant_id, session_id, at, keep_until, inputs)
             on conflict do nothing)
         insert into session_outcome (tenant_id, session_id, at, outcome, code, token_hash, expires_at,
                                      auth_us, decide_us, anam_us, total_us)
         select o.* from unnest($18::uuid[], $19::uuid[], $20::timestamptz[], $21::text[], $22::text[], $23::bytea[],
                                $24::timestamptz[], $25::int[], $26::int[], $27::int[], $28::int[]) o (tenant_id)
         join tenant t on t.id = o.tenant_id
         for key share of t
         on conflict do nothing",
        &asked.tenants,
        &asked.sessions,
        &asked.ats,
        &issuers,
        &subjects as &[&str],
        &contexts as &[&str],
        &personas as &[&str],
        &versions,
        &hashes as &[&[u8]],
        &traces as &[&str],
        &requests as &[Option<Uuid>],
        &tests as &[Option<&str>],
        &kept.tenants,
        &kept.sessions,
        &kept.ats,
        &untils,
        &inputs as &[&str],
        &over.rows.tenants,
        &over.rows.sessions,
        &over.rows.ats,
        &over.outcomes as &[&str],
        &over.codes as &[Option<&str>],
        &over.tokens as &[Option<&[u8]>],
        &over.expiries as &[Option<DateTime<Utc>>],
        &times(|timings| timings.auth) as &[Option<i32>],
        &times(|timings| timings.decide) as &[Option<i32>],
        &times(|timings| timings.anam) as &[Option<i32>],
        &times(|timings| timings.total) as &[Option<i32>]
    )
    .execute(connection)
    .await?;
    Ok(())
}
