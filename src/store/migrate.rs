//! Preparing a database: roles, schema, partitions. Safe when several instances start at once.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

use super::pool::silence;
use super::{StoreError, connect_options};
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
/// How many months of ledger partitions exist beyond the current one after a migration.
const PARTITION_MONTHS_AHEAD: i32 = 24;

/// So often making them is tried again.
const MONTHS_TRIES: u32 = 20;

/// Why a database could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed, or was changed after it was applied.
    #[error("migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Too old.
    #[error("PostgreSQL {0} is too old: 15 or later is needed")]
    TooOld(i32),
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
    /// The system has no random numbers.
    #[error("no random numbers can be had from this system")]
    NoRandomness,
}

/// Brings the schema up to date, as the role of `owner_url`. With `login_url`, also makes the login role named in
/// it, which may do nothing but take the two run-time roles.
pub async fn migrate(
    owner_url: &SecretString,
    login_url: Option<&SecretString>,
) -> Result<(), MigrateError> {
    let mut connection = connect(owner_url).await?;
    let outcome = migrate_on(&mut connection, login_url).await;
    // Closing gives the advisory lock back, whatever happened.
    connection.close().await.map_err(StoreError::from)?;
    outcome
}

/// Drops the ledger's months that ended more than `months` months ago.
pub async fn forget_sessions(
    owner_url: &SecretString,
    months: NonZeroU32,
) -> Result<(), StoreError> {
    let mut connection = connect(owner_url).await?;
    let months = i32::try_from(months.get()).unwrap_or(i32::MAX);
    sqlx::query!(
        "call drop_session_partitions(now() - make_interval(months => $1))",
        months
    )
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

/// Creates a database unless it exists.
pub async fn ensure_database(server_url: &SecretString, name: &str) -> Result<(), StoreError> {
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

/// Statements here take as long as they take; only whether anybody is there must show soon.
pub(super) async fn connect(url: &SecretString) -> Result<PgConnection, StoreError> {
    let options = connect_options(url)?;
    let connecting = timeout(CONNECT, PgConnection::connect_with(&options));
    Ok(connecting.await.map_err(|_late| silence())??)
}

async fn migrate_on(
    connection: &mut PgConnection,
    login_url: Option<&SecretString>,
) -> Result<(), MigrateError> {
    let version = sqlx::query_scalar!("select current_setting('server_version_num')::int")
        .fetch_one(&mut *connection)
        .await
        .map_err(StoreError::from)?
        .unwrap_or_default();
    if version < 150_000 {
        return Err(MigrateError::TooOld(version / 10_000));
    }
    while !sqlx::query_scalar!("select pg_try_advisory_lock($1)", LOCK)
        .fetch_one(&mut *connection)
        .await
        .map_err(StoreError::from)?
        .unwrap_or_default()
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    make_role(connection, "gateway_tenant").await?;
    make_role(connection, "gateway_platform").await?;
    MIGRATIONS.run(&mut *connection).await?;
    make_months(connection).await?;
    connection
        .execute("grant select on _sqlx_migrations to gateway_platform")
        .await
        .map_err(StoreError::from)?;
    if let Some(url) = login_url {
        make_login(connection, url).await?;
    }
    Ok(())
}

/// Makes the ledger's months. Where rows wait for one it needs a lock that running instances hold for moments: of two that wait
/// for each other it is the one that tries again.
async fn make_months(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        let made = sqlx::query!(
            "call ensure_session_partitions(now(), $1)",
            PARTITION_MONTHS_AHEAD + 1
        )
        .execute(&mut *connection)
        .await
        .map_err(StoreError::from);
        match made {
            Err(error) if error.is_transient() && tries < MONTHS_TRIES => {
                tries += 1;
                tracing::info!(%error, "the ledger's months are not made yet; trying again");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            made => return made.map(|_| ()),
        }
    }
}

/// Makes a role that may not log in, unless it exists. Roles belong to the whole cluster, so two databases may make
/// one at once.
async fn make_role(connection: &mut PgConnection, name: &'static str) -> Result<(), StoreError> {
    let statement = format!(
        "do $make$ begin create role {name} nologin noinherit; exception when duplicate_object or unique_violation then null; end $make$"
    );
    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    Ok(())
}

async fn make_login(connection: &mut PgConnection, url: &SecretString) -> Result<(), MigrateError> {
    let login = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_may_hold_a_password| MigrateError::LoginUnusable)?;
    let user = login.get_username().to_owned();
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
    if inherits.is_none() {
        create_login(connection, &role, url).await?;
    } else if is_member(connection, &user).await? {
        // Somebody's, password and all: nothing is missing.
        return Ok(());
    } else if inherits == Some(true) {
        return Err(MigrateError::LoginInherits(role));
    }
    // NOINHERIT comes before the grants: from PostgreSQL 16 on, each grant remembers it.
    let grant = format!("grant gateway_tenant, gateway_platform to {role}");
    connection
        .execute(sqlx::AssertSqlSafe(grant))
        .await
        .map_err(StoreError::from)?;
    Ok(())
}

/// Makes the login. Its password is sent as a verifier, since the server may write statements into its log.
async fn create_login(
    connection: &mut PgConnection,
    role: &str,
    url: &SecretString,
) -> Result<(), MigrateError> {
    let password = match password_of(url).map(SecretString::from) {
        None => String::new(),
        Some(password) => {
            let verifier =
                scram::verifier(&password).map_err(|_unspecified| MigrateError::NoRandomness)?;
            format!(" password {}", quote_literal(&verifier))
        }
    };
    let create = format!("create role {role} login noinherit{password}");
    let created = connection.execute(sqlx::AssertSqlSafe(create)).await;
    let made_meanwhile = |error: &sqlx::Error| {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| matches!(&*code, "42710" | "23505"))
    };
    match created {
        Err(error) if !made_meanwhile(&error) => Err(StoreError::from(error).into()),
        _ => Ok(()),
    }
}

/// Whether a role may take both run-time roles.
async fn is_member(connection: &mut PgConnection, role: &str) -> Result<bool, StoreError> {
    let member = sqlx::query_scalar!(
        r#"select pg_has_role($1::text::name, 'gateway_tenant', 'member')
              and pg_has_role($1::text::name, 'gateway_platform', 'member') as "member!""#,
        role
    );
    Ok(member.fetch_one(connection).await?)
}

fn password_of(url: &SecretString) -> Option<String> {
    let url = url::Url::parse(url.expose_secret()).ok()?;
    let query = url
        .query_pairs()
        .find(|(name, _)| name == "password")
        .map(|(_, value)| value.into_owned());
    let userinfo = || {
        let encoded = url.password()?;
        url::form_urlencoded::parse(format!("p={}", encoded.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    query.or_else(userinfo)
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
