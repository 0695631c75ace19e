//! A neighbour that is noisy, slow, suspended or broken.

use std::time::Duration;

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use serde_json::{Value, json};

use crate::harness::tenants::{Tenant, serve};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, sql};

fn limit(name: &str, value: &str) -> TestOptions {
    TestOptions {
        env: vec![(format!("GATEWAY__LIMITS__{name}"), value.into())],
        ..TestOptions::default()
    }
}

async fn mint(app: &TestApp, tenant: &Tenant) -> (u16, Value) {
    let answer = app.mint(&tenant.user("u"), &json!({})).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_all_its_places_taken_does_not_turn_another_away() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], limit("TENANT_MINTS_IN_FLIGHT", "2")).await;
    let slow = Fault::slow(FaultTarget::Mint, Duration::from_secs(2)).times(2);
    app.anam.fault(slow);
    let under_way = async { tokio::join!(mint(&app, &alpha), mint(&app, &alpha)) };
    let meanwhile = async {
        until("two are under way", Duration::from_secs(10), || async {
            (app.mints_asked() == 2).then_some(())
        })
        .await;
        let (status, answer) = mint(&app, &alpha).await;
        assert_eq!((status, &answer["code"]), (503, &json!("overloaded")));
        for _ in 0..5 {
            assert_eq!(mint(&app, &beta).await.0, 200);
        }
    };
    let ((first, second), ()) = tokio::join!(under_way, meanwhile);
    assert_eq!((first.0, second.0), (200, 200));
    assert_eq!(mint(&app, &alpha).await.0, 200, "and there is room again");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_has_asked_too_often_does_not_use_up_anothers_minute() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], limit("TENANT_MINTS_PER_MINUTE", "3")).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(mint(&app, &alpha).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(mint(&app, &beta).await.0, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_is_turned_away_everywhere_and_another_is_not() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    assert_eq!(mint(&app, &alpha).await.0, 200);
    let mut owner = app.database.owner().await;
    let set = |status: &str| format!("update tenant set status = '{status}' where slug = 'alpha'");
    sql::run(&mut owner, set("suspended")).await.unwrap();
    let answer = until("alpha is suspended", Duration::from_secs(10), || async {
        let (status, answer) = mint(&app, &alpha).await;
        (status == 403).then_some(answer)
    })
    .await;
    assert_eq!(answer["code"], "tenant_suspended");
    let asked = app.mints_asked();
    for path in ["/v1/contexts", "/v1/me/options", "/v1/me/preferences"] {
        let request = app.request(reqwest::Method::GET, path, &alpha.user("u"));
        assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
    }
    assert_eq!(app.mints_asked(), asked, "Anam was not asked");
    assert_eq!(mint(&app, &beta).await.0, 200);
    sql::run(&mut owner, set("active")).await.unwrap();
    until("alpha is back", Duration::from_secs(10), || async {
        (mint(&app, &alpha).await.0 == 200).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_rows_were_broken_by_hand_does_not_break_another() {
    let (alpha, beta) = (Tenant::new("alpha", None), Tenant::new("beta", None));
    let app = serve(&[&alpha, &beta], TestOptions::default()).await;
    let mut owner = app.database.owner().await;
    sql::run(
        &mut owner,
        r#"update issuer set config = jsonb_set(config, '{algorithms}', '["none"]')
           where tenant_id = (select id from tenant where slug = 'alpha');
           update tenant set policy = '{"nonsense": 1}' where slug = 'alpha'"#,
    )
    .await
    .unwrap();
    until(
        "alpha's issuer is left out",
        Duration::from_secs(10),
        || async { (mint(&app, &alpha).await.0 == 401).then_some(()) },
    )
    .await;
    assert_eq!(mint(&app, &beta).await.0, 200);
    app.stop().await;
}
