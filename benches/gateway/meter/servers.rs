//! The servers that are measured: how each is started, asked and stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use persona_gateway::config::environment;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::accounts::{Processes, memory};
use super::database::Database;
use super::kind::Kind;
use super::load::Requests;
use super::options::Options;
use super::process::{self, Process, free_port};
use super::roles::Role;
use super::stand_in::{DELAY, MINT};
use super::users::{Issuers, preferences, request, requests, subject};
use super::{bare_proxy, bundle, express, http, progress};

const API_KEY: &str = "bench-api-key";
const MASTER_KEY: &str = "YmVuY2htYXJrcyBzZWFsIG5vdGhpbmcgb2YgdmFsdWU=";
pub(super) const GATEWAY_DATABASE: &str = "gateway";
const GATEWAY_LOGIN: &str = "gateway_app";
/// What nobody reaches.
const NO_LIMIT: &str = "100000000";
/// What a user may ask in a minute: more than any asks for but one who floods.
const OF_A_USER: &str = "6000";
const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// A server that runs; `Direct` has no process.
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) at: SocketAddr,
    pub(super) process: Option<Process>,
    pub(super) requests: Arc<Requests>,
    /// From its start until it said that it is ready.
    pub(super) ready_after: Duration,
}

impl Server {
    /// Resident memory in MiB, now and at most.
    pub(super) fn memory(&self) -> anyhow::Result<Option<(f64, f64)>> {
        let tree = |process: &Process| Ok(memory(&Processes::now()?.tree(process.id())));
        self.process.as_ref().map(tree).transpose()
    }
}

/// All that servers stand on, for the whole run.
pub(super) struct Ground {
    pub(super) database: Database,
    pub(super) stand_in: Process,
    stand_in_port: u16,
    pub(super) issuers: Issuers,
    express: Option<PathBuf>,
    gateway: PathBuf,
    pub(super) kinds: Vec<Kind>,
    requests: BTreeMap<Kind, Arc<Requests>>,
    tokens: Vec<String>,
}

