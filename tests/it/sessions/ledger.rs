//! The record of sessions: no token without a row, and a row says what became of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use persona_gateway::clock::Clock;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::sessions::sweep::Sweeper;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, problem, spawn, spawn_with, sql};

const PATIENCE: Duration = Duration::from_secs(10);

/// The outcome of a session, once it is written: behind the answer.
async fn outcome(app: &TestApp, session: &Value) -> Value {
    let sql = format!(
        "select outcome, code, encode(token_hash, 'hex') as token_hash, expires_at,
                auth_us, decide_us, anam_us, total_us
         from session_outcome where session_id = {}",
        quoted(session)
    );
    until("the outcome is written", PATIENCE, || async {
        app.database.rows(&sql).await.pop()
    })
    .await
}

fn quoted(id: &Value) -> String {
    format!("'{}'", id.as_str().unwrap())
}

/// As long as the sweep waits for an outcome.
const UNKNOWN_AFTER: TimeDelta = TimeDelta::minutes(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_token_has_a_requested_row_and_an_outcome_with_its_hash() {
    let app = spawn().await;
    let token = app.user("user-1");
    let body = context("customer-support");
    let answers = join_all((0..20).map(|_| app.mint(&token, &body))).await;
    for answer in answers {
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        let id = quoted(&answer["sessionId"]);
        let rows = app
            .database
            .rows(&format!(
                "select s.*, t.slug from session s join tenant t on t.id = s.tenant_id where s.id = {id}"
            ))
            .await;
        assert_eq!(rows.len(), 1, "the row was there before the answer");
        let row = &rows[0];
        assert_eq!(row["slug"], "demo");
        assert_eq!(row["subject"], "user-1");
        assert_eq!(row["context_key"], "support");
        assert_eq!(row["persona_key"], "support-agent");
        assert_eq!(row["persona_version"], 1);
        assert_eq!(row["trace"]["contextFound"], "byAlias");

        let hash = digest(&SHA256, answer["sessionToken"].as_str().unwrap().as_bytes());
        let outcome = outcome(&app, &answer["sessionId"]).await;
        assert_eq!(outcome["outcome"], "issued");
        assert_eq!(outcome["code"], Value::Null);
        assert_eq!(outcome["token_hash"], hex::encode(hash));
        let took = |part: &str| outcome[part].as_i64().unwrap();
        let parts = took("auth_us") + took("decide_us") + took("anam_us");
        assert!(took("auth_us") > 0 && took("decide_us") > 0 && took("anam_us") > 0);
        assert!(parts <= took("total_us"), "{outcome}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_at_anam_is_recorded_with_its_code() {
    let app = spawn().await;
    app.anam.fault(Fault::status(FaultTarget::Mint, 403));
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    problem(answer, 502, "upstream_forbidden").await;
    let id = app.last_mint()["clientLabel"].clone();
    let outcome = outcome(&app, &id).await;
    assert_eq!(outcome["outcome"], "failed");
    assert_eq!(outcome["code"], "upstream_forbidden");
    assert_eq!(outcome["token_hash"], Value::Null);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_leaves_while_the_ledger_cannot_be_written() {
    let app = spawn().await;
    let token = app.user("user-1");
    app.database
        .sql("revoke insert on session from gateway_platform")
        .await;
    for _ in 0..3 {
        let answer = app.mint(&token, &context("support")).await;
        assert_eq!(answer.headers()["retry-after"], "2");
        problem(answer, 503, "unavailable").await;
    }
    assert!(app.database.rows("select * from session").await.is_empty());
    app.database
        .sql("grant insert on session to gateway_platform")
        .await;
    let answer = app.mint(&token, &context("support")).await;
    assert_eq!(answer.status(), 200, "it recovers by itself");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_waits_until_its_row_is_durable() {
    let patient = ["LOCK_TIMEOUT_MS", "STATEMENT_TIMEOUT_MS"];
    let app = spawn_with(TestOptions {
        env: patient
            .map(|name| (format!("GATEWAY__DATABASE__{name}"), "30000".to_owned()))
            .into(),
        ..TestOptions::default()
    })
    .await;
    let mut admin = app.database.owner().await;
    admin
        .execute("begin; lock table session in share mode")
        .await
        .unwrap();
    let unlocked = AtomicBool::new(false);
    let token = app.user("user-1");
    let body = context("support");
    let mint = async {
        let answer = app.mint(&token, &body).await;
        assert!(unlocked.load(Ordering::SeqCst), "not before the commit");
        answer
    };
    let unlock = async {
        // Anam has answered by the time that it shows the minted token.
        until("Anam gave its token", PATIENCE, || async {
            app.anam.minted().pop()
        })
        .await;
        until("the row waits for the lock", PATIENCE, || async {
            app.database
                .rows(
                    "select pid from pg_locks where not granted and relation = 'session'::regclass",
                )
                .await
                .pop()
        })
        .await;
        unlocked.store(true, Ordering::SeqCst);
        admin.execute("rollback").await.unwrap();
    };
    let (answer, ()) = join(mint, unlock).await;
    assert_eq!(answer.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_row_does_not_become_durable_in_time_is_thrown_away() {
    let app = spawn().await;
    let mut admin = app.database.owner().await;
    admin
        .execute("begin; lock table session in share mode")
        .await
        .unwrap();
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    problem(answer, 503, "unavailable").await;
    assert_eq!(app.anam.minted().len(), 1, "Anam gave one");
    admin.execute("rollback").await.unwrap();
    let answer = app.mint(&app.user("user-1"), &context("support")).await;
    assert_eq!(answer.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_kept_only_as_long_as_policy_says() {
    let app = spawn().await;
    let token = app.user("user-1");
    let kept = "select i.inputs, i.keep_until = i.at + interval '30 days' as in_30_days from session_inputs i";
    let body = json!({ "context": "support", "metadata": { "issue": "kept-for-a-while" } });
    assert_eq!(app.mint(&token, &body).await.status(), 200);
    let rows = app.database.rows(kept).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["in_30_days"], true);
    let inputs = &rows[0]["inputs"];
    assert_eq!(inputs["metadata"]["issue"], "kept-for-a-while");
    assert_eq!(inputs["context"], "support");
    assert_eq!(inputs["preferences"]["displayName"], "Sam");
    assert_eq!(inputs["facts"]["plan"], "pro");

    app.apply("tenant: demo\npolicy: {retainInputsDays: 0}\n")
        .await;
    let body = json!({ "context": "support", "metadata": { "issue": "never-kept" } });
    assert_eq!(app.mint(&token, &body).await.status(), 200);
    assert_eq!(app.database.rows(kept).await.len(), 1);
    let session = app.database.rows("select * from session").await;
    assert_eq!(session.len(), 2);
    let database = app.database.clone();
    app.stop().await;
    assert!(!database.dump().await.contains("never-kept"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_says_unknown_of_orphans_and_deletes_inputs_whose_time_is_over() {
    let app = spawn().await;
    let tenant = app.tenant("demo").await.0;
    let id = app.clock.new_id();
    app.database
        .sql(&format!(
            "insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 values ('{tenant}', '{id}', now(), '{tenant}', 'u', 'c', 'p', 1, '\\x00', '{{}}');
             insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
                 values ('{tenant}', '{id}', now(), now() - interval '1 second', '{{}}')"
        ))
        .await;
    assert_eq!(
        app.mint(&app.user("user-1"), &context("support"))
            .await
            .status(),
        200
    );
    let database = &app.app.gateway.database;
    let sweeper = |clock: &Clock| {
        let metrics = app.app.gateway.metrics.clone();
        Sweeper::new(database.clone(), clock.clone(), metrics, UNKNOWN_AFTER)
    };
    let unknown = "select session_id from session_outcome where outcome = 'unknown'";

    sweeper(&app.clock).round().await;
    assert!(
        app.database.rows(unknown).await.is_empty(),
        "it is too young to be given up"
    );
    let inputs = app
        .database
        .rows("select session_id from session_inputs")
        .await;
    assert_eq!(inputs.len(), 1, "the one whose time is not over stays");
    assert_ne!(inputs[0]["session_id"], id.to_string());

    until("the issued outcome is written", PATIENCE, || async {
        app.database
            .rows("select * from session_outcome where outcome = 'issued'")
            .await
            .pop()
    })
    .await;
    let later = Clock::manual(app.clock.now() + TimeDelta::minutes(30));
    for _ in 0..2 {
        sweeper(&later).round().await;
    }
    let rows = app.database.rows(unknown).await;
    assert_eq!(rows, [json!({ "session_id": id.to_string() })]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_goes_on_where_it_stopped_however_long_that_is_ago() {
    let app = spawn().await;
    let tenant = app.tenant("demo").await.0;
    // The server's own first round would carry the mark on.
    until("the first round is over", PATIENCE, || async {
        app.database
            .rows("select 1 as one from sweep_mark where name = 'ledger' and at > now() - interval '1 hour'")
            .await
            .pop()
    })
    .await;
    // Nine days without a sweep, an orphan of each, and more expired inputs than one statement takes.
    app.database
        .sql(&format!(
            "insert into sweep_mark (name, at) values ('ledger', now() - interval '9 days')
                 on conflict (name) do update set at = excluded.at;
             call ensure_session_partitions(now() - interval '1 month', 2);
             insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 select '{tenant}', gen_random_uuid(), now() - d * interval '1 day', '{tenant}', 'u', 'c', 'p', 1, '\\x00', '{{}}'
                 from generate_series(1, 9) d;
             insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
                 select '{tenant}', gen_random_uuid(), now(), now() - interval '1 second', '{{}}' from generate_series(1, 2500)"
        ))
        .await;
    let gateway = &app.app.gateway;
    let (database, metrics) = (gateway.database.clone(), gateway.metrics.clone());
    let mut sweeper = Sweeper::new(database, app.clock.clone(), metrics, UNKNOWN_AFTER);
    sweeper.round().await;
    let left = |query: &'static str| app.database.rows(query);
    let unknown = left("select 1 as one from session_outcome where outcome = 'unknown'").await;
    assert_eq!(unknown.len(), 9);
    assert!(left("select 1 as one from session_inputs").await.is_empty());
    let mark = left("select at > now() - interval '1 hour' as recent from sweep_mark").await;
    assert_eq!(mark, [json!({ "recent": true })]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_sweep_settles_what_was_added_late_and_passes_a_mark_of_the_future() {
    let app = spawn().await;
    let tenant = app.tenant("demo").await.0;
    let gateway = &app.app.gateway;
    let (database, metrics) = (gateway.database.clone(), gateway.metrics.clone());
    let mut sweeper = Sweeper::new(database, app.clock.clone(), metrics, UNKNOWN_AFTER);
    sweeper.round().await;
    for (name, mark) in [("late", "0 s"), ("beside a clock that is fast", "1 day")] {
        app.database
            .sql(&format!(
                "update sweep_mark set at = at + interval '{mark}';
                 insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                     values ('{tenant}', gen_random_uuid(), now() - interval '29 minutes', '{tenant}', '{name}', 'c', 'p', 1, '\\x00', '{{}}')"
            ))
            .await;
        // Nineteen minutes behind the end: two doublings of the five that are looked at in any case.
        for _ in 0..4 {
            sweeper.round().await;
        }
        let open = format!(
            "select 1 as one from session s where subject = '{name}' and not exists
                 (select from session_outcome o where o.session_id = s.id and o.outcome = 'unknown')"
        );
        assert!(app.database.rows(&open).await.is_empty(), "{name}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_leaves_a_session_with_its_outcome() {
    let app = spawn_with(TestOptions {
        anam_latency: Duration::from_millis(300),
        ..TestOptions::default()
    })
    .await;
    let token = app.user("user-1");
    for _ in 0..3 {
        let asked = app.mints_asked();
        let client = tokio::spawn(
            app.request(Method::POST, "/v1/session-token", &token)
                .json(&context("support"))
                .send(),
        );
        until("Anam is asked", PATIENCE, || async {
            (app.mints_asked() > asked).then_some(())
        })
        .await;
        client.abort();
    }
    // The last one is not over yet: stopping waits for it.
    let database = app.database.clone();
    app.stop().await;
    let outcomes = database
        .rows("select o.outcome from session s left join session_outcome o on o.session_id = s.id and o.at = s.at")
        .await;
    assert_eq!(outcomes, vec![json!({ "outcome": "issued" }); 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_month_that_nobody_made_is_kept_and_moves_once_it_is_made() {
    let app = spawn().await;
    app.database
        .sql(
            "do $$ declare p text; begin
                 lock table session, session_outcome, session_inputs in access exclusive mode;
                 foreach p in array array['session', 'session_outcome', 'session_inputs'] loop
                     execute format('drop table %I', p || '_' || to_char(now() at time zone 'UTC', 'YYYY_MM'));
                 end loop;
             end $$",
        )
        .await;
    let token = app.user("user-1");
    assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
    until("the outcome is written", PATIENCE, || async {
        app.database
            .rows("select 1 as one from session_outcome_default where outcome = 'issued'")
            .await
            .pop()
    })
    .await;

    crate::harness::postgres::migrate(&app.database.owner_url, None)
        .await
        .unwrap();
    for table in ["session", "session_outcome", "session_inputs"] {
        let count = format!(
            "select (select count(*) from {table}_default) as waiting, (select count(*) from {table}) as kept,
                    (select bool_and(relrowsecurity and relforcerowsecurity) from pg_class c
                     join pg_inherits i on i.inhrelid = c.oid where i.inhparent = '{table}'::regclass) as forced"
        );
        let rows = app.database.rows(&count).await;
        assert_eq!(
            rows,
            [json!({ "waiting": 0, "kept": 1, "forced": true })],
            "{table}"
        );
    }
    // What was moved can't be changed, as before.
    let mut owner = app.database.owner().await;
    let refused = sql::run(&mut owner, "delete from session").await;
    assert!(refused.unwrap_err().to_string().contains("append-only"));
    assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_goes_and_what_has_not_stays() {
    let app = spawn().await;
    let tenant = app.tenant("demo").await.0;
    let ages = [("old", "100 days"), ("young", "80 days")];
    for (name, age) in ages {
        app.database
            .sql(&format!(
                "insert into catalogue_sync (tenant_id, id, started_at, actor)
                     values ('{tenant}', gen_random_uuid(), now() - interval '{age}', '{name}');
                 insert into invitation (tenant_id, email, role, hash, invited_by, expires_at)
                     values ('{tenant}', '{name}@example.com', 'editor', sha256('{name}'), 'test', now() - interval '{age}');
                 insert into given_answer (tenant_id, actor, key, request_hash, created_at)
                     values ('{tenant}', 'test', '{name}', sha256('a'), now() - interval '{age}' / 95)"
            ))
            .await;
    }
    for (name, ends) in [("old", "-1 minute"), ("young", "1 minute")] {
        app.database
            .sql(&format!(
                "insert into sso_attempt (tenant_id, state_hash, browser_hash, nonce, pkce_verifier, provider, revision, redirect_uri, expires_at)
                     values ('{tenant}', sha256('{name}'), sha256('b'), '{name}', '\\x00', '{tenant}', 1, 'https://g.example', now() + interval '{ends}')"
            ))
            .await;
    }
    let gateway = &app.app.gateway;
    let (database, metrics) = (gateway.database.clone(), gateway.metrics.clone());
    Sweeper::new(database, app.clock.clone(), metrics, UNKNOWN_AFTER)
        .round()
        .await;
    for (table, name) in [
        ("catalogue_sync", "actor"),
        ("invitation", "split_part(email, '@', 1)"),
        ("given_answer", "key"),
        ("sso_attempt", "nonce"),
    ] {
        let left = app
            .database
            .rows(&format!("select {name} as name from {table}"))
            .await;
        assert_eq!(left, [json!({ "name": "young" })], "{table}");
    }
    app.stop().await;
}
