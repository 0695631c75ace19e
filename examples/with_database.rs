//! Runs a command with `DATABASE_URL` set to a database of its own, freshly migrated, which is gone afterwards. Migrations that were written
//! since this was built count too, so that it serves where the program does not build before its new queries are known:
//!
//! ```sh
//! SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$PWD/.sqlx cargo run --example with_database -- cargo check
//! ```

use std::process::{Command, ExitCode};

use anyhow::Context;
use persona_gateway::config::DatabaseUrl;
use persona_gateway::dev::postgres::Cluster;
use persona_gateway::store::migrate::{EarlierRoles, ensure_database, migrate};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, Executor, PgConnection, Row};

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().context("which command?")?;
    let cluster = Cluster::ephemeral()?;
    let url_of = |name| DatabaseUrl::parse(&SecretString::from(cluster.url(name)));
    let url = url_of("scratch")?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        ensure_database(&url_of("postgres")?, "scratch").await?;
        migrate(&url, None, EarlierRoles::Keep).await?;
        let mut connection = PgConnection::connect(url.to_url().expose_secret()).await?;
        run_newer_migrations(&mut connection).await?;
        plan_outer_joins_as_written(&mut connection).await?;
        Ok::<_, anyhow::Error>(connection.close().await?)
    })?;
    let status = Command::new(program)
        .args(words)
        .env("DATABASE_URL", url.to_url().expose_secret())
        .status()?;
    cluster.stop()?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}

/// Runs the files of `migrations/` that this program does not know.
async fn run_newer_migrations(connection: &mut PgConnection) -> anyhow::Result<()> {
    let versions = "select version from _sqlx_migrations";
    let rows = connection.fetch_all(versions).await?;
    let known: Vec<i64> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let mut newer = Vec::new();
    for file in std::fs::read_dir("migrations")? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let version = name
            .split('_')
            .next()
            .and_then(|number| number.parse().ok());
        if version.is_some_and(|version| !known.contains(&version)) {
            newer.push(path);
        }
    }
    newer.sort();
    for path in newer {
        let statements = sqlx::AssertSqlSafe(std::fs::read_to_string(&path)?);
        let done = connection.execute(statements).await;
        done.with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Makes this database plan `left join` as nested loops only. sqlx infers which columns may be null from the plan of a query, and takes
/// the wrong side of an outer join for the nullable one where the planner turns the join round to hash or merge; whether it does
/// depends on the month's partitions and their statistics, so that `.sqlx` would differ from one machine or day to the next.
async fn plan_outer_joins_as_written(connection: &mut PgConnection) -> anyhow::Result<()> {
    for join in ["hashjoin", "mergejoin"] {
        let statement = format!("alter database scratch set enable_{join} = off");
        connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    }
    Ok(())
}
