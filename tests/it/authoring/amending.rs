//! The most common act in one call: change something of what is live, and release it.

use std::time::Duration;

use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::life::{release, sealed};
use crate::harness::admins::{body, state};
use crate::harness::wait::until;
use crate::harness::{TestApp, context, pointers, problem, spawn};

const ASSISTANT: &str = "/v1/admin/documents/persona/assistant";

async fn amend(app: &TestApp, key: &str, etag: &str, asked: &Value) -> Response {
    app.tell_if(Method::PATCH, ASSISTANT, key, etag, asked)
        .await
}

async fn read(app: &TestApp, key: &str) -> (String, Value) {
    state(app.ask(Method::GET, ASSISTANT, key).await, 200).await
}

async fn require_approval(app: &TestApp, owner: &str) {
    let (etag, _) = state(app.ask(Method::GET, "/v1/admin/policy", owner).await, 200).await;
    let asked = json!({ "requiredApprovals": 1 });
    let path = "/v1/admin/policy";
    body(
        app.tell_if(Method::PATCH, path, owner, &etag, &asked).await,
        200,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_is_changed_and_released_in_one_call_with_its_trail() {
    let app = spawn().await;
    let token = app.user("user-1");
    app.wait_for_token(&token).await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (etag, before) = read(&app, &key).await;
    let asked = json!({
        "content": { "systemPrompt": "AMENDED for {{ user.name | default('you') }}.", "greeting": null },
        "note": "Shorter",
    });
    let answer = amend(&app, &key, &etag, &asked).await;
    let request = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let done = body(answer, 200).await;
    assert_eq!(
        (&done["version"]["number"], &done["version"]["baseVersion"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&done["version"]["message"], &done["release"]["note"]),
        (&json!("Shorter"), &json!("Shorter"))
    );
    assert_eq!(
        (&done["release"]["version"], &done["release"]["way"]),
        (&json!(2), &json!("release"))
    );
    let changed: Vec<&str> = done["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["pointer"].as_str().unwrap())
        .collect();
    assert!(changed.contains(&"/systemPrompt"), "{changed:?}");

    // Everything else is as it was.
    let (_, after) = read(&app, &key).await;
    let mut expected = before["content"].clone();
    expected["systemPrompt"] = asked["content"]["systemPrompt"].clone();
    expected.as_object_mut().unwrap().remove("greeting");
    assert_eq!(
        (&after["content"], &after["liveVersion"], &after["drafts"]),
        (&expected, &json!(2), &before["drafts"])
    );
    until("mints get it", Duration::from_secs(5), || async {
        let sent = app.minted_config(&token, &context("default")).await;
        sent.to_string().contains("AMENDED for").then_some(())
    })
    .await;

    let trail = body(
        app.ask(Method::GET, "/v1/admin/audit?limit=2", &key).await,
        200,
    )
    .await;
    let told: Vec<(&str, &str)> = trail["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["action"].as_str().unwrap(),
                row["requestId"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("persona.release", request.as_str()),
            ("persona.seal", request.as_str())
        ]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_what_is_live_has_seen_it_or_says_that_it_does_not_matter() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (etag, seen) = read(&app, &key).await;
    let request = app
        .request(Method::GET, ASSISTANT, &key)
        .header("if-none-match", &etag);
    assert_eq!(request.send().await.unwrap().status(), 304);

    let name = |name: &str| json!({ "content": { "name": name } });
    let unseen = app.tell(Method::PATCH, ASSISTANT, &key, &name("A")).await;
    problem(unseen, 428, "precondition_required").await;
    body(amend(&app, &key, &etag, &name("A")).await, 200).await;
    let late = problem(
        amend(&app, &key, &etag, &name("B")).await,
        412,
        "precondition_failed",
    )
    .await;
    assert_eq!(
        (
            &late["current"]["content"]["name"],
            &late["current"]["liveVersion"]
        ),
        (&json!("A"), &json!(2))
    );
    assert_ne!(seen["content"]["name"], "A");
    body(amend(&app, &key, "*", &name("C")).await, 200).await;
    let same = problem(amend(&app, &key, "*", &name("C")).await, 409, "conflict").await;
    assert!(
        same.to_string().contains("there is nothing to change"),
        "{same}"
    );
    let editor = app.admin_key("demo", Role::Editor).await;
    problem(
        amend(&app, &editor, "*", &name("D")).await,
        403,
        "forbidden",
    )
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_can_not_be_released_leaves_nothing_behind() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (etag, before) = read(&app, &key).await;
    for (content, at) in [
        (
            json!({ "systemPrompt": "{{ nobody.knows }}" }),
            "/systemPrompt",
        ),
        (
            json!({ "systemPrompt": "{% if %}", "unknown": 1 }),
            "/unknown",
        ),
        (json!({ "avatarId": null }), "/avatarId"),
    ] {
        let asked = json!({ "content": content });
        let told = problem(
            amend(&app, &key, &etag, &asked).await,
            422,
            "document_invalid",
        )
        .await;
        assert!(pointers(&told).contains(&at.to_owned()), "{told}");
        assert!(told["findings"].is_array(), "{told}");
    }
    for asked in [
        json!({}),
        json!({ "content": [] }),
        json!({ "content": { "name": "X" }, "percent": 100 }),
        json!({ "content": { "name": "X" }, "liveFrom": "yesterday" }),
        json!({ "content": { "name": "X" }, "liveFrom": "2020-01-01T00:00:00Z" }),
        json!({ "content": { "name": "X" }, "message": "no such member" }),
    ] {
        problem(
            amend(&app, &key, &etag, &asked).await,
            422,
            "invalid_request",
        )
        .await;
    }
    assert_eq!(
        read(&app, &key).await,
        (etag.clone(), before),
        "nothing half done"
    );

    let asked = json!({ "content": { "name": "Tried" }, "dryRun": true });
    let tried = body(amend(&app, &key, &etag, &asked).await, 200).await;
    assert_eq!(
        (&tried["version"]["number"], &tried["changes"][0]["after"]),
        (&json!(2), &json!("Tried"))
    );
    assert_eq!(
        read(&app, &key).await.0,
        etag,
        "a dry run changes nothing either"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_released_is_not_released_by_the_way() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (_, before) = read(&app, &key).await;
    let mut content = before["content"].clone();
    content["systemPrompt"] = json!("Not yet.");
    assert_eq!(sealed(&app, &key, ASSISTANT, &content).await, 2);
    let asked = json!({ "content": { "name": "Zoe" } });
    let done = body(amend(&app, &key, "*", &asked).await, 200).await;
    assert_eq!(
        (&done["version"]["number"], &done["version"]["baseVersion"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(
        done["version"]["content"]["systemPrompt"],
        before["content"]["systemPrompt"]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_may_be_scheduled_or_go_to_a_share_of_the_users() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (_, before) = read(&app, &key).await;
    let asked = json!({ "content": { "name": "Few" }, "percent": 20 });
    let done = body(amend(&app, &key, "*", &asked).await, 200).await;
    assert_eq!(done["release"]["percent"], 20);
    let (_, now) = read(&app, &key).await;
    assert_eq!(now["rollout"], json!({ "version": 2, "percent": 20 }));
    assert_eq!(now["content"], before["content"], "what the others get");
    let asked = json!({ "content": { "name": "Later" }, "liveFrom": "2027-06-01T08:00:00Z" });
    let done = body(amend(&app, &key, "*", &asked).await, 200).await;
    assert_eq!(done["release"]["liveFrom"], "2027-06-01T08:00:00Z");
    assert_eq!(read(&app, &key).await.1["liveVersion"], 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_others_must_approve_the_change_waits_for_them() {
    let app = spawn().await;
    let owner = app.signed_in("demo", "olga@example.com", Role::Owner).await;
    let ann = app
        .signed_in("demo", "ann@example.com", Role::Publisher)
        .await;
    let key = app.admin_key("demo", Role::Publisher).await;
    require_approval(&app, &owner).await;

    // Nobody is asked to approve what could not be released.
    let (etag, before) = read(&app, &ann).await;
    let asked = json!({ "content": { "llmId": null } });
    problem(
        amend(&app, &ann, &etag, &asked).await,
        422,
        "document_invalid",
    )
    .await;
    assert_eq!(read(&app, &ann).await, (etag.clone(), before.clone()));

    let asked = json!({ "content": { "name": "Approved" } });
    let answer = amend(&app, &ann, &etag, &asked).await;
    let version = answer.headers()["location"].to_str().unwrap().to_owned();
    let waiting = body(answer, 202).await;
    assert_eq!(version, format!("{ASSISTANT}/versions/2"));
    assert_eq!(
        (&waiting["approval"], waiting.get("release")),
        (&json!({ "required": 1, "approvedBy": [] }), None)
    );
    assert_eq!(read(&app, &ann).await.1["liveVersion"], 1);

    let verdict = json!({ "verdict": "approve" });
    let reviews = format!("{version}/reviews");
    problem(
        app.tell(Method::POST, &reviews, &ann, &verdict).await,
        403,
        "forbidden",
    )
    .await;
    body(
        app.tell(Method::POST, &reviews, &owner, &verdict).await,
        200,
    )
    .await;
    body(release(&app, &key, ASSISTANT, 2).await, 200).await;
    assert_eq!(
        read(&app, &ann).await.1["content"]["name"],
        "Approved",
        "released by whoever may"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_repeated_with_its_key_is_made_once() {
    let app = spawn().await;
    let key = app.admin_key("demo", Role::Publisher).await;
    let (etag, _) = read(&app, &key).await;
    let asked = json!({ "content": { "name": "Once" } });
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = app
            .request(Method::PATCH, ASSISTANT, &key)
            .header("if-match", &etag);
        let request = request.header("idempotency-key", "once").json(&asked);
        answers.push(body(request.send().await.unwrap(), 200).await);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(read(&app, &key).await.1["latestVersion"], 2);
    app.stop().await;
}
