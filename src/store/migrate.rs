//! Preparing a database: roles, schema, partitions. Safe when several instances start at once.

mod permits;

use std::num::NonZeroU32;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::Instant;

use super::StoreError;
use super::connector::Connector;
use super::roles::Roles;
use crate::config::DatabaseUrl;
use crate::crypto::scram;

static MIGRATIONS: Migrator = Migrator {
    // sqlx's own lock blocks inside the server while it holds a snapshot, which an index built concurrently waits
    // for: a deadlock. Ours polls.
    locking: false,
    // An older program must start on a newer schema while a roll-out is under way.
    ignore_missing: true,
    ..sqlx::migrate!("./migrations")
};

/// The advisory lock that one migrating instance holds; any number that nobody else uses.
const LOCK: i64 = 0x0070_6572_736f_6e61;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// How long another instance may migrate, and when it is logged that this one waits.
const LOCK_PATIENCE: Duration = Duration::from_mins(10);
const LOCK_WORD: Duration = Duration::from_secs(2);
/// How long a statement waits for a lock that a running instance or an admin holds. Whoever asks for the same table later waits behind this one, so
/// it is short, and the migration is tried again.
const LOCKED: &str = "500ms";
const LOCKED_TRIES: u32 = 240;
const LOCKED_PAUSE: Duration = Duration::from_millis(500);
/// How many months of ledger partitions exist beyond the current one after a migration.
const PARTITION_MONTHS_AHEAD: i32 = 24;

/// How often creating partitions is retried.
const MONTHS_TRIES: u32 = 20;

/// Why a database could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A statement of the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed, or was changed after it was applied.
    #[error("migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("PostgreSQL {0} is too old: 15 or later is needed")]
    TooOld(i32),
    /// The connection goes through a pooler.
    #[error(
        "`migrate` was given the URL of a pooler that hands connections out by transaction (PgBouncer's pool_mode = transaction): set MIGRATE_DATABASE_URL to the owner's URL of the server itself"
    )]
    Pooled,
    /// Another process migrates, or left without releasing the lock.
    #[error(
        "another `migrate` has held its lock for ten minutes ({0}). If it is not running any more, end its backend: select pg_terminate_backend(PID)"
    )]
    Held(String),
    /// The login role's URL is not usable.
    #[error(
        "DATABASE_URL must name a user and a password for the service, another than the migrating one"
    )]
    LoginUnusable,
    /// An existing login has rights that it should take first; from PostgreSQL 16 on, a grant would remember that.
    #[error(
        "the role {0} of DATABASE_URL inherits the rights of others; run this first: alter role {0} noinherit"
    )]
    LoginInherits(String),
    /// A database administrator must do something first.
    #[error(
        "the role `{user}` may not prepare this database, and nothing was changed. Have somebody run this who may, then `migrate` again:\n{}", .statements.join("\n")
    )]
    Rights {
        /// The database user of the migration.
        user: String,
        /// What to run.
        statements: Vec<String>,
    },
    /// The tables are another role's.
    #[error(
        "the tables of this database belong to `{owner}`: migrate as that role, not as `{user}`"
    )]
    NotOwner {
        /// The database user of the migration.
        user: String,
        owner: String,
    },
    /// The system has no random numbers.
    #[error("no random numbers can be had from this system")]
    NoRandomness,
}

impl MigrateError {
    /// Whether a lock was not free in time, or two waited for each other.
    fn is_held_up(&self) -> bool {
        let (Self::Store(StoreError::Unavailable(error))
        | Self::Migration(
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _),
        )) = self
        else {
            return false;
        };
        let code = error.as_database_error().and_then(DatabaseError::code);
        code.is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
    }
}

/// What a migration left to do.
#[derive(Debug)]
pub struct Migrated {
    /// Roles of earlier versions, or of the database that this is a copy of, that may still read its tables, so that instances
    /// that run go on.
    pub earlier_roles: Vec<String>,
}

/// What happens to the rights of such roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierRoles {
    /// They are kept, since running instances may use them.
    Keep,
    /// They are revoked.
    Revoke,
}

