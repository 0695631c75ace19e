//! deploy/scale/ on this machine: three instances behind `HAProxy`, two servers of `PostgreSQL` with a `PgBouncer` each, Redis. Each part dies
//! once while users ask. docs/SCALE.md has the figures that this prints.

pub(super) mod parts;
mod traffic;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persona_gateway::clock::Clock;
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::dev::emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, raw_sql};
use tokio::time::timeout;

use self::parts::{Instance, Part, bouncer, proxy, redis};
use self::traffic::Traffic;
use crate::harness::cli::{Folder, environment_of};
use crate::harness::postgres::{LOGIN, migrate};
use crate::harness::servers::{Server, among, free_port};
use crate::harness::tenants::{Bench, Tenant, settings, store};
use crate::harness::wait::until;
use crate::harness::{context, spawn};

const PATIENCE: Duration = Duration::from_mins(1);
/// How long all must be well before the next part dies.
const CALM: Duration = Duration::from_secs(3);
/// How long nobody notices that a part is dead.
const UNNOTICED: Duration = Duration::from_secs(5);
const USERS: usize = 100;
const SERVER: &[&str] = &["max_connections=200"];

/// Everything of deploy/scale/.
struct Rig {
    primary: Server,
    standby: Server,
    bouncers: [Part; 2],
    instances: [Instance; 3],
    proxy: Part,
    redis: Part,
    traffic: Traffic,
    spool: Folder,
    _anam: EmulatorHandle,
    /// What cost more than it may.
    wrong: Vec<String>,
}

