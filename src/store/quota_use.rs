//! What tenants and users used of their quotas: rows of `quota_use`, which the ledger's writer locks, judges and writes in the transaction
//! that adds the sessions.
//!
//! So a quota holds exactly, however many instances count, and after a crash what is counted and what is recorded agree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use super::StoreError;
use super::sessions::{Counted, GivenBack, Outcome, Requested};
use super::tenant_tx::TenantTx;
use crate::domain::caller::Subject;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::quota::{Amount, Left, Reached, Scope, Standing, Use};

/// How long a batch waits for others that count for the same tenant; who is not there by then, as a row that somebody holds by hand, fails
/// alone.
const BEGIN: &str = "begin; set local lock_timeout = '250ms'";
const BEGIN_AGAIN: &str = "rollback; begin; set local lock_timeout = '250ms'";
/// When Anam is first asked how long a session was.
const FIRST_CHECK: TimeDelta = TimeDelta::seconds(60);

/// What became of the sessions of a batch that were counted. The others are in it by not being there.
#[derive(Debug, Default)]
pub struct Judged {
    sessions: HashMap<SessionId, Result<Vec<Left>, NotCounted>>,
    /// What is left of tenants' quotas for all their users.
    pub of_tenants: HashMap<TenantId, Vec<Left>>,
    /// Tenants' quotas of which so much was used for the first time that admins are to be warned.
    pub warnings: Vec<(TenantId, Left)>,
}

/// Why a session was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCounted {
    Reached(Reached),
    /// Somebody else holds the row of what was used.
    Busy,
}

impl Judged {
    /// What is left after this session; nothing where it has no quota.
    pub fn take(&mut self, session: SessionId) -> Result<Vec<Left>, NotCounted> {
        self.sessions
            .remove(&session)
            .unwrap_or_else(|| Ok(Vec::new()))
    }
}

/// Whether quotas are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judging {
    /// A session that does not fit is not added.
    Judge,
    /// All are counted: their tokens are given out already.
    Count,
}

/// Whose use it is; without a subject the tenant's.
type Key<'a> = (Uuid, &'a str);

/// What is counted in a batch, and the rows that it is counted in.
pub(super) struct Counting<'a> {
    uses: BTreeMap<Key<'a>, Use>,
    judged: Judged,
    holds: Vec<Hold<'a>>,
}

/// A session with a time that is to be corrected.
struct Hold<'a> {
    row: &'a Requested,
    counted: &'a Counted,
}

/// The keys that a session is counted under.
fn keys(tenant: TenantId, subject: Option<&str>, of_tenant: bool) -> impl Iterator<Item = Key<'_>> {
    let whole = of_tenant.then_some((tenant.0, ""));
    whole
        .into_iter()
        .chain(subject.map(move |subject| (tenant.0, subject)))
}

fn counted_under(row: &Requested) -> impl Iterator<Item = Key<'_>> {
    row.counted.iter().flat_map(|counted| {
        let subject = (!counted.quotas.user.is_empty()).then_some(row.subject.as_str());
        keys(row.tenant, subject, !counted.quotas.tenant.is_empty())
    })
}

fn given_back_under(row: &Outcome) -> impl Iterator<Item = Key<'_>> {
    row.given_back
        .iter()
        .flat_map(|back| keys(row.tenant, back.subject.as_deref(), back.of_tenant))
}

impl<'a> Counting<'a> {
    /// Whether anything is to be counted at all.
    pub(super) fn is_due(requested: &[Requested], outcomes: &[Outcome]) -> bool {
        requested.iter().any(|row| row.counted.is_some())
            || outcomes.iter().any(|row| row.given_back.is_some())
    }

    /// Begins a transaction, and counts in memory: gives the sessions that may be added.
    pub(super) async fn begin(
        connection: &mut PgConnection,
        requested: &'a [Requested],
        outcomes: &'a [Outcome],
        judging: Judging,
    ) -> Result<(Self, Vec<&'a Requested>), StoreError> {
        let at = requested
            .iter()
            .map(|row| row.at)
            .chain(outcomes.iter().map(|row| row.at));
        let at = at.min().unwrap_or_default();
        let mut uses: BTreeMap<Key<'a>, Use> = requested
            .iter()
            .flat_map(counted_under)
            .chain(outcomes.iter().flat_map(given_back_under))
            .map(|key| (key, Use::none(at)))
            .collect();
        lock(connection, &mut uses, judging).await?;
        let known = AlreadyWritten::read(connection, requested, outcomes).await?;
        let mut counting = Self {
            uses,
            judged: Judged::default(),
            holds: Vec::new(),
        };
        for row in outcomes {
            if let Some(back) = &row.given_back
                && !known.outcomes.contains(&row.session.0)
            {
                counting.give_back(row, back);
            }
        }
        let mut added = Vec::with_capacity(requested.len());
        for row in requested {
            let is_new = !known.sessions.contains(&row.session.0);
            if is_new && !counting.count(row, judging) {
                continue;
            }
            added.push(row);
        }
        Ok((counting, added))
    }

