//! Whoever adds to a trail keeps others from adding until their transaction ends. A change that is judged for seconds must not keep
//! its tenant's people from signing in meanwhile, so it adds last of all.

use persona_gateway::domain::role::Role;
use persona_gateway::tenants::admin::Admin;
use persona_gateway::tenants::change::Change;
use serde_json::json;

use super::Trail;

async fn begin(trail: &Trail, name: &str) -> Change {
    let admin = Admin {
        tenant: trail.tenant,
        role: Role::Owner,
        actor: format!("cli:{name}").into(),
        request_id: None,
        proven_at: None,
    };
    let bench = &trail.bench;
    let change = Change::with(&bench.store, &bench.clock, &bench.keys, admin);
    let mut change = change.await.unwrap();
    change.note("snippet.release", "snippet/s1", json!({}));
    change.note_platform("tenant.change", "tenant/acme", json!({}));
    change
}

#[tokio::test]
async fn a_change_that_was_told_first_and_lasts_keeps_nobody_else_from_the_trails() {
    let trail = Trail::new().await;
    let dropped = begin(&trail, "dropped").await;
    let slow = begin(&trail, "slow").await;
    begin(&trail, "quick").await.commit().await.unwrap();
    slow.commit().await.unwrap();
    drop(dropped);
    trail.verify().await.expect("one chain");
    let told = "select actor from audit_event where actor in ('cli:dropped', 'cli:slow', 'cli:quick') order by tenant_id, seq";
    let rows = trail.bench.database.rows(told).await;
    let actors: Vec<&str> = rows
        .iter()
        .map(|row| row["actor"].as_str().unwrap())
        .collect();
    assert_eq!(actors, ["cli:quick", "cli:slow", "cli:quick", "cli:slow"]);
}
