//! Runs a command with `DATABASE_URL` set to a database of its own, freshly migrated, which is gone afterwards:
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
use sqlx::{Connection, Executor};

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
        plan_outer_joins_as_written(&url).await
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

/// Makes this database plan `left join` as nested loops only. sqlx infers which columns may be null from the plan of a query, and takes
/// the wrong side of an outer join for the nullable one where the planner turns the join round to hash or merge; whether it does
/// depends on the month's partitions and their statistics, so that `.sqlx` would differ from one machine or day to the next.
async fn plan_outer_joins_as_written(url: &DatabaseUrl) -> anyhow::Result<()> {
    let mut connection = sqlx::PgConnection::connect(url.to_url().expose_secret()).await?;
    for join in ["hashjoin", "mergejoin"] {
        let statement = format!("alter database scratch set enable_{join} = off");
        connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    }
    connection.close().await?;
    Ok(())
}