    fn standing(&self, row: &Requested, counted: &Counted) -> Result<Standing, NotCounted> {
        let of = |subject: &str| self.uses.get(&(row.tenant.0, subject)).copied();
        let standing = Standing {
            tenant: of("").filter(|_| !counted.quotas.tenant.is_empty()),
            user: of(&row.subject).filter(|_| !counted.quotas.user.is_empty()),
        };
        let is_whole = standing.tenant.is_some() != counted.quotas.tenant.is_empty()
            && standing.user.is_some() != counted.quotas.user.is_empty();
        is_whole.then_some(standing).ok_or(NotCounted::Busy)
    }

    /// Counts a session, if it has quotas and fits into them. False where it may not be added.
    fn count(&mut self, row: &'a Requested, judging: Judging) -> bool {
        let Some(counted) = &row.counted else {
            return true;
        };
        let judged = self.standing(row, counted).and_then(|standing| {
            if judging == Judging::Judge {
                let judged = standing.judge(&counted.quotas, row.at, counted.seconds);
                judged.map_err(NotCounted::Reached)?;
            }
            Ok(())
        });
        if let Err(refused) = judged {
            self.judged.sessions.insert(row.session, Err(refused));
            return false;
        }
        for key in counted_under(row) {
            let Some(used) = self.uses.get_mut(&key) else {
                continue;
            };
            used.go_on(row.at);
            let before = *used;
            used.add(counted.seconds);
            if key.1.is_empty() {
                let quota = &counted.quotas.tenant;
                let was = before.left(Scope::Tenant, quota);
                let now: Vec<Left> = used.left(Scope::Tenant, quota).collect();
                let crossed = was
                    .zip(now.iter().copied())
                    .filter(|(was, now)| !was.is_low() && now.is_low());
                let crossed = crossed.map(|(_, now)| (row.tenant, now));
                self.judged.warnings.extend(crossed);
                self.judged.of_tenants.insert(row.tenant, now);
            }
        }
        let left = self
            .standing(row, counted)
            .map(|standing| standing.left(&counted.quotas));
        self.judged.sessions.insert(row.session, left);
        if counted.quotas.limit_time() && counted.seconds > 0 {
            self.holds.push(Hold { row, counted });
        }
        true
    }

    fn give_back(&mut self, row: &'a Outcome, back: &'a GivenBack) {
        let amount = Amount {
            sessions: 1,
            seconds: back.seconds.into(),
        };
        for key in given_back_under(row) {
            if let Some(used) = self.uses.get_mut(&key) {
                used.give_back(row.at, amount);
            }
        }
    }

    /// Writes what was counted, and ends the transaction.
    pub(super) async fn commit(
        self,
        connection: &mut PgConnection,
        outcomes: &[Outcome],
    ) -> Result<Judged, StoreError> {
        save(connection, &self.uses).await?;
        hold(connection, &self.holds).await?;
        let over = outcomes.iter().filter(|row| row.given_back.is_some());
        let (tenants, sessions): (Vec<Uuid>, Vec<Uuid>) =
            over.map(|row| (row.tenant.0, row.session.0)).unzip();
        if !sessions.is_empty() {
            sqlx::query!(
                "delete from quota_hold where (tenant_id, session_id) in (select * from unnest($1::uuid[], $2::uuid[]))",
                &tenants,
                &sessions
            )
            .execute(&mut *connection)
            .await?;
        }
        connection.execute("commit").await?;
        Ok(self.judged)
    }
}

/// Takes the rows, always in the same order, and reads what they say. Those that can't be had are taken out of `uses`.
async fn lock(
    connection: &mut PgConnection,
    uses: &mut BTreeMap<Key<'_>, Use>,
    judging: Judging,
) -> Result<(), StoreError> {
    connection.execute(BEGIN).await?;
    match lock_within(connection, uses, false).await {
        // What must be counted is tried again later as a whole.
        Err(StoreError::Unavailable(error)) if judging == Judging::Judge && is_held(&error) => {
            connection.execute(BEGIN_AGAIN).await?;
            lock_within(connection, uses, true).await
        }
        locked => locked,
    }
}

