use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{draft, live, preview, release, seal};
use crate::harness::admins::{body, state};
use crate::harness::{TestApp, pointers, problem, spawn};

const USERS: &str = "/v1/admin/sample-users";

async fn create(app: &TestApp, key: &str, name: &str, user: &Value) -> Response {
    let request = app.request(Method::PUT, &format!("{USERS}/{name}"), key);
    request
        .header("if-none-match", "*")
        .json(user)
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_user_is_made_read_changed_and_removed() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let path = format!("{USERS}/gold");
    let ann = json!({ "description": "On gold", "subject": "ann", "facts": { "plan": "gold" }, "preferences": { "tone": "warm" } });
    let (etag, made) = state(create(&app, &key, "gold", &ann).await, 201).await;
    assert_eq!(
        (&made["key"], &made["facts"]["plan"], &made["subject"]),
        (&json!("gold"), &json!("gold"), &json!("ann"))
    );

    // Once more it is not new, and the answer shows what is there.
    let again = problem(
        create(&app, &key, "gold", &json!({})).await,
        412,
        "precondition_failed",
    )
    .await;
    assert_eq!(again["current"]["description"], "On gold");
    let (read, shown) = state(app.ask(Method::GET, &path, &key).await, 200).await;
    assert_eq!((&read, &shown), (&etag, &made));
    let known = app
        .request(Method::GET, &path, &key)
        .header("if-none-match", &etag);
    assert_eq!(known.send().await.unwrap().status(), 304);

    let blind = app.tell(Method::PUT, &path, &key, &json!({})).await;
    problem(blind, 428, "precondition_required").await;
    let change = json!({ "facts": { "plan": "silver" } });
    let (newer, changed) = state(
        app.tell_if(Method::PUT, &path, &key, &etag, &change).await,
        200,
    )
    .await;
    assert_eq!(
        (&changed["facts"]["plan"], &changed["description"]),
        (&json!("silver"), &json!(""))
    );
    let late = app.tell_if(Method::PUT, &path, &key, &etag, &change).await;
    assert_eq!(
        problem(late, 412, "precondition_failed").await["current"]["facts"]["plan"],
        "silver"
    );

    let stale = app
        .tell_if(Method::DELETE, &path, &key, &etag, &json!({}))
        .await;
    problem(stale, 412, "precondition_failed").await;
    let gone = app
        .tell_if(Method::DELETE, &path, &key, &newer, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    problem(app.ask(Method::GET, &path, &key).await, 404, "not_found").await;
    // Made again, it does not answer to the old tag.
    let (etag_again, _) = state(create(&app, &key, "gold", &change).await, 201).await;
    assert!(etag_again != newer && etag_again != etag);
    let actions = app
        .database
        .rows("select action from audit_event where target = 'sample-user/gold' order by seq")
        .await;
    let actions: Vec<&str> = actions
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "sample-user.create",
            "sample-user.change",
            "sample-user.delete",
            "sample-user.create"
        ]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sample_users_are_listed_page_by_page_and_only_editors_write_them() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let viewer = app.admin_key("demo", Role::Viewer).await;
    for name in ["c", "a", "b"] {
        body(create(&app, &key, name, &json!({})).await, 201).await;
    }
    let first = body(
        app.ask(Method::GET, &format!("{USERS}?limit=2"), &viewer)
            .await,
        200,
    )
    .await;
    let keys = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|user| user["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&first), ["a", "b"]);
    let next = format!("{USERS}?limit=2&cursor={}", first["next"].as_str().unwrap());
    let second = body(app.ask(Method::GET, &next, &viewer).await, 200).await;
    assert_eq!(
        (keys(&second), second.get("next")),
        (vec!["c".to_owned()], None)
    );
    problem(
        create(&app, &viewer, "d", &json!({})).await,
        403,
        "forbidden",
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_two_hundred_sample_users_at_most() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    for n in 0..200 {
        let made = create(&app, &key, &format!("u-{n}"), &json!({})).await;
        assert_eq!(made.status(), 201, "{n}");
    }
    let refused = problem(
        create(&app, &key, "one-more", &json!({})).await,
        409,
        "conflict",
    )
    .await;
    assert_eq!(refused["detail"], "A tenant has at most 200 sample users.");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_sample_user_is_told_at_once() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let bad = json!({
        "description": "x".repeat(201), "subject": "", "facts": { "Plan": "gold", "deep": {} },
        "preferences": { "tone": [] }, "email": "ann@example.com",
    });
    let told = problem(
        create(&app, &key, "ann", &bad).await,
        422,
        "invalid_request",
    )
    .await;
    assert_eq!(
        pointers(&told),
        [
            "/description",
            "/subject",
            "/facts/Plan",
            "/facts/deep",
            "/preferences/tone",
            "/email"
        ]
    );
    problem(
        create(&app, &key, "No-Key", &json!({})).await,
        404,
        "not_found",
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_user_decides_previews_and_tests_and_stays_while_a_live_test_needs_it() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let enterprise = json!({ "facts": { "plan": "enterprise" } });
    let (etag, _) = state(create(&app, &key, "enterprise", &enterprise).await, 201).await;
    let asked = json!({ "context": "support", "metadata": { "priority": "urgent" }, "user": { "sample": "enterprise" } });
    let shown = body(preview(&app, &key, &asked).await, 200).await;
    assert_eq!(shown["trace"]["persona"]["key"], "priority-support-agent");

    let mut content = live(&app, &key, "context/support").await;
    content["tests"] = json!([{
        "name": "urgent calls of enterprise customers", "user": { "sample": "enterprise" },
        "metadata": { "priority": "urgent" }, "expect": { "persona": "priority-support-agent" },
    }]);
    let opened = draft(&app, &key, "context/support", &content).await;
    let number = seal(&app, &key, &opened).await;
    let released = release(&app, &key, "context/support", &json!({ "version": number })).await;
    body(released, 200).await;

    let path = format!("{USERS}/enterprise");
    let needed = app
        .tell_if(Method::DELETE, &path, &key, &etag, &json!({}))
        .await;
    let told = problem(needed, 409, "in_use").await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("the context `support`"),
        "{told}"
    );

    // A version that breaks the test does not go live.
    let rules = content["rules"].take();
    let opened = draft(
        &app,
        &key,
        "context/support",
        &content_without_rules(&content),
    )
    .await;
    let number = seal_or_fail(&app, &key, &opened).await;
    if let Some(number) = number {
        let refused = release(&app, &key, "context/support", &json!({ "version": number })).await;
        let told = problem(refused, 422, "document_invalid").await.to_string();
        assert!(
            told.contains("expected the persona `priority-support-agent`, got `support-agent`"),
            "{told}"
        );
    }

    // Without the test, it may go.
    content["rules"] = rules;
    content.as_object_mut().unwrap().remove("tests");
    let opened = draft(&app, &key, "context/support", &content).await;
    let number = seal(&app, &key, &opened).await;
    body(
        release(&app, &key, "context/support", &json!({ "version": number })).await,
        200,
    )
    .await;
    let gone = app
        .tell_if(Method::DELETE, &path, &key, &etag, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    app.stop().await;
}

fn content_without_rules(content: &Value) -> Value {
    let mut content = content.clone();
    content.as_object_mut().unwrap().remove("rules");
    content
}

/// The number of the version, or that sealing was refused for the same reason as a release would be.
async fn seal_or_fail(app: &TestApp, key: &str, (id, etag): &(String, String)) -> Option<i64> {
    let path = format!("/v1/admin/drafts/{id}:seal");
    let answer = app
        .tell_if(Method::POST, &path, key, etag, &json!({}))
        .await;
    if answer.status() == 201 {
        return body(answer, 201).await["number"].as_i64();
    }
    let told = problem(answer, 422, "document_invalid").await.to_string();
    assert!(
        told.contains("expected the persona `priority-support-agent`, got `support-agent`"),
        "{told}"
    );
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_sample_user_that_can_not_be_read_harms_nobody_else() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Editor).await;
    let tenant = app.tenant("demo").await.0;
    let broken = format!(
        "insert into sample_user (tenant_id, key, content) values ('{tenant}', 'broken', '{{\"facts\": 7}}')"
    );
    app.database.sql(&broken).await;
    let asked = json!({ "user": { "sample": "broken" } });
    problem(preview(&app, &key, &asked).await, 404, "not_found").await;
    body(preview(&app, &key, &json!({})).await, 200).await;
    // Whoever sees it can mend it.
    let path = format!("{USERS}/broken");
    let (etag, _) = state(app.ask(Method::GET, &path, &key).await, 200).await;
    let mended = app
        .tell_if(
            Method::PUT,
            &path,
            &key,
            &etag,
            &json!({ "facts": { "plan": "gold" } }),
        )
        .await;
    body(mended, 200).await;
    body(preview(&app, &key, &asked).await, 200).await;
    app.stop().await;
}
