//! The last days at a glance.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::minted;
use crate::harness::admins::body;
use crate::harness::tenants::{Tenant, serve};
use crate::harness::{TestOptions, problem, spawn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sessions_of_the_last_days_are_counted_by_context_persona_and_outcome() {
    let app = spawn().await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let ask = async |path: &str| app.ask(Method::GET, path, &viewer).await;
    let none = body(ask("/v1/admin/session-counts").await, 200).await;
    assert_eq!(
        (&none["sessions"], &none["counts"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(
        (&none["complete"], &none["anamMsP50"]),
        (&json!(true), &Value::Null)
    );

    let user = app.user("user-1");
    for context in ["support", "support", "sales"] {
        minted(&app, &user, &json!({ "context": context })).await;
    }
    let counted = body(ask("/v1/admin/session-counts?days=1").await, 200).await;
    assert_eq!(counted["sessions"], 3);
    let counts: Vec<(&str, &str, &str, i64)> = counted["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let word = |name: &str| one[name].as_str().unwrap();
            let number = one["sessions"].as_i64().unwrap();
            (word("context"), word("persona"), word("outcome"), number)
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("support", "support-agent", "issued", 2),
            ("sales", "sales-advisor", "issued", 1),
        ]
    );
    assert!(counted["anamMsP50"].as_f64() <= counted["anamMsP95"].as_f64());

    problem(
        ask("/v1/admin/session-counts?days=32").await,
        422,
        "invalid_request",
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_another_tenant_are_not_counted() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    minted(&app, &alpha.user("user-1"), &json!({})).await;
    let counted = async |tenant: &str| {
        let key = app.admin_key(tenant, Role::Viewer).await;
        let answer = app.ask(Method::GET, "/v1/admin/session-counts", &key).await;
        body(answer, 200).await["sessions"].clone()
    };
    assert_eq!(counted("alpha").await, 1);
    assert_eq!(counted("beta").await, 0);
    app.stop().await;
}
