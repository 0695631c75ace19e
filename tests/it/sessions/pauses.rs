//! Anam fails again and again: the gateway leaves it alone for a while, for the tenant's key with which it fails and for no other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::tenants::{Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, problem, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);

fn after(failures: &str) -> TestOptions {
    TestOptions::set(&[("ANAM__BREAKER_FAILURES", failures), ("ANAM__RETRIES", "0")])
}

async fn open_breakers(app: &TestApp) -> String {
    let metrics = app.metrics().await;
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.starts_with("gateway_anam_breakers_open "));
    line.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anam_that_fails_is_left_alone_until_one_try_succeeds() {
    let app = spawn_with(after("3")).await;
    let (token, body) = (app.user("user-1"), context("support"));
    app.anam.fault(Fault::status(FaultTarget::Mint, 500));
    for _ in 0..3 {
        problem(app.mint(&token, &body).await, 502, "upstream_error").await;
    }
    let asked = app.mints_asked();
    for path in ["/v1/session-token", "/api/session-token"] {
        let request = app.request(Method::POST, path, &token).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["retry-after"], "1");
        problem(answer, 503, "upstream_paused").await;
    }
    assert_eq!(app.mints_asked(), asked, "Anam is not asked");
    assert_eq!(open_breakers(&app).await, "gateway_anam_breakers_open 1");
    let rows = app.database.rows("select 1 as one from session").await;
    assert_eq!(rows.len(), 3, "a refusal without a question leaves no row");

    // Of all that come after the pause, one asks.
    until("one tries", PATIENCE, || async {
        join_all((0..8).map(|_| app.mint(&token, &body))).await;
        (app.mints_asked() > asked).then_some(())
    })
    .await;
    assert_eq!(app.mints_asked(), asked + 1);

    app.anam.clear();
    until("it mints again", PATIENCE, || async {
        (app.mint(&token, &body).await.status() == 200).then_some(())
    })
    .await;
    let answers = join_all((0..8).map(|_| app.mint(&token, &body))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(open_breakers(&app).await, "gateway_anam_breakers_open 0");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_failures_at_anam_keep_no_other_tenant_from_it() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], after("2")).await;
    app.anam.fault(Fault::dropped(FaultTarget::Mint).times(2));
    for code in [
        "upstream_unreachable",
        "upstream_unreachable",
        "upstream_paused",
    ] {
        let answer = app.mint(&alpha.user("u"), &json!({})).await;
        let status = answer.status().as_u16();
        problem(answer, status, code).await;
    }
    assert_eq!(app.mint(&beta.user("u"), &json!({})).await.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_request_says_nothing_of_anam() {
    let app = spawn_with(after("1")).await;
    let token = app.user("user-1");
    for status in [400, 401, 402, 403, 404, 418, 429] {
        app.anam
            .fault(Fault::status(FaultTarget::Mint, status).times(2));
        for _ in 0..2 {
            let answer = app.mint(&token, &context("support")).await;
            assert_ne!(answer.status(), 200);
            assert!(!answer.text().await.unwrap().contains("upstream_paused"));
        }
    }
    assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_anam_is_slow_fewer_are_asked_for_at_once_and_the_others_are_told_so() {
    let unlimited = TestOptions::set(&[("LIMITS__USER_MINTS_PER_MINUTE", "0")]);
    let app = Arc::new(spawn_with(unlimited).await);
    let (token, body) = (app.user("user-1"), context("support"));
    // The usual pace.
    assert_eq!(app.mint(&token, &body).await.status(), 200);
    let slow = Fault::slow(FaultTarget::Mint, Duration::from_millis(2_500));
    app.anam.fault(slow);
    let mut under_way = JoinSet::new();
    let refused = async {
        loop {
            if under_way.len() < 100 {
                let (app, token, body) = (app.clone(), token.clone(), body.clone());
                under_way.spawn(async move { app.mint(&token, &body).await });
            }
            let pulse = Duration::from_millis(10);
            let ended = tokio::time::timeout(pulse, under_way.join_next()).await;
            if let Ok(Some(answer)) = ended {
                let answer = answer.unwrap();
                if answer.status() != 200 {
                    return answer;
                }
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    problem(refused, 503, "upstream_paused").await;
    app.anam.clear();
    while under_way.join_next().await.is_some() {}
    until("all are served again", PATIENCE, async || {
        let asked = join_all((0..40).map(|_| app.mint(&token, &body))).await;
        asked
            .iter()
            .all(|answer| answer.status() == 200)
            .then_some(())
    })
    .await;
    Arc::into_inner(app).unwrap().stop().await;
}
