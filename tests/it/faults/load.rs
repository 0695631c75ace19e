//! Clients that are slow, noisy or just there, while others ask: the others get their tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use persona_gateway::dev::emulator::{Emulator, EmulatorConfig};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::cli::{environment_of, program};
use crate::harness::tenants::{Bench, Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, spawn_with};

const PATIENCE: Duration = Duration::from_mins(1);

/// Sends a request byte by byte until it is answered, and gives the answer.
async fn dribble(app: &TestApp, start: &str, rest: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.app.address).await.unwrap();
    stream.write_all(start.as_bytes()).await.unwrap();
    let (mut answers, mut requests) = stream.split();
    let dribbling = async {
        for byte in rest.iter().cycle() {
            if requests.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = dribbling => {}
        // A reset may come behind the answer.
        _ = answers.read_to_end(&mut answer) => {}
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_send_byte_by_byte_end_with_408_and_others_are_served_meanwhile() {
    let app = spawn_with(TestOptions::set(&[
        ("SERVER__CLIENT_TIMEOUT_MS", "4000"),
        ("SERVER__BODY_TIMEOUT_MS", "4000"),
    ]))
    .await;
    let app = Arc::new(app);
    let head = "POST /v1/session-token HTTP/1.1\r\nhost: g\r\n".to_owned();
    let with_token = format!(
        "{head}authorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n{{",
        app.user("slow")
    );
    let mut slow = JoinSet::new();
    for number in 0..200 {
        let (app, head, with_token) = (app.clone(), head.clone(), with_token.clone());
        slow.spawn(async move {
            if number % 2 == 0 {
                dribble(&app, &(head + "x-name: "), b"value").await
            } else {
                dribble(&app, &with_token, b" ").await
            }
        });
    }
    let token = app.user("quick");
    let mut served = 0;
    while slow.try_join_next().is_none() {
        let answer = app.mint(&token, &json!({})).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        served += 1;
    }
    assert!(served > 0, "while all of the slow ones were there");
    while let Some(answer) = slow.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    let minted = app.database.rows("select subject from session").await;
    assert!(minted.iter().all(|row| row["subject"] != "slow"));
    Arc::into_inner(app).unwrap().stop().await;
}

/// What a tenant may ask for: a name, the method, the path, whether an admin asks, and what is sent.
const NOISE: [(&str, Method, &str, bool, &str); 8] = [
    ("mint", Method::POST, "/v1/session-token", false, "{}"),
    ("contexts", Method::GET, "/v1/contexts", false, ""),
    ("options", Method::GET, "/v1/me/options", false, ""),
    (
        "preferences",
        Method::PATCH,
        "/v1/me/preferences",
        false,
        r#"{"color":"noisy-blue"}"#,
    ),
    (
        "preview",
        Method::POST,
        "/v1/admin/preview",
        true,
        r#"{"user":{"subject":"u"}}"#,
    ),
    (
        "validate",
        Method::POST,
        "/v1/admin/documents/persona/guide/versions/1:validate",
        true,
        "",
    ),
    (
        "impact",
        Method::POST,
        "/v1/admin/impact",
        true,
        r#"{"use":[{"kind":"persona","key":"guide","version":1}]}"#,
    ),
    ("sessions", Method::GET, "/v1/admin/sessions", true, ""),
];

fn metric(page: &str, name: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_noisy_on_every_route_costs_another_no_token() {
    let (noisy, other) = (Tenant::new("noisy", None), Tenant::new("other", None));
    let options = TestOptions {
        anam_latency: Duration::from_millis(10),
        ..TestOptions::default()
    };
    let app = serve(&[&noisy, &other], options).await;
    let admin = app.admin_key("noisy", Role::Owner).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..64 {
        let (name, method, path, is_admin, sent) = NOISE[number % NOISE.len()].clone();
        let token = if is_admin {
            admin.clone()
        } else {
            noisy.user(&format!("u{number}"))
        };
        let mut asked = app.request(method, path, &token);
        if !sent.is_empty() {
            let kind = if name == "preferences" {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            asked = asked.header("content-type", kind).body(sent);
        }
        let stop = stop.clone();
        clients.spawn(async move {
            let mut statuses = BTreeMap::<(&str, u16), usize>::new();
            while !stop.load(Ordering::SeqCst) {
                let answer = asked.try_clone().unwrap().send().await.unwrap();
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap();
                assert!(matches!(status, 200 | 429 | 503), "{name}: {status} {text}");
                *statuses.entry((name, status)).or_default() += 1;
            }
            statuses
        });
    }
    let (mut served, mut waiting) = (0, 0);
    until("it was noisy for a while", PATIENCE, || async {
        let page = app.metrics().await;
        (metric(&page, "gateway_requests_in_progress ") > 0).then_some(())
    })
    .await;
    while served < 40 {
        let answer = app
            .mint(&other.user(&format!("u{served}")), &json!({}))
            .await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        served += 1;
        let page = app.metrics().await;
        waiting = waiting.max(metric(&page, "gateway_requests_in_progress "));
    }
    stop.store(true, Ordering::SeqCst);
    let mut all = BTreeMap::new();
    while let Some(statuses) = clients.join_next().await {
        for (what, count) in statuses.unwrap() {
            *all.entry(what).or_default() += count;
        }
    }
    assert!(waiting > 0, "there was noise all the time: {all:?}");
    for (name, ..) in NOISE {
        let good: usize = all.get(&(name, 200)).copied().unwrap_or_default();
        assert!(good > 0, "{name} was asked for: {all:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_refused_requests_wait_for_turns_and_another_tenant_gets_its_tokens() {
    let (noisy, other) = (Tenant::new("noisy", None), Tenant::new("other", None));
    let app = serve(
        &[&noisy, &other],
        TestOptions::set(&[("LIMITS__USER_MINTS_PER_MINUTE", "60")]),
    )
    .await;
    let good = noisy.user("ann");
    let other_good = noisy.user("bob");
    let (signed, signature) = (
        good.rsplit_once('.').unwrap().0,
        other_good.rsplit_once('.').unwrap().1,
    );
    let forged = format!("{signed}.{signature}");
    for (path, token, status) in [
        ("/v1/me/options", good.as_str(), 429),
        ("/v1/me/options", &forged, 401),
        ("/v1/nothing", "", 404),
        ("/console/sign-in", "", 200),
    ] {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..32 {
            let asked = app.request(Method::GET, path, token);
            let stop = stop.clone();
            clients.spawn(async move {
                let mut all = 0;
                while !stop.load(Ordering::SeqCst) {
                    let answer = asked.try_clone().unwrap().send().await.unwrap();
                    all += usize::from(answer.status().as_u16() == status);
                }
                all
            });
        }
        let users = AtomicUsize::new(0);
        until("the flood waits", PATIENCE, || async {
            let user = format!("{status}-{}", users.fetch_add(1, Ordering::SeqCst));
            let answer = app.mint(&other.user(&user), &json!({})).await;
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
            let page = app.metrics().await;
            (metric(&page, "gateway_requests_waiting ") > 0).then_some(())
        })
        .await;
        stop.store(true, Ordering::SeqCst);
        let answers: usize = clients.join_all().await.into_iter().sum();
        assert!(answers > 0, "{path} answers {status}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "opens 10,000 connections: just soak"]
async fn ten_thousand_idle_connections_take_no_place_from_who_asks() {
    const IDLE: usize = 10_000;
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    let anam = Emulator::start(EmulatorConfig::default()).unwrap();
    // The program raises its own limit. A client's end is a file of this process.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let enough = limit.current.is_none_or(|limit| limit > 10_500);
    assert!(enough, "needs `ulimit -n 11000`, or more: {limit:?}");
    let running = program(&["serve"])
        .envs(&environment_of(&bench))
        .env("ANAM_BASE_URL", &anam.url())
        .env("GATEWAY__SERVER__CLIENT_TIMEOUT_MS", "600000")
        .env("GATEWAY__SERVER__KEEP_ALIVE_SECONDS", "600")
        .start();
    let (gateway, ops) = running.addresses().await;
    let address = gateway.strip_prefix("http://").unwrap();
    let token = tenant.user("u");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mint = async || {
        let url = format!("{gateway}/v1/session-token");
        let asked = client.post(url).bearer_auth(&token).json(&json!({}));
        asked.send().await.unwrap().status()
    };
    let mut idle = Vec::new();
    while idle.len() < IDLE {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Half of them have never asked for anything.
        if idle.len() % 2 == 0 {
            let request = b"GET /v1/nothing HTTP/1.1\r\nhost: g\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"HTTP/1.1 404");
        }
        idle.push(stream);
        if idle.len() % 1_000 == 0 {
            assert_eq!(mint().await, 200, "beside {}", idle.len());
        }
    }
    for path in ["healthz", "readyz", "metrics"] {
        let answer = client.get(format!("{ops}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    // All of them are still there.
    for stream in &idle {
        let mut byte = [0];
        while let Ok(read) = stream.try_read(&mut byte) {
            assert_ne!(read, 0, "it was closed");
        }
    }
    assert_eq!(mint().await, 200);
    running.signal("TERM").await;
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}
