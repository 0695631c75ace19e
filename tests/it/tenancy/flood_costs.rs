//! What mints of one tenant take while another floods the gateway. No test: it judges nothing by time. It prints:
//!
//! `cargo test --release --test it flood_costs -- --ignored --nocapture --test-threads 1`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persona_gateway::domain::role::Role;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::admin::authorization::{fill, guarded, sent_to, things};
use crate::harness::tenants::{Tenant, add};
use crate::harness::{TestApp, TestOptions, spawn_with};

/// Connections that flood.
const CONNECTIONS: usize = 20;
/// Mints of the other tenant in each round.
const MINTS: usize = 600;
/// Sessions in the ledger of the tenant that floods.
const SESSIONS: usize = 2_000;

/// Latencies of mints, sorted, and how many failed.
async fn mints(app: &TestApp, tenant: &Tenant, count: usize) -> (Vec<Duration>, usize) {
    let (mut times, mut failed) = (Vec::new(), 0);
    for user in 0..count {
        let token = tenant.user(&format!("user-{}", user % 50));
        let begun = Instant::now();
        let status = app.mint(&token, &json!({})).await.status();
        times.push(begun.elapsed());
        failed += usize::from(status != 200);
    }
    times.sort();
    (times, failed)
}

/// A flood: its requests are sent in turn by all connections.
async fn flood(requests: Vec<RequestBuilder>, stop: CancellationToken) -> BTreeMap<u16, usize> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let connections = (0..CONNECTIONS).map(|_| {
        let (requests, next, stop) = (requests.clone(), next.clone(), stop.clone());
        tokio::spawn(async move {
            let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
            while !stop.is_cancelled() {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let request = requests[turn % requests.len()].try_clone().unwrap();
                let answer = request.send().await.unwrap();
                *statuses.entry(answer.status().as_u16()).or_default() += 1;
                _ = answer.bytes().await;
            }
            statuses
        })
    });
    let mut all = BTreeMap::new();
    for statuses in join_all(connections).await {
        for (status, count) in statuses.unwrap() {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

async fn measure(app: &TestApp, neighbour: &Tenant, name: &str, requests: Vec<RequestBuilder>) {
    let (quiet, _) = mints(app, neighbour, MINTS).await;
    let stop = CancellationToken::new();
    let flooding = tokio::spawn(flood(requests, stop.clone()));
    // What a flood may send in its first moment is over.
    mints(app, neighbour, MINTS).await;
    let (flooded, failed) = mints(app, neighbour, MINTS).await;
    stop.cancel();
    let statuses = flooding.await.unwrap();
    let at =
        |times: &[Duration], percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e3;
    println!(
        "{name:18} p50 {:6.1} -> {:6.1} ms, p99 {:6.1} -> {:6.1} ms ({:.1} times), {failed} failed; {statuses:?}",
        at(&quiet, 50),
        at(&flooded, 50),
        at(&quiet, 99),
        at(&flooded, 99),
        at(&flooded, 99) / at(&quiet, 99),
    );
}

/// Single acts with much to do: name, method, path, body.
fn floods(draft: &str) -> Vec<(&'static str, Method, String, Value)> {
    let post = |name, path: String, body| (name, Method::POST, path, body);
    let get = |name, path: &str| (name, Method::GET, path.to_owned(), Value::Null);
    let bundle = json!({ "tenant": "demo", "snippets": { "tone": { "text": "Be kind." } } });
    vec![
        post(
            "preview",
            "/v1/admin/preview".into(),
            json!({ "against": "live" }),
        ),
        post(
            "impact",
            "/v1/admin/impact".into(),
            json!({ "use": [{ "draft": draft }], "sessions": SESSIONS }),
        ),
        post(
            "validate",
            format!("/v1/admin/drafts/{draft}:validate"),
            Value::Null,
        ),
        post(
            "apply, dry run",
            "/v1/admin/bundle:apply".into(),
            json!({ "bundle": bundle, "dryRun": true }),
        ),
        get("export", "/v1/admin/bundle"),
        get("audit export", "/v1/admin/audit/export"),
        get("session search", "/v1/admin/sessions?limit=100"),
        get(
            "search in vain",
            "/v1/admin/sessions?context=none&limit=100",
        ),
        get("audit search", "/v1/admin/audit?limit=100"),
        get("documents", "/v1/admin/documents"),
    ]
}

async fn what_floods_cost(anam_latency: Duration) {
    let options = TestOptions {
        env: vec![
            ("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE".into(), "0".into()),
            (
                "GATEWAY__LIMITS__ADMIN_REQUESTS_PER_MINUTE".into(),
                "3000".into(),
            ),
            ("GATEWAY__SERVER__WORKERS".into(), "2".into()),
        ],
        anam_latency,
        ..TestOptions::default()
    };
    let app = spawn_with(options).await;
    for _ in 0..SESSIONS / 50 {
        let users: Vec<String> = (0..50).map(|n| app.user(&format!("user-{n}"))).collect();
        let body = json!({ "context": "support" });
        join_all(users.iter().map(|user| app.mint(user, &body))).await;
    }
    let (known, _) = things(&app).await;
    let neighbour = Tenant::new("neighbour", None);
    add(&app, &neighbour).await;
    let key = app.admin_key("demo", Role::Owner).await;
    let ask = |method: &Method, path: &str, body: &Value| {
        let request = app
            .request(method.clone(), path, &key)
            .header("if-match", "*");
        if body.is_null() {
            request
        } else {
            request.json(body)
        }
    };
    mints(&app, &neighbour, MINTS).await;
    for (name, method, path, body) in floods(&known[&("", "draft")]) {
        let one = vec![ask(&method, &path, &body)];
        measure(&app, &neighbour, name, one).await;
    }
    let users = (0..CONNECTIONS).map(|n| {
        let user = app.user(&format!("user-{n}"));
        let request = app.request(Method::PUT, "/v1/me/preferences", &user);
        request.json(&json!({ "displayName": "Ann" }))
    });
    measure(&app, &neighbour, "preferences", users.collect()).await;
    let every = guarded()
        .filter(|operation| operation.path.starts_with("/v1/admin"))
        .map(|operation| {
            let body = match operation.method {
                Method::GET => Value::Null,
                _ => sent_to(&operation.name),
            };
            ask(&operation.method, &fill(&operation.path, &known), &body)
        });
    let every: Vec<_> = every.collect();
    let name = format!("all {} in turn", every.len());
    measure(&app, &neighbour, &name, every).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn while_anam_answers_at_once() {
    what_floods_cost(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn while_anam_takes_50_ms() {
    what_floods_cost(Duration::from_millis(50)).await;
}
