//! The measurement: each cell on all servers, one after the other, and that several times.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use uuid::Uuid;

use super::accounts::{self, Cpu, Processes};
use super::check;
use super::express;
use super::kind::Kind;
use super::load::{Load, Outcome};
use super::options::{Cell, Options};
use super::progress;
use super::servers::{GATEWAY_DATABASE, Ground, Server};
use super::statistics::{Median, percentile};

/// How long what servers write behind their answers is waited for, and counted to the cell that it belongs to.
const BEHIND: Duration = Duration::from_millis(200);
const WARMUP_CONNECTIONS: u16 = 64;

/// What was measured of one server under one cell.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) round: u32,
    pub(super) server: Kind,
    pub(super) cell: Cell,
    /// Answers with a token.
    pub(super) answered: usize,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Processor time for each answer, in microseconds: of the server and its children; none without a server.
    pub(super) server_us: Option<f64>,
    /// The same of PostgreSQL; none for servers that do not use it.
    pub(super) postgres_us: Option<f64>,
    /// How many processors were busy with making the load, on average.
    pub(super) load: f64,
    /// With Anam's stand-in.
    pub(super) stand_in: f64,
    /// With what this benchmark did not start.
    pub(super) others: f64,
}

/// What a server needs to be there.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Footprint {
    pub(super) round: u32,
    pub(super) server: Kind,
    /// Resident MiB of all its processes, before the first request and at most.
    pub(super) idle_mib: f64,
    pub(super) peak_mib: f64,
    pub(super) ready_after_s: f64,
}

/// Everything that was measured with servers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rounds {
    pub(super) rows: Vec<Row>,
    pub(super) footprints: Vec<Footprint>,
    /// How long it takes to make one row durable, in milliseconds.
    pub(super) commit_ms: Option<Median>,
    pub(super) processors: usize,
    /// Answers without a token, in words.
    pub(super) faults: Vec<String>,
}

/// Tokens that servers handed out.
#[derive(Default)]
struct HandedOut {
    /// By kind of server.
    answers: BTreeMap<Kind, usize>,
    /// The gateway's sessions in this round.
    sessions: Vec<Uuid>,
}

impl HandedOut {
    fn count(&mut self, kind: Kind, outcome: &mut Outcome) {
        *self.answers.entry(kind).or_default() += outcome.answered();
        self.sessions.append(&mut outcome.sessions);
    }
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Rounds> {
    let ground = Ground::prepare(options).await?;
    let mut rounds = Rounds {
        rows: Vec::new(),
        footprints: Vec::new(),
        commit_ms: ground.database.commit_ms().await?,
        processors: std::thread::available_parallelism()?.get(),
        faults: Vec::new(),
    };
    let mut handed_out = HandedOut::default();
    for number in 1..=options.rounds() {
        rounds
            .measure(number, options, &ground, &mut handed_out)
            .await?;
    }
    ground.stop().await?;
    Ok(rounds)
}

impl Rounds {
    /// One round, with servers that are started for it.
    async fn measure(
        &mut self,
        round: u32,
        options: &Options,
        ground: &Ground,
        handed_out: &mut HandedOut,
    ) -> anyhow::Result<()> {
        progress(format_args!("round {round} of {}", options.rounds()));
        let mut servers = Vec::new();
        for kind in &ground.kinds {
            servers.push(ground.start(*kind).await?);
        }
        tokio::time::sleep(BEHIND).await;
        let mut idle = BTreeMap::new();
        for server in &servers {
            idle.extend(server.memory()?.map(|(now, _)| (server.kind, now)));
        }
        ground.set_delay(0).await?;
        for server in &servers {
            let mut outcome = warm_up(options, server).await?;
            handed_out.count(server.kind, &mut outcome);
        }
        for (index, cell) in options.cells.iter().enumerate() {
            ground.set_delay(cell.anam_ms).await?;
            // Nobody is always the first, or always after the same one.
            let first = (usize::try_from(round)? + index) % servers.len();
            for server in servers.iter().cycle().skip(first).take(servers.len()) {
                let (row, mut outcome) = measure(options, ground, server, *cell, round).await?;
                handed_out.count(server.kind, &mut outcome);
                if let Some(faults) = outcome.faults() {
                    self.faults.push(format!(
                        "round {round}, {cell}, {}: {faults}",
                        server.kind.name()
                    ));
                }
                self.rows.push(row);
            }
        }
        self.end(round, ground, servers, &idle, handed_out).await
    }

