//! `/metrics` says what an operator needs to know of a running gateway, and no more series than it should.

use std::time::Duration;

use persona_gateway::dev::seed;
use reqwest::Method;
use serde_json::json;

use crate::harness::metrics::value;
use crate::harness::tenants::{Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, problem, spawn, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);

async fn scraped(app: &TestApp, series: &str) -> i64 {
    value(&app.metrics().await, series)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn regular_tasks_say_when_they_last_succeeded() {
    let app = spawn().await;
    let now = app.clock.now().timestamp();
    // That of catalogues begins at a random moment of the first minute.
    for task in ["refresh", "sweep", "expiry", "ledger_months", "checkpoints"] {
        let series = format!("gateway_task_succeeded_timestamp_seconds{{task=\"{task}\"}}");
        until(task, PATIENCE, || async {
            let at = scraped(&app, &series).await;
            (at >= now - 60).then_some(())
        })
        .await;
    }
    let months = scraped(&app, "gateway_ledger_ready_until_timestamp_seconds").await;
    assert!(months > now + 120 * 86_400, "{months}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pool_of_connections_says_how_full_it_is_and_who_waited_in_vain() {
    let app = spawn_with(TestOptions::set(&[
        ("DATABASE__OWN_CONNECTIONS", "4"),
        ("DATABASE__MINT_CONNECTIONS", "3"),
        ("DATABASE__USER_CONNECTIONS", "1"),
        ("DATABASE__ADMIN_CONNECTIONS", "2"),
        ("DATABASE__ACQUIRE_TIMEOUT_MS", "1000"),
    ]))
    .await;
    let page = app.metrics().await;
    for (pool, limit) in [("own", 4), ("mints", 3), ("users", 1), ("admins", 2)] {
        let series = format!("gateway_database_connections_limit{{pool=\"{pool}\"}}");
        assert_eq!(value(&page, &series), limit, "{page}");
    }
    let held = app.app.gateway.users_database.platform().await.unwrap();
    let in_use = "gateway_database_connections{pool=\"users\",state=\"in_use\"}";
    assert_eq!(scraped(&app, in_use).await, 1);

    let token = app.user("user-1");
    let asking = app
        .request(Method::PUT, "/v1/me/preferences", &token)
        .json(&json!({}));
    let watching = until("one waits", PATIENCE, || async {
        let waiting = scraped(&app, "gateway_database_waiting{pool=\"users\"}").await;
        (waiting == 1).then_some(())
    });
    let (answer, ()) = tokio::join!(asking.send(), watching);
    problem(answer.unwrap(), 503, "unavailable").await;
    let timed_out = "gateway_database_timeouts_total{pool=\"users\"}";
    assert_eq!(scraped(&app, timed_out).await, 1);
    held.commit().await.unwrap();

    let idle = "gateway_database_connections{pool=\"users\",state=\"idle\"}";
    let page = app.metrics().await;
    assert_eq!(value(&page, in_use), 0);
    assert_eq!(value(&page, idle), 1);
    assert_eq!(value(&page, "gateway_database_waiting{pool=\"users\"}"), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_is_shown_under_the_names_that_every_exporter_uses() {
    let app = spawn().await;
    let page = app.metrics().await;
    assert!(value(&page, "process_cpu_seconds_total") >= 0);
    for name in [
        "process_start_time_seconds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
    ] {
        assert!(value(&page, name) > 0, "{name} in\n{page}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_tenants_are_named_as_is_set_and_the_others_counted_together() {
    let tenants = [
        Tenant::new("alpha", None),
        Tenant::new("beta", None),
        Tenant::new("gamma", None),
    ];
    let app = serve(
        &tenants.each_ref(),
        TestOptions::set(&[("METRICS__TENANTS", "2")]),
    )
    .await;
    for tenant in &tenants {
        let token = tenant.user("user-1");
        assert_eq!(app.mint(&token, &json!({})).await.status(), 200);
        assert_eq!(app.mint(&token, &json!({"unknown": 1})).await.status(), 422);
    }
    let page = app.metrics().await;
    for slug in ["alpha", "beta"] {
        let id = app.tenant(slug).await;
        for outcome in ["issued", "refused"] {
            let series =
                format!("gateway_tenant_mints_total{{tenant=\"{id}\",outcome=\"{outcome}\"}}");
            assert_eq!(value(&page, &series), 1, "{page}");
        }
    }
    let other = "gateway_tenant_mints_total{tenant=\"other\",outcome=\"issued\"}";
    assert_eq!(value(&page, other), 1);
    let series = page.matches("gateway_tenant_mints_total{").count();
    assert_eq!(series, 9, "two tenants and the others, three outcomes each");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_is_named_where_that_is_switched_off() {
    let app = spawn_with(TestOptions::set(&[("METRICS__TENANTS", "0")])).await;
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    assert_eq!(answer.status(), 200);
    let page = app.metrics().await;
    assert!(!page.contains("gateway_tenant_mints_total{"), "{page}");
    let tenant = app.tenant(seed::TENANT).await.to_string();
    assert!(!page.contains(&tenant), "{page}");
    app.stop().await;
}
