//! Known users go on getting session tokens while the database is away, if there is a spool; and nothing is lost.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::harness::cli::Folder;
use crate::harness::logs::logged;
use crate::harness::metrics::value;
use crate::harness::postgres::TestDatabase;
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestApp, TestOptions, context, problem, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);

/// The service behind a wire to its database, with a spool; and users whom it knows.
async fn bridged(
    database: &TestDatabase,
    spool: &Folder,
    more: &[(&str, &str)],
) -> (TestApp, Wire) {
    let wire = Wire::to(&database.login_url).await;
    let mut options = TestOptions::set(more);
    options.database = Some(database.clone());
    let url = wire.url().expose_secret().to_owned();
    let folder = spool.path().to_str().unwrap().to_owned();
    options.env.push(("DATABASE_URL".to_owned(), url));
    options
        .env
        .push(("GATEWAY__OUTAGE__SPOOL".to_owned(), folder));
    (spawn_with(options).await, wire)
}

async fn mint(app: &TestApp, user: &str) -> Response {
    let body = context("support");
    let token = app.user(user);
    let minting = tokio::time::timeout(PATIENCE, app.mint(&token, &body));
    minting.await.expect("every mint is answered")
}

/// The ids of the sessions of many users at once, all of whom get one.
async fn mint_all(app: &TestApp) -> Vec<String> {
    let users = ["ann", "bob", "cleo"];
    let minting = (0..12).map(|n| mint(app, users[n % 3]));
    let mut ids = Vec::new();
    for answer in join_all(minting).await {
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let answer: Value = answer.json().await.unwrap();
        ids.push(answer["sessionId"].as_str().unwrap().to_owned());
    }
    ids
}

/// Waits until all of these sessions are in the ledger, once, each with its outcome.
async fn until_recorded(database: &TestDatabase, ids: &[String]) {
    let list = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>();
    let sql = format!(
        "select s.id, o.outcome from session s join session_outcome o on o.session_id = s.id where s.id in ({})",
        list.join(", ")
    );
    let rows = until("all sessions are in the ledger", PATIENCE, || async {
        let rows = database.rows(&sql).await;
        (rows.len() >= ids.len()).then_some(rows)
    })
    .await;
    assert_eq!(rows.len(), ids.len(), "each once");
    assert!(
        rows.iter().all(|row| row["outcome"] == "issued"),
        "{rows:?}"
    );
}

fn files(spool: &Folder) -> usize {
    std::fs::read_dir(spool.path()).map_or(0, Iterator::count)
}

async fn until_empty(spool: &Folder) {
    until("the spool is empty", PATIENCE, || async {
        (files(spool) == 0).then_some(())
    })
    .await;
}

