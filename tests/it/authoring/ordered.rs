//! Contents of drafts and versions are answered in the order in which people write them, whatever order they were sent in.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::state;
use crate::harness::spawn;

/// The names of an object's members, in their order.
fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn contents_are_answered_in_the_order_in_which_people_write_them() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let content = json!({
        "overridable": ["avatarId"], "llmId": "0934d97d-0c3a-4f33-91b0-5e136a0ef466",
        "tools": [{ "url": "https://a.example/x", "name": "look", "method": "GET", "subtype": "webhook", "type": "server" }],
        "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18", "voiceId": "6bfbe25a-979d-40f3-a92b-5394170af54b",
        "initialMessage": "Hello", "systemPrompt": "Be kind.", "name": "Guide",
    });
    let in_order = |answer: &Value| {
        let content = &answer["content"];
        assert_eq!(
            names(content),
            [
                "name",
                "systemPrompt",
                "initialMessage",
                "avatarId",
                "voiceId",
                "llmId",
                "overridable",
                "tools"
            ],
            "{content}"
        );
        assert_eq!(
            names(&content["tools"][0]),
            ["type", "subtype", "name", "method", "url"]
        );
    };
    let new = json!({ "kind": "persona", "key": "orderly", "content": content });
    let made = app
        .tell(Method::POST, "/v1/admin/documents", &owner, &new)
        .await;
    let (etag, draft) = state(made, 201).await;
    in_order(&draft);
    let path = format!("/v1/admin/drafts/{}", draft["id"].as_str().unwrap());
    in_order(
        &state(app.ask(Method::GET, &path, &owner).await, 200)
            .await
            .1,
    );
    let title = json!({ "title": "Another" });
    let patched = app
        .tell_if(Method::PATCH, &path, &owner, &etag, &title)
        .await;
    let (etag, patched) = state(patched, 200).await;
    in_order(&patched);
    let seal = app
        .tell_if(
            Method::POST,
            &format!("{path}:seal"),
            &owner,
            &etag,
            &json!({}),
        )
        .await;
    assert_eq!(seal.status(), 201);
    let document = "/v1/admin/documents/persona/orderly";
    let version = app
        .ask(Method::GET, &format!("{document}/versions/1"), &owner)
        .await;
    in_order(&version.json().await.unwrap());
    let release = app
        .tell(
            Method::POST,
            &format!("{document}/releases"),
            &owner,
            &json!({ "version": 1 }),
        )
        .await;
    assert_eq!(release.status(), 200);
    in_order(
        &app.ask(Method::GET, document, &owner)
            .await
            .json()
            .await
            .unwrap(),
    );
    app.stop().await;
}
