//! What operators do stands in a trail of its own.

use persona_gateway::crypto::password::Passwords;
use persona_gateway::domain::email::Email;
use persona_gateway::domain::role::Role;
use persona_gateway::store::audit::PLATFORM;
use persona_gateway::tenants::audit::chain::FlawKind;
use persona_gateway::tenants::audit::export::{FileVerifier, verify_stored};
use persona_gateway::tenants::operators::Operator;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::people::PASSWORD;
use crate::harness::{problem, spawn, sql};

const AUDIT: &str = "/v1/operator/audit";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one act after the other")]
async fn every_act_of_operators_is_told_in_a_trail_that_the_same_command_verifies() {
    let app = spawn().await;
    let ops = app.operator("ops@example.com").await;
    let before = "select coalesce(max(seq), 0) as seq from audit_event where tenant_id = '00000000-0000-0000-0000-000000000000'";
    let before = app.database.rows(before).await[0]["seq"].as_i64().unwrap();

    // Over HTTP.
    let tell = async |path: &str, sent: Value, status: u16| {
        let answer = app.tell(Method::POST, path, &ops, &sent).await;
        assert_eq!(answer.status(), status, "{path}");
        answer.json::<Value>().await.unwrap_or_default()
    };
    let new = json!({ "slug": "acme", "owner": "ann@acme.example" });
    tell("/v1/operator/tenants", new, 201).await;
    tell("/v1/operator/tenants/acme:suspend", json!({}), 204).await;
    tell("/v1/operator/tenants/acme:resume", json!({}), 204).await;
    tell("/v1/operator/tenants/acme:resume", json!({}), 204).await;
    let config = json!({ "issuer": "https://shared.example", "audiences": ["app"], "keys": { "discovery": true } });
    let shared = json!({ "config": config, "tenantClaim": "org" });
    let made = tell("/v1/operator/shared-issuers", shared, 201).await;
    let path = format!(
        "/v1/operator/shared-issuers/{}",
        made["id"].as_str().unwrap()
    );
    assert_eq!(app.ask(Method::DELETE, &path, &ops).await.status(), 204);
    let pair =
        json!({ "tenant": "demo", "issuer": app.issuer.url(), "audience": "persona-gateway-demo" });
    tell("/v1/operator/issuer-pairs:withdraw", pair.clone(), 204).await;
    tell("/v1/operator/issuer-pairs:assign", pair, 204).await;

    // On the command line, whose verbs these are.
    let operator = Operator {
        database: &app.app.gateway.database,
        clock: &app.clock,
        label: "cli:test",
        request_id: None,
    };
    let passwords = Passwords::new().unwrap();
    let ann = Email::parse("ann@example.com").unwrap();
    let password = || SecretString::from(PASSWORD);
    operator
        .add_member(&passwords, "acme", &ann, Role::Owner, password())
        .await
        .unwrap();
    operator
        .set_password(&passwords, &ann, password())
        .await
        .unwrap();
    operator.set_disabled(&ann, true).await.unwrap();
    operator.set_disabled(&ann, false).await.unwrap();
    operator
        .make_operator(&passwords, &ann, None)
        .await
        .unwrap();

    let listed = body(
        app.ask(Method::GET, &format!("{AUDIT}?limit=100"), &ops)
            .await,
        200,
    )
    .await;
    let mut told: Vec<String> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["seq"].as_i64().unwrap() > before)
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            format!("{} {} {}", text("actor"), text("action"), text("target"))
        })
        .collect();
    told.reverse();
    let issuer = format!("issuer/{}", app.issuer.url());
    let expected = [
        "person:ops@example.com tenant.create tenant/acme",
        "person:ops@example.com invitation.create person/ann@acme.example",
        "person:ops@example.com tenant.suspend tenant/acme",
        "person:ops@example.com tenant.resume tenant/acme",
        "person:ops@example.com shared_issuer.create shared_issuer/https://shared.example",
        "person:ops@example.com shared_issuer.remove shared_issuer/https://shared.example",
        &format!("person:ops@example.com issuer.withdraw {issuer}"),
        &format!("person:ops@example.com issuer.claim {issuer}"),
        "cli:test member.create person/ann@example.com",
        "cli:test person.set_password person/ann@example.com",
        "cli:test person.disable person/ann@example.com",
        "cli:test person.enable person/ann@example.com",
        "cli:test operator.create person/ann@example.com",
    ];
    assert_eq!(told, expected);
    assert!(listed["items"][12]["requestId"].is_string(), "{listed}");

    // Marked, exported, verified; and a row that somebody changes is named.
    body(
        app.ask(Method::POST, &format!("{AUDIT}/checkpoints"), &ops)
            .await,
        200,
    )
    .await;
    let export = app.ask(Method::GET, &format!("{AUDIT}/export"), &ops).await;
    let export = export.text().await.unwrap();
    let keys = app.keys.verifying_keys().unwrap();
    let mut verifier = FileVerifier::new(keys.clone());
    for line in export.lines() {
        verifier.line(line.as_bytes()).unwrap();
    }
    let outcome = verifier.finish().unwrap().unwrap();
    assert_eq!(
        (outcome.rows, outcome.marked_up_to),
        (before + 13, before + 13)
    );
    assert!(outcome.signatures >= 1, "{}", outcome.signatures);
    let database = &app.app.gateway.database;
    let stored = verify_stored(database, PLATFORM, keys.clone())
        .await
        .unwrap();
    assert_eq!(stored.unwrap(), outcome);
    let mut owner = app.database.owner().await;
    for statement in [
        "update audit_event set actor = 'nobody' where action = 'tenant.suspend'",
        "delete from audit_event where action = 'tenant.suspend'",
    ] {
        assert!(
            sql::run(&mut owner, statement).await.is_err(),
            "{statement}"
        );
    }
    sql::run(
        &mut owner,
        "set session_replication_role = replica;
         update audit_event set actor = 'nobody'
         where action = 'tenant.suspend' and tenant_id = '00000000-0000-0000-0000-000000000000'",
    )
    .await
    .unwrap();
    let flaw = verify_stored(database, PLATFORM, keys).await.unwrap();
    let flaw = flaw.unwrap_err();
    assert_eq!((flaw.seq, flaw.kind), (before + 3, FlawKind::Changed));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenants_admin_sees_the_platforms_trail_and_no_operator_a_tenants() {
    let app = spawn().await;
    let ops = app.operator("ops@example.com").await;
    let owner = app.admin_key("demo", Role::Owner).await;
    for path in [AUDIT.to_owned(), format!("{AUDIT}/export")] {
        problem(app.ask(Method::GET, &path, &owner).await, 403, "forbidden").await;
    }
    let theirs = body(app.ask(Method::GET, "/v1/admin/audit", &owner).await, 200).await;
    assert!(!theirs["items"].as_array().unwrap().is_empty());
    let seen = body(app.ask(Method::GET, AUDIT, &ops).await, 200).await;
    assert!(!seen.to_string().contains("persona/assistant"), "{seen}");
    assert_eq!(seen["items"][0]["action"], "person.sign_in");
    let out = app
        .tell(Method::POST, "/v1/admin/sign-out", &ops, &json!({}))
        .await;
    assert_eq!(out.status(), 204);
    let last = "select action from audit_event where tenant_id = '00000000-0000-0000-0000-000000000000' order by seq desc limit 1";
    assert_eq!(
        app.database.rows(last).await,
        [json!({ "action": "person.sign_out" })]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_is_not_told_is_undone() {
    let app = spawn().await;
    let mut tx = app.app.gateway.database.platform().await.unwrap();
    let config = json!({ "issuer": "https://untold.example", "audiences": ["app"], "keys": { "discovery": true } });
    let id = persona_gateway::domain::ids::IssuerId(app.clock.new_id());
    tx.insert_shared_issuer(id, config.as_object().unwrap(), "org")
        .await
        .unwrap();
    let refused = tx.commit().await.unwrap_err().to_string();
    assert!(
        refused.contains("has no row in the platform's audit trail"),
        "{refused}"
    );
    app.stop().await;
}
