//! Anam fails in every way while users ask.

use std::time::Duration;

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use serde_json::json;

use super::clients::Clients;
use crate::harness::wait::until;
use crate::harness::{TestOptions, context, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);
const MINT: FaultTarget = FaultTarget::Mint;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_anam_does_clients_and_ledger_agree() {
    let app = spawn_with(TestOptions::set(&[
        ("ANAM__CONNECT_TIMEOUT_MS", "300"),
        ("ANAM__TIMEOUT_MS", "300"),
        // Each fault is to be met, and not to be spared.
        ("ANAM__BREAKER_FAILURES", "0"),
    ]))
    .await;
    let tokens = [app.user("user-1"), app.user("user-2")];
    let url = app.url("");
    let clients = Clients::start(6, &tokens, move || url.clone());
    for fault in [
        Fault::status(MINT, 500),
        Fault::status(MINT, 503),
        Fault::status(MINT, 429),
        Fault::dropped(MINT),
        Fault::slow(MINT, Duration::from_secs(30)),
        Fault::status(MINT, 200).with_body(json!("<html>")),
        Fault::status(MINT, 200).with_body(json!({ "sessionToken": "x".repeat(200_000) })),
        Fault::status(MINT, 401),
    ] {
        let asked = app.mints_asked();
        // Twice as often as there are clients, so that at least one meets it in both of its tries.
        app.anam.fault(fault.times(12));
        until("the fault is over", PATIENCE, || async {
            (app.mints_asked() > asked + 18).then_some(())
        })
        .await;
    }
    app.anam.clear();
    let log = clients.stop().await;
    assert!(log.broken.is_empty(), "{:?}", log.broken);
    for status in [200, 429, 502, 503, 504] {
        assert!(log.statuses.contains_key(&status), "{:?}", log.statuses);
    }
    let answer = app.mint(&tokens[0], &context("support")).await;
    assert_eq!(answer.status(), 200);
    let database = app.database.clone();
    app.stop().await;
    assert_eq!(
        log.agrees_with(&database).await,
        0,
        "all outcomes are known"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_ends_all_connections_again_and_again_costs_no_token_its_row() {
    let app = spawn_with(TestOptions::default()).await;
    let tokens = [app.user("user-1"), app.user("user-2")];
    let url = app.url("");
    let clients = Clients::start(4, &tokens, move || url.clone());
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and usename = '{}'",
        app.database.name,
        crate::harness::postgres::LOGIN
    );
    for _ in 0..5 {
        let asked = app.mints_asked();
        app.database.rows(&end).await;
        until("users go on", PATIENCE, || async {
            (app.mints_asked() > asked + 20).then_some(())
        })
        .await;
    }
    let log = clients.stop().await;
    assert!(log.broken.is_empty(), "{:?}", log.broken);
    assert!(log.issued.len() > 20, "{:?}", log.statuses);
    let database = app.database.clone();
    app.stop().await;
    log.agrees_with(&database).await;
}
