//! A tenant goes with every row of it, and nothing else does.

use std::collections::BTreeMap;
use std::time::Duration;

use persona_gateway::clock::Clock;
use persona_gateway::domain::ids::{SessionId, TenantId};
use persona_gateway::store::StoreError;
use persona_gateway::store::audit::AuditEvent;
use persona_gateway::store::ledger::LedgerWriter;
use persona_gateway::store::quota_use::Judging;
use persona_gateway::store::sessions::{Outcome, OutcomeResult, Timings};
use persona_gateway::store::tenant_deletion::delete_tenant;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::filling::{ALPHA, BETA, fill, id_of, tenant_tables};
use crate::harness::postgres::{TestDatabase, typed};
use crate::harness::sql::{self, attempt, refusal};
use crate::harness::tenants::Bench;
use crate::harness::wait::until;

/// How many rows of a tenant there are, by table.
async fn rows_of(owner: &mut PgConnection, tenant: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for (table, column) in tenant_tables(owner).await {
        let count = format!("select count(*) from {table} where {column} = '{tenant}'");
        counts.insert(table, sql::number(owner, &count).await.unwrap());
    }
    counts
}

fn event(action: &'static str) -> AuditEvent<'static> {
    let clock = Clock::system();
    AuditEvent {
        id: clock.new_id(),
        at: clock.now(),
        actor: "cli:tester",
        action,
        target: "tenant/a",
        before_hash: None,
        after_hash: None,
        request_id: None,
        details: json!({ "id": ALPHA }),
    }
}

#[tokio::test]
async fn no_table_has_a_row_of_a_deleted_tenant_and_every_other_row_stays() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    fill(&mut owner).await;
    let (alone, shared) = (id_of(ALPHA, "05"), id_of(BETA, "05"));
    let also = format!(
        "insert into membership (tenant_id, admin_id, role) values ('{ALPHA}', '{shared}', 'viewer')"
    );
    sql::run(&mut owner, also).await.unwrap();
    let before = rows_of(&mut owner, BETA).await;
    assert!(
        rows_of(&mut owner, ALPHA)
            .await
            .values()
            .all(|rows| *rows > 0)
    );

    let event = event("tenant.delete");
    let last = "select encode(hash, 'hex') from audit_event where tenant_id = 'aaaaaaaa-0000-7000-8000-000000000000'";
    let last = sql::texts(&mut owner, last).await;
    let gone = delete_tenant(
        &typed(&database.owner_url),
        TenantId(ALPHA.parse().unwrap()),
        &event,
    )
    .await
    .unwrap();

    assert_eq!(
        (gone["session"], gone["membership"], gone["admin"]),
        (1, 2, 1)
    );
    let after = rows_of(&mut owner, ALPHA).await;
    assert!(after.values().all(|rows| *rows == 0), "{after:?}");
    assert_eq!(rows_of(&mut owner, BETA).await, before);
    let people = sql::texts(&mut owner, "select id::text from admin order by 1").await;
    assert!(
        people.contains(&shared) && !people.contains(&alone),
        "{people:?}"
    );
    let told = database
        .rows("select actor, target, details from audit_event where action = 'tenant.delete' and tenant_id = '00000000-0000-0000-0000-000000000000'")
        .await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0]["details"]["trail"],
        json!({ "seq": 1, "hash": last[0] })
    );
    assert_eq!(told[0]["details"]["rows"]["session"], 1);
}

