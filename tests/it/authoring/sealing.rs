//! Secrets come in by reference, lie sealed, and never go out.

use persona_gateway::authoring::plan::Action;
use persona_gateway::crypto::seal::Aad;
use persona_gateway::domain::ids::TenantId;
use secrecy::ExposeSecret;

use crate::harness::sql;
use crate::harness::tenants::Bench;

const ISSUER: &str = "
tenant: acme
issuers:
  - {issuer: 'https://i.example', audiences: [a], algorithms: [HS256], keys: {sharedSecret: true}, secret: {env: HS}}
providerKey: {file: anam-key}
";
const STORED: &str = "
tenant: acme
issuers:
  - {issuer: 'https://i.example', audiences: [a], algorithms: [HS256], keys: {sharedSecret: true}, secret: {stored: true}}
providerKey: {stored: true}
";
const SECRET: &str = "a-shared-secret-of-more-than-32-bytes";
const KEY: &str = "anam-key-of-acme-0001";

async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    bench.secrets.insert("HS".into(), SECRET.into());
    bench.secrets.insert("anam-key".into(), KEY.into());
    bench
}

#[tokio::test]
async fn secrets_lie_sealed_for_their_row_and_column() {
    let bench = bench().await;
    bench.apply(ISSUER).await.unwrap();
    let mut owner = bench.database.owner().await;
    let tenant = TenantId(bench.tenant("acme").await.parse().unwrap());
    for (table, column, plain) in [
        ("provider_key", "sealed", KEY),
        ("issuer", "shared_secret", SECRET),
    ] {
        let query = format!("select id, encode({column}, 'hex') as sealed from {table}");
        let row = sql::rows(&mut owner, &query).await.unwrap().remove(0);
        let sealed = hex::decode(row["sealed"].as_str().unwrap()).unwrap();
        let text = String::from_utf8_lossy(&sealed);
        assert!(!text.contains(plain), "{table}");
        let aad = Aad {
            table,
            column,
            tenant,
            row: row["id"].as_str().unwrap().parse().unwrap(),
        };
        assert_eq!(
            bench.keys.open(&sealed, &aad).unwrap().expose_secret(),
            plain
        );
        let elsewhere = Aad {
            tenant: TenantId(bench.clock.new_id()),
            ..aad
        };
        assert!(
            bench.keys.open(&sealed, &elsewhere).is_err(),
            "{table}: in another tenant"
        );
    }
}

#[tokio::test]
async fn an_export_says_that_a_secret_is_stored_and_no_more() {
    let bench = bench().await;
    bench.apply(ISSUER).await.unwrap();
    let exported = bench.export("acme").await;
    assert_eq!(
        exported["providerKey"],
        serde_json::json!({ "stored": true })
    );
    assert_eq!(
        exported["issuers"][0]["secret"],
        serde_json::json!({ "stored": true })
    );
    assert!(!exported.to_string().contains("0001") && !exported.to_string().contains(SECRET));
}

#[tokio::test]
async fn the_same_secrets_again_or_stored_ones_change_nothing() {
    let bench = bench().await;
    bench.apply(ISSUER).await.unwrap();
    for bundle in [ISSUER, STORED] {
        let plan = bench.apply(bundle).await.unwrap();
        assert_eq!(plan.steps, [], "{bundle}");
    }
}

#[tokio::test]
async fn a_new_secret_takes_the_place_of_the_old() {
    let mut bench = bench().await;
    bench.apply(ISSUER).await.unwrap();
    bench
        .secrets
        .insert("anam-key".into(), "anam-key-of-acme-0002".into());
    bench.secrets.insert("HS".into(), SECRET.replace('-', "_"));
    let plan = bench.apply(ISSUER).await.unwrap();
    let steps: Vec<(Action, &str)> = plan
        .steps
        .iter()
        .map(|step| (step.verb, step.target.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            (Action::Change, "issuer/https://i.example"),
            (Action::Change, "provider_key")
        ]
    );
    let mut owner = bench.database.owner().await;
    let keys = sql::texts(
        &mut owner,
        "select last_four || ' ' || active from provider_key order by created_at, id",
    )
    .await;
    assert_eq!(keys, ["0001 false", "0002 true"]);
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_is_a_fault_with_its_place() {
    let bench = Bench::new().await;
    let faults = bench.faults(ISSUER).await;
    let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/issuers/0/secret", "/providerKey"],
        "{faults:?}"
    );
    let faults = bench.faults(STORED).await;
    let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/issuers/0/secret", "/providerKey"],
        "{faults:?}"
    );
}

#[tokio::test]
async fn a_shared_secret_that_is_short_or_known_is_refused() {
    let mut bench = bench().await;
    for (secret, told) in [
        ("x".repeat(31), "must have 32 to 4096 bytes"),
        ("x".repeat(32), "can be guessed"),
        (
            "base64url:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
            "can be guessed",
        ),
        ("r9iMKoe5CRMgvJBBtp4HrqN7QiPpUToj".into(), "is published"),
    ] {
        bench.secrets.insert("HS".into(), secret);
        let faults = bench.faults(ISSUER).await;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].pointer, "/issuers/0/secret");
        assert!(faults[0].message.contains(told), "{faults:?}");
    }
}

#[tokio::test]
async fn the_audit_trail_and_the_plan_hold_no_secret() {
    let bench = bench().await;
    let plan = bench.apply(ISSUER).await.unwrap();
    assert!(!plan.to_string().contains(KEY) && !plan.to_string().contains(SECRET));
    assert!(plan.to_string().contains("ends in 0001"), "{plan}");
    let mut owner = bench.database.owner().await;
    let told = sql::rows(&mut owner, "select * from audit_event")
        .await
        .unwrap();
    let told = serde_json::Value::from(told).to_string();
    assert!(!told.contains(KEY) && !told.contains(SECRET), "{told}");
}
