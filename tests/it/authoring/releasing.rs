//! What is live when: schedules that are called off, instances whose clocks differ, releases that can't be served.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::life::{live_content, release, sealed};
use crate::harness::admins::body;
use crate::harness::wait::until;
use crate::harness::{TestApp, context, problem, spawn};

const ASSISTANT: &str = "/v1/admin/documents/persona/assistant";
const RELEASES: &str = "/v1/admin/documents/persona/assistant/releases";

/// Seals a version of the assistant with this name.
async fn named(app: &TestApp, key: &str, name: &str) -> i64 {
    let mut content = live_content(app, key, ASSISTANT).await;
    content["name"] = json!(name);
    sealed(app, key, ASSISTANT, &content).await
}

/// The version of the assistant that a mint gets.
async fn minted(app: &TestApp) -> i64 {
    minted_with(app, &app.user("user-1")).await
}

async fn minted_with(app: &TestApp, token: &str) -> i64 {
    let answer = app.mint(token, &context("default")).await;
    let answer = body(answer, 200).await;
    assert_eq!(answer["persona"]["key"], "assistant");
    answer["persona"]["version"].as_i64().unwrap()
}

/// The database's time.
async fn time(app: &TestApp) -> DateTime<Utc> {
    let rows = app.database.rows("select clock_timestamp() as now").await;
    serde_json::from_value(rows[0]["now"].clone()).unwrap()
}

async fn passed(app: &TestApp, moment: DateTime<Utc>) {
    until("the moment has come", Duration::from_secs(20), || async {
        (time(app).await > moment).then_some(())
    })
    .await;
}

