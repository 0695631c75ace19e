//! Few connections, many tenants, and clients that go away in the middle: no connection carries a tenant over.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::tenants::{Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, sql};

const REQUESTS: u64 = 600;

/// One request of one of the tenants; some are given up after a few milliseconds, at whatever point that is.
async fn ask(app: &TestApp, tenant: &Tenant, number: u64) -> Option<bool> {
    let token = tenant.user(&format!("user-{}", number % 7));
    let request = match number % 3 {
        0 => app
            .request(Method::POST, "/v1/session-token", &token)
            .json(&json!({})),
        1 => app
            .request(Method::PUT, "/v1/me/preferences", &token)
            .json(&json!({ "color": format!("{}-blue", tenant.slug) })),
        _ => app.request(Method::GET, "/v1/me/preferences", &token),
    };
    let asked = async {
        let answer = request.send().await.ok()?;
        let ok = answer.status() == 200;
        let body: Value = answer.json().await.ok()?;
        Some((ok, body.to_string()))
    };
    let patience = match number % 4 {
        0 => Duration::from_micros(number * 7919 % 4000),
        _ => Duration::from_secs(30),
    };
    let (ok, body) = tokio::time::timeout(patience, asked).await.ok()??;
    let others = ["alpha", "beta"]
        .into_iter()
        .filter(|slug| *slug != tenant.slug);
    for other in others {
        assert!(!body.contains(other), "{}: {body}", tenant.slug);
    }
    Some(ok)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_tenants_and_clients_that_leave_never_mix_rows() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let options = TestOptions {
        env: vec![
            ("GATEWAY__DATABASE__MINT_CONNECTIONS".into(), "2".into()),
            ("GATEWAY__DATABASE__USER_CONNECTIONS".into(), "2".into()),
            (
                "GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS".into(),
                "20000".into(),
            ),
            (
                "GATEWAY__LIMITS__TENANT_MINTS_PER_MINUTE".into(),
                "0".into(),
            ),
        ],
        ..TestOptions::default()
    };
    let app = serve(&[&alpha, &beta], options).await;
    let answers: Vec<Option<bool>> = stream::iter(0..REQUESTS)
        .map(|number| {
            let tenant = if number * 31 % 5 < 2 { &alpha } else { &beta };
            ask(&app, tenant, number)
        })
        .buffer_unordered(24)
        .collect()
        .await;
    let given_up = answers.iter().filter(|answer| answer.is_none()).count();
    assert!(given_up > 20, "clients left in the middle: {given_up}");
    assert!(
        answers.iter().flatten().all(|ok| *ok),
        "and nobody else noticed"
    );
    assert!(
        given_up <= answers.len() / 4,
        "only those who left have no answer"
    );

    // No transaction was left open by those who left.
    let mut owner = app.database.owner().await;
    let open = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and state like 'idle in transaction%'",
        app.database.name
    );
    let checked = tokio::sync::Mutex::new(app.database.owner().await);
    until(
        "every transaction has ended",
        Duration::from_secs(10),
        || async {
            let mut connection = checked.lock().await;
            (sql::number(&mut connection, &open).await.unwrap() == 0).then_some(())
        },
    )
    .await;

    // Everything that Anam was asked for belongs to the tenant in whose ledger it stands.
    let sessions: BTreeMap<String, String> = sql::rows(
        &mut owner,
        "select s.id, t.slug from session s join tenant t on t.id = s.tenant_id",
    )
    .await
    .unwrap()
    .into_iter()
    .map(|row| {
        (
            row["id"].as_str().unwrap().to_owned(),
            row["slug"].as_str().unwrap().to_owned(),
        )
    })
    .collect();
    let mut judged = 0;
    for request in app.anam.requests() {
        let Some(slug) = request.body["clientLabel"]
            .as_str()
            .and_then(|id| sessions.get(id))
        else {
            // Given up before its row was written; then no token left either.
            continue;
        };
        let prompt = request.body["personaConfig"]["systemPrompt"]
            .as_str()
            .unwrap();
        assert!(
            prompt.contains(&format!("Secret rule of {slug}.")),
            "{slug}: {prompt}"
        );
        let other = if slug == "alpha" { "beta" } else { "alpha" };
        assert!(!prompt.contains(other), "{slug}: {prompt}");
        judged += 1;
    }
    assert!(judged > 100, "{judged}");
    let mixed = "select count(*) from preference p join tenant t on t.id = p.tenant_id
                 where p.choices ->> 'color' <> t.slug || '-blue'";
    assert_eq!(sql::number(&mut owner, mixed).await.unwrap(), 0);

    let mut login = app.database.login().await;
    let seen = sql::rows(&mut login, "select * from preference").await;
    assert_eq!(sql::refusal(seen).0, "42501");
    app.stop().await;
}
