//! The master key changes; what it sealed before still opens while the old key is in the ring.

use std::time::Duration;

use persona_gateway::domain::ids::AdminId;
use persona_gateway::store::sealed::SealedColumn;
use persona_gateway::store::second_factors;
use persona_gateway::tenants::master_keys::{recognise, to_reseal};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::harness::cli::{environment_of, program};
use crate::harness::tenants::{Bench, hs256_token};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, spawn_with};

/// Far longer than a notice takes, or a poll where it was lost.
const PATIENCE: Duration = Duration::from_secs(20);

const OLD: &str = "b2xkLW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtbG9uZyE=";
const NEW: &str = "bmV3LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtbG9uZyE=";
const SECRET: &str = "a-shared-secret-of-more-than-32-bytes";
const KEY: &str = "anam-key-of-acme-0001";

const BUNDLE: &str = "
tenant: acme
issuers:
  - {issuer: 'https://i.example', audiences: [app], algorithms: [HS256], keys: {sharedSecret: true}, secret: {env: HS}}
providerKey: {env: KEY}
personas:
  guide:
    name: Guide
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
    systemPrompt: Be kind.
contexts: {default: {default: guide}}
";

/// A database whose secrets were sealed with the old key, before keys were remembered.
async fn sealed_with_old() -> Bench {
    let mut bench = Bench::new().await;
    bench.seal_with(OLD);
    bench.secrets.insert("HS".into(), SECRET.into());
    bench.secrets.insert("KEY".into(), KEY.into());
    bench.apply(BUNDLE).await.unwrap();
    bench
}

fn environment(bench: &Bench, ring: &str) -> Vec<(String, String)> {
    let mut environment = environment_of(bench);
    for (name, value) in &mut environment {
        if name == "GATEWAY_MASTER_KEY" {
            *value = ring.to_owned();
        }
    }
    environment
}

/// A service whose rows were sealed with the old key, and that has this ring itself.
async fn serve(ring: &str) -> (TestApp, String) {
    serve_on(sealed_with_old().await, ring).await
}

