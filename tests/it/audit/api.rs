//! The audit trail over HTTP, and that no change gets by it.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::{body, state};
use crate::harness::cli::{Folder, program};
use crate::harness::{TestApp, pointers, problem, spawn};

async fn get(app: &TestApp, path: &str, key: &str) -> Value {
    body(app.ask(Method::GET, path, key).await, 200).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_found_by_each_filter_with_the_request_that_made_them() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Owner).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let asked = json!({ "kind": "snippet", "key": "promise", "content": { "text": "Be kind." } });
    let answer = app
        .tell(Method::POST, "/v1/admin/documents", &key, &asked)
        .await;
    let request = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let (etag, draft) = state(answer, 201).await;
    let newest = get(&app, "/v1/admin/audit?limit=1", &viewer).await["items"][0].clone();
    assert_eq!(newest["requestId"], request);
    let prefix: String = key.chars().take(12).collect();
    assert_eq!(newest["actor"], format!("key:{prefix}"));
    let seal = format!("/v1/admin/drafts/{}:seal", draft["id"].as_str().unwrap());
    let sealed = app
        .tell_if(Method::POST, &seal, &key, &etag, &json!({}))
        .await;
    state(sealed, 201).await;

    let all = get(&app, "/v1/admin/audit?limit=100", &viewer).await;
    let all = all["items"].as_array().unwrap();
    let seqs: Vec<i64> = all
        .iter()
        .map(|item| item["seq"].as_i64().unwrap())
        .collect();
    assert!(
        seqs.windows(2).all(|pair| pair[0] == pair[1] + 1),
        "newest first: {seqs:?}"
    );
    let member = |name: &str| newest[name].as_str().unwrap().to_owned();
    let (actor, target, at) = (member("actor"), member("target"), member("at"));
    let prefix = member("action").split('.').next().unwrap().to_owned() + ".";
    for (query, keeps) in [
        (format!("actor={actor}"), "actor"),
        (format!("target={target}"), "target"),
        (format!("action={prefix}"), "action"),
        (format!("from={at}"), "at"),
        (format!("to={at}"), "at"),
    ] {
        let found = get(&app, &format!("/v1/admin/audit?limit=100&{query}"), &viewer).await;
        let wanted: Vec<&Value> = all
            .iter()
            .filter(|item| {
                let text = item[keeps].as_str().unwrap();
                match query.split_once('=').unwrap() {
                    ("from", at) => text >= at,
                    ("to", at) => text < at,
                    ("action", prefix) => text.starts_with(prefix),
                    (_, same) => text == same,
                }
            })
            .collect();
        assert!(!wanted.is_empty(), "{query}");
        assert_eq!(
            found["items"]
                .as_array()
                .unwrap()
                .iter()
                .collect::<Vec<_>>(),
            wanted,
            "{query}"
        );
    }
    let key = app.admin_key("demo", Role::Viewer).await;
    let wrong = app
        .ask(Method::GET, "/v1/admin/audit?actor=&action=", &key)
        .await;
    assert_eq!(
        pointers(&problem(wrong, 422, "invalid_request").await),
        ["/actor", "/action"]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_over_http_is_marked_and_verified_with_the_public_key() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    let path = "/v1/admin/audit/checkpoints";
    let made = body(app.ask(Method::POST, path, &owner).await, 200).await;
    let again = body(app.ask(Method::POST, path, &owner).await, 200).await;
    assert_eq!(made, again, "one for a row");
    let listed = get(&app, path, &viewer).await;
    assert_eq!(listed["items"][0], made);
    let keys = get(&app, "/v1/admin/audit/keys", &viewer).await;
    assert_eq!(keys["items"][0]["id"], made["keyId"]);
    let public = keys["items"][0]["publicKey"].as_str().unwrap().to_owned();

    let answer = app.ask(Method::GET, "/v1/admin/audit/export", &owner).await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let folder = Folder::new();
    let file = folder.write("trail.ndjson", answer.text().await.unwrap());
    let ended = program(&["audit", "verify", &file, "--public-key", &public])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.starts_with("Good. "), "{ended:?}");
    assert_eq!(
        ended.out.lines().count(),
        1,
        "signed up to its end: {ended:?}"
    );
    let head = app
        .ask(Method::HEAD, "/v1/admin/audit/export", &owner)
        .await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");

    let publisher = app.admin_key("demo", Role::Publisher).await;
    for (method, path) in [
        (Method::GET, "/v1/admin/audit/export"),
        (Method::POST, "/v1/admin/audit/checkpoints"),
        (Method::POST, "/v1/admin/users/ada:export"),
        (Method::POST, "/v1/admin/users/ada:erase"),
    ] {
        problem(app.ask(method, path, &publisher).await, 403, "forbidden").await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trails_are_marked_without_being_asked() {
    let app = spawn().await;
    let second = app.second().await;
    crate::harness::wait::until(
        "a checkpoint is made",
        std::time::Duration::from_secs(10),
        || async {
            app.database
                .rows("select seq from audit_checkpoint")
                .await
                .pop()
        },
    )
    .await;
    second.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_can_not_be_told_did_not_happen() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Owner).await;
    let token = app.user("ada");
    app.prefer(&token, &json!({ "tone": "formal" })).await;
    app.mint(&token, &json!({})).await;
    let documents = "/v1/admin/documents";
    let asked = json!({ "kind": "snippet", "key": "told", "content": { "text": "Be kind." } });
    let (etag, draft) = state(app.tell(Method::POST, documents, &key, &asked).await, 201).await;
    let draft = format!("/v1/admin/drafts/{}", draft["id"].as_str().unwrap());
    app.database
        .sql(
            "create function full_disk() returns trigger language plpgsql as $$ begin raise 'the disk is full'; end $$;
             create trigger full_disk before insert on audit_event for each row execute function full_disk()",
        )
        .await;
    let held = "select (select count(*) from document) as documents, (select count(*) from document_version) as versions,
                       (select count(*) from release) as releases, (select jsonb_agg(d) from draft d) as drafts,
                       (select jsonb_agg(p) from preference p) as preferences, (select count(*) from session_inputs) as inputs,
                       (select jsonb_agg(subject) from session) as subjects";
    let before = app.database.rows(held).await;
    for (method, path, body) in [
        (
            Method::POST,
            documents,
            json!({ "kind": "snippet", "key": "untold", "content": { "text": "x" } }),
        ),
        (Method::PUT, &draft, json!({ "content": { "text": "y" } })),
        (Method::POST, &format!("{draft}:seal"), json!({})),
        (Method::DELETE, &draft, json!({})),
        (
            Method::POST,
            &format!("{documents}/persona/assistant/drafts"),
            json!({}),
        ),
        (
            Method::POST,
            &format!("{documents}/snippet/told:archive"),
            json!({}),
        ),
        (Method::POST, "/v1/admin/users/ada:export", json!({})),
        (Method::POST, "/v1/admin/users/ada:erase", json!({})),
    ] {
        let answer = app.tell_if(method, path, &key, &etag, &body).await;
        problem(answer, 500, "internal").await;
        assert_eq!(app.database.rows(held).await, before, "{path}");
    }
    app.stop().await;
}
