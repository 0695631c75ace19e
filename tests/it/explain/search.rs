//! Sessions found again.

use std::collections::BTreeSet;
use std::time::Duration;

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use persona_gateway::store::explain::SessionFilter;
use reqwest::Method;
use serde_json::{Value, json};

use super::{minted, settled};
use crate::harness::admins::body;
use crate::harness::wait::until;
use crate::harness::{context, pointers, problem, spawn};

const PATIENCE: Duration = Duration::from_secs(10);
/// An idle backend of Postgres tells its statistics after ten seconds.
const STATISTICS: Duration = Duration::from_secs(30);

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_found_by_each_filter_and_by_several() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let ada = minted(&app, &app.user("ada"), &context("support")).await;
    let bob = minted(&app, &app.user("bob/with space"), &context("sales")).await;
    app.anam.fault(Fault::status(FaultTarget::Mint, 403));
    app.mint(&app.user("ada"), &context("sales")).await;
    let failed = app.last_mint()["clientLabel"].as_str().unwrap().to_owned();
    app.anam.clear();
    settled(&app, &failed).await;

    let find = async |query: &str| {
        let path = format!("/v1/admin/sessions?{query}");
        body(app.ask(Method::GET, &path, &key).await, 200).await
    };
    let all = find("").await;
    assert_eq!(
        ids(&all),
        [failed.clone(), bob.clone(), ada.clone()],
        "newest first"
    );
    assert!(all.get("next").is_none());
    let persona = all["items"][0]["persona"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = all["items"][1]["at"].as_str().unwrap().to_owned();
    for (query, wanted) in [
        ("subject=ada".to_owned(), vec![&failed, &ada]),
        ("subject=bob%2Fwith%20space".to_owned(), vec![&bob]),
        ("subject=nobody".to_owned(), vec![]),
        ("context=sales".to_owned(), vec![&failed, &bob]),
        (format!("persona={persona}"), vec![&failed, &bob]),
        (format!("persona={persona}&version=1"), vec![&failed, &bob]),
        (format!("persona={persona}&version=2"), vec![]),
        ("outcome=issued".to_owned(), vec![&bob, &ada]),
        ("outcome=failed".to_owned(), vec![&failed]),
        ("code=upstream_forbidden".to_owned(), vec![&failed]),
        ("code=upstream_busy".to_owned(), vec![]),
        (format!("from={at}"), vec![&failed, &bob]),
        (format!("to={at}"), vec![&ada]),
        (
            "subject=ada&context=sales&outcome=failed".to_owned(),
            vec![&failed],
        ),
    ] {
        assert_eq!(
            ids(&find(&query).await),
            wanted.into_iter().cloned().collect::<Vec<_>>(),
            "{query}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_each_session_once_while_new_ones_come() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let token = app.user("ada");
    let mut wanted = BTreeSet::new();
    for _ in 0..5 {
        wanted.insert(minted(&app, &token, &context("support")).await);
    }
    let mut path = "/v1/admin/sessions?subject=ada&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = app.ask(Method::GET, &path, &key).await;
        let link = answer.headers().get("link").cloned();
        let page = body(answer, 200).await;
        seen.extend(ids(&page));
        minted(&app, &token, &context("support")).await;
        let Some(link) = link else { break };
        let link = link.to_str().unwrap().to_owned();
        let address = link.split(['<', '>']).nth(1).unwrap();
        address.clone_into(&mut path);
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_that_make_no_sense_are_all_told() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    for (query, wanted) in [
        ("version=1", vec!["/version"]),
        (
            "outcome=pending&subject=&code=",
            vec!["/subject", "/outcome", "/code"],
        ),
        (
            "subject=%00&code=%ff&context=support",
            vec!["/subject", "/code"],
        ),
        ("from=%2B99999-01-01T00:00:00Z", vec!["/from"]),
        ("limit=0", vec!["/limit"]),
        ("cursor=x", vec!["/cursor"]),
        ("from=yesterday", vec!["/from"]),
        ("unknown=1", vec!["/unknown"]),
        ("version=x", vec!["/version"]),
    ] {
        let path = format!("/v1/admin/sessions?{query}");
        let told = problem(
            app.ask(Method::GET, &path, &key).await,
            422,
            "invalid_request",
        )
        .await;
        assert_eq!(pointers(&told), wanted, "{query}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_what_its_user_is_called_as_long_as_its_inputs_are_kept() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    for (subject, facts) in [
        ("u-1", json!({ "name": "Ann Lee", "plan": "pro" })),
        ("u-2", json!({ "name": "", "plan": "pro" })),
        ("u-3", json!({ "plan": "pro" })),
    ] {
        minted(&app, &app.user_with(subject, facts), &context("support")).await;
    }
    let names = async || {
        let page = body(app.ask(Method::GET, "/v1/admin/sessions", &key).await, 200).await;
        let items = page["items"].as_array().unwrap().clone();
        let mut names = Vec::new();
        for item in items {
            let path = format!("/v1/admin/sessions/{}", item["id"].as_str().unwrap());
            let one = body(app.ask(Method::GET, &path, &key).await, 200).await;
            assert_eq!(one["user"].get("name"), item.get("userName"));
            names.push(item.get("userName").cloned());
        }
        names
    };
    assert_eq!(names().await, [None, None, Some(json!("Ann Lee"))]);
    app.database
        .sql("update session_inputs set keep_until = now() - interval '1 second'")
        .await;
    assert_eq!(names().await, [None, None, None]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_reads_little_of_a_large_ledger() {
    let app = spawn().await;
    let tenant = app.tenant("demo").await.0;
    app.database
        .sql(&format!(
            "insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 select '{tenant}', gen_random_uuid(), now() - n * interval '1 microsecond', '{tenant}', 'user-' || n % 5000,
                        case n when 29999 then 'rare' else 'common' end, case n when 29998 then 'rare' else 'common' end, 1, '\\x00', '{{}}'
                 from generate_series(1, 30000) n;
             insert into session_outcome (tenant_id, session_id, at, outcome)
                 select tenant_id, id, at, case subject when 'user-4999' then 'failed' else 'issued' end from session;
             analyze session; analyze session_outcome"
        ))
        .await;
    // What was read by scans and by indexes, once the server tells of the rows that were written.
    let read = "select sum(seq_tup_read)::bigint as scanned, sum(idx_tup_fetch)::bigint as fetched,
                       sum(n_tup_ins)::bigint as written
                from pg_stat_user_tables where relname ~ '^session_(outcome_)?2'";
    let before = until("the statistics are told", PATIENCE, || async {
        let row = app.database.rows(read).await.remove(0);
        (row["written"] == 60_000).then_some(row)
    })
    .await;
    let database = &app.app.gateway.database;
    let mut tx = database.tenant(app.tenant("demo").await).await.unwrap();
    let rare = || Some("rare".to_owned());
    for (filter, wanted) in [
        (SessionFilter::default(), 50),
        (
            SessionFilter {
                context: rare(),
                ..SessionFilter::default()
            },
            1,
        ),
        (
            SessionFilter {
                persona: rare(),
                ..SessionFilter::default()
            },
            1,
        ),
        (
            SessionFilter {
                subject: Some("user-77".into()),
                ..SessionFilter::default()
            },
            6,
        ),
        (
            SessionFilter {
                outcome: Some("failed".into()),
                ..SessionFilter::default()
            },
            6,
        ),
    ] {
        let found = tx
            .search_sessions(app.clock.now(), &filter, None, 50)
            .await
            .unwrap();
        assert_eq!(found.len(), wanted, "{filter:?}");
    }
    tx.commit().await.unwrap();
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
    let after = until("the reads are told", STATISTICS, || async {
        let row = app.database.rows(read).await.remove(0);
        (number(&row, "fetched") > number(&before, "fetched")).then_some(row)
    })
    .await;
    assert_eq!(after["scanned"], before["scanned"]);
    let fetched = number(&after, "fetched") - number(&before, "fetched");
    assert!(fetched < 1_000, "{before} {after}");
    app.stop().await;
}
