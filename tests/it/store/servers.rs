//! Several servers in a URL: the one that takes writes is found, whatever the others do.

use std::time::{Duration, Instant};

use persona_gateway::clock::Clock;
use persona_gateway::store::{Database, DatabaseOptions, StoreError};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;

use crate::harness::app::MASTER_KEY;
use crate::harness::cli::program;
use crate::harness::postgres::{TestDatabase, typed};
use crate::harness::servers::{among, free_port, pair};
use crate::harness::wait::until;
use crate::harness::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(20);

fn store(url: &SecretString) -> Database {
    let options = DatabaseOptions {
        acquire_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_millis(1500),
        lock_timeout: Duration::from_millis(1500),
        transaction_timeout: Duration::from_secs(30),
    };
    Database::new(&typed(url), None, "test", 4, options)
}

async fn look(store: &Database) -> Result<(), StoreError> {
    let mut tx = store.platform().await?;
    tx.revisions(None, 1).await?;
    tx.commit().await
}

/// Takes connections, and never says a word.
async fn silent() -> (u16, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

/// A URL's first server, behind others at these ports.
fn behind(ports: &[u16], url: &SecretString) -> SecretString {
    let others: Vec<String> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port},"))
        .collect();
    let url = url
        .expose_secret()
        .replacen('@', &format!("@{}", others.concat()), 1);
    SecretString::from(format!("{url}?target_session_attrs=read-write"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_gone_or_say_nothing_cost_a_moment() {
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    let gone = Wire::to(&database.login_url).await;
    gone.cut().await;
    let (mute, _mute) = silent().await;
    let first = url::Url::parse(gone.url().expose_secret()).unwrap();
    let started = Instant::now();
    let ports = [first.port().unwrap(), free_port(), mute];
    let store = store(&behind(&ports, &wire.url()));
    look(&store).await.expect("the last one is found");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    // From now on the others are not asked: each would be seen at the first.
    let (asked, made) = (gone.made(), wire.made());
    let open = futures_util::future::join_all((0..3).map(|_| store.platform())).await;
    for tx in open {
        tx.unwrap().commit().await.unwrap();
    }
    assert!(wire.made() > made, "there are more connections");
    assert_eq!(gone.made(), asked);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_none_answers_the_wait_has_an_end_and_each_is_named() {
    let (mute, _mute) = silent().await;
    let closed = free_port();
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    wire.cut().await;
    let url = behind(&[mute, closed], &wire.url());
    let started = Instant::now();
    let refused = look(&store(&url)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(refused.is_transient());
    let said = refused.to_string();
    for words in [
        format!("no answer from 127.0.0.1:{mute} in time"),
        format!("connection refused by 127.0.0.1:{closed}"),
    ] {
        assert!(said.contains(&words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_taking_writes_is_left_for_the_one_that_does() {
    let (first, second) = pair().await;
    let database = among(
        &[first.port, second.port],
        "?target_session_attrs=read-write",
    );
    let store = store(&database.login_url);
    look(&store).await.expect("the first takes writes");
    let alone = among(&[second.port], "?target_session_attrs=read-write");
    let ended = program(&["check-config", "--database"])
        .env("DATABASE_URL", alone.login_url.expose_secret())
        .env("GATEWAY_MASTER_KEY", MASTER_KEY)
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let said = format!("127.0.0.1:{} takes no writes", second.port);
    assert_eq!(ended.err.matches(&said).count(), 1, "{}", ended.err);

    // Fenced by an operator, without the end of any connection. Whoever writes there is refused, and finds the other.
    let set = "alter system set default_transaction_read_only = on";
    first.sql("postgres", set).await;
    first.sql("postgres", "select pg_reload_conf()").await;
    second.pair(&["promote"]);
    until("writes reach the second", PATIENCE, || async {
        let mut tx = store.platform().await.ok()?;
        tx.set_settled_until(Clock::system().now()).await.ok()?;
        tx.commit().await.ok()
    })
    .await;
    store.close().await;
}
