//! Every alert that is shipped fires once, by a fault of a real gateway, in a Prometheus for which a minute is a second.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::dev::seed;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::prometheus::alerts;
use crate::harness::app::MASTER_KEY;
use crate::harness::cli::{Folder, environment_of, program};
use crate::harness::postgres::TestDatabase;
use crate::harness::prometheus::{Prometheus, free_port, quick_alerts, quick_config};
use crate::harness::tenants::{Bench, Tenant, add};
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestApp, TestOptions, context, spawn_with, sql};

const PATIENCE: Duration = Duration::from_mins(3);
const NEW_KEY: &str = "bmV3LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtbG9uZyE=";

/// What goes on while Prometheus watches.
#[derive(Default)]
struct Load(JoinSet<()>);

impl Load {
    /// Does something again and again.
    fn keep<F>(&mut self, every_ms: u64, act: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(every_ms));
            loop {
                ticks.tick().await;
                act().await;
            }
        });
    }

    /// Mints again and again, whatever becomes of it.
    fn mint(&mut self, app: &Arc<TestApp>, every_ms: u64, token: &str, body: &Value) {
        let (app, token, body) = (app.clone(), token.to_owned(), body.clone());
        self.keep(every_ms, move || {
            let (app, token, body) = (app.clone(), token.clone(), body.clone());
            async move { drop(app.mint(&token, &body).await) }
        });
    }
}

fn target(app: &TestApp) -> String {
    app.app.ops_address.to_string()
}

/// A gateway behind a wire to its database, that has served the demo tenant.
async fn wired(more: &[(&str, &str)]) -> (Arc<TestApp>, Wire) {
    let database = TestDatabase::create_with_demo().await;
    let wire = Wire::to(&database.login_url).await;
    let mut options = TestOptions::set(more);
    let url = wire.url().expose_secret().to_owned();
    options.env.push(("DATABASE_URL".to_owned(), url));
    options.database = Some(database);
    let app = spawn_with(options).await;
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    assert_eq!(answer.status(), 200);
    (Arc::new(app), wire)
}

/// One that can't reach its database, and has nowhere else to keep sessions.
async fn without_database(load: &mut Load) -> Arc<TestApp> {
    let (app, wire) = wired(&[]).await;
    // One that is in memory and one that is not.
    let alpha = Tenant::new("alpha", None);
    add(&app, &alpha).await;
    wire.cut().await;
    load.mint(&app, 250, &app.user("user-1"), &context("support"));
    load.mint(&app, 250, &alpha.user("user-1"), &json!({}));
    load.0.spawn(async move {
        let _wire = wire;
        std::future::pending::<()>().await;
    });
    app
}

/// One that can't reach its database either, and spools; in its folder is a file of another key, which fills it.
async fn with_spool(load: &mut Load, spool: &Folder) -> Arc<TestApp> {
    let folder = spool.path().to_str().unwrap();
    let (app, wire) = wired(&[("OUTAGE__SPOOL", folder), ("OUTAGE__SPOOL_MAX_MIB", "4")]).await;
    let name = format!("{}.spool", app.clock.new_id());
    let mut record = 3_200_000_u32.to_le_bytes().to_vec();
    record.resize(record.len() + 3_200_000, 7);
    spool.write(&name, record);
    wire.cut().await;
    load.mint(&app, 250, &app.user("user-1"), &context("support"));
    load.0.spawn(async move {
        let _wire = wire;
        std::future::pending::<()>().await;
    });
    app
}

/// One with an Anam that fails with each request in this way.
async fn with_anam(load: &mut Load, fault: Fault, breaker: &str) -> Arc<TestApp> {
    let app = spawn_with(TestOptions::set(&[
        ("ANAM__BREAKER_FAILURES", breaker),
        ("ANAM__RETRIES", "0"),
    ]))
    .await;
    app.anam.fault(fault);
    let app = Arc::new(app);
    load.mint(&app, 300, &app.user("user-1"), &context("support"));
    app
}

/// One with too little of everything: an Anam that takes three seconds, few turns, few work threads, and a database whose tables others lock.
async fn busy(load: &mut Load) -> Arc<TestApp> {
    let mut options = TestOptions::set(&[
        ("LIMITS__MINTS_IN_PROGRESS", "1"),
        ("SERVER__WORK_THREADS", "4"),
        ("DATABASE__LOCK_TIMEOUT_MS", "60000"),
        ("DATABASE__STATEMENT_TIMEOUT_MS", "60000"),
        ("DATABASE__TRANSACTION_TIMEOUT_MS", "60000"),
    ]);
    options.anam_latency = Duration::from_secs(3);
    let app = Arc::new(spawn_with(options).await);
    for number in 0..8 {
        let token = app.user(&format!("user-{number}"));
        load.mint(&app, 10, &token, &context("support"));
    }
    let key = app.admin_key(seed::TENANT, Role::Editor).await;
    let mut blocker = app.database.owner().await;
    load.0.spawn(async move {
        sql::run(&mut blocker, "begin; lock table sample_user")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    for number in 0..4 {
        let (app, key) = (app.clone(), key.clone());
        load.keep(10, move || {
            let (app, key) = (app.clone(), key.clone());
            async move {
                let path = format!("/v1/admin/sample-users/user-{number}");
                let body = json!({ "name": "One", "claims": {} });
                drop(app.tell(Method::PUT, &path, &key, &body).await);
            }
        });
    }
    let mut blocker = app.database.owner().await;
    load.0.spawn(async move {
        loop {
            let held = "begin; lock table session; select pg_sleep(0.8); rollback";
            sql::run(&mut blocker, held).await.unwrap();
        }
    });
    app
}

/// A mail server that refuses everybody.
async fn grumpy_mail_server(load: &mut Load) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    load.0.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (read, mut write) = client.split();
            let mut lines = BufReader::new(read).lines();
            _ = write.write_all(b"220 here\r\n").await;
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = if line.starts_with("EHLO") || line.starts_with("HELO") {
                    "250 here\r\n"
                } else {
                    "550 no\r\n"
                };
                _ = write.write_all(answer.as_bytes()).await;
            }
        }
    });
    format!("smtp://{address}?tls=none")
}