impl Rig {
    async fn start() -> Self {
        let primary = Server::primary(SERVER).await;
        let replicator = "create role replicator login replication";
        primary.sql("postgres", replicator).await;
        let standby = Server::following(&primary, free_port(), SERVER).await;
        primary.pair(&["synchronous"]);
        let mut bouncers = [bouncer(primary.port), bouncer(standby.port)];
        for bouncer in &mut bouncers {
            bouncer.start().await;
        }
        let servers = [primary.port, standby.port];
        let direct = among(&servers, "?target_session_attrs=read-write");
        let all = [
            &bouncers.each_ref().map(|bouncer| bouncer.port)[..],
            &servers,
        ]
        .concat();
        let pooled = among(&all, "?target_session_attrs=read-write");
        migrate(&direct.owner_url, Some(&direct.login_url))
            .await
            .unwrap();

        let tenant = Tenant::new("alpha", None);
        let bench = Bench {
            store: store(&direct.login_url),
            keys: KeyRing::new(&settings(&direct.login_url, &[]).master_keys),
            clock: Clock::system(),
            secrets: BTreeMap::new(),
            database: pooled,
        };
        bench.apply(&tenant.bundle().to_string()).await.unwrap();
        let anam = Emulator::start(EmulatorConfig {
            latency: Duration::from_millis(50),
            ..EmulatorConfig::default()
        })
        .unwrap();
        let mut redis = redis();
        redis.start().await;
        let redis_url = format!("redis://127.0.0.1:{}", redis.port);
        let spool = Folder::new();
        let mut environment = environment_of(&bench);
        for (name, value) in [
            ("DIRECT_DATABASE_URL", direct.login_url.expose_secret()),
            ("ANAM_BASE_URL", &anam.url()),
            ("GATEWAY__OUTAGE__SPOOL", spool.path().to_str().unwrap()),
            ("GATEWAY__SERVER__DRAIN_GRACE_MS", "2000"),
            ("GATEWAY__SERVER__TRUSTED_PROXIES", "127.0.0.1/32"),
            ("GATEWAY__LIMITS__REDIS_URL", &redis_url),
            // More than anybody asks, but counted.
            ("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", "100000"),
            ("GATEWAY__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "0"),
        ] {
            environment.push((name.to_owned(), value.to_owned()));
        }
        let mut instances = [(); 3].map(|()| Instance::new(&environment));
        join_all(instances.iter_mut().map(Instance::start)).await;
        let mut proxy = proxy(instances.each_ref().map(|instance| instance.ports));
        proxy.start().await;
        let users: Vec<String> = (0..USERS)
            .map(|user| tenant.user(&format!("user-{user}")))
            .collect();
        let rig = Self {
            traffic: Traffic::start(proxy.port, &users, move |number| {
                tenant.user(&format!("newcomer-{number}"))
            }),
            primary,
            standby,
            bouncers,
            instances,
            proxy,
            redis,
            spool,
            _anam: anam,
            wrong: Vec::new(),
        };
        rig.calm().await;
        rig
    }

    /// Waits until everybody was served for a while.
    async fn calm(&self) {
        let began = Instant::now();
        until("users are served again", PATIENCE, || async {
            (began.elapsed() > CALM && self.traffic.is_well_for(CALM)).then_some(())
        })
        .await;
    }

    /// Stops everything, and compares every token that a user got with the ledger on the server that takes writes.
    async fn end(self) {
        let log = self.traffic.stop().await;
        let mut instances = self.instances;
        let ends = instances.iter_mut().map(|instance| instance.end("TERM"));
        let errors = join_all(ends).await.concat();
        assert!(errors.is_empty(), "{errors:#?}");
        let left = std::fs::read_dir(self.spool.path()).unwrap().count();
        assert_eq!(left, 0, "all spooled rows are in the database");
        let open = log.agrees_with(&self.primary.database()).await;
        eprintln!(
            "{} tokens, all of them in the ledger; {open} sessions without an outcome",
            log.issued.len()
        );
    }

    /// Waits until everybody is served again, and says what it cost since then. Known users may lose so many answers.
    async fn told(&mut self, what: &str, since: Instant, may_fail: usize) {
        self.calm().await;
        let known = self.traffic.cost(since, false);
        let new = self.traffic.cost(since, true);
        eprintln!("{what}\n    known users: {known}\n    newcomers:   {new}");
        if known.failed.values().sum::<usize>() > may_fail {
            self.wrong.push(format!("{what}: {known}"));
        }
    }
}

/// Until somebody notices.
async fn unnoticed() {
    tokio::time::sleep(UNNOTICED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_passes_over_instances_that_do_not_answer() {
    let app = spawn().await;
    let (api, ops) = (app.app.address.port(), app.app.ops_address.port());
    let mut proxy = proxy([
        (free_port(), free_port()),
        (api, ops),
        (free_port(), free_port()),
    ]);
    proxy.start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for user in 0..30 {
        let asked = client.post(format!("http://127.0.0.1:{}/v1/session-token", proxy.port));
        let token = app.user(&format!("user-{user}"));
        let answer = asked.bearer_auth(token).json(&context("support")).send();
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    app.stop().await;
}

#[tokio::test]
async fn more_clients_than_the_pooler_has_connections_take_turns() {
    let primary = Server::primary(&[]).await;
    let login = format!("create role {LOGIN} login");
    primary.sql("postgres", &login).await;
    let mut bouncer = bouncer(primary.port);
    bouncer.start().await;
    let url = among(&[bouncer.port], "").login_url;
    let options: PgConnectOptions = url.expose_secret().parse().unwrap();
    // A parameter that PgBouncer does not know.
    let options = options.extra_float_digits(None);
    let mut clients = Vec::new();
    // Twenty connections lead to the server. By PgBouncer's own settings these would be twenty clients' until they leave.
    for _ in 0..30 {
        let mut client = PgConnection::connect_with(&options).await.unwrap();
        let asked = client.execute(raw_sql("select 1"));
        timeout(PATIENCE, asked).await.unwrap().unwrap();
        clients.push(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: just scale"]
async fn each_part_dies_once_under_load_and_no_token_is_lost() {
    let start = Instant::now();
    let mut rig = Rig::start().await;
    let began = Instant::now();
    until("users ask", PATIENCE, || async {
        (rig.traffic.cost(began, false).requests >= 500).then_some(())
    })
    .await;
    rig.told("nothing dies", began, 0).await;

    let began = Instant::now();
    for number in 0..3 {
        rig.instances[number].end("TERM").await;
        rig.instances[number].start().await;
    }
    rig.told("each instance is restarted (SIGTERM)", began, 0)
        .await;

    let asked: usize = [false, true]
        .map(|new| rig.traffic.cost(start, new).requests)
        .iter()
        .sum();
    let used = [&rig.proxy, &rig.bouncers[0]].map(Part::used);
    eprintln!(
        "    for {asked} requests: HAProxy {}; PgBouncer {}",
        used[0], used[1]
    );

    let began = Instant::now();
    rig.instances[1].end("KILL").await;
    unnoticed().await;
    rig.instances[1].start().await;
    // Those that it was just answering.
    rig.told("an instance is killed", began, 10).await;

    let began = Instant::now();
    rig.bouncers[0].kill();
    unnoticed().await;
    rig.bouncers[0].start().await;
    rig.told("the primary's PgBouncer is killed", began, 0)
        .await;

    let began = Instant::now();
    rig.redis.kill();
    unnoticed().await;
    rig.redis.start().await;
    rig.told("Redis is killed", began, 0).await;

    let began = Instant::now();
    rig.standby.kill();
    unnoticed().await;
    let waiting = "select from pg_stat_activity where wait_event = 'SyncRep'";
    let waiting = rig.primary.database().rows(waiting).await.len();
    rig.primary.pair(&["alone"]);
    rig.told("the standby is killed", began, 0).await;
    eprintln!("    {waiting} commits waited for it");
    rig.standby.start().await;
    rig.primary.pair(&["synchronous"]);
    rig.calm().await;

    let began = Instant::now();
    rig.primary.kill();
    unnoticed().await;
    rig.standby.pair(&["promote"]);
    rig.told("the primary is killed, the standby promoted", began, 0)
        .await;
    // Its machine comes back empty, and follows.
    rig.primary = Server::following(&rig.standby, rig.primary.port, SERVER).await;
    rig.standby.pair(&["synchronous"]);
    rig.calm().await;

    let began = Instant::now();
    rig.standby.kill();
    unnoticed().await;
    rig.primary.pair(&["promote"]);
    rig.told("the same the other way round", began, 0).await;

    let began = Instant::now();
    rig.proxy.kill();
    rig.proxy.start().await;
    rig.told("HAProxy is killed and started", began, usize::MAX)
        .await;

    let wrong = std::mem::take(&mut rig.wrong);
    rig.end().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
