//! The clock while users ask: the month changes, and machines are set right.

use std::time::Duration;

use chrono::{DateTime, Datelike, Months, NaiveTime, TimeDelta, Utc};
use persona_gateway::clock::Clock;
use persona_gateway::sessions::sweep::Sweeper;
use serde_json::{Value, json};

use super::clients::Clients;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, problem, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);

/// How far a clock must be ahead for its month to end in a moment.
fn to_the_end_of_the_month(now: DateTime<Utc>) -> TimeDelta {
    let first = now.date_naive().with_day(1).unwrap() + Months::new(1);
    let end = first.and_time(NaiveTime::MIN).and_utc();
    end - now
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_month_changes_while_users_ask_and_each_row_is_in_its_own() {
    let clock = Clock::manual(Clock::system().now());
    clock.advance(to_the_end_of_the_month(clock.now()) - TimeDelta::seconds(1));
    let options = TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    };
    let app = spawn_with(options).await;
    let tokens = ["a", "b", "c", "d"].map(|user| app.user(user));
    let address = app.url("");
    let clients = Clients::start(4, &tokens, move || address.clone());
    for months in [1, 2] {
        let sql = format!(
            "select from (select count(*) as n from session group by date_trunc('month', at at time zone 'UTC')) of_month
             where n > 20 having count(*) = {months}"
        );
        until("users of each month are served", PATIENCE, || async {
            (!app.database.rows(&sql).await.is_empty()).then_some(())
        })
        .await;
        clock.advance(TimeDelta::seconds(2));
    }
    let log = clients.stop().await;
    assert_eq!(log.statuses.keys().collect::<Vec<_>>(), [&200]);
    assert!(log.broken.is_empty(), "{:?}", log.broken);
    let database = app.database.clone();
    app.stop().await;
    assert_eq!(log.agrees_with(&database).await, 0, "each has its outcome");
    let elsewhere = "select part, at from
                       (select tableoid::regclass::text as part, at from session union all
                        select tableoid::regclass::text, at from session_outcome union all
                        select tableoid::regclass::text, at from session_inputs) row
                     where right(part, 7) <> to_char(at at time zone 'UTC', 'YYYY_MM')";
    assert_eq!(database.rows(elsewhere).await, [] as [Value; 0]);
}

/// Mints, and gives the session's id.
async fn session(app: &TestApp, token: &str) -> String {
    let answer = app.mint(token, &json!({})).await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, 200, "{body}");
    body["sessionId"].as_str().unwrap().to_owned()
}

/// Waits until a session has this outcome.
async fn until_outcome(app: &TestApp, session: &str, outcome: &str) {
    let sql = format!("select outcome from session_outcome where session_id = '{session}'");
    let found = until("it has an outcome", PATIENCE, || async {
        app.database.rows(&sql).await.pop()
    });
    assert_eq!(found.await["outcome"], outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_forward_and_back_costs_no_outcome_and_no_good_token() {
    let clock = Clock::manual(Clock::system().now());
    let mut options = TestOptions::set(&[]);
    options.clock = Some(clock.clone());
    let app = spawn_with(options).await;
    let tenant = app.tenant("demo").await.0;
    let gateway = &app.app.gateway;
    let (database, metrics) = (gateway.database.clone(), gateway.metrics.clone());
    let mut sweeper = Sweeper::new(database, clock.clone(), metrics, TimeDelta::minutes(10));
    let mut issued = Vec::new();
    for hours in [0, 2, -2, 24 * 40, -24 * 40, -24, 24] {
        let before = app.user("ann");
        clock.advance(TimeDelta::hours(hours));
        if hours != 0 {
            // Its life is over, or has not begun.
            let refused = app.mint(&before, &json!({})).await;
            problem(refused, 401, "unauthenticated").await;
        }
        for _ in 0..3 {
            let id = session(&app, &app.user("ann")).await;
            until_outcome(&app, &id, "issued").await;
            issued.push(id);
        }
        // And one whose instance died.
        let (orphan, at) = (clock.new_id(), clock.now());
        let sql = format!(
            "insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 values ('{tenant}', '{orphan}', '{at}', '{tenant}', 'u', 'c', 'p', 1, '\\x00', '{{}}')"
        );
        app.database.sql(&sql).await;
        clock.advance(TimeDelta::minutes(11));
        sweeper.round().await;
        until_outcome(&app, &orphan.to_string(), "unknown").await;
    }
    for id in &issued {
        until_outcome(&app, id, "issued").await;
    }
    app.stop().await;
}