async fn readiness(app: &TestApp) -> u16 {
    let url = format!("http://{}/readyz", app.app.ops_address);
    app.http.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_users_are_served_through_an_outage_and_each_session_is_recorded_once() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let (app, wire) = bridged(&database, &spool, &[]).await;
    let mut ids = mint_all(&app).await;
    let began = app.clock.now().timestamp();
    for is_whole in [true, false] {
        // The host is gone; or what is connected falls silent, and new connections work.
        if is_whole {
            wire.cut().await;
        } else {
            wire.silence().await;
        }
        for _ in 0..3 {
            ids.extend(mint_all(&app).await);
        }
        if is_whole {
            let page = app.metrics().await;
            assert!(value(&page, "gateway_ledger_spool_files") >= 1);
            assert!(value(&page, "gateway_ledger_spool_bytes") > 1_000);
            assert!(value(&page, "gateway_ledger_spool_oldest_timestamp_seconds") >= began);
            assert_eq!(readiness(&app).await, 200, "it does what it can");
            let stranger = mint(&app, "nobody-knows").await;
            assert!(stranger.headers().contains_key("retry-after"));
            problem(stranger, 503, "unavailable").await;
            ids.extend(mint_all(&app).await);
        }
        wire.mend().await;
        until_recorded(&database, &ids).await;
        until_empty(&spool).await;
        until("strangers are served again", PATIENCE, || async {
            (mint(&app, "dora").await.status() == 200).then_some(())
        })
        .await;
        ids.extend(mint_all(&app).await);
    }
    until_recorded(&database, &ids).await;
    let page = until("all rows came back", PATIENCE, || async {
        let page = app.metrics().await;
        let spooled = value(&page, "gateway_ledger_spooled_rows_total");
        let replayed = value(&page, "gateway_ledger_replayed_rows_total");
        (spooled > 0 && replayed == spooled).then_some(page)
    })
    .await;
    for of_spool in ["files", "bytes", "oldest_timestamp_seconds"] {
        let series = format!("gateway_ledger_spool_{of_spool}");
        assert_eq!(value(&page, &series), 0, "{series}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_instance_leaves_in_the_spool_another_brings_into_the_ledger() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let (first, wire) = bridged(&database, &spool, &[]).await;
    mint_all(&first).await;
    wire.cut().await;
    let ids = mint_all(&first).await;
    first.stop().await;
    assert!(files(&spool) > 0, "it ends without its database");
    let (second, _wire) = bridged(&database, &spool, &[]).await;
    until_recorded(&database, &ids).await;
    until_empty(&spool).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_stated_age_what_is_known_is_served_no_longer() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let brief = [("OUTAGE__MAX_STALE_SECONDS", "3")];
    let (app, wire) = bridged(&database, &spool, &brief).await;
    mint_all(&app).await;
    wire.cut().await;
    let mut ids = mint_all(&app).await;
    let refused = until("it is too old", PATIENCE, || async {
        let answer = mint(&app, "ann").await;
        if answer.status() == 200 {
            return None;
        }
        Some(answer)
    })
    .await;
    problem(refused, 503, "unavailable").await;
    until("balancers are told", PATIENCE, || async {
        (readiness(&app).await == 503).then_some(())
    })
    .await;
    wire.mend().await;
    until("it serves again", PATIENCE, || async {
        (mint(&app, "ann").await.status() == 200).then_some(())
    })
    .await;
    ids.extend(mint_all(&app).await);
    until_recorded(&database, &ids).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_gives_no_token_away() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let (app, wire) = bridged(&database, &spool, &[("OUTAGE__SPOOL_MAX_MIB", "1")]).await;
    let ids = Mutex::new(mint_all(&app).await);
    wire.cut().await;
    let refused = until("the spool is full", PATIENCE, || async {
        for answer in join_all((0..48).map(|_| mint(&app, "ann"))).await {
            if answer.status() != 200 {
                return Some(answer);
            }
            let answer: Value = answer.json().await.unwrap();
            let id = answer["sessionId"].as_str().unwrap().to_owned();
            ids.lock().unwrap().push(id);
        }
        None
    })
    .await;
    problem(refused, 503, "unavailable").await;
    wire.mend().await;
    until_recorded(&database, &ids.into_inner().unwrap()).await;
    until_empty(&spool).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_spool_nobody_is_served_and_every_answer_comes_soon() {
    let database = TestDatabase::create_with_demo().await;
    let wire = Wire::to(&database.login_url).await;
    let url = wire.url().expose_secret().to_owned();
    let app = spawn_with(TestOptions {
        database: Some(database.clone()),
        env: vec![("DATABASE_URL".to_owned(), url)],
        ..TestOptions::default()
    })
    .await;
    mint_all(&app).await;
    wire.cut().await;
    until("the outage is known", PATIENCE, || async {
        (readiness(&app).await == 503).then_some(())
    })
    .await;
    for answer in join_all((0..12).map(|_| mint(&app, "ann"))).await {
        assert!(answer.headers().contains_key("retry-after"));
        problem(answer, 503, "unavailable").await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_too_slow_for_many_rows_at_once_gets_fewer() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let (app, wire) = bridged(&database, &spool, &[]).await;
    mint_all(&app).await;
    wire.cut().await;
    let mut ids = Vec::new();
    while ids.len() < 480 {
        ids.extend(mint_all(&app).await);
    }
    // All rows at once would take twice as long as a statement may.
    database
        .sql(
            "create function crawl() returns trigger language plpgsql as
             $$ begin perform pg_sleep(0.01); return new; end $$;
             create trigger crawl before insert on session for each row execute function crawl()",
        )
        .await;
    wire.mend().await;
    until_recorded(&database, &ids).await;
    until_empty(&spool).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_while_sessions_are_brought_in_costs_none_of_them() {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let (app, wire) = bridged(&database, &spool, &[]).await;
    mint_all(&app).await;
    wire.cut().await;
    let ids = mint_all(&app).await;
    database
        .sql("revoke insert on session from gateway_platform")
        .await;
    wire.mend().await;
    until("it has been tried", PATIENCE, || async {
        let tried = logged().contains("spooled rows of the ledger were not written yet");
        tried.then_some(())
    })
    .await;
    assert!(files(&spool) > 0, "the file stays");
    database
        .sql("grant insert on session to gateway_platform")
        .await;
    until_recorded(&database, &ids).await;
    until_empty(&spool).await;
    app.stop().await;
}
