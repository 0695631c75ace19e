//! What an admin changes in the database is served by the next mints, on every instance.

use std::time::Duration;

use futures_util::future::join_all;
use persona_gateway::domain::ids::TenantId;
use persona_gateway::sources::load::Rows;
use serde_json::{Value, json};

use crate::harness::logs::logged;
use crate::harness::wait::until;
use crate::harness::{TestApp, context, problem, spawn};

/// Notices take milliseconds; this leaves room for a busy machine, and is still less than the pause between two polls.
const SOON: Duration = Duration::from_secs(3);

/// A new version of a document, with these members over the newest one's, and its release; as an admin with psql
/// would write it.
async fn release(app: &TestApp, kind: &str, key: &str, members: &Value, live_from: &str) {
    let demo = app.tenant("demo").await.0;
    app.database
        .sql(&format!(
            "with v as (
                 insert into document_version (tenant_id, document_id, content)
                 select v.tenant_id, v.document_id, v.content || '{members}'
                 from document_version v join document d on d.tenant_id = v.tenant_id and d.id = v.document_id
                 where d.tenant_id = '{demo}' and d.kind = '{kind}' and d.key = '{key}'
                 order by v.number desc limit 1
                 returning tenant_id, document_id, id)
             insert into release (tenant_id, document_id, version_id, live_from)
                 select tenant_id, document_id, id, {live_from} from v"
        ))
        .await;
}

