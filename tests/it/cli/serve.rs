//! `serve`.

use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::emulator::{
    Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultTarget,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Executor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::cli::{Folder, Running, environment_of, program};
use crate::harness::tenants::{Bench, Tenant};
use crate::harness::wait::until;
use crate::harness::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(bench: &Bench, tenant: &Tenant, more: &[(&str, &str)]) -> (Running, EmulatorHandle) {
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    let anam = Emulator::start(EmulatorConfig::default()).unwrap();
    let mut serve = program(&["serve"])
        .envs(&environment_of(bench))
        .env("ANAM_BASE_URL", &anam.url());
    for (name, value) in more {
        serve = serve.env(name, value);
    }
    (serve.start(), anam)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_needs_only_the_environment_and_drains_when_it_is_told_to_stop() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    let (running, anam) = start(&bench, &tenant, &[]).await;
    let (gateway, ops) = running.addresses().await;
    let ready = client().get(format!("{ops}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);

    let mint = || {
        client()
            .post(format!("{gateway}/v1/session-token"))
            .bearer_auth(tenant.user("u"))
            .json(&json!({}))
            .send()
    };
    assert_eq!(mint().await.unwrap().status(), 200);
    anam.fault(Fault::slow(FaultTarget::Mint, Duration::from_millis(1_500)).times(1));
    let before = anam.requests().len();
    let in_flight = tokio::spawn(mint());
    until(
        "the second mint is under way",
        Duration::from_secs(10),
        || async { (anam.requests().len() > before).then_some(()) },
    )
    .await;
    running.signal("TERM").await;
    let answer = in_flight.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "a request under way ends first");
    let answer: Value = answer.json().await.unwrap();
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.out, "", "logs go to standard error");
    for line in ended.err.lines() {
        assert!(
            serde_json::from_str::<Value>(line).is_ok(),
            "one JSON object a line: {line}"
        );
    }

    // Its outcome was written out before the end.
    let mut owner = bench.database.owner().await;
    let query = format!(
        "select outcome from session_outcome where session_id = '{}'",
        answer["sessionId"].as_str().unwrap()
    );
    assert_eq!(
        crate::harness::sql::texts(&mut owner, &query).await,
        ["issued"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_stops_it_too() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    let (running, _anam) = start(&bench, &tenant, &[]).await;
    running.addresses().await;
    running.signal("INT").await;
    assert_eq!(running.end().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_during_the_start_ends_it_and_is_no_fault_of_a_task() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    // Whoever starts reads the issuers, and waits here.
    let mut owner = bench.database.owner().await;
    owner
        .execute("begin; lock table issuer in access exclusive mode")
        .await
        .unwrap();
    let running = program(&["serve"])
        .envs(&environment_of(&bench))
        .env("GATEWAY__DATABASE__LOCK_TIMEOUT_MS", "20000")
        .env("GATEWAY__DATABASE__STATEMENT_TIMEOUT_MS", "20000")
        .start();
    let waiting = format!(
        "select 1 from pg_stat_activity where datname = '{}' and wait_event_type = 'Lock'",
        bench.database.name
    );
    until("it waits for the issuers", PATIENCE, || async {
        let found = bench.database.rows(&waiting).await;
        (!found.is_empty()).then_some(())
    })
    .await;
    running.signal("TERM").await;
    let ended = running.end().await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(!ended.err.contains("ERROR"), "{}", ended.err);
}

#[tokio::test]
async fn a_broken_configuration_gives_2_and_every_mistake() {
    let ended = program(&["serve"])
        .env("GATEWAY__SERVER__PORT", "x")
        .env("GATEWAY__LOG__FORMAT", "loud")
        .run()
        .await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    for subject in [
        "server.port",
        "log.format",
        "database.url",
        "security.master_key",
    ] {
        assert!(ended.err.contains(subject), "{}", ended.err);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_gives_1_and_names_it() {
    let bench = Bench::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = program(&["serve"])
        .envs(&environment_of(&bench))
        .env("GATEWAY__SERVER__PORT", &port)
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(
        ended
            .err
            .contains(&format!("can't listen on 127.0.0.1:{port}")),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn secrets_can_stand_in_files() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    let folder = Folder::new();
    let mut serve = program(&["check-config"]);
    for (name, value) in environment_of(&bench) {
        serve = match name.as_str() {
            "DATABASE_URL" | "GATEWAY_MASTER_KEY" | "ANAM_API_KEY" => {
                let file = folder.write(&name, format!("{value}\n"));
                serve.env(&format!("{name}_FILE"), &file)
            }
            _ => serve.env(&name, &value),
        };
    }
    let ended = serve.run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_drains_it_is_not_ready_and_still_answers() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    let grace = [("GATEWAY__SERVER__DRAIN_GRACE_MS", "3000")];
    let (running, _anam) = start(&bench, &tenant, &grace).await;
    let (gateway, ops) = running.addresses().await;
    running.signal("TERM").await;
    until(
        "balancers are told to look elsewhere",
        Duration::from_secs(2),
        || async {
            let ready = client().get(format!("{ops}/readyz")).send().await.unwrap();
            (ready.status() == 503).then_some(())
        },
    )
    .await;
    let late = client()
        .post(format!("{gateway}/v1/session-token"))
        .bearer_auth(tenant.user("u"))
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(late.status(), 200);
    assert_eq!(late.headers()["connection"], "close");
    assert_eq!(running.end().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    let grace = [("GATEWAY__SERVER__DRAIN_GRACE_MS", "50000")];
    let (running, _anam) = start(&bench, &tenant, &grace).await;
    running.addresses().await;
    running.signal("TERM").await;
    running.err_with("\"stopping\"").await;
    running.signal("TERM").await;
    assert_eq!(running.end().await.code, Some(1));
}

/// A mint over a connection of its own; `None` where no connection was made.
async fn mint_anew(gateway: &str, token: &str) -> Option<String> {
    let address = gateway.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!(
        "POST /v1/session-token HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let mut answer = String::new();
    let asked = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_string(&mut answer).await
    };
    let asked = tokio::time::timeout(Duration::from_secs(10), asked).await;
    Some(match asked {
        Ok(Ok(_)) => answer,
        broken => format!("{broken:?} after {answer:?}"),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knows_nothing_of_the_end_is_answered_or_not_connected_at_all() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    let settings = [
        ("GATEWAY__SERVER__DRAIN_GRACE_MS", "1000"),
        ("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", "0"),
    ];
    let (running, _anam) = start(&bench, &tenant, &settings).await;
    let (gateway, _) = running.addresses().await;
    let token = tenant.user("u");
    until("the tenant is served", Duration::from_secs(10), || async {
        let answer = mint_anew(&gateway, &token).await.unwrap_or_default();
        answer.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    running.signal("TERM").await;
    let clients = (0..8).map(|_| async {
        let mut answered = 0;
        // Until no connection is made any more.
        while let Some(answer) = mint_anew(&gateway, &token).await {
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answered += 1;
        }
        answered
    });
    let answered: usize = join_all(clients).await.into_iter().sum();
    assert!(answered > 8, "{answered}");
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_answered_also_while_clients_hold_all_connections() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    let anam = Emulator::start(EmulatorConfig::default()).unwrap();
    let running = program(&["serve"])
        .envs(&environment_of(&bench))
        .env("ANAM_BASE_URL", &anam.url())
        .env("GATEWAY__SERVER__CLIENT_TIMEOUT_MS", "60000")
        .open_files(200)
        .start();
    let (gateway, ops) = running.addresses().await;
    running.err_with("the limit of open files is low").await;
    let address = gateway.strip_prefix("http://").unwrap();
    // Connections are made by the kernel, whether they are accepted or not.
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let token = tenant.user("u");
    let first = idle.first_mut().unwrap();
    let request = format!(
        "POST /v1/session-token HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
    );
    first.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    first.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    for path in ["healthz", "readyz", "metrics"] {
        let answer = client().get(format!("{ops}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    drop(idle);
    let answer = mint_anew(&gateway, &token).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.signal("TERM").await;
    assert_eq!(running.end().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_in_the_spool_outlive_a_process_that_is_killed() {
    let (bench, tenant, spool) = (
        Bench::new().await,
        Tenant::new("alpha", None),
        Folder::new(),
    );
    let wire = Wire::to(&bench.database.login_url).await;
    let folder = spool.path().to_str().unwrap();
    let settings = [
        ("DATABASE_URL", wire.url().expose_secret().to_owned()),
        ("GATEWAY__OUTAGE__SPOOL", folder.to_owned()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let (running, _anam) = start(&bench, &tenant, &settings).await;
    let (gateway, _) = running.addresses().await;
    let mint = async || {
        let asked = client()
            .post(format!("{gateway}/v1/session-token"))
            .bearer_auth(tenant.user("u"))
            .json(&json!({}));
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        answer["sessionId"].as_str().unwrap().to_owned()
    };
    mint().await;
    wire.cut().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(format!("'{}'", mint().await));
    }
    running.signal("KILL").await;
    running.end().await;
    wire.mend().await;
    let sql = format!(
        "select count(*) from session where id in ({})",
        ids.join(", ")
    );
    assert_eq!(bench.database.rows(&sql).await[0]["count"], 0);

    let (again, _anam) = start(&bench, &tenant, &settings).await;
    until(
        "they are in the ledger",
        Duration::from_secs(20),
        || async { (bench.database.rows(&sql).await[0]["count"] == ids.len()).then_some(()) },
    )
    .await;
    // A signal before it listens would end the start.
    again.addresses().await;
    again.signal("TERM").await;
    let ended = again.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_can_not_be_written_ends_the_start_with_its_reason() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    let file = folder.write("spool", "a file");
    let serve = program(&["serve"]).envs(&environment_of(&bench));
    let ended = serve.env("GATEWAY__OUTAGE__SPOOL", &file).run().await;
    assert_ne!(ended.code, Some(0));
    let expected =
        format!("outage.spool (GATEWAY__OUTAGE__SPOOL): the spool folder {file} can't be used");
    assert!(ended.err.contains(&expected), "{}", ended.err);
}