fn is_held(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

async fn lock_within(
    connection: &mut PgConnection,
    uses: &mut BTreeMap<Key<'_>, Use>,
    skips: bool,
) -> Result<(), StoreError> {
    let (tenants, subjects): (Vec<Uuid>, Vec<&str>) = uses.keys().copied().unzip();
    let days: Vec<NaiveDate> = uses.values().map(|used| used.day).collect();
    let months: Vec<NaiveDate> = uses.values().map(|used| used.month).collect();
    let mut found = read_locked(connection, &tenants, &subjects, skips).await?;
    if found.len() < uses.len() && !skips {
        // Somebody's first time. Rows are made before any is held, since who makes one while they hold others would do so in another
        // order than those that lock. None is made for a tenant that is gone; its sessions are refused by their own key.
        connection.execute(BEGIN_AGAIN).await?;
        sqlx::query!(
            "insert into quota_use (tenant_id, subject, day, month)
             select n.tenant_id, n.subject, n.day, n.month
             from unnest($1::uuid[], $2::text[], $3::date[], $4::date[]) n (tenant_id, subject, day, month)
             join tenant t on t.id = n.tenant_id
             order by n.tenant_id, n.subject collate \"C\"
             on conflict do nothing",
            &tenants,
            &subjects as &[&str],
            &days,
            &months
        )
        .execute(&mut *connection)
        .await?;
        found = read_locked(connection, &tenants, &subjects, skips).await?;
    }
    // Both are in the order of their keys.
    let mut found = found.into_iter().peekable();
    uses.retain(|(tenant, subject), used| {
        let stored = found.next_if(|row| row.tenant_id == *tenant && row.subject == *subject);
        if let Some(stored) = &stored {
            *used = stored.used();
        }
        stored.is_some()
    });
    Ok(())
}

/// A row of the table.
pub(super) struct UseRow {
    pub(super) tenant_id: Uuid,
    pub(super) subject: String,
    pub(super) day: NaiveDate,
    pub(super) day_sessions: i64,
    pub(super) day_seconds: i64,
    pub(super) month: NaiveDate,
    pub(super) month_sessions: i64,
    pub(super) month_seconds: i64,
}

impl UseRow {
    /// What was used.
    pub(super) fn used(&self) -> Use {
        Use {
            day: self.day,
            in_day: Amount {
                sessions: self.day_sessions,
                seconds: self.day_seconds,
            },
            month: self.month,
            in_month: Amount {
                sessions: self.month_sessions,
                seconds: self.month_seconds,
            },
        }
    }
}

async fn read_locked(
    connection: &mut PgConnection,
    tenants: &[Uuid],
    subjects: &[&str],
    skips: bool,
) -> Result<Vec<UseRow>, StoreError> {
    macro_rules! locked {
        ($lock:literal) => {
            sqlx::query_as!(
                UseRow,
                r#"select tenant_id, subject, day, day_sessions, day_seconds, month, month_sessions, month_seconds from quota_use
                   where (tenant_id, subject) in (select * from unnest($1::uuid[], $2::text[]))
                   order by tenant_id, subject for update "# + $lock,
                tenants,
                subjects as &[&str]
            )
            .fetch_all(&mut *connection)
            .await?
        };
    }
    Ok(if skips {
        locked!("skip locked")
    } else {
        locked!("")
    })
}

async fn save(
    connection: &mut PgConnection,
    uses: &BTreeMap<Key<'_>, Use>,
) -> Result<(), StoreError> {
    let (tenants, subjects): (Vec<Uuid>, Vec<&str>) = uses.keys().copied().unzip();
    let column = |of: fn(&Use) -> i64| -> Vec<i64> { uses.values().map(of).collect() };
    let days: Vec<NaiveDate> = uses.values().map(|used| used.day).collect();
    let months: Vec<NaiveDate> = uses.values().map(|used| used.month).collect();
    sqlx::query!(
        "update quota_use q
         set day = n.day, day_sessions = n.day_sessions, day_seconds = n.day_seconds,
             month = n.month, month_sessions = n.month_sessions, month_seconds = n.month_seconds
         from unnest($1::uuid[], $2::text[], $3::date[], $4::bigint[], $5::bigint[], $6::date[], $7::bigint[], $8::bigint[])
              n (tenant_id, subject, day, day_sessions, day_seconds, month, month_sessions, month_seconds)
         where q.tenant_id = n.tenant_id and q.subject = n.subject",
        &tenants,
        &subjects as &[&str],
        &days,
        &column(|used| used.in_day.sessions),
        &column(|used| used.in_day.seconds),
        &months,
        &column(|used| used.in_month.sessions),
        &column(|used| used.in_month.seconds)
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn hold(connection: &mut PgConnection, holds: &[Hold<'_>]) -> Result<(), StoreError> {
    if holds.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = holds.iter().map(|hold| hold.row.tenant.0).collect();
    let sessions: Vec<Uuid> = holds.iter().map(|hold| hold.row.session.0).collect();
    let ats: Vec<DateTime<Utc>> = holds.iter().map(|hold| hold.row.at).collect();
    let subjects: Vec<&str> = holds
        .iter()
        .map(|hold| {
            let is_counted = !hold.counted.quotas.user.is_empty();
            if is_counted { &*hold.row.subject } else { "" }
        })
        .collect();
    let of_tenant: Vec<bool> = holds
        .iter()
        .map(|hold| !hold.counted.quotas.tenant.is_empty())
        .collect();
    let seconds: Vec<i32> = holds
        .iter()
        .map(|hold| i32::try_from(hold.counted.seconds).unwrap_or(i32::MAX))
        .collect();
    let checks: Vec<DateTime<Utc>> = ats.iter().map(|at| *at + FIRST_CHECK).collect();
    sqlx::query!(
        "insert into quota_hold (tenant_id, session_id, at, subject, of_tenant, seconds, check_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::boolean[], $6::int[], $7::timestamptz[])
         on conflict do nothing",
        &tenants,
        &sessions,
        &ats,
        &subjects as &[&str],
        &of_tenant,
        &seconds,
        &checks
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What of a batch is in the ledger already, as after an attempt of which nobody knows how it ended.
struct AlreadyWritten {
    sessions: BTreeSet<Uuid>,
    outcomes: BTreeSet<Uuid>,
}

/// The columns by which rows of the ledger are found, as the arrays that Postgres unnests.
#[derive(Default)]
struct Rows {
    tenants: Vec<Uuid>,
    sessions: Vec<Uuid>,
    ats: Vec<DateTime<Utc>>,
}

impl Rows {
    fn push(&mut self, tenant: TenantId, session: SessionId, at: DateTime<Utc>) {
        self.tenants.push(tenant.0);
        self.sessions.push(session.0);
        self.ats.push(at);
    }
}

impl AlreadyWritten {
    async fn read(
        connection: &mut PgConnection,
        requested: &[Requested],
        outcomes: &[Outcome],
    ) -> Result<Self, StoreError> {
        let mut known = Self {
            sessions: BTreeSet::new(),
            outcomes: BTreeSet::new(),
        };
        let (mut asked, mut ended) = (Rows::default(), Rows::default());
        for row in requested.iter().filter(|row| row.counted.is_some()) {
            asked.push(row.tenant, row.session, row.at);
        }
        for row in outcomes.iter().filter(|row| row.given_back.is_some()) {
            ended.push(row.tenant, row.session, row.at);
        }
        let rows = sqlx::query!(
            r#"select s.id as "id!", false as "ended!" from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) a (tenant_id, id, at)
               join session s on s.tenant_id = a.tenant_id and s.id = a.id and s.at = a.at
               union all
               select o.session_id, true from unnest($4::uuid[], $5::uuid[], $6::timestamptz[]) a (tenant_id, id, at)
               join session_outcome o on o.tenant_id = a.tenant_id and o.session_id = a.id and o.at = a.at"#,
            &asked.tenants,
            &asked.sessions,
            &asked.ats,
            &ended.tenants,
            &ended.sessions,
            &ended.ats
        )
        .fetch_all(connection)
        .await?;
        for row in rows {
            if row.ended {
                known.outcomes.insert(row.id);
            } else {
                known.sessions.insert(row.id);
            }
        }
        Ok(known)
    }
}

impl TenantTx {
    /// What was used of the tenant's quotas, or of a user's; `None` where nothing was counted yet.
    pub async fn quota_use(
        &mut self,
        subject: Option<&Subject>,
    ) -> Result<Option<Use>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query_as!(
            UseRow,
            "select tenant_id, subject, day, day_sessions, day_seconds, month, month_sessions, month_seconds from quota_use
             where tenant_id = $1 and subject = $2",
            tenant,
            subject.map_or("", Subject::as_str)
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| row.used()))
    }

    /// Forgets what a user used.
    pub async fn forget_quota_use(&mut self, subject: &Subject) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update quota_hold set subject = '' where tenant_id = $1 and subject = $2",
            tenant,
            subject.as_str()
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "delete from quota_use where tenant_id = $1 and subject = $2",
            tenant,
            subject.as_str()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
