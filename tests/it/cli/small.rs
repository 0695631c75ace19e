//! `check-config`, `migrate`, `openapi`, `emulate`.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use crate::harness::app::MASTER_KEY;
use crate::harness::cli::{environment_of, program};
use crate::harness::postgres::TestDatabase;
use crate::harness::sql;
use crate::harness::tenants::Bench;

#[tokio::test]
async fn check_config_shows_what_is_in_force_without_secrets() {
    let ended = program(&["check-config"])
        .env("DATABASE_URL", "postgres://app:hidden-password@db/gateway")
        .env("GATEWAY_MASTER_KEY", MASTER_KEY)
        .env("GATEWAY__SERVER__PORT", "8123")
        .run()
        .await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.contains("port = \"8123\""), "{}", ended.out);
    assert!(!ended.out.contains("hidden-password") && !ended.out.contains(MASTER_KEY));
}

#[tokio::test]
async fn check_config_tells_every_mistake_and_gives_2() {
    let ended = program(&["check-config"])
        .env("GATEWAY__SERVER__PORT", "many")
        .env("GATEWAY__SERVER__PROT", "1")
        .run()
        .await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    for subject in ["server.port", "PROT", "database.url", "security.master_key"] {
        assert!(ended.err.contains(subject), "{}", ended.err);
    }
}

#[tokio::test]
async fn check_config_looks_into_the_database_where_it_is_asked_to() {
    let bench = Bench::new().await;
    let environment = environment_of(&bench);
    let check = async || {
        program(&["check-config", "--database"])
            .envs(&environment)
            .run()
            .await
    };
    let fits = check().await;
    assert_eq!((fits.code, fits.err.as_str()), (Some(0), ""));
    assert!(
        fits.out.contains("the ledger's months last until 20"),
        "{}",
        fits.out
    );

    // The months of the next weeks only, as two years after the last `migrate`.
    let mut owner = bench.database.owner().await;
    sql::run(
        &mut owner,
        "do $$ declare t text; begin
             for t in select c.relname from pg_class c where c.relispartition and c.relkind = 'r'
                 and c.relname ~ '_\\d{4}_\\d{2}$'
                 and to_date(right(c.relname, 7), 'YYYY_MM') > date_trunc('month', now() at time zone 'UTC')
             loop execute format('drop table %I', t); end loop;
         end $$",
    )
    .await
    .unwrap();
    let ends = check().await;
    assert_eq!(ends.code, Some(2));
    assert!(
        ends.err.contains("months end on") && ends.err.contains("run `persona-gateway migrate`"),
        "{}",
        ends.err
    );
}

#[tokio::test]
async fn migrate_prepares_an_empty_database_and_a_login_that_can_work() {
    let database = TestDatabase::create_empty().await;
    let mut login = Url::parse(database.login_url.expose_secret()).unwrap();
    login
        .set_username(&format!("{}_cli", database.name))
        .unwrap();
    login.set_password(Some("a-login-password")).unwrap();
    for _ in 0..2 {
        let ended = program(&["migrate"])
            .env("MIGRATE_DATABASE_URL", database.owner_url.expose_secret())
            .env("DATABASE_URL", login.as_str())
            .run()
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended
                .out
                .contains(&format!("`serve` may log in as {}_cli.", database.name)),
            "{ended:?}"
        );
        assert!(
            !format!("{ended:?}").contains("a-login-password"),
            "{ended:?}"
        );
    }
    let ended = program(&["export", "nobody"])
        .env("DATABASE_URL", login.as_str())
        .env("GATEWAY_MASTER_KEY", MASTER_KEY)
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("there is no tenant `nobody`"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn migrate_drops_the_months_of_the_ledger_that_are_older_than_is_kept() {
    let bench = Bench::new().await;
    bench.apply("{\"tenant\": \"acme\"}").await.unwrap();
    let tenant = bench.tenant("acme").await;
    let mut owner = bench.database.owner().await;
    sql::run(
        &mut owner,
        format!(
            "call ensure_session_partitions(now() - interval '15 months', 16);
             insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 select '{tenant}', gen_random_uuid(), date_trunc('month', now() at time zone 'UTC') - d * interval '1 month' + interval '1 day',
                        '{tenant}', d::text, 'c', 'p', 1, '\\x00', '{{}}'
                 from generate_series(0, 15) d"
        ),
    )
    .await
    .unwrap();
    let kept = async |months: Option<&str>| {
        let mut migrate = program(&["migrate"]).env(
            "MIGRATE_DATABASE_URL",
            bench.database.owner_url.expose_secret(),
        );
        if let Some(months) = months {
            migrate = migrate.env("GATEWAY__LEDGER__RETENTION_MONTHS", months);
        }
        let ended = migrate.run().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let left = bench.database.rows("select subject from session").await;
        left.len()
    };
    // What ended more than so many months ago goes: this month and thirteen before stay, for the one that is begun.
    assert_eq!(kept(None).await, 14);
    assert_eq!(kept(Some("2")).await, 3);
}

#[tokio::test]
async fn migrate_with_the_owner_alone_says_what_to_do_next() {
    let database = TestDatabase::create_empty().await;
    let owner = database.owner_url.expose_secret();
    let ended = program(&["migrate"]).env("DATABASE_URL", owner).run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("MIGRATE_DATABASE_URL"), "{ended:?}");
    // And the service does not run as the owner.
    let ended = program(&["export", "x"])
        .env("DATABASE_URL", owner)
        .env("GATEWAY_MASTER_KEY", MASTER_KEY)
        .run()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("superuser"), "{ended:?}");
}

#[tokio::test]
async fn migrate_without_a_database_gives_2() {
    let ended = program(&["migrate"]).run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("DATABASE_URL"), "{ended:?}");
}

#[tokio::test]
async fn openapi_prints_the_description_that_is_served() {
    let ended = program(&["openapi"]).run().await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let document: Value = serde_json::from_str(&ended.out).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/v1/session-token"].is_object());
}

#[tokio::test]
async fn emulate_says_where_it_is_mints_and_ends_with_0() {
    let running = program(&["emulate", "--port", "0", "--json"]).start();
    let line: Value = serde_json::from_str(&running.out_with("{").await).unwrap();
    let url = line["anam"].as_str().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{url}/v1/auth/session-token"))
        .bearer_auth("any")
        .json(&json!({ "personaConfig": {
            "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18", "voiceId": "6bfbe25a-979d-40f3-a92b-5394170af54b",
            "llmId": "0934d97d-0c3a-4f33-91b0-5e136a0ef466", "systemPrompt": "You are kind.",
        }}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let seen: Value = client
        .get(format!("{url}/_emulator/requests"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        seen[0]["body"]["personaConfig"]["systemPrompt"],
        "You are kind."
    );
    running.signal("TERM").await;
    assert_eq!(running.end().await.code, Some(0));
}

#[tokio::test]
async fn a_command_that_does_not_exist_gives_2_and_names_those_that_do() {
    let ended = program(&["server"]).run().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("serve"), "{ended:?}");
}

#[tokio::test]
async fn export_of_a_tenant_that_is_not_there_gives_1() {
    let bench = Bench::new().await;
    let ended = program(&["export", "nobody"])
        .envs(&environment_of(&bench))
        .run()
        .await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
}