    /// Looks whether everything was recorded, and stops the servers.
    async fn end(
        &mut self,
        round: u32,
        ground: &Ground,
        servers: Vec<Server>,
        idle: &BTreeMap<Kind, f64>,
        handed_out: &mut HandedOut,
    ) -> anyhow::Result<()> {
        for server in servers {
            let answers = handed_out
                .answers
                .get(&server.kind)
                .copied()
                .unwrap_or_default();
            match server.kind {
                Kind::Gateway => {
                    let sessions = std::mem::take(&mut handed_out.sessions);
                    handed_out.answers.remove(&server.kind);
                    check::ledger(&ground.database, GATEWAY_DATABASE, answers, &sessions).await?;
                }
                Kind::Express => {
                    check::express(&ground.database, express::DATABASE, answers).await?;
                }
                Kind::Direct | Kind::BareProxy => {}
            }
            if let Some((_, peak)) = server.memory()? {
                self.footprints.push(Footprint {
                    round,
                    server: server.kind,
                    idle_mib: idle.get(&server.kind).copied().unwrap_or_default(),
                    peak_mib: peak,
                    ready_after_s: server.ready_after.as_secs_f64(),
                });
            }
            if let Some(process) = server.process {
                process.stop().await?;
            }
        }
        Ok(())
    }
}

pub(super) async fn warm_up(options: &Options, server: &Server) -> anyhow::Result<Outcome> {
    let outcome = put_on(Load {
        on: server.at,
        requests: server.requests.clone(),
        connections: WARMUP_CONNECTIONS,
        rate: None,
        duration: options.warmup(),
    });
    let outcome = outcome.await?;
    if outcome.answered() == 0 {
        let faults = outcome.faults().unwrap_or_default();
        anyhow::bail!("{} hands out no token: {faults}", server.kind.name());
    }
    Ok(outcome)
}

/// The processor time of everybody, at one moment.
struct Accounts {
    server: Option<Cpu>,
    postgres: Cpu,
    stand_in: Cpu,
    own: Cpu,
    /// All that this benchmark started, with itself.
    ours: Cpu,
    machine: Duration,
}

impl Accounts {
    fn now(ground: &Ground, server: &Server) -> anyhow::Result<Self> {
        let processes = Processes::now()?;
        let own = std::process::id();
        let tree = |id: u32| Cpu::of(&processes.tree(id));
        Ok(Self {
            server: server.process.as_ref().map(|process| tree(process.id())),
            postgres: tree(ground.database.process),
            stand_in: tree(ground.stand_in.id()),
            own: Cpu::of(&[own]),
            ours: tree(own),
            machine: accounts::machine()?,
        })
    }
}

pub(super) async fn measure(
    options: &Options,
    ground: &Ground,
    server: &Server,
    cell: Cell,
    round: u32,
) -> anyhow::Result<(Row, Outcome)> {
    let before = Accounts::now(ground, server)?;
    let begun = std::time::Instant::now();
    let outcome = put_on(Load {
        on: server.at,
        requests: server.requests.clone(),
        connections: cell.connections,
        rate: cell.rate,
        duration: options.duration(),
    });
    let outcome = outcome
        .await
        .with_context(|| format!("{cell}, {}", server.kind.name()))?;
    tokio::time::sleep(BEHIND).await;
    let after = Accounts::now(ground, server)?;
    let elapsed = begun.elapsed().as_secs_f64();

    let answered = f64::from(u32::try_from(outcome.answered())?);
    let each = |now: &Cpu, then: &Cpu| now.since(then).as_secs_f64() * 1e6 / answered;
    let busy = |now: &Cpu, then: &Cpu| now.since(then).as_secs_f64() / elapsed;
    let machine = after.machine.saturating_sub(before.machine).as_secs_f64() / elapsed;
    let at = |of_hundred| {
        percentile(&outcome.latencies, of_hundred).map_or(f64::NAN, |us| f64::from(us) / 1000.0)
    };
    let uses_postgres = matches!(server.kind, Kind::Gateway | Kind::Express);
    let row = Row {
        round,
        server: server.kind,
        cell,
        answered: outcome.answered(),
        per_second: answered / outcome.elapsed.as_secs_f64(),
        p50_ms: at(50),
        p99_ms: at(99),
        server_us: after
            .server
            .as_ref()
            .zip(before.server.as_ref())
            .map(|(now, then)| each(now, then)),
        postgres_us: uses_postgres.then(|| each(&after.postgres, &before.postgres)),
        load: busy(&after.own, &before.own),
        stand_in: busy(&after.stand_in, &before.stand_in),
        others: (machine - busy(&after.ours, &before.ours)).max(0.0),
    };
    Ok((row, outcome))
}

pub(super) async fn put_on(load: Load) -> anyhow::Result<Outcome> {
    tokio::task::spawn_blocking(move || load.run()).await?
}
