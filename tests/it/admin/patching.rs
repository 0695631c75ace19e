//! Every merge patch and every `PUT` of the `OpenAPI` document is answered with the whole state that it leaves: what was sent is in it,
//! the usual value too, and a read gives the same.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::authorization::{fill, operations, things};
use crate::harness::admins::state;
use crate::harness::openapi;
use crate::harness::spawn;

/// What to send, by operation; values that are usual, so that storing them changes nothing, come first.
fn patches(operation: &str) -> Vec<Value> {
    match operation {
        "patchPolicy" => vec![
            json!({ "catalogueSync": { "everyHours": 24 } }),
            json!({ "catalogueSync": { "enabled": true, "allowNew": false } }),
            json!({ "catalogueSync": { "everyHours": 3 } }),
            json!({ "timeZone": "UTC", "retainInputsDays": 30, "requiredApprovals": 0 }),
            json!({ "locks": {}, "defaults": {} }),
            json!({ "catalogueSync": null }),
        ],
        "patchTenant" => vec![
            json!({ "name": "Northwind Cloud" }),
            json!({ "name": "Other" }),
        ],
        "patchDraft" => vec![
            json!({ "content": { "text": "Be kind." } }),
            json!({ "title": "Kinder", "content": { "text": "Be kinder." } }),
        ],
        "patchUserPreferences" | "patchPreferences" => vec![
            json!({ "languageCode": "en" }),
            json!({ "languageCode": "de" }),
            json!({ "languageCode": null }),
        ],
        // It holds a merge patch, and is answered with the version that it makes.
        "patchDocument" => Vec::new(),
        other => panic!("{other} is new: say here what to send it"),
    }
}

/// Whether a state is as a merge patch wants it (RFC 7396).
fn holds(state: &Value, patch: &Value) -> bool {
    match (state, patch) {
        (Value::Object(members), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            let member = members.get(name);
            match member {
                None => wanted.is_null(),
                Some(member) => !wanted.is_null() && holds(member, wanted),
            }
        }),
        (state, patch) => state == patch,
    }
}

fn takes_a_merge_patch(path: &str, method: &Method) -> bool {
    let document = openapi::document();
    let method = method.as_str().to_lowercase();
    let content = &document["paths"][path][&method]["requestBody"]["content"];
    !content["application/merge-patch+json"].is_null()
}

#[tokio::test]
async fn every_merge_patch_is_answered_with_the_state_that_it_leaves() {
    let app = spawn().await;
    let (things, _) = things(&app).await;
    let (owner, user) = (app.admin_key("demo", Role::Owner).await, app.user("user-1"));
    let mut walked = 0;
    for operation in operations() {
        if !takes_a_merge_patch(&operation.path, &operation.method) {
            continue;
        }
        let path = fill(&operation.path, &things);
        let token = if operation.permission.is_some() {
            &owner
        } else {
            &user
        };
        for patch in patches(&operation.name) {
            let (etag, before) = state(app.ask(Method::GET, &path, token).await, 200).await;
            let answer = app
                .request(Method::PATCH, &path, token)
                .header("if-match", &etag)
                .header(CONTENT_TYPE, "application/merge-patch+json")
                .body(patch.to_string());
            let (etag, patched) = state(answer.send().await.unwrap(), 200).await;
            assert!(
                holds(&patched, &patch),
                "{operation}: {patch} on {before} gave {patched}"
            );
            let read = state(app.ask(Method::GET, &path, token).await, 200).await;
            assert_eq!(read, (etag, patched), "{operation} {patch}");
            walked += 1;
        }
    }
    assert!(walked > 10, "{walked}");
    app.stop().await;
}

/// What to put, by operation, given what a read says now; none where a test of its own does it.
fn puts(operation: &str, now: &Value) -> Vec<Value> {
    match operation {
        "putCatalogueEntry" => vec![json!({ "name": "Cara" }), json!({ "name": "Cara again" })],
        "putDraft" => vec![
            json!({ "content": { "text": "Be kind." } }),
            json!({ "title": "Brief", "content": {} }),
        ],
        "putIssuer" => [60, 30]
            .map(|leeway| {
                let mut config = now["config"].clone();
                config["leewaySeconds"] = json!(leeway);
                json!({ "config": config })
            })
            .to_vec(),
        "putPolicy" => vec![
            json!({ "timeZone": "UTC", "catalogueSync": { "everyHours": 24 } }),
            json!({ "retainInputsDays": 3, "requiredApprovals": 0 }),
            json!({}),
        ],
        "putSampleUser" => vec![
            json!({ "description": "Known", "facts": { "plan": "pro" }, "preferences": {} }),
            json!({ "facts": {} }),
        ],
        "putUserPreferences" | "putPreferences" => {
            vec![
                json!({ "languageCode": "de", "displayName": "Sam" }),
                json!({ "tone": "dry" }),
                json!({}),
            ]
        }
        // Of a secret nothing can be read; the provider of single sign-on must be there. What operators allow a tenant is no admin's.
        "putSecret" | "putSso" | "putTenantPlaces" | "putTenantQuota" => Vec::new(),
        other => panic!("{other} is new: say here what to send it"),
    }
}

/// Operations whose answer is what was sent, and nothing more.
const TO_THE_LETTER: [&str; 2] = ["putUserPreferences", "putPreferences"];

#[tokio::test]
async fn every_put_is_answered_with_the_state_that_it_leaves() {
    let app = spawn().await;
    let (things, _) = things(&app).await;
    let (owner, user) = (app.admin_key("demo", Role::Owner).await, app.user("user-1"));
    let mut walked = 0;
    for operation in operations() {
        if operation.method != Method::PUT {
            continue;
        }
        let path = fill(&operation.path, &things);
        let token = if operation.permission.is_some() {
            &owner
        } else {
            &user
        };
        if puts(&operation.name, &json!({ "config": {} })).is_empty() {
            continue;
        }
        let (_, now) = state(app.ask(Method::GET, &path, token).await, 200).await;
        for sent in puts(&operation.name, &now) {
            let (etag, before) = state(app.ask(Method::GET, &path, token).await, 200).await;
            let answer = app.tell_if(Method::PUT, &path, token, &etag, &sent).await;
            let (etag, put) = state(answer, 200).await;
            assert!(
                holds(&put, &sent),
                "{operation}: {sent} on {before} gave {put}"
            );
            if TO_THE_LETTER.contains(&operation.name.as_str()) {
                assert_eq!(put, sent, "{operation}");
            }
            let read = state(app.ask(Method::GET, &path, token).await, 200).await;
            assert_eq!(read, (etag, put), "{operation} {sent}");
            walked += 1;
        }
    }
    assert!(walked > 10, "{walked}");
    app.stop().await;
}