/// Brings the schema up to date, as the role of `owner_url`. With `login_url`, also makes the login role named in
/// it, which may do nothing but take the two run-time roles.
pub async fn migrate(
    owner_url: &DatabaseUrl,
    login_url: Option<&DatabaseUrl>,
    earlier: EarlierRoles,
) -> Result<Migrated, MigrateError> {
    refuse_pooler(owner_url).await?;
    let mut connection = connect(owner_url).await?;
    let outcome = migrate_on(&mut connection, login_url, earlier).await;
    // Closing gives the advisory lock back, but for a connection that a pooler keeps open.
    _ = sqlx::query_scalar!("select pg_advisory_unlock($1)", LOCK)
        .fetch_one(&mut connection)
        .await;
    connection.close().await.map_err(StoreError::from)?;
    outcome
}

/// Drops the ledger's months that ended more than `months` months ago.
pub async fn forget_sessions(
    owner_url: &DatabaseUrl,
    months: NonZeroU32,
) -> Result<(), StoreError> {
    let mut connection = connect(owner_url).await?;
    let months = i32::try_from(months.get()).unwrap_or(i32::MAX);
    wait_briefly_for_locks(&mut connection).await?;
    again("the ledger's old months are not dropped yet", async || {
        let forget = sqlx::query!(
            "call drop_session_partitions(now() - make_interval(months => $1))",
            months
        );
        forget.execute(&mut connection).await?;
        Ok(())
    })
    .await?;
    connection.close().await?;
    Ok(())
}

/// Creates a database unless it exists.
pub async fn ensure_database(server_url: &DatabaseUrl, name: &str) -> Result<(), StoreError> {
    let mut connection = connect(server_url).await?;
    let exists = sqlx::query_scalar!(
        "select exists (select from pg_database where datname = $1)",
        name
    )
    .fetch_one(&mut connection)
    .await?;
    if exists != Some(true) {
        let create = format!("create database {}", quote_identifier(name));
        connection.execute(sqlx::AssertSqlSafe(create)).await?;
    }
    connection.close().await?;
    Ok(())
}

/// A migration needs its connection for itself: its lock and its search path are the connection's.
async fn refuse_pooler(url: &DatabaseUrl) -> Result<(), MigrateError> {
    if Connector::new(url).is_shared(CONNECT).await? {
        return Err(MigrateError::Pooled);
    }
    Ok(())
}

/// Statements here take as long as they take; only whether anybody is there must show soon.
pub(super) async fn connect(url: &DatabaseUrl) -> Result<PgConnection, StoreError> {
    let mut connection = Connector::new(url).connect_within(CONNECT).await?;
    // The tables are here, whatever the role or the database has for a search path of its own.
    connection
        .execute("set search_path = public, pg_temp")
        .await?;
    Ok(connection)
}

async fn migrate_on(
    connection: &mut PgConnection,
    login_url: Option<&DatabaseUrl>,
    earlier: EarlierRoles,
) -> Result<Migrated, MigrateError> {
    let version = version_of(connection).await?;
    if version < 150_000 {
        return Err(MigrateError::TooOld(version / 10_000));
    }
    take_lock(connection).await?;
    wait_briefly_for_locks(connection).await?;
    let mut tries = 1;
    loop {
        match prepare(connection, login_url, earlier).await {
            Err(error) if error.is_held_up() && tries < LOCKED_TRIES => {
                tries += 1;
                tracing::info!(%error, "somebody holds a lock that the migration needs; trying again");
                tokio::time::sleep(LOCKED_PAUSE).await;
            }
            prepared => return prepared,
        }
    }
}

/// From now on, statements of this connection fail if a lock is not free in a moment.
async fn wait_briefly_for_locks(connection: &mut PgConnection) -> Result<(), StoreError> {
    let limit = format!("set lock_timeout = '{LOCKED}'");
    connection.execute(sqlx::AssertSqlSafe(limit)).await?;
    Ok(())
}