async fn schedule(app: &TestApp, key: &str, version: i64, at: DateTime<Utc>) -> Value {
    let asked = json!({ "version": version, "liveFrom": at });
    let answer = app.tell(Method::POST, RELEASES, key, &asked).await;
    body(answer, 200).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_was_called_off_leaves_live_what_was_released_meanwhile() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let second = named(&app, &key, "Second").await;
    let third = named(&app, &key, "Third").await;
    let due = time(&app).await + TimeDelta::seconds(4);
    let scheduled = schedule(&app, &key, second, due).await;
    body(release(&app, &key, ASSISTANT, third).await, 200).await;
    let cancel = format!("{RELEASES}/{}:cancel", scheduled["id"].as_str().unwrap());
    body(app.ask(Method::POST, &cancel, &key).await, 200).await;
    assert_eq!(minted(&app).await, third);
    passed(&app, due).await;
    assert_eq!(minted(&app).await, third);
    let document = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    assert_eq!(document["liveVersion"], third);
    // And back: neither the schedule nor its cancellation was ever live.
    let back = format!("{ASSISTANT}:rollback");
    let row = body(app.tell(Method::POST, &back, &key, &json!({})).await, 200).await;
    assert_eq!(row["version"], 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_of_an_earlier_release_of_the_gateway_is_read_as_what_it_meant() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    named(&app, &key, "Second").await;
    let third = named(&app, &key, "Third").await;
    // Version 2 for a minute ago, called off when version 1 was live; version 3 two minutes ago.
    app.database
        .sql(
            "alter table release disable trigger append_only;
             update release set live_from = now() - interval '1 hour', created_at = now() - interval '1 hour'
             where document_id = (select id from document where kind = 'persona' and key = 'assistant');
             alter table release enable trigger append_only;
             insert into release (tenant_id, document_id, version_id, live_from, way)
             select v.tenant_id, v.document_id, v.id, now() - past, way
             from (values (1, 2, interval '1 minute', 'release'), (2, 3, interval '2 minutes', 'release'),
                          (3, 1, interval '1 minute', 'cancel')) as row (position, number, past, way)
             join document d on d.kind = 'persona' and d.key = 'assistant'
             join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id and v.number = row.number
             order by position",
        )
        .await;
    app.settle("demo").await;
    assert_eq!(minted(&app).await, third);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_whose_clocks_differ_the_later_release_wins_at_once() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let ahead = app.second_ahead(TimeDelta::seconds(5)).await;
    let behind = app.second_ahead(TimeDelta::seconds(-5)).await;
    let all = [&app, &ahead, &behind];
    let token = app.user("user-1");
    for instance in all {
        instance.wait_for_token(&token).await;
    }
    let mut expected = 1;
    for by in [&ahead, &app, &behind, &ahead, &behind] {
        expected = named(by, &key, &format!("By turns {expected}")).await;
        body(release(by, &key, ASSISTANT, expected).await, 200).await;
        for instance in all {
            // What an admin asks is answered with what was committed before, and mints follow.
            let document = body(instance.ask(Method::GET, ASSISTANT, &key).await, 200).await;
            assert_eq!(document["liveVersion"], expected);
            assert_eq!(minted_with(instance, &token).await, expected);
        }
    }
    // A schedule waits for the database's time, wherever it is looked at.
    let next = named(&ahead, &key, "Scheduled").await;
    let due = time(&app).await + TimeDelta::seconds(4);
    schedule(&behind, &key, next, due).await;
    for instance in all {
        app.settle("demo").await;
        instance.settle("demo").await;
        let got = minted_with(instance, &token).await;
        assert!(
            time(&app).await < due,
            "the machine is too slow for this test"
        );
        assert_eq!(got, expected);
    }
    passed(&app, due).await;
    for instance in all {
        until("the scheduled version", Duration::from_secs(2), || async {
            (minted_with(instance, &token).await == next).then_some(())
        })
        .await;
    }
    behind.stop().await;
    ahead.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_scheduled_has_an_end() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let second = named(&app, &key, "Second").await;
    let rows = app
        .database
        .rows("select date_trunc('hour', now()) + interval '1 day' as at")
        .await;
    let start: DateTime<Utc> = serde_json::from_value(rows[0]["at"].clone()).unwrap();
    let hour = |number: i64| start + TimeDelta::hours(number);
    let hours = async |from: i64, to: i64, kind: &str, name: &str| {
        let sql = format!(
            "insert into release (tenant_id, document_id, version_id, live_from)
             select v.tenant_id, v.document_id, v.id, '{start}'::timestamptz + h * interval '1 hour'
             from generate_series({from}, {to}) h, document d
             join document_version v on v.tenant_id = d.tenant_id and v.document_id = d.id and v.number = 1
             where d.kind = '{kind}' and d.key = '{name}'"
        );
        app.database.sql(&sql).await;
    };
    hours(1, 19, "persona", "assistant").await;
    schedule(&app, &key, second, hour(20)).await;
    let refused = async |path: &str, version: i64, at: DateTime<Utc>| {
        let asked = json!({ "version": version, "liveFrom": at });
        let answer = app.tell(Method::POST, path, &key, &asked).await;
        let told = problem(answer, 409, "conflict").await;
        told["detail"].as_str().unwrap().to_owned()
    };
    let told = refused(RELEASES, second, hour(3)).await;
    assert!(
        told.contains("20 scheduled releases") && told.contains("cancel one"),
        "{told}"
    );
    // Another document: at a moment that others have, not at one more.
    let other = "/v1/admin/documents/persona/trainer";
    let releases = format!("{other}/releases");
    let told = refused(&releases, 1, hour(21)).await;
    assert!(
        told.contains("20 moments") && told.contains("one of those moments"),
        "{told}"
    );
    let asked = json!({ "version": 1, "liveFrom": hour(20) });
    body(app.tell(Method::POST, &releases, &key, &asked).await, 200).await;
    // A hundred in all.
    for (from, name) in [(1, "trainer"), (1, "sales-advisor"), (1, "support-agent")] {
        hours(from, from + 18, "persona", name).await;
    }
    hours(1, 20, "context", "default").await;
    hours(1, 2, "context", "sales").await;
    let told = refused("/v1/admin/documents/context/support/releases", 1, hour(1)).await;
    assert!(told.contains("100 releases"), "{told}");
    // Now is always possible.
    body(release(&app, &key, ASSISTANT, second).await, 200).await;
    app.stop().await;
}

/// A version of the assistant that nothing checked, released: as somebody with psql writes it.
async fn release_unchecked(app: &TestApp, members: &Value) {
    app.database
        .sql(&format!(
            "with v as (
                 insert into document_version (tenant_id, document_id, content)
                 select v.tenant_id, v.document_id, v.content || '{members}'
                 from document_version v join document d on d.tenant_id = v.tenant_id and d.id = v.document_id
                 where d.kind = 'persona' and d.key = 'assistant' order by v.number desc limit 1
                 returning tenant_id, document_id, id)
             insert into release (tenant_id, document_id, version_id) select tenant_id, document_id, id from v"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_says_what_mints_get_and_what_was_passed_over_for_it() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Owner).await;
    let good = named(&app, &key, "Good").await;
    body(release(&app, &key, ASSISTANT, good).await, 200).await;
    release_unchecked(
        &app,
        &json!({ "systemPrompt": "{% if %}", "voiceId": "no id" }),
    )
    .await;
    app.settle("demo").await;
    assert_eq!(minted(&app).await, good);

    let document = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    assert_eq!(document["liveVersion"], good);
    assert_eq!(document["latestVersion"], good + 1);
    let passed_over = &document["passedOver"][0];
    assert_eq!(passed_over["version"], good + 1);
    let pointers: Vec<&str> = passed_over["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|reason| reason["pointer"].as_str())
        .collect();
    assert!(pointers.contains(&"/systemPrompt"), "{document}");
    let list = "/v1/admin/documents?kind=persona&holds=assistant";
    let listed = body(app.ask(Method::GET, list, &key).await, 200).await;
    let mut in_lists = document.clone();
    let content = in_lists.as_object_mut().unwrap().remove("content");
    assert_eq!(content.unwrap()["name"], "Good");
    assert_eq!(listed["items"][0], in_lists);

    // What is compared with what is live, explained and exported is what mints get, too.
    let diff = format!("{ASSISTANT}/versions/{good}/diff?against=live");
    let diff = body(app.ask(Method::GET, &diff, &key).await, 200).await;
    assert_eq!(diff["changes"], json!([]));
    let bundle = body(app.ask(Method::GET, "/v1/admin/bundle", &key).await, 200).await;
    assert_eq!(bundle["personas"]["assistant"]["name"], "Good");
    let answer = app.mint(&app.user("user-1"), &context("default")).await;
    let session = body(answer, 200).await["sessionId"].clone();
    let session = format!("/v1/admin/sessions/{}", session.as_str().unwrap());
    let explained = body(app.ask(Method::GET, &session, &key).await, 200).await;
    let used = explained["versions"].as_array().unwrap();
    let used = used.iter().find(|used| used["key"] == "assistant").unwrap();
    assert_eq!(
        (&used["state"], &used["liveVersion"]),
        (&json!("live"), &json!(good))
    );

    // Applying what mints get heals it: the release that can't be served is overtaken.
    let apply = json!({ "bundle": bundle });
    let plan = app
        .tell(Method::POST, "/v1/admin/bundle:apply", &key, &apply)
        .await;
    let plan = body(plan, 200).await;
    assert!(plan.to_string().contains("persona/assistant"), "{plan}");
    let healed = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    assert_eq!(healed["liveVersion"], good + 2);
    assert_eq!(healed.get("passedOver"), None);
    let again = app
        .tell(Method::POST, "/v1/admin/bundle:apply", &key, &apply)
        .await;
    let again = body(again, 200).await;
    assert!(!again.to_string().contains("persona/assistant"), "{again}");

    // Where the policy can't be read, nothing is served, and that is said.
    app.database
        .sql("update tenant set policy = '{\"locks\": 7}' where slug = 'demo'")
        .await;
    let document = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    assert_eq!(document.get("liveVersion"), None);
    assert!(
        document["notServed"].as_str().unwrap().contains("policy"),
        "{document}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_scheduled_of_an_archived_document_is_live_once_it_comes_back() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let path = "/v1/admin/documents/snippet/aside";
    let new = json!({ "kind": "snippet", "key": "aside", "content": { "text": "one" } });
    body(
        app.tell(Method::POST, "/v1/admin/documents", &key, &new)
            .await,
        201,
    )
    .await;
    let first = sealed(&app, &key, path, &json!({ "text": "one" })).await;
    body(release(&app, &key, path, first).await, 200).await;
    let second = sealed(&app, &key, path, &json!({ "text": "two" })).await;
    let due = time(&app).await + TimeDelta::seconds(2);
    let asked = json!({ "version": second, "liveFrom": due });
    let releases = format!("{path}/releases");
    body(app.tell(Method::POST, &releases, &key, &asked).await, 200).await;
    let archived = app
        .ask(Method::POST, &format!("{path}:archive"), &key)
        .await;
    assert_eq!(body(archived, 200).await.get("liveVersion"), None);
    passed(&app, due).await;
    let restored = app
        .ask(Method::POST, &format!("{path}:restore"), &key)
        .await;
    assert_eq!(body(restored, 200).await["liveVersion"], second);
    app.stop().await;
}

/// Releases a version of a document to a share of the users.
async fn roll_out(
    app: &TestApp,
    key: &str,
    path: &str,
    version: i64,
    percent: u8,
) -> reqwest::Response {
    let asked = json!({ "version": version, "percent": percent });
    app.tell(Method::POST, &format!("{path}/releases"), key, &asked)
        .await
}

/// Which of these users get this version.
async fn getting(app: &TestApp, version: i64) -> Vec<usize> {
    app.settle("demo").await;
    let mut those = Vec::new();
    for user in 0..40 {
        let token = app.user(&format!("user-{user}"));
        let answer = body(app.mint(&token, &context("default")).await, 200).await;
        if answer["persona"]["version"] == version {
            those.push(user);
        }
    }
    those
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_rolled_out_to_a_share_of_the_users_raised_ended_and_promoted() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Owner).await;
    let new = named(&app, &key, "New").await;
    let row = body(roll_out(&app, &key, ASSISTANT, new, 30).await, 200).await;
    assert_eq!(
        (&row["version"], &row["percent"]),
        (&json!(new), &json!(30))
    );
    let document = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    assert_eq!(document["liveVersion"], 1);
    assert_eq!(
        document["rollout"],
        json!({ "version": new, "percent": 30 })
    );

    let first = getting(&app, new).await;
    assert!((2..30).contains(&first.len()), "{first:?}");
    // The trace says who was in, and explaining says that the version is one of a rollout.
    let user = first[0];
    let token = app.user(&format!("user-{user}"));
    let answer = body(app.mint(&token, &context("default")).await, 200).await;
    let session = format!(
        "/v1/admin/sessions/{}",
        answer["sessionId"].as_str().unwrap()
    );
    let explained = body(app.ask(Method::GET, &session, &key).await, 200).await;
    let drawn = &explained["trace"]["rollouts"][0];
    assert_eq!(drawn["included"], true);
    assert_eq!(
        (&drawn["version"], &drawn["percent"]),
        (&json!(new), &json!(30))
    );
    assert!(drawn["bucket"].as_u64().unwrap() < 30);
    let versions = explained["versions"].as_array().unwrap().iter();
    let states: Vec<_> = versions.map(|one| (&one["kind"], &one["state"])).collect();
    assert!(
        states.contains(&(&json!("persona"), &json!("rollout"))),
        "{explained}"
    );

    // Previews draw like mints, and either version can be chosen.
    for (uses, version) in [
        (json!([]), new),
        (
            json!([{ "kind": "persona", "key": "assistant", "version": 1 }]),
            1,
        ),
    ] {
        let user = json!({ "subject": format!("user-{user}"), "facts": {} });
        let asked = json!({ "context": "default", "user": user, "use": uses });
        let told = app
            .tell(Method::POST, "/v1/admin/preview", &key, &asked)
            .await;
        let told = body(told, 200).await;
        assert_eq!(told["trace"]["persona"]["version"], version, "{told}");
    }

    body(roll_out(&app, &key, ASSISTANT, new, 60).await, 200).await;
    let more = getting(&app, new).await;
    assert!(
        first.iter().all(|user| more.contains(user)),
        "{first:?} {more:?}"
    );
    assert!(more.len() > first.len());

    // A bundle of what is live leaves the rollout alone and says so.
    let bundle = body(app.ask(Method::GET, "/v1/admin/bundle", &key).await, 200).await;
    assert_ne!(bundle["personas"]["assistant"]["name"], "New");
    let apply = json!({ "bundle": bundle, "dryRun": true });
    let path = "/v1/admin/bundle:apply";
    let plan = body(app.tell(Method::POST, path, &key, &apply).await, 200).await;
    assert!(
        plan.to_string().contains("to 60 % of the users goes on"),
        "{plan}"
    );
    let mut changed = apply.clone();
    changed["bundle"]["personas"]["assistant"]["name"] = json!("Third");
    let plan = body(app.tell(Method::POST, path, &key, &changed).await, 200).await;
    assert!(
        plan.to_string().contains("ends the rollout of version"),
        "{plan}"
    );
    changed["bundle"]["personas"]["assistant"]["name"] = json!("New");
    let plan = body(app.tell(Method::POST, path, &key, &changed).await, 200).await;
    assert!(
        plan.to_string()
            .contains("to everybody, after 60 % of the users"),
        "{plan}"
    );

    // Going back ends it; so does releasing the live version; releasing the new one to everybody promotes it.
    let back = format!("{ASSISTANT}:rollback");
    let row = body(app.tell(Method::POST, &back, &key, &json!({})).await, 200).await;
    assert_eq!(row["version"], 1);
    assert_eq!(getting(&app, new).await, Vec::<usize>::new());
    body(roll_out(&app, &key, ASSISTANT, new, 30).await, 200).await;
    assert_eq!(getting(&app, new).await, first, "the same users again");
    body(release(&app, &key, ASSISTANT, 1).await, 200).await;
    assert_eq!(getting(&app, new).await, Vec::<usize>::new());
    body(roll_out(&app, &key, ASSISTANT, new, 99).await, 200).await;
    body(release(&app, &key, ASSISTANT, new).await, 200).await;
    let document = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    assert_eq!(document["liveVersion"], new);
    assert_eq!(document.get("rollout"), None);
    let audit = "/v1/admin/audit?action=persona.release";
    let audit = body(app.ask(Method::GET, audit, &key).await, 200).await;
    assert!(audit.to_string().contains(r#""percent":99"#), "{audit}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_makes_no_sense_or_breaks_something_is_refused() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Owner).await;
    let refused = async |path: &str, version: i64, percent: u8, part: &str| {
        let answer = roll_out(&app, &key, path, version, percent).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status == 422 || status == 409, "{status} {text}");
        assert!(text.contains(part), "{text}");
    };
    refused(ASSISTANT, 1, 20, "live for everybody else").await;
    let new = named(&app, &key, "New").await;
    refused(ASSISTANT, new, 0, "/percent").await;
    refused(ASSISTANT, new, 100, "/percent").await;
    body(roll_out(&app, &key, ASSISTANT, new, 20).await, 200).await;
    refused(ASSISTANT, new, 20, "rolled out to 20 % already").await;

    // Beside nothing.
    let lone = json!({ "kind": "snippet", "key": "lone", "content": { "text": "x" } });
    body(
        app.tell(Method::POST, "/v1/admin/documents", &key, &lone)
            .await,
        201,
    )
    .await;
    let snippet = "/v1/admin/documents/snippet/lone";
    let first = sealed(&app, &key, snippet, &json!({ "text": "x" })).await;
    refused(snippet, first, 20, "roll out a persona that pins it").await;
    let content = live_content(&app, &key, ASSISTANT).await;
    let twin = json!({ "kind": "persona", "key": "twin", "content": content });
    body(
        app.tell(Method::POST, "/v1/admin/documents", &key, &twin)
            .await,
        201,
    )
    .await;
    let twin = "/v1/admin/documents/persona/twin";
    let first = sealed(&app, &key, twin, &content).await;
    refused(twin, first, 20, "release a version to everybody first").await;

    // Both versions must fit to everything else: a context in a rollout keeps the persona that it gives, and its tests.
    let default = "/v1/admin/documents/context/default";
    let mut fallback = live_content(&app, &key, default).await;
    fallback["default"] = json!("twin");
    let other = sealed(&app, &key, default, &fallback).await;
    refused(
        default,
        other,
        20,
        "gives the persona `twin`, which is not live",
    )
    .await;
    body(release(&app, &key, twin, first).await, 200).await;
    body(roll_out(&app, &key, default, other, 20).await, 200).await;
    let archive = app
        .ask(Method::POST, &format!("{twin}:archive"), &key)
        .await;
    let told = problem(archive, 409, "in_use").await;
    assert!(told.to_string().contains("twin"), "{told}");
    let mut renamed = fallback.clone();
    renamed["aliases"] = json!(["another-name"]);
    let aliased = sealed(&app, &key, default, &renamed).await;
    refused(default, aliased, 20, "other aliases").await;

    let mut tested = content.clone();
    tested["tests"] = json!([{
        "name": "stays short", "user": { "facts": {} }, "context": "default", "expect": { "persona": "assistant" },
    }]);
    body(release(&app, &key, default, 1).await, 200).await;
    let tested = sealed(&app, &key, ASSISTANT, &tested).await;
    body(release(&app, &key, ASSISTANT, tested).await, 200).await;
    refused(default, other, 20, "for users in the rollouts").await;
    app.stop().await;
}
