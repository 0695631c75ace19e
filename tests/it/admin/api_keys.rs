//! Keys of machines: shown once, rotated with a grace, revoked at once.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::{TestApp, pointers, problem, spawn};

const KEYS: &str = "/v1/admin/api-keys";
const ANN: &str = "ann@example.com";

async fn made(app: &TestApp, owner: &str, sent: &Value) -> Value {
    body(app.tell(Method::POST, KEYS, owner, sent).await, 201).await
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_and_counts_as_its_makers_hand() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let sent = json!({ "name": "deploy", "role": "editor", "expiresAt": app.clock.now() + chrono::TimeDelta::days(90) });
    let made = made(&app, &owner, &sent).await;
    let key = text(&made, "key");
    assert!(key.starts_with("pgk_") && key.len() == 47, "{key}");
    let prefix: String = key.chars().take(12).collect();
    assert_eq!(made["prefix"], prefix, "the trail's name of it");
    assert_eq!(made["createdBy"], "person:ann@example.com");
    let me = body(app.ask(Method::GET, "/v1/admin/me", &key).await, 200).await;
    assert_eq!(
        (&me["actor"], &me["role"]),
        (&json!(format!("key:{prefix}")), &json!("editor"))
    );

    let path = format!("{KEYS}/{}", text(&made, "id"));
    let read = body(app.ask(Method::GET, &path, &owner).await, 200).await;
    assert!(read.get("key").is_none());
    assert!(read["lastUsedAt"].is_string(), "{read}");
    let listed = body(app.ask(Method::GET, KEYS, &owner).await, 200).await;
    assert_eq!(listed["items"][0]["id"], made["id"], "newest first");
    assert!(!listed.to_string().contains(&key));
    let stored = app.database.rows("select * from api_key").await;
    assert!(!json!(stored).to_string().contains(&key));

    // What the key writes, Ann wrote: she can't approve it.
    let draft = json!({ "kind": "snippet", "key": "by-key", "content": { "text": "x" } });
    let draft = body(
        app.tell(Method::POST, "/v1/admin/documents", &key, &draft)
            .await,
        201,
    )
    .await;
    let contributors = draft["contributors"].as_array().unwrap();
    assert!(
        contributors.contains(&json!("person:ann@example.com")),
        "{draft}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Viewer).await;
    let used = async || {
        let rows = app
            .database
            .rows("select xmin::text as version, last_used_at from api_key where name = 'test'")
            .await;
        rows[0].clone()
    };
    assert_eq!(used().await["last_used_at"], Value::Null);
    app.status_of(&key).await;
    let first = used().await;
    assert!(first["last_used_at"].is_string());
    app.status_of(&key).await;
    assert_eq!(used().await, first, "not written again");
    app.database
        .sql("update api_key set last_used_at = now() - interval '61 seconds'")
        .await;
    let before = used().await;
    app.status_of(&key).await;
    assert_ne!(used().await, before);
    app.stop().await;
}

#[tokio::test]
async fn a_rotated_key_goes_on_for_its_grace_and_not_longer() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let old = made(
        &app,
        &owner,
        &json!({ "name": "deploy", "role": "publisher" }),
    )
    .await;
    let rotate = format!("{KEYS}/{}:rotate", text(&old, "id"));
    let told = app
        .tell(
            Method::POST,
            &rotate,
            &owner,
            &json!({ "graceSeconds": -1 }),
        )
        .await;
    assert_eq!(
        pointers(&problem(told, 422, "invalid_request").await),
        ["/graceSeconds"]
    );

    let new = body(app.ask(Method::POST, &rotate, &owner).await, 201).await;
    assert_eq!(
        (&new["name"], &new["role"], &new["replaces"]),
        (&json!("deploy"), &json!("publisher"), &old["id"])
    );
    let (old_key, new_key) = (text(&old, "key"), text(&new, "key"));
    assert_eq!(
        (app.status_of(&old_key).await, app.status_of(&new_key).await),
        (200, 200)
    );
    let left = app
        .database
        .rows("select expires_at between now() + interval '23 hours' and now() + interval '24 hours' as a_day from api_key where name = 'deploy' and replaces is null")
        .await;
    assert_eq!(left[0]["a_day"], true);
    app.database
        .sql("update api_key set expires_at = now() where replaces is null and name = 'deploy'")
        .await;
    assert_eq!(
        (app.status_of(&old_key).await, app.status_of(&new_key).await),
        (401, 200)
    );
    let ended = app.ask(Method::POST, &rotate, &owner).await;
    problem(ended, 409, "conflict").await;

    let rotate = format!("{KEYS}/{}:rotate", text(&new, "id"));
    let newest = app
        .tell(Method::POST, &rotate, &owner, &json!({ "graceSeconds": 0 }))
        .await;
    let newest = text(&body(newest, 201).await, "key");
    assert_eq!(
        (app.status_of(&new_key).await, app.status_of(&newest).await),
        (401, 200)
    );
    app.stop().await;
}

