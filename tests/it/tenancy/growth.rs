//! With thousands of tenants, what one of them changes costs what it has and not what all have. Rows are counted, by Postgres itself.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Method;

use crate::harness::postgres::TestDatabase;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, spawn_with, sql};

/// More than a page of the poll.
const MANY: i64 = 2_500;
const PATIENCE: Duration = Duration::from_mins(1);

/// So many tenants, with an issuer and an origin each. The issuer of number 7 is this test's.
async fn many(database: &TestDatabase) {
    database
        .sql(&format!(
            r#"insert into tenant (id, slug, name, policy)
               select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'many-' || n, 'Many',
                      jsonb_build_object('allowedOrigins', jsonb_build_array('https://app-' || n || '.example'))
               from generate_series(1, {MANY}) n;
               insert into issuer (tenant_id, config)
               select id, jsonb_build_object('issuer', 'https://id.example', 'audiences', jsonb_build_array('persona-gateway/' || slug),
                                             'keys', '{{"discovery": true}}'::jsonb)
               from tenant where slug like 'many-%'"#
        ))
        .await;
}

/// Rows of these tables that anybody has read since the database was made.
async fn rows_read(database: &TestDatabase, tables: &[&str]) -> i64 {
    let mut owner = database.owner().await;
    let list = tables.iter().fold(String::new(), |mut list, table| {
        let _infallible = write!(list, "'{table}',");
        list
    });
    let query = format!(
        "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint as n
         from pg_stat_user_tables where relname in ({})",
        list.trim_end_matches(',')
    );
    sql::number(&mut owner, &query).await.unwrap()
}

async fn preflight_allows(app: &TestApp, origin: &str) -> bool {
    let answer = app
        .http
        .request(Method::OPTIONS, app.url("/v1/session-token"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .send()
        .await
        .unwrap();
    answer.headers().contains_key("access-control-allow-origin")
}

async fn until_allowed(app: &TestApp, origin: &str, expected: bool) {
    until(origin, PATIENCE, || async {
        (preflight_allows(app, origin).await == expected).then_some(())
    })
    .await;
}

async fn with_many() -> TestApp {
    let database = TestDatabase::create().await;
    many(&database).await;
    spawn_with(TestOptions {
        database: Some(database),
        no_demo: true,
        ..TestOptions::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_admin_makes_nobody_read_the_other_tenants() {
    let app = with_many().await;
    until_allowed(&app, "https://app-1.example", true).await;
    let database = app.database.clone();
    let mut taken = Vec::new();
    for change in 0..30 {
        let origin = format!("https://changed-{change}.example");
        let started = std::time::Instant::now();
        database
            .sql(&format!(
                r#"update tenant set policy = '{{"allowedOrigins": ["{origin}"]}}' where slug = 'many-7'"#
            ))
            .await;
        until_allowed(&app, &origin, true).await;
        taken.push(started.elapsed());
    }
    taken.sort();
    eprintln!("a change was heard and read in {:?} (median)", taken[15]);
    assert!(
        !preflight_allows(&app, "https://changed-3.example").await,
        "what was taken back is forgotten"
    );
    assert!(preflight_allows(&app, "https://app-2.example").await);
    // Statistics are written when a connection ends.
    app.stop().await;
    let read = until("the statistics", PATIENCE, || async {
        let read = rows_read(&database, &["issuer", "issuer_audience"]).await;
        (read >= 2 * 2 * MANY).then_some(read)
    })
    .await;
    eprintln!("{read} rows of issuers and their audiences were read");
    // Twice everything: before the first request, and once notices are listened for. Page by page, which may pass over each table as
    // often as there are pages. Thirty changes of which each reads everything would be 90 times `MANY` more.
    assert!(read < 40 * MANY, "{read} rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_notice_was_lost_is_found_by_the_poll_on_every_page() {
    let app = with_many().await;
    until_allowed(&app, "https://app-1.example", true).await;
    for number in [1, MANY] {
        let origin = format!("https://unheard-{number}.example");
        app.database
            .sql(&format!(
                r#"begin;
                   alter table tenant disable trigger user;
                   update tenant set policy = '{{"allowedOrigins": ["{origin}"]}}' where slug = 'many-{number}';
                   alter table tenant enable trigger user;
                   update config_revision set revision = revision + 1
                   where tenant_id = (select id from tenant where slug = 'many-{number}');
                   commit"#
            ))
            .await;
        until_allowed(&app, &origin, true).await;
    }
    // A tenant that is gone, unheard.
    app.database
        .sql(
            "begin;
             alter table tenant disable trigger user;
             alter table issuer disable trigger user;
             alter table issuer_audience disable trigger user;
             delete from issuer_audience where tenant_id = (select id from tenant where slug = 'many-2');
             delete from issuer where tenant_id = (select id from tenant where slug = 'many-2');
             delete from tenant where slug = 'many-2';
             alter table tenant enable trigger user;
             alter table issuer enable trigger user;
             alter table issuer_audience enable trigger user;
             commit",
        )
        .await;
    until_allowed(&app, "https://app-2.example", false).await;
    assert!(preflight_allows(&app, "https://app-3.example").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_that_moves_from_one_tenant_to_another_is_the_others_alone() {
    let app = with_many().await;
    let url = app.issuer.url().to_owned();
    let give = |number: i64, is_in_use: bool| {
        let audience = if is_in_use {
            "moving".to_owned()
        } else {
            format!("parked-{number}")
        };
        format!(
            r#"update issuer set enabled = {is_in_use}, config = jsonb_build_object('issuer', '{url}', 'audiences', '["{audience}"]'::jsonb,
                      'algorithms', '["RS256"]'::jsonb, 'keys', '{{"discovery": true}}'::jsonb)
               where tenant_id = (select id from tenant where slug = 'many-{number}')"#
        )
    };
    for holder in [7, 8, 7] {
        let other = 15 - holder;
        app.database
            .sql(&format!(
                "begin; {}; {}; commit",
                give(other, false),
                give(holder, true)
            ))
            .await;
        let token = app.user_for("moving", "u");
        let slug = format!("many-{holder}");
        let expected = format!("select id from tenant where slug = '{slug}'");
        until(&slug, PATIENCE, || async {
            let rows = app.database.rows(&expected).await;
            let caller = app.app.gateway.auth.authenticate(&token).await.ok()?;
            (rows[0]["id"] == caller.tenant.to_string()).then_some(())
        })
        .await;
    }
    app.stop().await;
}