impl Ground {
    /// Starts and fills everything. Servers that can't be had are left out, with a line that says why.
    pub(super) async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let mut kinds = options.servers.clone();
        kinds.sort();
        kinds.dedup();
        let mut express = None;
        if kinds.contains(&Kind::Express) {
            match express::install().await {
                Ok(folder) => express = Some(folder),
                Err(error) => {
                    progress(format_args!("the Express server is left out: {error:#}"));
                    kinds.retain(|kind| *kind != Kind::Express);
                }
            }
        }
        progress("starting PostgreSQL and Anam's stand-in");
        let database = Database::start(options).await?;
        let stand_in_port = free_port()?;
        let role = Role::StandIn {
            port: stand_in_port,
            api_key: API_KEY,
        };
        let mut stand_in = Process::start("Anam's stand-in", role.command()?)?;
        wait_until_ready(&mut stand_in, stand_in_port, &format!("{DELAY}0")).await?;
        let issuers = Issuers::start()?;
        let tokens = issuers.tokens(options.users)?;
        let direct = vec![request("POST", MINT, API_KEY, &bare_proxy::fixed_body())];
        let requests = BTreeMap::from([
            (Kind::Direct, Requests::new(direct)),
            (Kind::BareProxy, requests("/v1/session-token", &tokens)),
            (Kind::Gateway, requests("/v1/session-token", &tokens)),
            (Kind::Express, requests("/api/session-token", &tokens)),
        ]);
        let ground = Self {
            database,
            stand_in,
            stand_in_port,
            issuers,
            express,
            gateway: PathBuf::from(env!("CARGO_BIN_EXE_persona-gateway")),
            kinds,
            requests,
            tokens,
        };
        progress(format_args!(
            "three tenants with {} users each",
            options.users
        ));
        if ground.kinds.contains(&Kind::Gateway) {
            ground.fill_gateway(options.users).await?;
        }
        if ground.kinds.contains(&Kind::Express) {
            express::fill(&ground.database, options.users).await?;
        }
        Ok(ground)
    }

    /// To the gateway, of one of the three tenants' users only.
    pub(super) fn requests_of(&self, tenant: usize) -> Arc<Requests> {
        requests("/v1/session-token", &self.tokens_of(tenant))
    }

    /// Tokens of one of the three tenants' users.
    pub(super) fn tokens_of(&self, tenant: usize) -> Vec<String> {
        let of_all = self
            .tokens
            .iter()
            .skip(tenant)
            .step_by(bundle::TENANTS.len());
        of_all.cloned().collect()
    }

    /// A new API key of a tenant, which may do everything that its admins may.
    pub(super) async fn owner_key(&self, tenant: &str) -> anyhow::Result<String> {
        let words = [
            "api-key", "create", "--tenant", tenant, "--name", "bench", "--role", "owner", "--json",
        ];
        let made = process::run("api-key create", self.gateway_command(&words)?).await?;
        let made: Value = serde_json::from_str(&made)?;
        let key = made.get("key").and_then(Value::as_str);
        Ok(key.context("no key")?.to_owned())
    }

    /// By the commands that everybody uses.
    async fn fill_gateway(&self, users: u32) -> anyhow::Result<()> {
        self.database.create(GATEWAY_DATABASE).await?;
        process::run("migrate", self.gateway_command(&["migrate"])?).await?;
        // Another run may be beside this one, with issuers of its own.
        let name = format!("bench-{}", self.stand_in_port);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        tokio::fs::create_dir_all(&folder).await?;
        for (tenant, issuer) in self.issuers.urls() {
            let file = folder.join(format!("{tenant}.json"));
            tokio::fs::write(&file, bundle::bundle(tenant, issuer).to_string()).await?;
            let file = file.display().to_string();
            process::run("apply", self.gateway_command(&["apply", &file])?).await?;

            let lines = (0..users).map(|user| {
                let line = json!({ "subject": subject(user), "preferences": preferences(user) });
                format!("{line}\n")
            });
            let file = folder.join(format!("{tenant}.ndjson"));
            tokio::fs::write(&file, lines.collect::<String>()).await?;
            let file = file.display().to_string();
            let words = ["preferences", "import", &file, "--tenant", tenant];
            process::run("preferences import", self.gateway_command(&words)?).await?;
        }
        tokio::fs::remove_dir_all(&folder).await?;
        self.analyze().await
    }

    /// Adds to what the gateway's database has, and lets PostgreSQL tidy up, as it does by itself in time.
    pub(super) async fn fill(&self, statements: String) -> anyhow::Result<()> {
        let mut connection = self.database.connect(GATEWAY_DATABASE).await?;
        for statements in [statements, "vacuum analyze".into(), "checkpoint".into()] {
            connection.execute(AssertSqlSafe(statements)).await?;
        }
        Ok(())
    }

    /// Lets PostgreSQL learn how much of what there is.
    pub(super) async fn analyze(&self) -> anyhow::Result<()> {
        let mut connection = self.database.connect(GATEWAY_DATABASE).await?;
        connection.execute("analyze").await?;
        Ok(())
    }

    /// The gateway's program with settings for this database, and none of the environment's.
    fn gateway_command(&self, words: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.gateway);
        command
            .args(words)
            .env_clear()
            .current_dir(env!("CARGO_TARGET_TMPDIR"));
        for kept in ["PATH", "LD_LIBRARY_PATH"] {
            command.envs(environment().remove(kept).map(|value| (kept, value)));
        }
        command
            .env(
                "DATABASE_URL",
                self.database.url(GATEWAY_LOGIN, GATEWAY_DATABASE)?,
            )
            .env(
                "MIGRATE_DATABASE_URL",
                self.database.url("postgres", GATEWAY_DATABASE)?,
            )
            .env("GATEWAY_MASTER_KEY", MASTER_KEY)
            .env("GATEWAY__AUTH__OUTBOUND_ALLOW", "127.0.0.0/8");
        Ok(command)
    }

    /// Starts one, and waits until it is ready.
    pub(super) async fn start(&self, kind: Kind) -> anyhow::Result<Server> {
        let port = free_port()?;
        let anam = format!("http://127.0.0.1:{}", self.stand_in_port);
        let begun = Instant::now();
        let (process, at) = match kind {
            Kind::Direct => (None, self.stand_in_port),
            Kind::BareProxy => {
                let role = Role::BareProxy {
                    port,
                    anam: &anam,
                    api_key: API_KEY,
                };
                let mut process = Process::start("the bare proxy", role.command()?)?;
                wait_until_ready(&mut process, port, "/healthz").await?;
                (Some(process), port)
            }
            Kind::Gateway => {
                let ops_port = free_port()?;
                let mut process =
                    Process::start("the gateway", self.serve(port, ops_port, &anam)?)?;
                wait_until_ready(&mut process, ops_port, "/readyz").await?;
                (Some(process), port)
            }
            Kind::Express => {
                let folder = self.express.as_ref().context("no Express server")?;
                let mut command = express::command(folder, &self.database, &self.issuers, port)?;
                command
                    .env("ANAM_BASE_URL", &anam)
                    .env("ANAM_API_KEY", API_KEY);
                let mut process = Process::start("the Express server", command)?;
                wait_until_ready(&mut process, port, "/healthz").await?;
                (Some(process), port)
            }
        };
        Ok(Server {
            kind,
            at: address(at),
            process,
            requests: self
                .requests
                .get(&kind)
                .map(Arc::clone)
                .context("no requests")?,
            ready_after: begun.elapsed(),
        })
    }

    /// As in production: ledger, metrics and JSON log as they come; limits count, but do not refuse three thousand users who ask more often
    /// than people do. Settings of the environment are laid below, so that they can be compared.
    fn serve(&self, port: u16, ops_port: u16, anam: &str) -> anyhow::Result<Command> {
        let mut command = self.gateway_command(&["serve"])?;
        let given = environment()
            .into_iter()
            .filter(|(name, _)| name.starts_with("GATEWAY__"));
        command.envs(given);
        for limit in ["TENANT_MINTS_PER_MINUTE", "ADDRESS_REQUESTS_PER_MINUTE"] {
            command.env(format!("GATEWAY__LIMITS__{limit}"), NO_LIMIT);
        }
        command
            .env("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", OF_A_USER)
            .env_remove("MIGRATE_DATABASE_URL")
            .env("GATEWAY__SERVER__HOST", "127.0.0.1")
            .env("GATEWAY__SERVER__PORT", port.to_string())
            .env("GATEWAY__SERVER__OPS_PORT", ops_port.to_string())
            .env("GATEWAY__SERVER__DRAIN_GRACE_MS", "0")
            .env("ANAM_BASE_URL", anam)
            .env("ANAM_API_KEY", API_KEY);
        Ok(command)
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stand_in.stop().await?;
        self.database.stop().await
    }

    /// Sets how long Anam takes.
    pub(super) async fn set_delay(&self, milliseconds: u16) -> anyhow::Result<()> {
        let path = format!("{DELAY}{milliseconds}");
        anyhow::ensure!(
            get(self.stand_in_port, &path).await? == 200,
            "Anam's stand-in refuses"
        );
        Ok(())
    }
}

async fn wait_until_ready(process: &mut Process, port: u16, path: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !get(port, path).await.is_ok_and(|status| status == 200) {
        process.check_running()?;
        anyhow::ensure!(
            begun.elapsed() < STARTS_WITHIN,
            "not ready after {} seconds:\n{}",
            STARTS_WITHIN.as_secs(),
            process.last_words()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// The status that a path answers with.
async fn get(port: u16, path: &str) -> anyhow::Result<u16> {
    let mut socket = TcpStream::connect(address(port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut buffer = Vec::new();
    let answer = http::read(&mut socket, &mut buffer).await?;
    Ok(answer.context("no answer")?.status())
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