#[tokio::test]
async fn the_service_can_delete_no_tenant_whatever_it_sets() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    fill(&mut owner).await;
    let mut login = database.login().await;
    for role in ["gateway_tenant", "gateway_platform"] {
        let call = format!("select delete_tenant('{ALPHA}')");
        let (code, message) = refusal(attempt(&mut login, role, Some(ALPHA), call).await);
        assert_eq!(code, "42501", "{message}");
    }
    for table in [
        "audit_event",
        "release",
        "session",
        "document_version",
        "review",
    ] {
        let delete = format!(
            "do $$ begin perform set_config('app.deleted_tenant', '{ALPHA}', true); delete from {table} where tenant_id = '{ALPHA}'; end $$"
        );
        let (code, message) =
            refusal(attempt(&mut login, "gateway_tenant", Some(ALPHA), delete).await);
        assert_eq!(code, "42501", "{table}: {message}");
    }
    // With the right to delete, the triggers still say no.
    sql::run(
        &mut owner,
        "grant delete on audit_event, release to gateway_tenant",
    )
    .await
    .unwrap();
    for table in ["audit_event", "release"] {
        let delete = format!(
            "do $$ begin perform set_config('app.deleted_tenant', '{ALPHA}', true); delete from {table} where tenant_id = '{ALPHA}'; end $$"
        );
        let (code, message) =
            refusal(attempt(&mut login, "gateway_tenant", Some(ALPHA), delete).await);
        assert_eq!(code, "23001", "{table}: {message}");
    }
}

/// What became of a session of the tenant that goes.
fn outcome(session: Uuid) -> Outcome {
    Outcome {
        tenant: TenantId(ALPHA.parse().unwrap()),
        session: SessionId(session),
        at: Clock::system().now(),
        result: OutcomeResult::Failed {
            code: "internal".into(),
        },
        timings: Timings::default(),
        given_back: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_comes_late_is_left_of_a_deleted_tenant() {
    let bench = Bench::new().await;
    let mut owner = bench.database.owner().await;
    fill(&mut owner).await;
    let tenant = TenantId(ALPHA.parse().unwrap());
    // A change and an outcome are under way; the deletion waits for both. The outcome waits for another of the same session, which
    // is taken back in the end.
    let first = outcome(Uuid::from_u128(1));
    let mut same = bench.database.owner().await;
    let at = first
        .at
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    sql::run(
        &mut same,
        &format!(
            "begin; set local app.tenant = '{ALPHA}';
             insert into session_outcome (tenant_id, session_id, at, outcome) values ('{ALPHA}', '{}', '{at}', 'issued')",
            Uuid::from_u128(1)
        ),
    )
    .await
    .unwrap();
    let mut late = LedgerWriter::new(bench.store.clone());
    let late_outcome = tokio::spawn(async move { late.write(&[], &[first], Judging::Judge).await });
    let waiting = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and wait_event_type = 'Lock'",
        bench.database.name
    );
    let waits = async |how_many: u64| {
        until("it waits", Duration::from_secs(20), || async {
            (bench.database.rows(&waiting).await[0]["count"] == how_many).then_some(())
        })
        .await;
    };
    waits(1).await;
    let mut change = bench.store.tenant(tenant).await.unwrap();
    change.audit(&event("tenant.change")).await.unwrap();
    let url = typed(&bench.database.owner_url);
    let deleting =
        tokio::spawn(async move { delete_tenant(&url, tenant, &event("tenant.delete")).await });
    waits(2).await;
    sql::run(&mut same, "rollback").await.unwrap();
    late_outcome.await.unwrap().unwrap();
    change.commit().await.unwrap();
    let gone = deleting.await.unwrap().unwrap();
    assert_eq!((gone["session_outcome"], gone["audit_event"]), (2, 2));

    // What comes afterwards finds no tenant: an outcome is dropped beside others that stay, a change is refused.
    let mut other = outcome(Uuid::from_u128(3));
    other.tenant = TenantId(BETA.parse().unwrap());
    LedgerWriter::new(bench.store.clone())
        .write(&[], &[outcome(Uuid::from_u128(2)), other], Judging::Judge)
        .await
        .unwrap();
    let mut change = bench.store.tenant(tenant).await.unwrap();
    let late = change.audit(&event("tenant.change")).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    drop(change);
    let after = rows_of(&mut owner, ALPHA).await;
    assert!(after.values().all(|rows| *rows == 0), "{after:?}");
    assert_eq!(rows_of(&mut owner, BETA).await["session_outcome"], 2);
}
