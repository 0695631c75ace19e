//! A tenant whose admins and users ask for more than their share: others don't notice.

use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::tenants::{Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, problem, spawn_with};

const PATIENCE: Duration = Duration::from_secs(10);

/// A request under way: its body does not come.
async fn hold(app: &TestApp, method: Method, path: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.app.address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn me(app: &TestApp, key: &str) -> Response {
    app.ask(Method::GET, "/v1/admin/me", key).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_keeps_its_work_threads_busy_keeps_no_other_waiting() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(
        &[&alpha, &beta],
        TestOptions::set(&[("SERVER__WORK_THREADS", "8")]),
    )
    .await;
    let key = app.admin_key("beta", Role::Publisher).await;
    let busy = app.tenant("alpha").await;
    let (begun, has_begun) = mpsc::channel();
    let mut ends = Vec::new();
    for _ in 0..20 {
        let (end, has_ended) = mpsc::channel::<()>();
        ends.push(end);
        let (gateway, begun) = (app.app.gateway.clone(), begun.clone());
        tokio::spawn(async move {
            let job = async move || {
                begun.send(()).unwrap();
                // The thread does nothing else until the test lets it go.
                _ = has_ended.recv();
            };
            gateway.work(busy, job).await
        });
    }
    for _ in 0..2 {
        has_begun.recv_timeout(PATIENCE).unwrap();
    }
    let body = json!({});
    for user in [alpha.user("u"), beta.user("u")] {
        assert_eq!(app.mint(&user, &body).await.status(), 200);
    }
    let preview = app
        .tell(Method::POST, "/v1/admin/preview", &key, &body)
        .await;
    assert_eq!(preview.status(), 200);
    let new = json!({ "kind": "snippet", "key": "tone", "content": { "text": "Be kind." } });
    let made = app
        .tell(Method::POST, "/v1/admin/documents", &key, &new)
        .await;
    assert_eq!(made.status(), 201);
    assert!(
        has_begun.try_recv().is_err(),
        "the third job waits until one of the two has ended"
    );
    drop(ends);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_admin_requests_under_way_are_bounded_and_anothers_pass() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let one = TestOptions::set(&[("LIMITS__ADMIN_REQUESTS_IN_FLIGHT", "1")]);
    let app = serve(&[&alpha, &beta], one).await;
    let (key, other) = (
        app.admin_key("alpha", Role::Viewer).await,
        app.admin_key("beta", Role::Viewer).await,
    );
    assert_eq!(me(&app, &key).await.status(), 200);
    let held = hold(&app, Method::POST, "/v1/admin/preview", &key).await;
    let refused = until("one is under way", PATIENCE, || async {
        let answer = me(&app, &key).await;
        (answer.status() != 200).then_some(answer)
    })
    .await;
    assert_eq!(me(&app, &other).await.status(), 200);
    assert_eq!(refused.headers()["retry-after"], "2");
    problem(refused, 429, "rate_limited").await;
    drop(held);
    until("the place is free", PATIENCE, || async {
        (me(&app, &key).await.status() == 200).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_visit_counts_as_under_way_until_it_is_over() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let one = TestOptions::set(&[("LIMITS__TENANT_MINTS_IN_FLIGHT", "1")]);
    let app = serve(&[&alpha, &beta], one).await;
    let body = json!({});
    assert_eq!(app.mint(&alpha.user("u"), &body).await.status(), 200);
    // A visit that comes while a mint has the place is refused itself: then another is begun.
    let (held, refused) = until("a visit is under way", PATIENCE, || async {
        let held = hold(&app, Method::PUT, "/v1/me/preferences", &alpha.user("u")).await;
        let answer = app.mint(&alpha.user("v"), &body).await;
        (answer.status() != 200).then_some((held, answer))
    })
    .await;
    problem(refused, 503, "overloaded").await;
    assert_eq!(app.mint(&beta.user("u"), &body).await.status(), 200);
    drop(held);
    until("the place is free", PATIENCE, || async {
        (app.mint(&alpha.user("v"), &body).await.status() == 200).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_half_of_the_connections_at_most() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let few = [
        ("DATABASE__ADMIN_CONNECTIONS", "4"),
        ("DATABASE__ACQUIRE_TIMEOUT_MS", "300"),
    ];
    let app = serve(&[&alpha, &beta], TestOptions::set(&few)).await;
    let database = &app.app.gateway.database;
    let (one, other) = (app.tenant("alpha").await, app.tenant("beta").await);
    let first = database.tenant(one).await.unwrap();
    let second = database.tenant(one).await.unwrap();
    assert!(database.tenant(one).await.unwrap_err().is_transient());
    assert!(database.tenant(other).await.is_ok());
    assert_eq!(app.mint(&beta.user("u"), &json!({})).await.status(), 200);
    drop(first);
    assert!(database.tenant(one).await.is_ok());
    drop(second);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_sends_many_requests_waits_for_itself_and_another_passes() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let mut four = TestOptions::set(&[("LIMITS__MINTS_IN_PROGRESS", "4")]);
    four.anam_latency = Duration::from_millis(500);
    let app = serve(&[&alpha, &beta], four).await;
    let body = json!({});
    let (first, second) = (alpha.user("u"), beta.user("u"));
    // Eight times as many as may be in progress: the last ones would wait for four seconds, which nobody may. First come first served,
    // the other would wait for as long.
    let flood = join_all((0..32).map(|_| app.mint(&first, &body)));
    let other = async {
        until("as many are in progress as may be", PATIENCE, || async {
            (app.mints_asked() == 4).then_some(())
        })
        .await;
        for _ in 0..3 {
            assert_eq!(app.mint(&second, &body).await.status(), 200);
        }
    };
    let (answers, ()) = tokio::join!(flood, other);
    let turned_away = answers.iter().filter(|answer| answer.status() == 503);
    assert!(turned_away.count() >= 8, "the flood waits for itself");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_turn_too_long_is_turned_away() {
    let app = spawn_with(TestOptions::set(&[("LIMITS__MINTS_IN_PROGRESS", "1")])).await;
    let token = app.user("user-1");
    let body = json!({});
    app.anam
        .fault(Fault::slow(FaultTarget::Mint, Duration::from_secs(4)).times(2));
    let answers = join_all((0..4).map(|_| app.mint(&token, &body))).await;
    let mut turned_away = 0;
    for answer in answers {
        if answer.status() != 200 {
            assert_eq!(answer.headers()["retry-after"], "2");
            problem(answer, 503, "overloaded").await;
            turned_away += 1;
        }
    }
    assert_eq!(turned_away, 2);
    assert!(
        app.metrics()
            .await
            .contains(r#"gateway_limit_refusals_total{limit="turn"} 2"#)
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_at_an_address_use_up_no_admins_limit() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let few = TestOptions::set(&[("LIMITS__ADMIN_REQUESTS_PER_MINUTE", "240")]);
    let app = serve(&[&alpha, &beta], few).await;
    let (key, other) = (
        app.admin_key("alpha", Role::Viewer).await,
        app.admin_key("beta", Role::Viewer).await,
    );
    for key in [&key, &other] {
        assert_eq!(me(&app, key).await.status(), 200);
    }
    let refused = until("the address has its limit", PATIENCE, || async {
        let answer = me(&app, "pgk_0123456789012345678901234567890123456789012").await;
        (answer.status() != 401).then_some(answer)
    })
    .await;
    problem(refused, 429, "rate_limited").await;
    for key in [&key, &other] {
        assert_eq!(me(&app, key).await.status(), 200);
    }
    app.stop().await;
}