/// Each step is done once, however often this is called.
async fn prepare(
    connection: &mut PgConnection,
    login_url: Option<&DatabaseUrl>,
    earlier: EarlierRoles,
) -> Result<Migrated, MigrateError> {
    let roles = Roles::of_database(connection).await?;
    permits::check(connection, &roles, login_url).await?;
    make_role(connection, &roles.tenant).await?;
    make_role(connection, &roles.platform).await?;
    hand_over(connection, &roles, "give").await?;
    migrations(&roles).run(&mut *connection).await?;
    make_months(connection).await?;
    let grant = format!("grant select on _sqlx_migrations to {}", roles.platform);
    connection
        .execute(sqlx::AssertSqlSafe(grant))
        .await
        .map_err(StoreError::from)?;
    if let Some(url) = login_url {
        make_login(connection, &roles, url).await?;
    }
    if earlier == EarlierRoles::Revoke {
        hand_over(connection, &roles, "take").await?;
    }
    Ok(Migrated {
        earlier_roles: remaining(connection, &roles).await?,
    })
}

/// The migrations, with the database's own roles in them.
fn migrations(roles: &Roles) -> Migrator {
    Migrator {
        migrations: MIGRATIONS
            .iter()
            .map(|migration| roles.name_in(migration))
            .collect(),
        locking: MIGRATIONS.locking,
        ignore_missing: MIGRATIONS.ignore_missing,
        ..Migrator::DEFAULT
    }
}

/// Grants the rights of earlier roles to the database's own, or revokes them from the earlier ones.
async fn hand_over(
    connection: &mut PgConnection,
    roles: &Roles,
    what: &str,
) -> Result<(), StoreError> {
    let statement = include_str!("migrate/handover.sql")
        .replace("$tenant", &roles.tenant)
        .replace("$platform", &roles.platform)
        .replace("$what", what);
    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Roles of earlier versions, or of the database that this is a copy of, that may still read its tables.
async fn remaining(
    connection: &mut PgConnection,
    roles: &Roles,
) -> Result<Vec<String>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select distinct r.rolname::text as "name!"
           from pg_class c, aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
           where c.oid = to_regclass('public.tenant') and r.rolname ~ '^gateway_(tenant|platform)(_[0-9]+)?$'
             and r.rolname <> all (array[$1, $2]) order by 1"#,
        &roles.tenant,
        &roles.platform
    );
    Ok(found.fetch_all(connection).await?)
}

/// As in 150004.
async fn version_of(connection: &mut PgConnection) -> Result<i32, StoreError> {
    let version = sqlx::query_scalar!("select current_setting('server_version_num')::int");
    Ok(version.fetch_one(connection).await?.unwrap_or_default())
}