#[tokio::test]
async fn a_rotation_keeps_an_end_that_is_nearer_than_the_grace_and_the_length_of_life() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let sent = json!({ "name": "short", "role": "viewer", "expiresAt": app.clock.now() + chrono::TimeDelta::hours(2) });
    let old = made(&app, &owner, &sent).await;
    let rotate = format!("{KEYS}/{}:rotate", text(&old, "id"));
    body(app.ask(Method::POST, &rotate, &owner).await, 201).await;
    let rows = app
        .database
        .rows(
            "select replaces is null as old, expires_at - now() between interval '119 minutes' and interval '121 minutes' as two_hours
             from api_key where name = 'short'",
        )
        .await;
    assert!(rows.iter().all(|row| row["two_hours"] == true), "{rows:?}");
    app.stop().await;
}

#[tokio::test]
async fn a_revoked_and_an_expired_key_are_refused() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let revoked = made(&app, &owner, &json!({ "name": "one", "role": "viewer" })).await;
    let path = format!("{KEYS}/{}", text(&revoked, "id"));
    assert_eq!(app.status_of(&text(&revoked, "key")).await, 200);
    for _ in 0..2 {
        assert_eq!(
            app.ask(Method::DELETE, &path, &owner).await.status(),
            204,
            "twice is as good"
        );
    }
    assert_eq!(app.status_of(&text(&revoked, "key")).await, 401);
    let expired = made(&app, &owner, &json!({ "name": "two", "role": "viewer" })).await;
    app.database
        .sql("update api_key set expires_at = now() where name = 'two'")
        .await;
    assert_eq!(app.status_of(&text(&expired, "key")).await, 401);
    let trail = app.audited("demo").await;
    assert_eq!(
        trail
            .iter()
            .filter(|line| line.contains("api_key.revoke"))
            .count(),
        1
    );
    app.stop().await;
}

#[tokio::test]
async fn bad_wishes_are_told_all_at_once() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let sent = json!({ "name": "", "role": "root", "expiresAt": "soon", "colour": "red" });
    let told = problem(
        app.tell(Method::POST, KEYS, &owner, &sent).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(pointers(&told), ["/name", "/role", "/expiresAt", "/colour"]);
    for days in [-1, 800] {
        let at = app.clock.now() + chrono::TimeDelta::days(days);
        let sent = json!({ "name": "x", "role": "viewer", "expiresAt": at });
        let told = problem(
            app.tell(Method::POST, KEYS, &owner, &sent).await,
            422,
            "invalid_request",
        )
        .await;
        assert_eq!(pointers(&told), ["/expiresAt"]);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_repeated_creation_gives_the_same_key() {
    let app = spawn().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let create = async || {
        let request = app
            .request(Method::POST, KEYS, &owner)
            .header("idempotency-key", "once");
        let answer = request
            .json(&json!({ "name": "x", "role": "viewer" }))
            .send()
            .await
            .unwrap();
        text(&body(answer, 201).await, "key")
    };
    assert_eq!(create().await, create().await);
    app.stop().await;
}

#[tokio::test]
async fn a_key_goes_on_when_its_maker_is_no_member_any_more() {
    let app = spawn().await;
    let owner = app.signed_in("demo", "ann@example.com", Role::Owner).await;
    let maker = app.signed_in("demo", "bob@example.com", Role::Owner).await;
    let sent = json!({ "name": "deploy", "role": "viewer" });
    let made = body(app.tell(Method::POST, KEYS, &maker, &sent).await, 201).await;
    let key = made["key"].as_str().unwrap();
    let members = body(app.ask(Method::GET, "/v1/admin/members", &owner).await, 200).await;
    let mut members = members["items"].as_array().unwrap().iter();
    let of_maker = members.find(|member| member["email"] == "bob@example.com");
    let path = format!(
        "/v1/admin/members/{}",
        of_maker.unwrap()["id"].as_str().unwrap()
    );
    let (etag, _) = state(app.ask(Method::GET, &path, &owner).await, 200).await;
    let gone = app
        .request(Method::DELETE, &path, &owner)
        .header("if-match", etag);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    problem(
        app.ask(Method::GET, "/v1/admin/me", &maker).await,
        401,
        "unauthenticated",
    )
    .await;
    let me = body(app.ask(Method::GET, "/v1/admin/me", key).await, 200).await;
    assert_eq!(me["role"], "viewer");
    app.stop().await;
}
