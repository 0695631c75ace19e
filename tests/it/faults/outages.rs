//! The database is away for a while, under load.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::clients::Clients;
use crate::harness::cli::Folder;
use crate::harness::postgres::TestDatabase;
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestOptions, spawn_with};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until everything is in the ledger that was spooled in this time.
async fn until_empty(spool: &Folder, spooled: Duration) {
    until("the spool is empty", spooled * 3 + PATIENCE, || async {
        let left = std::fs::read_dir(spool.path()).unwrap().count();
        (left == 0).then_some(())
    })
    .await;
}

/// Known users ask all the time while the database is away, again and again: each gets a token, and each token has its row.
async fn endure(outages: usize, each: Duration) {
    let (database, spool) = (TestDatabase::create_with_demo().await, Folder::new());
    let wire = Wire::to(&database.login_url).await;
    let mut options = TestOptions::set(&[("OUTAGE__SPOOL", spool.path().to_str().unwrap())]);
    options.database = Some(database.clone());
    let url = wire.url().expose_secret().to_owned();
    options.env.push(("DATABASE_URL".to_owned(), url));
    options.anam_latency = Duration::from_millis(10);
    let app = spawn_with(options).await;
    let tokens = ["a", "b", "c", "d"].map(|user| app.user(user));
    let address = app.url("");
    let clients = Clients::start(8, &tokens, move || address.clone());
    for outage in 0..outages {
        // Everybody is known before: whoever is not can't be served.
        app.anam.clear();
        until("users are served", PATIENCE, || async {
            (app.mints_asked() >= 50).then_some(())
        })
        .await;
        if outage % 2 == 0 {
            wire.cut().await;
        } else {
            wire.silence().await;
        }
        let since = std::time::Instant::now();
        until("it lasts", each + PATIENCE, || async {
            (since.elapsed() >= each).then_some(())
        })
        .await;
        wire.mend().await;
        until_empty(&spool, each).await;
    }
    let log = clients.stop().await;
    app.stop().await;
    // A connection that fell silent in the last moment is noticed after a second, and its rows are in the spool, where the process may have
    // left them when it stopped: whoever comes next brings them in.
    let folder = spool.path().to_str().unwrap();
    let mut options = TestOptions::set(&[("OUTAGE__SPOOL", folder)]);
    options.database = Some(database.clone());
    let next = spawn_with(options).await;
    until_empty(&spool, each).await;
    next.stop().await;
    assert_eq!(
        log.statuses.keys().collect::<Vec<_>>(),
        [&200],
        "{:?}",
        log.statuses
    );
    assert!(log.broken.is_empty(), "{:?}", log.broken);
    assert_eq!(log.agrees_with(&database).await, 0, "each has its outcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_short_outages_cost_known_users_nothing() {
    endure(2, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: just soak"]
async fn two_outages_of_a_minute() {
    endure(2, Duration::from_mins(1)).await;
}
