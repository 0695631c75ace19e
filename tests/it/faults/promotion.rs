//! The primary database dies under load, and its standby is promoted: the servers and the poolers of deploy/scale/.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::clients::Clients;
use super::scale::parts::bouncer;
use crate::harness::servers::{among, pair};
use crate::harness::wait::until;
use crate::harness::{TestOptions, spawn_with};

const PATIENCE: Duration = Duration::from_secs(30);
const READ_WRITE: &str = "?target_session_attrs=read-write";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_is_found_within_seconds_and_has_every_token() {
    let (mut primary, standby) = pair().await;
    let mut options = TestOptions::default();
    // The standby and its pooler are the first that are asked: they must not be taken.
    let mut bouncers = [bouncer(standby.port), bouncer(primary.port)];
    for bouncer in &mut bouncers {
        bouncer.start().await;
    }
    let direct = among(&[standby.port, primary.port], READ_WRITE);
    let pooled = among(&bouncers.each_ref().map(|bouncer| bouncer.port), READ_WRITE);
    let direct = direct.login_url.expose_secret().to_owned();
    options.env.push(("DIRECT_DATABASE_URL".to_owned(), direct));
    options.database = Some(pooled);
    options.anam_latency = Duration::from_millis(10);
    let app = spawn_with(options).await;
    let tokens = ["a", "b", "c", "d"].map(|user| app.user(user));
    let address = app.url("");
    let clients = Clients::start(8, &tokens, move || address.clone());
    let served = async |count: usize| {
        app.anam.clear();
        until("users are served", PATIENCE, || async {
            (app.mints_asked() >= count).then_some(())
        })
        .await;
    };
    served(60).await;

    primary.kill();
    // A standby is not written to, though it answers.
    let key = app.user("new");
    until("nobody is served", PATIENCE, || async {
        let answer = app.mint(&key, &serde_json::json!({})).await;
        (answer.status() == 503).then_some(())
    })
    .await;
    standby.pair(&["promote"]);
    assert!(standby.pair(&["status"]).starts_with("primary"));
    let promoted = Instant::now();
    until("users are served again", PATIENCE, || async {
        let answer = app.mint(&key, &serde_json::json!({})).await;
        (answer.status() == 200).then_some(())
    })
    .await;
    let took = promoted.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    served(60).await;

    let log = clients.stop().await;
    app.stop().await;
    assert_eq!(
        log.statuses.keys().collect::<Vec<_>>(),
        [&200, &503],
        "{:?}",
        log.statuses
    );
    assert!(log.broken.is_empty(), "{:?}", log.broken);
    assert!(log.issued.len() > 100, "{:?}", log.statuses);
    log.agrees_with(&standby.database()).await;
}