/// Waits until no other instance migrates.
async fn take_lock(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let mut is_told = false;
    let start = Instant::now();
    loop {
        let taken = sqlx::query_scalar!("select pg_try_advisory_lock($1)", LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(StoreError::from)?;
        if taken == Some(true) {
            return Ok(());
        }
        let holder = holder(connection).await?;
        if start.elapsed() > LOCK_PATIENCE {
            return Err(MigrateError::Held(holder));
        }
        if !is_told && start.elapsed() > LOCK_WORD {
            is_told = true;
            tracing::info!("another `migrate` is at work ({holder}); waiting for it");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The process id of the backend that holds the lock.
async fn holder(connection: &mut PgConnection) -> Result<String, StoreError> {
    let found = sqlx::query!(
        r#"select a.pid as "pid!", a.application_name, a.backend_start::text as since
           from pg_locks l join pg_stat_activity a on a.pid = l.pid
           where l.locktype = 'advisory' and l.granted and l.objsubid = 1
             and l.database = (select oid from pg_database where datname = current_database())
             and ((l.classid::bigint << 32) | l.objid::bigint) = $1"#,
        LOCK
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map_or_else(
        || "its backend is gone".to_owned(),
        |found| {
            format!(
                "backend {} of {}, since {}",
                found.pid,
                found.application_name.unwrap_or_default(),
                found.since.unwrap_or_default()
            )
        },
    ))
}

/// Makes the ledger's months. Where rows wait for one it needs a lock that running instances hold for moments: of two that wait
/// for each other it is the one that tries again.
async fn make_months(connection: &mut PgConnection) -> Result<(), StoreError> {
    again("the ledger's months are not made yet", async || {
        let make = sqlx::query!(
            "call ensure_session_partitions(now(), $1)",
            PARTITION_MONTHS_AHEAD + 1
        );
        make.execute(&mut *connection).await?;
        Ok(())
    })
    .await
}

/// Tries again what was held up.
async fn again(
    what: &'static str,
    mut call: impl AsyncFnMut() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match call().await {
            Err(error) if error.is_transient() && tries < MONTHS_TRIES => {
                tries += 1;
                tracing::info!(%error, "{what}; trying again");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            done => return done,
        }
    }
}

/// Makes a role that may not log in, unless it exists. Roles belong to the whole cluster, so two databases may make
/// one at once.
async fn make_role(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let statement = format!(
        "do $make$ begin
             if to_regrole('{name}') is null then create role {name} nologin noinherit; end if;
         exception when duplicate_object or unique_violation then null; end $make$"
    );
    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    Ok(())
}

async fn make_login(
    connection: &mut PgConnection,
    roles: &Roles,
    url: &DatabaseUrl,
) -> Result<(), MigrateError> {
    let user = url.user().to_owned();
    let me = sqlx::query_scalar!("select current_user::text")
        .fetch_one(&mut *connection)
        .await
        .map_err(StoreError::from)?;
    if me.as_deref() == Some(user.as_str()) {
        return Err(MigrateError::LoginUnusable);
    }
    let role = quote_identifier(&user);
    let inherits = sqlx::query_scalar!(
        r#"select rolinherit as "inherits!" from pg_roles where rolname = $1"#,
        &user
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(StoreError::from)?;
    let remembers = version_of(connection).await? >= 160_000;
    if inherits.is_none() {
        create_login(connection, &role, url).await?;
    } else if is_member(connection, roles, &user).await? {
        // Somebody's, password and all: nothing is missing.
        return Ok(());
    } else if inherits == Some(true) && !remembers {
        return Err(MigrateError::LoginInherits(role));
    }
    let grant = grant_to(roles, &role, remembers);
    connection
        .execute(sqlx::AssertSqlSafe(grant))
        .await
        .map_err(StoreError::from)?;
    Ok(())
}

/// From PostgreSQL 16 on a grant itself says whether its rights are inherited; before, the role does.
fn grant_to(roles: &Roles, role: &str, remembers: bool) -> String {
    let how = if remembers {
        " with inherit false, set true"
    } else {
        ""
    };
    format!("grant {}, {} to {role}{how}", roles.tenant, roles.platform)
}

/// Makes the login. Its password is sent as a verifier, since the server may write statements into its log.
async fn create_login(
    connection: &mut PgConnection,
    role: &str,
    url: &DatabaseUrl,
) -> Result<(), MigrateError> {
    let password = match url.password() {
        None => String::new(),
        Some(password) => {
            let verifier =
                scram::verifier(password).map_err(|_unspecified| MigrateError::NoRandomness)?;
            format!(" password {}", quote_literal(&verifier))
        }
    };
    let create = format!("create role {role} login noinherit{password}");
    let created = connection.execute(sqlx::AssertSqlSafe(create)).await;
    let made_meanwhile = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(DatabaseError::code);
        code.is_some_and(|code| matches!(&*code, "42710" | "23505"))
    };
    match created {
        Err(error) if !made_meanwhile(&error) => Err(StoreError::from(error).into()),
        _ => Ok(()),
    }
}

/// Whether a role may take both run-time roles.
async fn is_member(
    connection: &mut PgConnection,
    roles: &Roles,
    role: &str,
) -> Result<bool, StoreError> {
    let member = sqlx::query_scalar!(
        r#"select pg_has_role($1::text::name, $2::text::name, 'member')
              and pg_has_role($1::text::name, $3::text::name, 'member') as "member!""#,
        role,
        &roles.tenant,
        &roles.platform
    );
    Ok(member.fetch_one(connection).await?)
}

fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quote_literal(text: &str) -> String {
    // E'' so that the backslash means the same whatever standard_conforming_strings says.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The newest migration that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}
