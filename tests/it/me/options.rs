//! What a user may choose, and which contexts there are.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, pointers, problem, spawn};

async fn get(app: &TestApp, path: &str, token: &str) -> Value {
    let answer = app.request(Method::GET, path, token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "private, no-cache");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_are_the_tenants_catalogue_in_its_order_and_every_one_of_them_can_be_chosen() {
    let app = spawn().await;
    let token = app.user("ann");
    let options = get(&app, "/v1/me/options", &token).await;
    let members: Vec<&String> = options.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["avatars", "voices", "llms", "languages", "preferences"]
    );
    let names = |kind: &str| -> Vec<String> {
        let rows = options[kind].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("avatars"), ["Cara", "Liv", "Leo"]);
    assert_eq!(
        names("languages"),
        ["English", "German", "Spanish", "French"]
    );
    assert_eq!(
        options["voices"][0],
        json!({ "id": "de23e340-1416-4dd8-977d-065a7ca11697", "name": "Lucy", "provider": "ELEVENLABS", "country": "GB" })
    );
    assert_eq!(
        options["preferences"],
        json!({ "experience": { "values": ["beginner", "intermediate", "expert"] } })
    );
    for (kind, field) in [
        ("avatars", "avatarId"),
        ("voices", "voiceId"),
        ("llms", "llmId"),
        ("languages", "languageCode"),
    ] {
        for row in options[kind].as_array().unwrap() {
            app.prefer(&token, &json!({ field: row["id"] })).await;
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contexts_are_listed_with_the_metadata_each_wants_and_nothing_of_their_rules() {
    let app = spawn().await;
    let listed = get(&app, "/v1/contexts", &app.user("ann")).await;
    let contexts = listed["contexts"].as_array().unwrap();
    let keys: Vec<&str> = contexts
        .iter()
        .map(|c| c["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["default", "sales", "support", "training"]);
    let support = &contexts[2];
    let members: Vec<&String> = support.as_object().unwrap().keys().collect();
    assert_eq!(members, ["key", "aliases", "description", "metadata"]);
    assert_eq!(support["aliases"], json!(["customer-support"]));
    assert_eq!(support["description"], "A user needs help");
    assert_eq!(support["metadata"]["additionalProperties"], false);
    assert_eq!(
        support["metadata"]["properties"]["priority"]["enum"],
        json!(["low", "normal", "high", "urgent"])
    );
    assert!(!listed.to_string().contains("persona"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_tenant_adds_is_described_and_every_choice_has_its_limit() {
    let app = spawn().await;
    app.apply(
        "tenant: demo
policy:
  preferences:
    experience: {values: [beginner, expert]}
    nickname: {maxLength: 3}
    wantsJokes: {type: boolean}
    speed: {minimum: 1, maximum: 5}
",
    )
    .await;
    let token = app.user("ann");
    let options = get(&app, "/v1/me/options", &token).await;
    assert_eq!(
        options["preferences"],
        json!({
            "experience": { "values": ["beginner", "expert"] }, "nickname": { "maxLength": 3 },
            "wantsJokes": { "type": "boolean" }, "speed": { "minimum": 1, "maximum": 5 },
        })
    );
    let text = |chars: usize| json!("x".repeat(chars));
    for (field, good, bad) in [
        ("displayName", text(80), text(81)),
        ("tone", text(40), text(41)),
        ("systemPrompt", text(4_000), text(4_001)),
        ("nickname", text(3), text(4)),
        ("wantsJokes", json!(true), json!("true")),
        ("speed", json!(5), json!(6)),
        ("experience", json!("expert"), json!("novice")),
    ] {
        app.prefer(&token, &json!({ field: good })).await;
        let put = app.request(Method::PUT, "/v1/me/preferences", &token);
        let put = put.json(&json!({ field: bad })).send().await.unwrap();
        let told = problem(put, 422, "preference_invalid").await;
        assert_eq!(pointers(&told), [format!("/{field}")], "{told}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_without_entries_limits_no_persona_and_leaves_nothing_to_choose() {
    let app = spawn().await;
    app.apply(
        "tenant: demo
catalogue: {avatars: [], voices: [], llms: [], languages: []}
personas:
  anybody:
    name: Anybody
    systemPrompt: Be kind.
    avatarId: 00000000-0000-4000-8000-000000000001
    voiceId: 00000000-0000-4000-8000-000000000002
    llmId: 00000000-0000-4000-8000-000000000003
    overridable: [avatarId]
contexts:
  open: {default: anybody}
",
    )
    .await;
    let token = app.user("ann");
    let options = get(&app, "/v1/me/options", &token).await;
    for kind in ["avatars", "voices", "llms", "languages"] {
        assert_eq!(options[kind], json!([]), "{kind}");
    }
    let put = app.request(Method::PUT, "/v1/me/preferences", &token);
    let choice = json!({ "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18" });
    let put = put.json(&choice).send().await.unwrap();
    problem(put, 422, "preference_invalid").await;
    app.stop().await;
}
