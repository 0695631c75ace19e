//! What is dangerous wants somebody who has shown within ten minutes who they are.

use chrono::TimeDelta;
use persona_gateway::clock::Clock;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::authorization::{Operation, fill, operations, things};
use crate::harness::admins::{body, state};
use crate::harness::openapi;
use crate::harness::people::{PASSWORD, code_of};
use crate::harness::{TestApp, TestOptions, pointers, problem, spawn_with};

const CONFIRM: &str = "/v1/admin/account:confirm";
const ANN: &str = "ann@example.com";

async fn timed() -> (TestApp, Clock) {
    let clock = Clock::manual(Clock::system().now());
    let options = TestOptions {
        clock: Some(clock.clone()),
        ..TestOptions::default()
    };
    (spawn_with(options).await, clock)
}

/// Operations that the document marks, with their seconds.
fn marked() -> Vec<Operation> {
    let document = openapi::document();
    let is_marked = |operation: &Operation| {
        let method = operation.method.as_str().to_ascii_lowercase();
        let marked = &document["paths"][&operation.path][&method]["x-max-age"];
        assert!(marked.is_null() || *marked == 600, "{operation}");
        !marked.is_null()
    };
    operations().into_iter().filter(is_marked).collect()
}

async fn ask(app: &TestApp, operation: &Operation, path: &str, token: &str) -> reqwest::Response {
    let request = app.request(operation.method.clone(), path, token);
    request
        .header("if-match", "*")
        .json(&json!({}))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn every_dangerous_operation_wants_a_recent_sign_in_of_people_and_not_of_keys() {
    let (app, clock) = timed().await;
    let (_, nobodys) = things(&app).await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let operator = app.operator("ops@example.com").await;
    let key = app.admin_key("demo", Role::Owner).await;
    let marked = marked();
    let names: Vec<&str> = marked
        .iter()
        .map(|operation| operation.name.as_str())
        .collect();
    for expected in [
        "createApiKey",
        "rotateApiKey",
        "addProviderKey",
        "putSso",
        "changeRole",
        "createInvitation",
        "eraseUser",
        "makePasswordLink",
        "removeMemberSecondFactor",
        "removeSecondFactor",
        "suspendTenant",
        "addSharedIssuer",
        "createIssuer",
        "putIssuer",
        "deleteIssuer",
        "proveIssuer",
        "enableIssuer",
        "disableIssuer",
        "applyBundle",
        "putSecret",
        "deleteSecret",
    ] {
        assert!(
            names.contains(&expected),
            "{expected} is not among {names:?}"
        );
    }
    clock.advance(TimeDelta::minutes(10));
    for operation in &marked {
        let token = if operation.permission.as_deref() == Some("operator") {
            &operator
        } else {
            &owner
        };
        let path = fill(&operation.path, &nobodys);
        let answer = ask(&app, operation, &path, token).await;
        let challenge = answer.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            challenge.contains("error=\"insufficient_user_authentication\"")
                && challenge.contains("max_age=600"),
            "{operation}: {challenge}"
        );
        problem(answer, 401, "insufficient_user_authentication").await;
        if matches!(operation.permission.as_deref(), Some("own" | "publish")) {
            let answer = ask(&app, operation, &path, &key).await;
            assert_ne!(answer.status(), 401, "{operation}: machines need not");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_password_opens_ten_minutes_and_a_wrong_one_none() {
    let (app, clock) = timed().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let create = json!({ "name": "deploy", "role": "viewer" });
    let keys = "/v1/admin/api-keys";
    body(app.tell(Method::POST, keys, &owner, &create).await, 201).await;
    clock.advance(TimeDelta::minutes(11));
    problem(
        app.tell(Method::POST, keys, &owner, &create).await,
        401,
        "insufficient_user_authentication",
    )
    .await;
    assert_eq!(app.status_of(&owner).await, 200, "everything else goes on");
    let wrong = app
        .tell(
            Method::POST,
            CONFIRM,
            &owner,
            &json!({ "password": "not the password" }),
        )
        .await;
    assert_eq!(
        pointers(&problem(wrong, 422, "invalid_request").await),
        ["/password"]
    );
    for neither in [json!({}), json!({ "password": PASSWORD, "code": "000000" })] {
        problem(
            app.tell(Method::POST, CONFIRM, &owner, &neither).await,
            422,
            "invalid_request",
        )
        .await;
    }
    problem(
        app.tell(Method::POST, keys, &owner, &create).await,
        401,
        "insufficient_user_authentication",
    )
    .await;
    let right = json!({ "password": PASSWORD });
    assert_eq!(
        app.tell(Method::POST, CONFIRM, &owner, &right)
            .await
            .status(),
        204
    );
    body(app.tell(Method::POST, keys, &owner, &create).await, 201).await;
    clock.advance(TimeDelta::minutes(10));
    problem(
        app.tell(Method::POST, keys, &owner, &create).await,
        401,
        "insufficient_user_authentication",
    )
    .await;
    app.stop().await;
}

#[tokio::test]
async fn a_code_of_the_second_factor_does_as_well() {
    let (app, clock) = timed().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let (secret, _) = app.enrolled(&owner).await;
    clock.advance(TimeDelta::minutes(11));
    let create = json!({ "name": "deploy", "role": "viewer" });
    let keys = "/v1/admin/api-keys";
    problem(
        app.tell(Method::POST, keys, &owner, &create).await,
        401,
        "insufficient_user_authentication",
    )
    .await;
    let code = json!({ "code": code_of(&secret, clock.now()) });
    assert_eq!(
        app.tell(Method::POST, CONFIRM, &owner, &code)
            .await
            .status(),
        204
    );
    body(app.tell(Method::POST, keys, &owner, &create).await, 201).await;
    app.stop().await;
}

#[tokio::test]
async fn a_bundle_is_planned_at_any_time_and_applied_after_a_recent_sign_in() {
    let (app, clock) = timed().await;
    let publisher = app.signed_in("demo", ANN, Role::Publisher).await;
    clock.advance(TimeDelta::minutes(11));
    let apply = async |is_dry: bool| {
        let bundle = json!({ "tenant": "demo", "snippets": { "farewell": { "text": "Bye" } } });
        let sent = json!({ "bundle": bundle, "dryRun": is_dry });
        let path = "/v1/admin/bundle:apply";
        app.tell(Method::POST, path, &publisher, &sent).await
    };
    let plan = body(apply(true).await, 200).await;
    assert_eq!(plan["steps"][0]["target"], "snippet/farewell");
    let refused = apply(false).await;
    problem(refused, 401, "insufficient_user_authentication").await;
    let right = json!({ "password": PASSWORD });
    let shown = app.tell(Method::POST, CONFIRM, &publisher, &right).await;
    assert_eq!(shown.status(), 204);
    body(apply(false).await, 200).await;
    app.stop().await;
}

#[tokio::test]
async fn a_policy_is_weakened_only_after_a_recent_sign_in() {
    let (app, clock) = timed().await;
    let owner = app.signed_in("demo", ANN, Role::Owner).await;
    let policy = "/v1/admin/policy";
    let patch = async |change: Value| {
        let (etag, _) = state(app.ask(Method::GET, policy, &owner).await, 200).await;
        app.tell_if(Method::PATCH, policy, &owner, &etag, &change)
            .await
    };
    clock.advance(TimeDelta::minutes(11));
    body(patch(json!({ "requiredApprovals": 2 })).await, 200).await;
    for weaker in [json!(1), Value::Null] {
        let answer = patch(json!({ "requiredApprovals": weaker })).await;
        problem(answer, 401, "insufficient_user_authentication").await;
    }
    body(patch(json!({ "timeZone": "Europe/Berlin" })).await, 200).await;
    let right = json!({ "password": PASSWORD });
    assert_eq!(
        app.tell(Method::POST, CONFIRM, &owner, &right)
            .await
            .status(),
        204
    );
    body(patch(json!({ "requiredApprovals": 0 })).await, 200).await;
    app.stop().await;
}