async fn serve_on(bench: Bench, ring: &str) -> (TestApp, String) {
    let options = TestOptions {
        env: vec![("GATEWAY_MASTER_KEY".into(), ring.into())],
        anam_keys: vec![KEY.into()],
        database: Some(bench.database),
        no_demo: true,
        ..TestOptions::default()
    };
    let claims = json!({ "iss": "https://i.example", "aud": "app", "sub": "u" });
    (spawn_with(options).await, hs256_token(SECRET, &claims, 600))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_with_the_old_key_behind_the_new_one_opens_everything() {
    for ring in [
        OLD.to_owned(),
        format!("2:{NEW},1:{OLD}"),
        format!("1:{OLD},2:{NEW}"),
    ] {
        let (app, token) = serve(&ring).await;
        app.wait_for_token(&token).await;
        let answer = app.mint(&token, &json!({})).await;
        assert_eq!(
            answer.status(),
            200,
            "a shared secret and an Anam key of the bundle"
        );
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_says_that_an_older_key_still_has_to_stay() {
    let (app, _) = serve(&format!("2:{NEW},1:{OLD}")).await;
    until("the older key is counted", PATIENCE, || async {
        let line = "\ngateway_master_keys_to_reseal 1\n";
        app.metrics().await.contains(line).then_some(())
    })
    .await;
    app.stop().await;
}

/// What a service says of a ring when it is started on rows that the old key sealed.
async fn refusal(ring: &str) -> String {
    let bench = sealed_with_old().await;
    let environment = environment(&bench, ring);
    let ended = program(&["serve"]).envs(&environment).run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(!ended.err.contains(SECRET) && !ended.err.contains(NEW));
    ended.err
}

#[tokio::test]
async fn a_wrong_key_ends_the_start_and_says_which_it_is() {
    let told = refusal(NEW).await;
    assert!(told.contains("its key 1 has other bytes"), "{told}");
    let told = refusal(&format!("2:{OLD},1:{NEW}")).await;
    assert!(told.contains("its key 1 has other bytes"), "{told}");

    // The same for commands that would seal with it, also when the key is known by its mark alone.
    let bench = Bench::new().await;
    let first = program(&["tenant", "list"])
        .envs(&environment(&bench, OLD))
        .run()
        .await;
    assert_eq!(first.code, Some(0), "{}", first.err);
    for (ring, told) in [
        (NEW.to_owned(), "its key 1 has other bytes"),
        (
            format!("2:{NEW}"),
            "sealed with master key 1, which GATEWAY_MASTER_KEY does not hold",
        ),
    ] {
        let ended = program(&["tenant", "list"])
            .envs(&environment(&bench, &ring))
            .run()
            .await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains(told), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_everything_is_sealed_again_the_old_key_may_go() {
    let mut bench = sealed_with_old().await;
    let both = format!("2:{NEW},1:{OLD}");
    bench.seal_with(&both);
    recognise(&bench.store, &bench.keys).await.unwrap();
    assert_eq!(to_reseal(&bench.store, &bench.keys).await.unwrap(), [1]);
    let ended = program(&["master-key", "reseal"])
        .envs(&environment(&bench, &both))
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended
            .out
            .contains("Sealed 2 secrets again with master key 2."),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("Master key 1 may go"), "{}", ended.out);
    assert!(
        to_reseal(&bench.store, &bench.keys)
            .await
            .unwrap()
            .is_empty()
    );
    let told = bench
        .database
        .rows("select action, target, details from audit_event where action = 'secrets.reseal' order by target")
        .await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["target"], "secrets/issuer");
    assert_eq!(told[0]["details"], json!({ "masterKey": 2, "values": 1 }));

    // Begun again, nothing is left to do.
    let again = program(&["master-key", "reseal"])
        .envs(&environment(&bench, &both))
        .run()
        .await;
    assert!(
        again.out.contains("Sealed 0 secrets again"),
        "{}",
        again.out
    );

    let (app, token) = serve_on(bench, &format!("2:{NEW}")).await;
    app.wait_for_token(&token).await;
    assert_eq!(app.mint(&token, &json!({})).await.status(), 200);
    app.stop().await;
}

#[tokio::test]
async fn what_can_not_be_opened_is_named_and_keeps_every_key() {
    let bench = sealed_with_old().await;
    bench
        .database
        .sql("update provider_key set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)")
        .await;
    let both = format!("2:{NEW},1:{OLD}");
    let ended = program(&["master-key", "reseal"])
        .envs(&environment(&bench, &both))
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(
        ended.out.contains("Sealed 1 secrets again"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("Not opened: provider_key"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("may go,"), "{}", ended.out);

    let ended = program(&["tenant", "list"])
        .envs(&environment(&bench, &format!("2:{NEW}")))
        .run()
        .await;
    assert!(
        ended.err.contains("sealed with master key 1"),
        "{}",
        ended.err
    );
}

/// Whoever adds a sealed column must let it be sealed again.
#[tokio::test]
async fn every_sealed_column_is_known() {
    const NOT_SEALED: [&str; 21] = [
        "api_key.hash",
        "audit_checkpoint.hash",
        "audit_checkpoint.signature",
        "audit_event.after_hash",
        "audit_event.before_hash",
        "audit_event.hash",
        "audit_event.prev_hash",
        "console_session.hash",
        "document_version.content_hash",
        "given_answer.request_hash",
        "invitation.hash",
        "password_reset.hash",
        "place.subject",
        "place_wait.subject",
        "recovery_code.hash",
        "refusal.fingerprint",
        "session.config_hash",
        "session_outcome.token_hash",
        "sso_attempt.browser_hash",
        "sso_attempt.code_hash",
        "sso_attempt.state_hash",
    ];
    let bench = Bench::new().await;
    let columns = bench
        .database
        .rows(
            "select c.relname || '.' || a.attname as name from pg_attribute a
             join pg_class c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace
             where a.atttypid = 'bytea'::regtype and c.relkind in ('r', 'p') and not c.relispartition
               and c.relname not in ('_sqlx_migrations', 'master_key') and not a.attisdropped order by 1",
        )
        .await;
    let mut known: Vec<String> = SealedColumn::ALL
        .iter()
        .map(|column| format!("{}.{}", column.table(), column.column()))
        .chain(["second_factor.secret".to_owned()])
        .chain(NOT_SEALED.map(str::to_owned))
        .collect();
    known.sort();
    let found: Vec<&str> = columns
        .iter()
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert_eq!(found, known);
}

#[tokio::test]
async fn values_of_every_column_open_with_the_new_key_alone() {
    let bench = sealed_with_old().await;
    let mut platform = bench.store.platform().await.unwrap();
    let tenant = platform.tenant_by_slug("acme").await.unwrap().unwrap();
    platform.commit().await.unwrap();
    let row = Uuid::from_u128(7);
    let sealed = |column: SealedColumn| {
        let secret = SecretString::from(format!("in {}", column.table()));
        let sealed = bench.keys.seal(&secret, &column.place(tenant, row));
        format!("'\\x{}'", hex::encode(sealed.unwrap()))
    };
    let person = AdminId(row);
    let factor = SecretString::from("in second_factor");
    let factor = bench.keys.seal(&factor, &second_factors::place(person));
    let factor = format!("'\\x{}'", hex::encode(factor.unwrap()));
    let (secret, client, verifier, answer) = (
        sealed(SealedColumn::Secret),
        sealed(SealedColumn::SsoClientSecret),
        sealed(SealedColumn::SsoVerifier),
        sealed(SealedColumn::GivenAnswer),
    );
    bench
        .database
        .sql(&format!(
            "insert into secret (tenant_id, id, name, sealed, last_four, set_at, set_by)
                 values ('{tenant}', '{row}', 'crm', {secret}, '', now(), 'test');
             insert into sso_provider (tenant_id, id, issuer, client_id, client_secret, allowed_domains)
                 values ('{tenant}', '{row}', 'https://login.example', 'gateway', {client}, '{{example.com}}');
             insert into sso_attempt (tenant_id, id, state_hash, browser_hash, nonce, pkce_verifier, provider, revision, redirect_uri, expires_at)
                 values ('{tenant}', '{row}', sha256('s'), sha256('b'), 'n', {verifier}, '{row}', 1, 'https://g.example', now() + interval '1 hour');
             insert into given_answer (tenant_id, actor, key, request_hash, id, sealed)
                 values ('{tenant}', 'test', 'k', sha256('a'), '{row}', {answer});
             insert into admin (id, email, name) values ('{row}', 'ann@example.com', 'Ann');
             insert into second_factor (admin_id, secret) values ('{row}', {factor})"
        ))
        .await;
    let ended = program(&["master-key", "reseal"])
        .envs(&environment(&bench, &format!("2:{NEW},1:{OLD}")))
        .run()
        .await;
    assert!(ended.out.contains("Sealed 7 secrets again"), "{ended:?}");

    let mut alone = Bench::new().await;
    alone.seal_with(&format!("2:{NEW}"));
    for column in SealedColumn::ALL {
        let (table, name) = (column.table(), column.column());
        let rows = bench
            .database
            .rows(&format!(
                "select id, encode({name}, 'hex') as sealed from {table}"
            ))
            .await;
        assert_eq!(rows.len(), 1, "{table}");
        let id: Uuid = rows[0]["id"].as_str().unwrap().parse().unwrap();
        let sealed = hex::decode(rows[0]["sealed"].as_str().unwrap()).unwrap();
        alone.keys.open(&sealed, &column.place(tenant, id)).unwrap();
    }
    let rows = bench
        .database
        .rows("select encode(secret, 'hex') as sealed from second_factor")
        .await;
    let sealed = hex::decode(rows[0]["sealed"].as_str().unwrap()).unwrap();
    alone
        .keys
        .open(&sealed, &second_factors::place(person))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_instance_goes_on_hearing_of_changes_while_another_begins_to_seal() {
    let (app, token) = serve(OLD).await;
    app.wait_for_token(&token).await;
    let with = |ring: &str| {
        let url = app.database.login_url.expose_secret().to_owned();
        program(&["tenant", "list"])
            .env("DATABASE_URL", &url)
            .env("GATEWAY_MASTER_KEY", ring)
    };
    // A key that is held, but does not seal, is asked of nobody yet.
    let holds = with(&format!("1:{OLD},2:{NEW}")).run().await;
    assert_eq!(holds.code, Some(0), "{}", holds.err);
    assert_eq!(with(OLD).run().await.code, Some(0));
    // From now on secrets may be sealed with it.
    let seals = with(&format!("2:{NEW},1:{OLD}")).run().await;
    assert_eq!(seals.code, Some(0), "{}", seals.err);
    let starts = with(OLD).run().await;
    assert!(
        starts.err.contains("sealed with master key 2"),
        "{}",
        starts.err
    );

    // The old instance loses its connections, and hears of what changes all the same.
    app.database
        .sql(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    app.database
        .sql("update tenant set status = 'suspended'")
        .await;
    until("the tenant is suspended", PATIENCE, || async {
        let answer = app.mint(&token, &json!({})).await;
        (answer.status() == 403).then_some(())
    })
    .await;
    app.stop().await;
}
