//! The database goes silent while users ask: every answer comes in time, and everything works again by itself.

use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::dev::seed;
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::postgres::{LOGIN, TestDatabase};
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestApp, TestOptions, context, problem, spawn, spawn_with};

/// Far longer than an answer may take; an answer that never comes takes longer still.
const PATIENCE: Duration = Duration::from_secs(20);

/// The service, with its database behind a wire.
async fn wired(more: &[(&str, &str)]) -> (TestApp, Wire) {
    let database = TestDatabase::create().await;
    let wire = Wire::to(&database.login_url).await;
    let mut env = vec![(
        "DATABASE_URL".to_owned(),
        wire.url().expose_secret().to_owned(),
    )];
    env.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let options = TestOptions {
        database: Some(database),
        env,
        ..TestOptions::default()
    };
    (spawn_with(options).await, wire)
}

async fn mint(app: &TestApp, user: &str) -> Response {
    let body = context("support");
    let token = app.user(user);
    tokio::time::timeout(PATIENCE, app.mint(&token, &body))
        .await
        .expect("every mint is answered")
}

async fn prefer(app: &TestApp, method: Method) -> Response {
    let mut request = app.request(method.clone(), "/v1/me/preferences", &app.user("ann"));
    if method != Method::GET {
        request = request.json(&json!({ "displayName": "Ann" }));
    }
    tokio::time::timeout(PATIENCE, request.send())
        .await
        .expect("every call is answered")
        .unwrap()
}

/// Opens as many connections as there may be.
async fn warm(app: &TestApp) {
    for answer in join_all((0..24).map(|_| mint(app, "ann"))).await {
        assert_eq!(answer.status(), 200);
    }
}