/// Waits until a mint of the default context gives what `look` finds.
async fn served<T>(app: &TestApp, what: &str, look: impl Fn(&Value, &Value) -> Option<T>) -> T {
    let token = app.user("user-2");
    until(what, SOON, || async {
        let answer = app.mint(&token, &json!({})).await;
        if answer.status() != 200 {
            return None;
        }
        let answer: Value = answer.json().await.unwrap();
        look(&answer, &app.last_mint()["personaConfig"])
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_nobody_judged_is_served_and_refuses_what_would_take_too_long() {
    let app = spawn().await;
    let again = json!({ "$ref": "#/$defs/t" });
    let branching =
        json!({ "type": "object", "additionalProperties": { "anyOf": [again, again, again] } });
    let schema = json!({ "$defs": { "t": branching }, "$ref": "#/$defs/t" });
    let members = json!({ "description": "unjudged", "metadata": schema });
    release(&app, "context", "default", &members, "now()").await;
    let token = app.user("user-1");
    let deep = (0..28).fold(json!({ "z": 1 }), |inner, _| json!({ "d": inner }));
    let body = json!({ "metadata": deep });
    let told = until("the new schema", SOON, || async {
        let answer = app.mint(&token, &body).await;
        (answer.status() == 422).then_some(())?;
        let told: Value = answer.json().await.unwrap();
        (told["errors"][0]["pointer"] == "/metadata").then_some(told)
    })
    .await;
    let message = told["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("takes too long to check"), "{told}");
    let answer = app.mint(&token, &json!({ "metadata": {} })).await;
    assert_eq!(answer.status(), 200, "what is cheap is served as before");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_and_its_release_are_served_at_once_on_every_instance() {
    let app = spawn().await;
    let other = app.second().await;
    other.wait_for_token(&app.user("user-2")).await;
    let token = app.user("user-2");
    for instance in [&app, &other] {
        let sent = instance.minted_config(&token, &json!({})).await;
        assert_eq!(sent["personaConfig"]["name"], "Cara");
    }
    release(
        &app,
        "persona",
        "assistant",
        &json!({ "name": "Cara II" }),
        "now()",
    )
    .await;
    for instance in [&app, &other] {
        until("the new name is sent", SOON, || async {
            let answer: Value = instance
                .mint(&token, &json!({}))
                .await
                .json()
                .await
                .unwrap();
            (answer["persona"] == json!({ "key": "assistant", "version": 2, "name": "Cara II" }))
                .then_some(())
        })
        .await;
        assert_eq!(instance.last_mint()["personaConfig"]["name"], "Cara II");
    }
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_back_is_one_more_release() {
    let app = spawn().await;
    release(
        &app,
        "persona",
        "assistant",
        &json!({ "name": "Worse" }),
        "now()",
    )
    .await;
    served(&app, "version 2", |answer, _| {
        (answer["persona"]["version"] == 2).then_some(())
    })
    .await;
    app.database
        .sql(
            "insert into release (tenant_id, document_id, version_id)
             select v.tenant_id, v.document_id, v.id from document_version v
             join document d on d.tenant_id = v.tenant_id and d.id = v.document_id
             where d.kind = 'persona' and d.key = 'assistant' and v.number = 1",
        )
        .await;
    served(&app, "version 1", |answer, _| {
        (answer["persona"]["version"] == 1).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_release_goes_live_at_its_time_without_anybody_doing_anything() {
    let app = spawn().await;
    release(
        &app,
        "persona",
        "assistant",
        &json!({ "name": "Tomorrow" }),
        "now() + interval '1200 milliseconds'",
    )
    .await;
    app.settle("demo").await;
    let due = app
        .database
        .rows("select max(live_from) as due from release")
        .await[0]["due"]
        .clone();
    let due: chrono::DateTime<chrono::Utc> = serde_json::from_value(due).unwrap();
    let mut before = 0;
    let token = app.user("user-2");
    let patience = Duration::from_secs(10);
    let first = until("the scheduled version is served", patience, || {
        before += 1;
        let (app, token) = (&app, &token);
        async move {
            let answer: Value = app.mint(token, &json!({})).await.json().await.unwrap();
            let id: uuid::Uuid = serde_json::from_value(answer["sessionId"].clone()).unwrap();
            (answer["persona"]["version"] == 2).then_some(id)
        }
    })
    .await;
    assert!(before > 1, "the version before was served until then");
    let (seconds, nanos) = first.get_timestamp().unwrap().to_unix();
    let at = chrono::DateTime::from_timestamp(i64::try_from(seconds).unwrap(), nanos).unwrap();
    assert!(
        at + chrono::TimeDelta::milliseconds(1) >= due,
        "not before its time: {at} < {due}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_release_is_passed_over_for_the_one_before_it() {
    let app = spawn().await;
    release(
        &app,
        "persona",
        "assistant",
        &json!({ "name": "Good" }),
        "now()",
    )
    .await;
    let broken = json!({ "name": "Broken", "systemPrompt": "{% if %}", "voiceId": "no id" });
    release(&app, "persona", "assistant", &broken, "now()").await;
    app.settle("demo").await;
    let version = served(&app, "a readable version", |answer, _| {
        answer["persona"]["version"].as_i64()
    })
    .await;
    assert_eq!(version, 2);
    let told = logged();
    let told = told
        .lines()
        .find(|line| line.contains("the release before it is used") && line.contains("assistant"));
    assert!(told.is_some_and(|line| line.contains("ERROR")), "{told:?}");

    release(
        &app,
        "context",
        "default",
        &json!({ "rules": "none" }),
        "now()",
    )
    .await;
    app.settle("demo").await;
    served(&app, "a readable context", |answer, _| {
        (answer["context"] == "default").then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_policy_is_obeyed_at_once() {
    let app = spawn().await;
    let lock = json!({ "locks": { "languageCode": "fr", "maxSessionLengthSeconds": 60 } });
    app.database
        .sql(&format!(
            "update tenant set policy = policy || '{lock}' where slug = 'demo'"
        ))
        .await;
    served(&app, "the lock", |_, sent| {
        (sent["languageCode"] == "fr" && sent["maxSessionLengthSeconds"] == 60).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_read_fails_closed() {
    let app = spawn().await;
    app.database
        .sql("update tenant set policy = '{\"locks\": 7}' where slug = 'demo'")
        .await;
    until("the policy is refused", SOON, || async {
        let answer = app.mint(&app.user("user-2"), &json!({})).await;
        (answer.status() == 503).then_some(answer)
    })
    .await;
    let answer = app.mint(&app.user("user-2"), &json!({})).await;
    problem(answer, 503, "persona_unavailable").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_the_catalogue_is_no_longer_sent() {
    let app = spawn().await;
    let token = app.user("user-1");
    let leo = "121d5df1-3f3e-4a48-a237-8ff488e9eed8";
    app.prefer(&token, &json!({ "avatarId": leo })).await;
    assert_eq!(
        app.minted_config(&token, &json!({})).await["personaConfig"]["avatarId"],
        leo
    );
    app.database
        .sql(&format!(
            "update catalogue_entry set retired_at = now() where id = '{leo}'"
        ))
        .await;
    until("the persona's own avatar", SOON, || async {
        let sent = app.minted_config(&token, &json!({})).await;
        (sent["personaConfig"]["avatarId"] == "30fa96d0-26c4-4e55-94a0-517025942e18").then_some(())
    })
    .await;
    assert_eq!(
        app.last_trace().await["passedOver"],
        json!([{ "field": "avatarId", "reason": "notInCatalogue" }])
    );
    app.stop().await;
}

/// Waits until both instances answer a mint with this status, then back again.
async fn until_status(instances: [&TestApp; 2], status: u16) {
    for instance in instances {
        let token = instances[0].user("user-2");
        until("the status", SOON, || async {
            let answer = instance.mint(&token, &context("sales")).await;
            (answer.status() == status).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_and_a_disabled_issuer_are_turned_away_at_once_on_every_instance() {
    let app = spawn().await;
    let other = app.second().await;
    let both = [&app, &other];
    until_status(both, 200).await;

    app.database
        .sql("update tenant set status = 'suspended'")
        .await;
    until_status(both, 403).await;
    let answer = app.mint(&app.user("user-2"), &json!({})).await;
    problem(answer, 403, "tenant_suspended").await;
    app.database
        .sql("update tenant set status = 'active'")
        .await;
    until_status(both, 200).await;

    app.database.sql("update issuer set enabled = false").await;
    until_status(both, 401).await;
    app.database.sql("update issuer set enabled = true").await;
    until_status(both, 200).await;
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_served_even_where_its_notice_was_lost() {
    let app = spawn().await;
    let demo: TenantId = app.tenant("demo").await;
    // Every connection of the service goes, the listening one too; the change happens while nobody listens.
    app.database
        .sql(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    app.database
        .sql(&format!(
            "update tenant set policy = policy || '{{\"locks\": {{\"languageCode\": \"es\"}}}}' where id = '{}'",
            demo.0
        ))
        .await;
    let token = app.user("user-2");
    until("the lock", Duration::from_secs(10), || async {
        let answer = app.mint(&token, &json!({})).await;
        (answer.status() == 200 && app.last_mint()["personaConfig"]["languageCode"] == "es")
            .then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_closed_cost_no_user_an_error() {
    let app = spawn().await;
    let token = app.user("user-2");
    let body = context("sales");
    for _ in 0..3 {
        // Several at once, so that the pool is full of connections to lose.
        let answers = join_all((0..8).map(|_| app.mint(&token, &body))).await;
        for answer in answers {
            assert_eq!(answer.status(), 200);
        }
        app.database
            .sql(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
            )
            .await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_in_use_is_held_in_memory() {
    let app = spawn().await;
    let token = app.user("user-1");
    assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
    let sources = &app.app.gateway.sources;
    assert_eq!(sources.tenants_in_memory(), 1);
    sources.forget_idle(Duration::from_mins(10));
    assert_eq!(sources.tenants_in_memory(), 1, "it was asked for just now");
    sources.forget_idle(Duration::ZERO);
    assert_eq!(sources.tenants_in_memory(), 0);
    assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
    assert_eq!(sources.tenants_in_memory(), 1, "it is read again");

    // Of snippets, what live personas pin, and not all that was ever sealed.
    let tenant = app.tenant("demo").await;
    let mut tx = app.app.gateway.database.tenant(tenant).await.unwrap();
    let moment = tx.moment().await.unwrap();
    let before = Rows::read_served(&mut tx, moment)
        .await
        .unwrap()
        .snippets
        .len();
    tx.commit().await.unwrap();
    app.database
        .sql(&format!(
            "with d as (insert into document (tenant_id, kind, key) values ('{tenant}', 'snippet', 'many') returning id)
             insert into document_version (tenant_id, document_id, content)
             select '{tenant}', d.id, jsonb_build_object('text', 'number ' || n) from d, generate_series(1, 50) n"
        ))
        .await;
    let mut tx = app.app.gateway.database.tenant(tenant).await.unwrap();
    let served = Rows::read_served(&mut tx, moment).await.unwrap();
    let all = Rows::read(&mut tx, moment).await.unwrap();
    assert_eq!(served.snippets.len(), before);
    assert!(all.snippets.len() >= before + 50);
    app.stop().await;
}
