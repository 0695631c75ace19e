//! PostgreSQL, durable as in production, with a database for each server that needs one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use persona_gateway::config::DatabaseUrl;
use persona_gateway::dev::postgres::{self, Cluster};
use persona_gateway::store::migrate::ensure_database;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::accounts::Processes;
use super::options::Options;
use super::statistics::Median;

/// What PostgreSQL would do at times of its own, in one server's minute and not in another's. Everything else is as it comes, with
/// `fsync` and `synchronous_commit` on.
const SETTINGS: [&str; 4] = [
    "autovacuum = off",
    "checkpoint_timeout = '1h'",
    "max_wal_size = '8GB'",
    "jit = off",
];

/// The server and its folder, which goes with it.
pub(super) struct Database {
    /// None once it was stopped.
    cluster: Option<Cluster>,
    folder: PathBuf,
    /// The process that starts all others.
    pub(super) process: u32,
}

impl Database {
    /// Starts a new server.
    pub(super) async fn start(options: &Options) -> anyhow::Result<Self> {
        let folder = match &options.data {
            Some(folder) => folder.join("postgres"),
            None => default_folder()?,
        };
        let place = folder.clone();
        let started = tokio::task::spawn_blocking(move || {
            postgres::erase(&place)?;
            Cluster::persistent(&place)
        });
        let cluster = started.await??;
        let process = Processes::now()?.first_named("postgres", std::process::id());
        let database = Self {
            cluster: Some(cluster),
            folder,
            process: process.context("PostgreSQL's process is not found")?,
        };
        let mut connection = database.connect("postgres").await?;
        for setting in SETTINGS {
            connection
                .execute(AssertSqlSafe(format!("alter system set {setting}")))
                .await?;
        }
        connection.execute("select pg_reload_conf()").await?;
        Ok(database)
    }

    /// The URL of a database for a role; the superuser is `postgres`.
    pub(super) fn url(&self, role: &str, database: &str) -> anyhow::Result<String> {
        let cluster = self.cluster.as_ref().context("PostgreSQL is stopped")?;
        Ok(cluster.url_as(role, database))
    }

    /// Where it listens: the folder of its Unix socket.
    pub(super) fn socket_folder(&self) -> anyhow::Result<String> {
        let url = self.url("postgres", "postgres")?;
        let (_, folder) = url.split_once("host=").context("a URL without host")?;
        Ok(folder.to_owned())
    }

    pub(super) async fn create(&self, database: &str) -> anyhow::Result<()> {
        let url = DatabaseUrl::parse(&SecretString::from(self.url("postgres", "postgres")?))?;
        Ok(ensure_database(&url, database).await?)
    }

    pub(super) async fn connect(&self, database: &str) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.url("postgres", database)?).await?)
    }

    /// How long it takes to make a row durable, in milliseconds.
    pub(super) async fn commit_ms(&self) -> anyhow::Result<Option<Median>> {
        let mut connection = self.connect("postgres").await?;
        connection
            .execute("create table one_row (at timestamptz)")
            .await?;
        let mut took = Vec::new();
        for _ in 0..50 {
            let begun = Instant::now();
            connection
                .execute("insert into one_row values (now())")
                .await?;
            took.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        connection.execute("drop table one_row").await?;
        Ok(Median::of(took))
    }

    /// Stops it, and removes its data.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(cluster) = self.cluster.take() {
            let folder = self.folder.clone();
            let stopped = tokio::task::spawn_blocking(move || {
                cluster.stop()?;
                postgres::erase(&folder)
            });
            stopped.await??;
        }
        Ok(())
    }
}

fn default_folder() -> anyhow::Result<PathBuf> {
    // What root owns, PostgreSQL's own user can't enter.
    let shared = postgres::shared_folder()?;
    let folder = shared.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_path_buf());
    Ok(folder.join("bench").join("postgres"))
}

/// Waits until a statement gives the count that it should.
pub(super) async fn wait_for_count(
    connection: &mut PgConnection,
    statement: &'static str,
    wanted: usize,
    patience: Duration,
) -> anyhow::Result<i64> {
    let begun = Instant::now();
    loop {
        let found: i64 = connection.fetch_one(statement).await?.try_get(0)?;
        if usize::try_from(found) == Ok(wanted) || begun.elapsed() > patience {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Copies lines into a table.
pub(super) async fn copy(
    connection: &mut PgConnection,
    statement: &str,
    lines: String,
) -> anyhow::Result<()> {
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(lines.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}