/// The address of a key set that is served once; then its server fails.
async fn keys_once(load: &mut Load, keys: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = keys.to_string();
    load.0.spawn(async move {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        while let Ok((mut client, _)) = listener.accept().await {
            let (read, mut write) = client.split();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await
                && !line.is_empty()
            {}
            _ = write.write_all(answer.as_bytes()).await;
            "HTTP/1.1 500 Sorry\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .clone_into(&mut answer);
        }
    });
    format!("http://{address}/keys")
}

/// One whose callers, issuers, mail server, keys and months are not as they should be.
async fn neglected(load: &mut Load) -> Arc<TestApp> {
    // Sealed with the old key, by an instance that had only that.
    let database = TestDatabase::create_with_demo().await;
    let before = spawn_with(TestOptions {
        database: Some(database.clone()),
        anam_keys: vec!["anam-key-of-alpha".to_owned()],
        no_demo: true,
        ..TestOptions::default()
    })
    .await;
    add(&before, &Tenant::new("alpha", Some("anam-key-of-alpha"))).await;
    before.stop().await;
    database
        .sql(
            r"do $$ declare t text; begin
                for t in select relname from pg_class
                         where relkind = 'r' and relname ~ '^session(_outcome|_inputs)?_\d{4}_\d{2}$'
                           and to_date(right(relname, 7), 'YYYY_MM') > now() loop
                  execute format('drop table %I', t);
                end loop; end $$",
        )
        .await;
    let mail = grumpy_mail_server(load).await;
    let mut options = TestOptions::set(&[
        ("ANAM__PLACES", "1"),
        ("AUTH__JWKS_COOLDOWN_SECONDS", "1"),
        ("DATABASE__USER_CONNECTIONS", "1"),
        // Nobody is there.
        ("LIMITS__REDIS_URL", "redis://127.0.0.1:1"),
        ("DATABASE__ACQUIRE_TIMEOUT_MS", "300"),
        ("MAIL__URL", &mail),
        ("MAIL__FROM", "Persona gateway <gateway@example.com>"),
        ("SERVER__PUBLIC_URL", "http://localhost:8080"),
    ]);
    let ring = format!("2:{NEW_KEY},1:{MASTER_KEY}");
    options.env.push(("GATEWAY_MASTER_KEY".to_owned(), ring));
    options.database = Some(database);
    let app = Arc::new(spawn_with(options).await);

    let held = app.app.gateway.users_database.platform().await.unwrap();
    load.0.spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    let user = app.user("user-1");
    let choosing = app.clone();
    load.keep(500, move || {
        let (app, user) = (choosing.clone(), user.clone());
        async move {
            let path = "/v1/me/preferences";
            drop(app.tell(Method::PUT, path, &user, &json!({})).await);
        }
    });
    let seats = json!({ "context": "sales", "metadata": { "seats": 0 } });
    load.mint(&app, 150, &app.user("user-1"), &seats);
    // All places are taken, and somebody waits.
    for number in 1..=3 {
        let user = app.user(&format!("user-{number}"));
        load.mint(&app, 500, &user, &context("support"));
    }
    load.mint(&app, 20, "no.token.atall", &json!({}));
    // Of an issuer that is not there; and of one that was, by a key that it does not have.
    let (gone, lost) = (Tenant::new("beta", None), Tenant::new("gamma", None));
    let mut bundle = gone.bundle();
    bundle["issuers"][0]["keys"] = json!({ "jwksUrl": "http://127.0.0.1:1/keys" });
    app.apply(&bundle.to_string()).await;
    load.mint(&app, 300, &gone.user("user-1"), &json!({}));
    let mut bundle = lost.bundle();
    let keys = json!({ "keys": [lost.signer.jwk()] });
    bundle["issuers"][0]["keys"] = json!({ "jwksUrl": keys_once(load, &keys).await });
    app.apply(&bundle.to_string()).await;
    app.wait_for_token(&lost.user("user-1")).await;
    let forged = Tenant::new("gamma", None).user("user-1");
    load.mint(&app, 300, &forged, &json!({}));

    // Each may ask three times an hour, and all from one address ten times at once.
    for number in 0..4 {
        let email = format!("forgetful-{number}@example.com");
        app.member(seed::TENANT, &email, Role::Owner).await;
    }
    let (forgetting, asked) = (app.clone(), AtomicUsize::new(0));
    load.keep(4_000, move || {
        let app = forgetting.clone();
        let number = asked.fetch_add(1, Ordering::Relaxed) % 4;
        let email = json!({ "email": format!("forgetful-{number}@example.com") });
        async move { drop(app.anonymous("/v1/admin/password-resets", &email).await) }
    });
    app
}

