//! The audit trail: in the transaction of the change, chained, never rewritten.

use serde_json::Value;
use sha2_of::sha256;

use crate::harness::sql;
use crate::harness::tenants::Bench;

/// SHA-256 from the crypto library of the service; the chain itself is made by Postgres.
mod sha2_of {
    use aws_lc_rs::digest::{SHA256, digest};

    pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
        digest(&SHA256, bytes).as_ref().to_vec()
    }
}

const BUNDLE: &str = "
tenant: acme
catalogue:
  languages: [{id: en, name: English}]
snippets:
  rules: {text: Be kind.}
personas:
  guide:
    name: Guide
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
    systemPrompt: 'Hi. {{ snippets.rules }}'
contexts:
  default: {default: guide}
";

#[tokio::test]
async fn applying_a_bundle_tells_each_change_and_the_chain_can_be_recomputed() {
    let bench = Bench::new().await;
    let plan = bench.apply(BUNDLE).await.unwrap();
    bench.apply(&BUNDLE.replace("kind", "brief")).await.unwrap();

    let mut owner = bench.database.owner().await;
    let rows = sql::rows(
        &mut owner,
        "select tenant_id, seq, id, to_char(at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') as at, actor, action,
                target, encode(before_hash, 'hex') as before, encode(after_hash, 'hex') as after, request_id,
                details::text as details, encode(prev_hash, 'hex') as prev, encode(hash, 'hex') as hash
         from audit_event where tenant_id <> '00000000-0000-0000-0000-000000000000' order by seq",
    )
    .await
    .unwrap();
    let targets: Vec<&str> = rows
        .iter()
        .map(|row| row["target"].as_str().unwrap())
        .collect();
    let planned: Vec<&str> = plan.steps.iter().map(|step| step.target.as_str()).collect();
    // A document is sealed, then released: two rows.
    let mut told = targets.clone();
    told.dedup();
    assert_eq!(told[..planned.len()], planned);
    assert_eq!(told[planned.len()..], ["snippet/rules", "persona/guide"]);
    assert_eq!(targets.len(), 2 + 3 * 2 + 2 * 2, "{targets:?}");

    let mut previous = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["seq"], index + 1, "no gap");
        assert_eq!(row["actor"], "test");
        assert_eq!(row["prev"], hex::encode(&previous));
        let json = |name: &str| row[name].to_string();
        let told = [
            json("tenant_id"),
            json("seq"),
            json("id"),
            json("at"),
            json("actor"),
            json("action"),
            json("target"),
            json("before"),
            json("after"),
            json("request_id"),
            row["details"].as_str().unwrap().to_owned(),
        ];
        let told = format!("[{}]", told.join(", "));
        previous = sha256(&[previous.as_slice(), told.as_bytes()].concat());
        assert_eq!(row["hash"], Value::from(hex::encode(&previous)), "{told}");
    }
}

#[tokio::test]
async fn tenants_have_a_chain_each_and_the_platform_has_one() {
    let bench = Bench::new().await;
    for tenant in ["acme", "globex", "initech"] {
        bench.apply(&BUNDLE.replace("acme", tenant)).await.unwrap();
    }
    let mut owner = bench.database.owner().await;
    let firsts = sql::number(
        &mut owner,
        "select count(*) from audit_event where seq = 1 and prev_hash = ''",
    )
    .await;
    assert_eq!(firsts.unwrap(), 4);
}

#[tokio::test]
async fn writers_of_one_chain_at_the_same_time_make_no_branch() {
    let bench = Bench::new().await;
    bench.apply("tenant: acme").await.unwrap();
    let bundles: Vec<String> = (0..8)
        .map(|number| format!("tenant: acme\nsnippets:\n  s{number}: {{text: x}}"))
        .collect();
    let applied =
        futures_util::future::join_all(bundles.iter().map(|bundle| bench.apply(bundle))).await;
    assert!(applied.iter().all(Result::is_ok), "{applied:?}");
    let mut owner = bench.database.owner().await;
    let broken = sql::number(
        &mut owner,
        "select count(*) from (select prev_hash, lag(hash, 1, '') over (order by seq) as hash_before,
                                      seq, row_number() over (order by seq) as n
                                      from audit_event where tenant_id <> '00000000-0000-0000-0000-000000000000') e
         where prev_hash <> hash_before or seq <> n",
    )
    .await;
    assert_eq!(broken.unwrap(), 0);
    let events = sql::number(
        &mut owner,
        "select count(*) from audit_event where tenant_id <> '00000000-0000-0000-0000-000000000000'",
    )
    .await;
    assert_eq!(events.unwrap(), 1 + 8 * 2);
}

#[tokio::test]
async fn a_change_that_can_not_be_told_is_not_made() {
    let bench = Bench::new().await;
    bench.apply(BUNDLE).await.unwrap();
    let mut owner = bench.database.owner().await;
    sql::run(
        &mut owner,
        "create function no_more() returns trigger language plpgsql as $$ begin raise 'the disk is full'; end $$;
         create trigger no_more before insert on audit_event for each row
             when (new.target = 'persona/guide') execute function no_more()",
    )
    .await
    .unwrap();
    let count = "select (select count(*) from document_version) + (select count(*) from release)
                        + (select sum(revision) from config_revision) as all";
    let before = sql::number(&mut owner, count).await.unwrap();
    let outcome = bench.apply(&BUNDLE.replace("kind", "brief")).await;
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!(sql::number(&mut owner, count).await.unwrap(), before);
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let bench = Bench::new().await;
    let plan = bench
        .apply_with(BUNDLE, |options| options.dry_run = true)
        .await
        .unwrap();
    assert_eq!(plan.steps.len(), 5, "{plan}");
    let mut owner = bench.database.owner().await;
    for table in [
        "tenant",
        "audit_event",
        "document",
        "document_version",
        "release",
        "catalogue_entry",
        "config_revision",
    ] {
        let left = sql::number(&mut owner, &format!("select count(*) from {table}")).await;
        assert_eq!(left.unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn the_run_time_roles_can_not_forge_the_chain() {
    let bench = Bench::new().await;
    bench.apply(BUNDLE).await.unwrap();
    let tenant = bench.tenant("acme").await;
    let mut login = bench.database.login().await;
    for statement in [
        "update audit_event set actor = 'nobody'",
        "delete from audit_event",
        "truncate audit_event",
    ] {
        let outcome = sql::attempt(&mut login, "gateway_tenant", Some(&tenant), statement).await;
        assert_eq!(sql::refusal(outcome).0, "42501", "{statement}");
    }
    // Numbers and hashes that an insert brings along are not believed.
    sql::begin_as(&mut login, "gateway_tenant", Some(&tenant)).await;
    sql::run(
        &mut login,
        format!(
            "insert into audit_event (tenant_id, seq, at, actor, action, target, prev_hash, hash)
             values ('{tenant}', 1000, now(), 'x', 'tenant.change', 'x', 'forged', 'forged')"
        ),
    )
    .await
    .unwrap();
    let row = sql::rows(
        &mut login,
        "select seq, hash = 'forged' as forged,
                prev_hash = (select hash from audit_event where seq = (select max(seq) - 1 from audit_event)) as chained
         from audit_event order by seq desc limit 1",
    )
    .await
    .unwrap();
    sql::run(&mut login, "rollback").await.unwrap();
    assert_eq!(row[0]["seq"], 2 + 3 * 2 + 1);
    assert_eq!(
        (&row[0]["forged"], &row[0]["chained"]),
        (&false.into(), &true.into())
    );
}
