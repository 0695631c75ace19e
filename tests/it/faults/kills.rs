//! The gateway's process is killed, or stopped, while users ask.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use persona_gateway::dev::emulator::{Emulator, EmulatorConfig};

use super::clients::Clients;
use crate::harness::cli::{Running, environment_of, program};
use crate::harness::tenants::{Bench, Tenant};
use crate::harness::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);

async fn serve(bench: &Bench, anam: &str) -> (Running, String) {
    let running = program(&["serve"])
        .envs(&environment_of(bench))
        .env("ANAM_BASE_URL", anam)
        .env("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", "0")
        .env("GATEWAY__SERVER__DRAIN_GRACE_MS", "600")
        .start();
    let (address, ops) = running.addresses().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    until("it is ready", PATIENCE, || async {
        let answer = client.get(format!("{ops}/readyz")).send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    (running, address)
}

/// So many times: a process serves some requests, gets the signal while others are under way, and another takes its place.
async fn survive(signal: &str, rounds: usize, requests: usize) {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    let anam = Emulator::start(EmulatorConfig {
        latency: Duration::from_millis(10),
        ..EmulatorConfig::default()
    })
    .unwrap();
    let tokens: Vec<String> = ["a", "b", "c", "d"].map(|user| tenant.user(user)).into();
    let (mut running, address) = serve(&bench, &anam.url()).await;
    let current = Arc::new(Mutex::new(address));
    let clients = {
        let current = current.clone();
        Clients::start(8, &tokens, move || current.lock().unwrap().clone())
    };
    for _ in 0..rounds {
        anam.clear();
        until("users are served", PATIENCE, || async {
            (anam.requests().len() >= requests).then_some(())
        })
        .await;
        // The other is there before, as in a rolling update, but nobody is sent to it yet.
        let (next, address) = serve(&bench, &anam.url()).await;
        running.signal(signal).await;
        let ended = running.end().await;
        *current.lock().unwrap() = address;
        if signal == "TERM" {
            assert_eq!(ended.code, Some(0), "{}", ended.err);
        }
        running = next;
    }
    let log = clients.stop().await;
    running.signal("TERM").await;
    running.end().await;
    assert!(
        log.issued.len() > rounds * requests / 4,
        "{:?}",
        log.statuses
    );
    let open = log.agrees_with(&bench.database).await;
    if signal == "TERM" {
        assert_eq!(open, 0, "all outcomes were written before the end");
        assert!(
            log.broken.is_empty(),
            "whoever was connected got an answer: {:?}",
            log.broken
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_no_token_without_its_row() {
    survive("KILL", 2, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_process_leaves_no_session_without_an_outcome() {
    survive("TERM", 2, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_instances_one_is_killed_and_the_others_go_on_without_a_token_lost() {
    let (bench, tenant) = (Bench::new().await, Tenant::new("alpha", None));
    bench.apply(&tenant.bundle().to_string()).await.unwrap();
    let anam = Emulator::start(EmulatorConfig {
        latency: Duration::from_millis(10),
        ..EmulatorConfig::default()
    })
    .unwrap();
    let tokens: Vec<String> = ["a", "b", "c", "d"].map(|user| tenant.user(user)).into();
    let mut instances = Vec::new();
    for _ in 0..3 {
        instances.push(serve(&bench, &anam.url()).await);
    }
    let addresses: Vec<String> = instances
        .iter()
        .map(|(_, address)| address.clone())
        .collect();
    let next = Arc::new(AtomicUsize::new(0));
    let clients = Clients::start(9, &tokens, move || {
        let number = next.fetch_add(1, Ordering::SeqCst);
        addresses[number % addresses.len()].clone()
    });
    let served = async |count: usize| {
        anam.clear();
        until("users are served", PATIENCE, || async {
            (anam.requests().len() >= count).then_some(())
        })
        .await;
    };
    served(60).await;
    let (killed, _) = instances.remove(1);
    killed.signal("KILL").await;
    killed.end().await;
    served(60).await;
    let log = clients.stop().await;
    for (instance, _) in instances {
        instance.signal("TERM").await;
        let ended = instance.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert_eq!(log.statuses.keys().collect::<Vec<_>>(), [&200]);
    assert!(log.issued.len() > 90, "{:?}", log.statuses);
    assert!(
        log.broken.len() <= 9,
        "one a client at most: {:?}",
        log.broken
    );
    // Those of the instance that died, which the sweep will find.
    let open = log.agrees_with(&bench.database).await;
    assert!(open <= 60, "{open}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: just soak"]
async fn two_hundred_kills() {
    survive("KILL", 200, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: just soak"]
async fn ten_stops() {
    survive("TERM", 10, 500).await;
}