/// Somebody guesses a password, until the address may not sign in any more.
fn guess(load: &mut Load, app: &Arc<TestApp>) {
    let app = app.clone();
    load.keep(100, move || {
        let app = app.clone();
        async move {
            drop(
                app.try_sign_in("forgetful-0@example.com", "a wrong one")
                    .await,
            );
        }
    });
}

/// The real program, whose log nobody reads.
struct Unread {
    bench: Bench,
    port: u16,
    ops_port: u16,
    child: Option<Child>,
}

impl Unread {
    async fn new() -> Self {
        Self {
            bench: Bench::new().await,
            port: free_port(),
            ops_port: free_port(),
            child: None,
        }
    }

    fn target(&self) -> String {
        format!("127.0.0.1:{}", self.ops_port)
    }

    /// Starts it, or starts it again.
    async fn start(&mut self) {
        self.kill().await;
        let child = program(&["serve"])
            .envs(&environment_of(&self.bench))
            .env("GATEWAY__SERVER__PORT", &self.port.to_string())
            .env("GATEWAY__SERVER__OPS_PORT", &self.ops_port.to_string())
            .env("GATEWAY__LOG__FILTER", "trace")
            .start_unread();
        self.child = Some(child);
    }

    async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// Lowers the limit of open files to what it has open.
    async fn few_files(&self) {
        let pid = self.child.as_ref().unwrap().id().unwrap();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count();
        let limited = Command::new("prlimit")
            .args([
                format!("--pid={pid}"),
                format!("--nofile={0}:{0}", open + 4),
            ])
            .status()
            .await
            .unwrap();
        assert!(limited.success());
    }
}

/// Starts the program again and again, each time once it was scraped, until that is an alert.
async fn restart(unread: &mut Unread, prometheus: &Prometheus) {
    let query = format!(
        "changes(process_start_time_seconds{{instance=\"{}\"}}[5m])",
        unread.target()
    );
    for restarts in 0..20 {
        until("the program is scraped", PATIENCE, || async {
            let changes = prometheus.query(&query).await.first()?["value"][1].clone();
            (changes.as_str()? == restarts.to_string()).then_some(())
        })
        .await;
        if prometheus.firing().await.contains("GatewayRestarts") {
            return;
        }
        unread.start().await;
    }
    panic!("however often a program starts again, there is no alert");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_fires_by_a_fault() {
    let (mut load, spool) = (Load::default(), Folder::new());
    let mut unread = Unread::new().await;
    unread.start().await;
    let failing = || Fault::status(FaultTarget::Mint, 500);
    let refusing = Fault::status(FaultTarget::Mint, 401);
    let apps = [
        without_database(&mut load).await,
        with_spool(&mut load, &spool).await,
        with_anam(&mut load, failing(), "0").await,
        with_anam(&mut load, failing(), "3").await,
        with_anam(&mut load, refusing, "0").await,
        busy(&mut load).await,
        neglected(&mut load).await,
    ];
    let mut targets: Vec<String> = apps.iter().map(|app| target(app)).collect();
    targets.push(unread.target());
    let prometheus = Prometheus::start(&quick_config(&targets), &quick_alerts()).await;
    let nobody = Prometheus::start(&quick_config(&[]), &quick_alerts()).await;

    restart(&mut unread, &prometheus).await;
    unread.few_files().await;
    let url = format!("http://127.0.0.1:{}/nothing", unread.port);
    let http = apps[0].http.clone();
    load.keep(1, move || {
        let asking = http.get(&url).send();
        async move { drop(asking.await) }
    });

    let expected = alerts();
    let mut seen = BTreeSet::from(["GatewayRestarts".to_owned()]);
    let mut is_guessed = false;
    let started = std::time::Instant::now();
    while seen != expected {
        seen.extend(prometheus.firing().await);
        seen.extend(nobody.firing().await);
        // Then no mail is sent to anybody at this address, so that comes first.
        if seen.contains("GatewayMailFails") && !is_guessed {
            is_guessed = true;
            guess(&mut load, &apps[6]);
        }
        if seen.contains("GatewayLogLinesDropped") && seen.contains("GatewayFilesRunOut") {
            unread.kill().await;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "these did not fire: {:?}",
            expected.difference(&seen).collect::<Vec<_>>()
        );
        // Nothing changes between two evaluations.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    load.0.shutdown().await;
    for app in apps {
        let app = Arc::into_inner(app).unwrap();
        // Some can't do so cleanly.
        app.app.stop().await;
    }
}
