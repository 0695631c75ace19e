//! What was never released may be renamed, deleted, and anything may be copied.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::life::{release, sealed};
use crate::harness::admins::{body, state};
use crate::harness::{TestApp, pointers, problem, spawn, sql};

const DOCUMENTS: &str = "/v1/admin/documents";
const ASSISTANT: &str = "/v1/admin/documents/persona/assistant";

async fn create(app: &TestApp, key: &str, kind: &str, name: &str, content: &Value) {
    let new = json!({ "kind": kind, "key": name, "content": content });
    body(app.tell(Method::POST, DOCUMENTS, key, &new).await, 201).await;
}

async fn delete(app: &TestApp, key: &str, path: &str, etag: &str) -> reqwest::Response {
    let request = app
        .request(Method::DELETE, path, key)
        .header("if-match", etag);
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_was_never_released_goes_with_all_that_was_written_in_it() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let bob = app.signed_in("demo", "bob@example.com", Role::Editor).await;
    let path = format!("{DOCUMENTS}/snippet/rules");
    create(&app, &key, "snippet", "rules", &json!({ "text": "One." })).await;
    assert_eq!(
        sealed(&app, &key, &path, &json!({ "text": "Two." })).await,
        1
    );
    let review = json!({ "verdict": "reject" });
    let reviews = format!("{path}/versions/1/reviews");
    body(app.tell(Method::POST, &reviews, &bob, &review).await, 200).await;

    let unseen = app.ask(Method::DELETE, &path, &key).await;
    problem(unseen, 428, "precondition_required").await;
    let (old, _) = state(app.ask(Method::GET, &path, &key).await, 200).await;
    body(
        app.tell(Method::POST, &format!("{path}/drafts"), &key, &json!({}))
            .await,
        201,
    )
    .await;
    let stale = problem(
        delete(&app, &key, &path, &old).await,
        412,
        "precondition_failed",
    )
    .await;
    assert_eq!(stale["current"]["drafts"], 2, "{stale}");
    let (etag, _) = state(app.ask(Method::GET, &path, &key).await, 200).await;
    assert_eq!(delete(&app, &key, &path, &etag).await.status(), 204);

    problem(app.ask(Method::GET, &path, &key).await, 404, "not_found").await;
    let trail = body(
        app.ask(Method::GET, "/v1/admin/audit?limit=1", &key).await,
        200,
    )
    .await;
    assert_eq!(
        (&trail["items"][0]["action"], &trail["items"][0]["target"]),
        (&json!("snippet.delete"), &json!("snippet/rules"))
    );
    // Its name is free again, and nothing of the old one shines through.
    create(&app, &key, "snippet", "rules", &json!({ "text": "New." })).await;
    let anew = body(app.ask(Method::GET, &path, &key).await, 200).await;
    assert_eq!(
        (anew.get("latestVersion"), &anew["drafts"]),
        (None, &json!(1))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_was_never_released_takes_another_name() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    create(&app, &key, "snippet", "ruels", &json!({ "text": "One." })).await;
    create(&app, &key, "snippet", "taken", &json!({ "text": "One." })).await;
    let path = format!("{DOCUMENTS}/snippet/ruels");
    let rename = async |to: Value| {
        app.tell(
            Method::POST,
            &format!("{path}:rename"),
            &key,
            &json!({ "key": to }),
        )
        .await
    };
    problem(rename(json!("taken")).await, 409, "already_exists").await;
    let told = problem(rename(json!("No Key")).await, 422, "invalid_request").await;
    assert_eq!(pointers(&told), ["/key"]);
    let renamed = body(rename(json!("rules")).await, 200).await;
    assert_eq!(
        (&renamed["key"], &renamed["drafts"]),
        (&json!("rules"), &json!(1))
    );
    problem(app.ask(Method::GET, &path, &key).await, 404, "not_found").await;
    body(
        app.ask(Method::GET, &format!("{DOCUMENTS}/snippet/rules"), &key)
            .await,
        200,
    )
    .await;
    let trail = body(
        app.ask(Method::GET, "/v1/admin/audit?limit=1", &key).await,
        200,
    )
    .await;
    assert_eq!(
        (&trail["items"][0]["target"], &trail["items"][0]["details"]),
        (&json!("snippet/rules"), &json!({ "from": "ruels" }))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_released_keeps_its_name_and_stays_also_for_who_asks_the_database() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (etag, _) = state(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    let told = problem(delete(&app, &key, ASSISTANT, &etag).await, 409, "conflict").await;
    assert!(told.to_string().contains("archive it"), "{told}");
    let other = json!({ "key": "other" });
    let told = problem(
        app.tell(Method::POST, &format!("{ASSISTANT}:rename"), &key, &other)
            .await,
        409,
        "conflict",
    )
    .await;
    assert!(told.to_string().contains("duplicate it"), "{told}");
    let tenant = app.tenant("demo").await.0.to_string();
    let mut owner = app.database.owner().await;
    for statement in [
        "update document set key = 'other' where key = 'assistant'",
        "delete from document where key = 'assistant'",
        "delete from document_version",
        "update document_version set message = 'other'",
    ] {
        for role in ["gateway_tenant", "none"] {
            let done = sql::attempt(&mut owner, role, Some(&tenant), statement).await;
            assert!(done.is_err(), "{statement} as {role}: {done:?}");
        }
    }

    // A snippet that nobody released, but that a version of a persona pins, is spoken of as well.
    create(&app, &key, "snippet", "rules", &json!({ "text": "One." })).await;
    let path = format!("{DOCUMENTS}/snippet/rules");
    sealed(&app, &key, &path, &json!({ "text": "Two." })).await;
    let live = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    let mut content = live["content"].clone();
    content["systemPrompt"] = json!("{{ snippets.rules }}");
    content["snippets"]["rules"] = json!(1);
    sealed(&app, &key, ASSISTANT, &content).await;
    let (etag, _) = state(app.ask(Method::GET, &path, &key).await, 200).await;
    let told = problem(delete(&app, &key, &path, &etag).await, 409, "in_use").await;
    assert!(told.to_string().contains("`assistant`"), "{told}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_says_what_is_live_or_what_is_asked_for() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let live = body(app.ask(Method::GET, ASSISTANT, &key).await, 200).await;
    let mut content = live["content"].clone();
    content["name"] = json!("Newer");
    sealed(&app, &key, ASSISTANT, &content).await;
    let copy = async |asked: Value| {
        app.tell(
            Method::POST,
            &format!("{ASSISTANT}:duplicate"),
            &key,
            &asked,
        )
        .await
    };
    let draft = body(
        copy(json!({ "key": "twin", "title": "For the French" })).await,
        201,
    )
    .await;
    assert_eq!(
        (&draft["key"], &draft["title"], draft.get("baseVersion")),
        (&json!("twin"), &json!("For the French"), None)
    );
    assert_eq!(draft["content"], live["content"]);
    let draft = body(copy(json!({ "key": "newer", "from": 2 })).await, 201).await;
    assert_eq!(draft["content"]["name"], "Newer");
    problem(copy(json!({ "key": "twin" })).await, 409, "already_exists").await;
    let told = problem(
        copy(json!({ "key": "third", "from": 9 })).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(pointers(&told), ["/from"]);

    // Of what was never sealed, the draft is copied; and a copy is a document like any other.
    let again = json!({ "key": "triplet" });
    let path = format!("{DOCUMENTS}/persona/twin:duplicate");
    let draft = body(app.tell(Method::POST, &path, &key, &again).await, 201).await;
    assert_eq!(draft["content"], live["content"]);
    let path = format!("{DOCUMENTS}/persona/triplet");
    let mut content = live["content"].clone();
    content["name"] = json!("Tri");
    let number = sealed(&app, &key, &path, &content).await;
    body(release(&app, &key, &path, number).await, 200).await;
    app.stop().await;
}
