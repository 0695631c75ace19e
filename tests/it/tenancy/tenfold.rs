//! What a session token costs the database does not grow with what is stored: ten times as many tenants, users, versions and sessions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use crate::harness::postgres::TestDatabase;
use crate::harness::wait::until;
use crate::harness::{TestOptions, context, spawn_with};

const PATIENCE: Duration = Duration::from_secs(30);
/// How many of each there are at first, less one for versions and sessions.
const TENANTS: u32 = 50;
const USERS: u32 = 1_000;
const VERSIONS: u32 = 20;
const SESSIONS: u32 = 5_000;

/// Adds tenants with an issuer each; to the demo tenant, users with choices, versions of each document that were live once, and sessions
/// with their outcomes, some of the users who ask later. `times` counts in the numbers above.
async fn fill(database: &TestDatabase, times: Range<u32>) {
    let series = |each: u32| {
        let (from, to) = (times.start * each, times.end * each - 1);
        format!("generate_series({from}, {to}) n")
    };
    database
        .sql(&format!(
            r#"insert into tenant (id, slug, name, policy)
                   select gen_random_uuid(), 'many-' || n, 'Many', '{{}}' from {};
               insert into issuer (tenant_id, config)
                   select id, jsonb_build_object('issuer', 'https://id.example', 'audiences', jsonb_build_array('persona-gateway/' || slug),
                                                 'keys', '{{"discovery": true}}'::jsonb)
                   from tenant t where slug like 'many-%' and not exists (select from issuer i where i.tenant_id = t.id);
               insert into preference (tenant_id, subject, choices)
                   select t.id, 'user-' || n, '{{"languageCode": "de"}}' from tenant t, {} where t.slug = 'demo'
                   on conflict do nothing;
               insert into document_version (tenant_id, document_id, number, content)
                   select v.tenant_id, v.document_id, n + 2, v.content from document_version v, {} where v.number = 1;
               insert into release (tenant_id, document_id, version_id, live_from)
                   select tenant_id, document_id, id, now() - number * interval '1 day' from document_version v
                   where number > 1 and not exists (select from release r where r.version_id = v.id);
               insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                   select t.id, gen_random_uuid(), now() - n * interval '1 second', t.id, 'user-' || n % 3000, 'support', 'support-agent', 1,
                          sha256(n::text::bytea), '{{}}'
                   from tenant t, {} where t.slug = 'demo';
               insert into session_outcome (tenant_id, session_id, at, outcome)
                   select tenant_id, id, at, 'issued' from session
                   on conflict do nothing"#,
            series(TENANTS),
            series(USERS),
            series(VERSIONS),
            series(SESSIONS)
        ))
        .await;
    database.sql("vacuum analyze").await;
}

/// Blocks that statements have touched so far, by table; those of its partitions count as the ledger's.
async fn touched(database: &TestDatabase) -> BTreeMap<String, i64> {
    let sums = "select regexp_replace(relname, '_(\\d{4}_\\d\\d|default)$', '') as name,
                       sum(coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0) + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0)
                           + coalesce(toast_blks_hit, 0) + coalesce(toast_blks_read, 0) + coalesce(tidx_blks_hit, 0)
                           + coalesce(tidx_blks_read, 0))::bigint as n
                from pg_statio_user_tables group by 1";
    let rows = database.rows(sums).await;
    rows.iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap().to_owned(),
                row["n"].as_i64().unwrap(),
            )
        })
        .collect()
}

/// Blocks that a gateway touches from its start to its end, with so many users in between whom it has not seen before.
async fn run(database: &TestDatabase, users: Range<u32>) -> BTreeMap<String, i64> {
    let before = touched(database).await;
    let app = spawn_with(TestOptions {
        database: Some(database.clone()),
        ..TestOptions::default()
    })
    .await;
    // Whatever the sweep has to look at is looked at, in each run the same.
    let settled = "select from sweep_mark where at > now() - interval '3 minutes'";
    until("the sweep has caught up", PATIENCE, || async {
        (!database.rows(settled).await.is_empty()).then_some(())
    })
    .await;
    let tokens: Vec<String> = users
        .map(|user| app.user(&format!("user-{user}")))
        .collect();
    let body = context("support");
    stream::iter(&tokens)
        .for_each_concurrent(4, async |token| {
            assert_eq!(app.mint(token, &body).await.status(), 200);
        })
        .await;
    app.stop().await;
    // Each connection tells what it did when it ends.
    let others = format!(
        "select from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()",
        database.name
    );
    until("all connections have ended", PATIENCE, || async {
        database.rows(&others).await.is_empty().then_some(())
    })
    .await;
    let mut after = touched(database).await;
    for (table, blocks) in &mut after {
        *blocks -= before.get(table).copied().unwrap_or_default();
    }
    after
}

/// Blocks of each table for each user, without what a start and an end cost.
async fn for_each(database: &TestDatabase) -> BTreeMap<String, f64> {
    // The first one sweeps what was filled in, and meets blocks that nobody has touched.
    run(database, 0..10).await;
    let few = run(database, 100..150).await;
    let mut many = run(database, 200..550).await;
    many.retain(|table, blocks| {
        *blocks -= few[table];
        *blocks > 30
    });
    let each = |blocks| f64::from(i32::try_from(blocks).unwrap()) / 300.0;
    many.into_iter()
        .map(|(table, blocks)| (table, each(blocks)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_as_much_of_everything_makes_no_session_token_dearer() {
    let database = TestDatabase::create_with_demo().await;
    fill(&database, 0..1).await;
    let once = for_each(&database).await;
    fill(&database, 1..10).await;
    let tenfold = for_each(&database).await;
    eprintln!(
        "blocks for each new user's token: {once:.1?}; with ten times as much: {tenfold:.1?}"
    );
    assert!(once.contains_key("session"), "{once:?}");
    for (table, blocks) in &tenfold {
        let before = once.get(table).copied().unwrap_or_default();
        // Trees that are ten times as large may be a level deeper, and background work falls into one run or another.
        assert!(*blocks < before * 3.0 + 3.0, "{table}: {before} {blocks}");
    }
}
