//! Connections that go silent, and callers that leave: nothing waits for ever, and nothing half done is used again.

use std::time::{Duration, Instant};

use persona_gateway::domain::ids::TenantId;
use persona_gateway::store::changes::Notice;
use persona_gateway::store::{Database, DatabaseOptions, StoreError};
use secrecy::SecretString;
use sqlx::Connection;

use crate::harness::postgres::{TestDatabase, typed};
use crate::harness::sql;
use crate::harness::wait::until;
use crate::harness::wire::Wire;

/// Far longer than every end of [`options`].
const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> DatabaseOptions {
    DatabaseOptions {
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_millis(1500),
        lock_timeout: Duration::from_millis(1500),
        transaction_timeout: Duration::from_secs(30),
    }
}

fn store(url: &SecretString, connections: u32) -> Database {
    Database::new(&typed(url), None, "test", connections, options())
}

async fn look(store: &Database) -> Result<(), StoreError> {
    let mut tx = store.platform().await?;
    tx.revisions(None, 1).await?;
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_that_went_silent_costs_a_moment_and_its_siblings_nothing() {
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    let store = store(&wire.url(), 4);
    let open = futures_util::future::join_all((0..4).map(|_| store.platform())).await;
    for tx in open {
        tx.unwrap().commit().await.unwrap();
    }
    wire.silence().await;
    until("all four are silent", PATIENCE, || async {
        (wire.silent() == 4).then_some(())
    })
    .await;

    let started = Instant::now();
    look(&store)
        .await
        .expect("a new connection is made instead");
    until("the others are thrown away unasked", PATIENCE, || async {
        (wire.silent() == 0).then_some(())
    })
    .await;
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "four waits took one's time"
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_without_an_answer_ends_and_its_connection_is_thrown_away() {
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    let store = store(&wire.url(), 1);
    let mut tx = store.platform().await.unwrap();
    wire.silence().await;
    let error = tokio::time::timeout(PATIENCE, tx.revisions(None, 1))
        .await
        .expect("it ends")
        .unwrap_err();
    assert!(error.is_transient(), "{error}");
    let again = Instant::now();
    assert!(
        tx.revisions(None, 1).await.is_err(),
        "nothing more is asked there"
    );
    assert!(tx.commit().await.is_err());
    assert!(again.elapsed() < Duration::from_secs(1), "nor waited for");
    until("the socket is closed", PATIENCE, || async {
        (wire.silent() == 0).then_some(())
    })
    .await;
    look(&store).await.expect("its turn is free for a new one");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_rollback_and_connecting_end_too() {
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    let store = store(&wire.url(), 1);
    let tx = store.platform().await.unwrap();
    wire.silence().await;
    let commit = tokio::time::timeout(PATIENCE, tx.commit()).await;
    assert!(commit.expect("it ends").unwrap_err().is_transient());

    let tx = store.platform().await.unwrap();
    wire.silence().await;
    drop(tx);
    // Waits for the only turn, which the rollback has, then connects.
    until("the rollback was given up", PATIENCE, || async {
        look(&store).await.ok()
    })
    .await;

    wire.cut().await;
    let refused = tokio::time::timeout(PATIENCE, look(&store)).await;
    assert!(refused.expect("it ends").unwrap_err().is_transient());
    wire.mend().await;
    look(&store).await.expect("as soon as the database is back");

    wire.silence().await;
    tokio::time::timeout(PATIENCE, store.close())
        .await
        .expect("so does a goodbye");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_has_an_end_however_short_its_statements_are() {
    let database = TestDatabase::create().await;
    let short = DatabaseOptions {
        transaction_timeout: Duration::from_millis(1500),
        ..options()
    };
    let store = Database::new(&typed(&database.login_url), None, "test", 1, short);
    let mut tx = store.platform().await.unwrap();
    let ended = loop {
        if let Err(error) = tx.revisions(None, 1).await {
            break error;
        }
    };
    assert!(ended.is_transient(), "{ended}");
    drop(tx);
    look(&store).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_whose_connection_went_silent_notices() {
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    let store = store(&wire.url(), 1);
    let mut changes = store.listen().await.unwrap();
    changes.probe().await.expect("it is only quiet");
    wire.silence().await;
    let error = tokio::time::timeout(PATIENCE, changes.probe())
        .await
        .expect("it ends")
        .unwrap_err();
    assert!(error.is_transient(), "{error}");
    drop(changes);
    until(
        "the socket is closed, without a goodbye",
        PATIENCE,
        || async { (wire.silent() == 0).then_some(()) },
    )
    .await;

    let mut changes = store.listen().await.unwrap();
    let tenant = TenantId(uuid::Uuid::from_u128(7));
    let told = format!("notify gateway_config, 'v1 {} 3 document'", tenant.0);
    database.sql(&told).await;
    let heard = tokio::time::timeout(PATIENCE, changes.next()).await;
    let heard = heard.unwrap().unwrap().unwrap();
    let Notice::Config(heard) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!((heard.tenant, heard.revision), (tenant, 3));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_in_the_middle_leaves_a_connection_that_answers_the_next() {
    let database = TestDatabase::create().await;
    let store = store(&database.login_url, 1);
    look(&store).await.unwrap();
    let backend = "select count(distinct pid) from pg_stat_activity
                   where datname = current_database() and application_name = 'persona-gateway'";
    let mut owner = database.owner().await;
    let mut blocker = database.owner().await;
    for _ in 0..20 {
        sql::run(&mut blocker, "begin; lock table config_revision")
            .await
            .unwrap();
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { look(&store).await }
        });
        until("it waits for the lock", PATIENCE, || async {
            let mut owner = database.owner().await;
            let waits = "select count(*) from pg_stat_activity
                         where datname = current_database() and wait_event_type = 'Lock'";
            let waits = sql::number(&mut owner, waits).await.unwrap();
            owner.close().await.unwrap();
            (waits == 1).then_some(())
        })
        .await;
        waiting.abort();
        sql::run(&mut blocker, "rollback").await.unwrap();
        let mut tx = store.platform().await.unwrap();
        assert_eq!(
            tx.revisions(None, 1).await.unwrap(),
            [],
            "an answer of its own"
        );
        assert_eq!(tx.settled_until().await.unwrap(), None);
        tx.commit().await.unwrap();
    }
    assert_eq!(sql::number(&mut owner, backend).await.unwrap(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_outlives_the_thread_that_first_needed_it() {
    let database = TestDatabase::create().await;
    let store = store(&database.login_url, 1);
    let other = store.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (used, was_used) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let worker = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        worker.block_on(look(&other)).unwrap();
        used.send(()).unwrap();
        // From here on it turns no more, as a worker that computes.
        stopped.recv().unwrap();
    });
    was_used.await.unwrap();
    for _ in 0..3 {
        look(&store).await.unwrap();
    }
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(|| thread.join().unwrap())
        .await
        .unwrap();
    look(&store).await.unwrap();
    let mut owner = database.owner().await;
    let backends = "select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'persona-gateway'";
    assert_eq!(
        sql::number(&mut owner, backends).await.unwrap(),
        1,
        "the same all the time"
    );
    store.close().await;
}