async fn ready(app: &TestApp) -> (u16, String) {
    let url = format!("http://{}/readyz", app.app.ops_address);
    let answer = app.http.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Tokens that were given out, and rows of the ledger for them.
async fn recorded(app: &TestApp, answers: Vec<Response>) -> usize {
    let mut issued = 0;
    for answer in answers {
        if answer.status() == 200 {
            let answer: Value = answer.json().await.unwrap();
            let id = answer["sessionId"].as_str().unwrap();
            let sql = format!("select id from session where id = '{id}'");
            let rows = app.database.rows(&sql).await;
            assert_eq!(rows.len(), 1, "no token without a row");
            issued += 1;
        } else {
            assert!(answer.headers().contains_key("retry-after"));
            problem(answer, 503, "unavailable").await;
        }
    }
    issued
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_and_preferences_outlive_the_silence_of_every_connection() {
    let (app, wire) = wired(&[]).await;
    for _ in 0..3 {
        warm(&app).await;
        prefer(&app, Method::PUT).await;
        wire.silence().await;
        let answers = join_all((0..24).map(|_| mint(&app, "ann"))).await;
        recorded(&app, answers).await;
        for method in [Method::GET, Method::PUT] {
            let answer = prefer(&app, method).await;
            assert!(matches!(answer.status().as_u16(), 200 | 503));
        }
        until("it mints again", PATIENCE, || async {
            (mint(&app, "ann").await.status() == 200).then_some(())
        })
        .await;
        until("what was silent is thrown away", PATIENCE, || async {
            // Whoever comes by finds out, each kind of callers for itself.
            prefer(&app, Method::PUT).await;
            app.app.gateway.database.platform().await.ok();
            (wire.silent() == 0).then_some(())
        })
        .await;
    }
    until("it is ready", PATIENCE, || async {
        (ready(&app).await.0 == 200).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_whose_answer_is_lost_end_in_time_and_block_nobody_after() {
    let (app, wire) = wired(&[("GATEWAY__DATABASE__LOCK_TIMEOUT_MS", "2000")]).await;
    for table in ["preference", "session"] {
        warm(&app).await;
        let mut blocker = app.database.owner().await;
        crate::harness::sql::run(&mut blocker, format!("begin; lock table {table}"))
            .await
            .unwrap();
        let waits = format!(
            "select 1 as one from pg_stat_activity
             where datname = '{}' and wait_event_type = 'Lock' limit 1",
            app.database.name
        );
        // Users whom nobody knows yet, so that their preferences are read.
        let users: Vec<String> = (0..8).map(|n| format!("{table}-{n}")).collect();
        let asked = join_all(users.iter().map(|user| mint(&app, user)));
        let silenced = async {
            until("statements wait", PATIENCE, || async {
                app.database.rows(&waits).await.pop()
            })
            .await;
            wire.silence().await;
            crate::harness::sql::run(&mut blocker, "rollback".to_owned())
                .await
                .unwrap();
        };
        let (answers, ()) = tokio::join!(asked, silenced);
        recorded(&app, answers).await;
        until("it mints again", PATIENCE, || async {
            (mint(&app, "ann").await.status() == 200).then_some(())
        })
        .await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_out_of_reach_it_is_not_ready_and_says_why() {
    let (app, wire) = wired(&[]).await;
    warm(&app).await;
    assert_eq!(ready(&app).await, (200, "ready\n".to_owned()));
    wire.cut().await;
    let reason = until("balancers are told", PATIENCE, || async {
        let (status, text) = ready(&app).await;
        (status == 503).then_some(text)
    })
    .await;
    assert!(reason.contains("what is live can't be read"), "{reason}");
    let answers = join_all((0..8).map(|_| mint(&app, "ann"))).await;
    assert_eq!(recorded(&app, answers).await, 0);
    wire.mend().await;
    until("it is ready again", PATIENCE, || async {
        (ready(&app).await.0 == 200).then_some(())
    })
    .await;
    until("and mints", PATIENCE, || async {
        (mint(&app, "ann").await.status() == 200).then_some(())
    })
    .await;

    // And hears of changes.
    let tenant = app.tenant(seed::TENANT).await;
    app.database
        .sql(&format!(
            "update tenant set name = 'Renamed' where id = '{}'",
            tenant.0
        ))
        .await;
    app.settle(seed::TENANT).await;
    app.stop().await;
}

/// Lets new connections of the service read only, or write again. Returns the time from which on all are so.
async fn read_only(app: &TestApp, value: &str) -> String {
    let name = &app.database.name;
    let sql = format!("alter role {LOGIN} in database {name} set default_transaction_read_only");
    app.database.sql(&format!("{sql} = {value}")).await;
    let sql = "select clock_timestamp()::text as now";
    let rows = app.database.rows(sql).await;
    let now = rows.first().and_then(|row| row["now"].as_str());
    now.unwrap().to_owned()
}

/// Ends the service's connections of an earlier time. One that is being opened is not listed yet, so this is asked again and again.
async fn end_those_of(app: &TestApp, before: &str) {
    let sql = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = '{}' and usename = '{LOGIN}' and backend_start < '{before}'",
        app.database.name
    );
    app.database.rows(&sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_cannot_record_sessions_says_so_until_it_can() {
    let app = spawn().await;
    let before = read_only(&app, "on").await;
    let reason = until("balancers are told", PATIENCE, || async {
        end_those_of(&app, &before).await;
        recorded(&app, vec![mint(&app, "ann").await]).await;
        let (status, text) = ready(&app).await;
        (status == 503 && text.contains("recorded")).then_some(text)
    })
    .await;
    assert!(reason.contains("sessions can't be recorded"), "{reason}");
    let before = read_only(&app, "off").await;
    until("nobody has to ask for a token first", PATIENCE, || async {
        end_those_of(&app, &before).await;
        (ready(&app).await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(mint(&app, "ann").await.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_in_time_also_while_nothing_answers() {
    let (app, wire) = wired(&[("GATEWAY__SERVER__SHUTDOWN_TIMEOUT_MS", "4000")]).await;
    warm(&app).await;
    wire.cut().await;
    let late = join_all((0..8).map(|_| mint(&app, "ann"))).await;
    assert_eq!(recorded(&app, late).await, 0);
    tokio::time::timeout(PATIENCE, app.app.stop())
        .await
        .expect("it stops");
}

/// Stopped processes, which go on in the end, whatever happened.
struct Stopped(Vec<String>);

impl Stopped {
    /// False where they are not ours to stop.
    fn signal(&self, name: &str) -> bool {
        let kill = Command::new("kill").arg(name).args(&self.0).output();
        kill.unwrap().status.success()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_backends_are_replaced() {
    let app = spawn().await;
    warm(&app).await;
    let mine = format!(
        "select pid from pg_stat_activity where datname = '{}' and usename = '{LOGIN}'",
        app.database.name
    );
    let pids = app.database.rows(&mine).await;
    let stopped = Stopped(pids.iter().map(|row| row["pid"].to_string()).collect());
    if std::env::var_os("TEST_DATABASE_URL").is_some() {
        // The server may be on another machine.
        return;
    }
    assert!(stopped.signal("-STOP"));
    let answers = join_all((0..24).map(|_| mint(&app, "ann"))).await;
    recorded(&app, answers).await;
    until("it mints again", PATIENCE, || async {
        (mint(&app, "ann").await.status() == 200).then_some(())
    })
    .await;
    until("it is ready", PATIENCE, || async {
        (ready(&app).await.0 == 200).then_some(())
    })
    .await;
    // Admins' connections have not been asked yet.
    let admin = app.app.gateway.database.platform().await.unwrap();
    admin.commit().await.unwrap();
    drop(stopped);
    // Whichever were asked while they were silent; others wait in their pools as if nothing had been.
    until("those that were given up are gone", PATIENCE, || async {
        let now = app.database.rows(&mine).await;
        pids.iter().any(|row| !now.contains(row)).then_some(())
    })
    .await;
    app.stop().await;
}
