//! Numbers arrive as they were written: in rules, prompts, the ledger, exports, and at Anam.

use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::admins::body;
use crate::harness::{TestApp, errors, problem, spawn};

const OURS: &str = "1546130668394913822";
const NEIGHBOUR: &str = "1546130668394913823";
const LONG: &str = "107123456789012345678";

const NUMBERS: &str = r#"
tenant: demo
personas:
  ours: {name: Ours, systemPrompt: "Organisation {{ user.plan }}.", avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18, voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b, llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466, voiceDetectionOptions: {endOfSpeechSensitivity: 0.25}}
  theirs: {name: Theirs, systemPrompt: "Order {{ metadata.order }} of {{ metadata.price }}, {{ metadata.price - 0.01 }} off, {{ metadata.order + 1 }} next; {{ metadata.all }}.", avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18, voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b, llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466}
contexts:
  numbers:
    metadata:
      type: object
      properties:
        order: {type: integer, maximum: 1546130668394913823}
        price: {type: number}
        all: {type: object}
    rules:
      - name: ours
        when: [{attribute: user.plan, operator: equals, values: [1546130668394913822]}]
        then: {persona: ours}
    default: theirs
"#;

/// JSON whose numbers stand in it as they are written here.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn prompt(app: &TestApp, plan: &str, metadata: &str) -> String {
    let token = app.user_with("counted", read(&format!(r#"{{"plan":{plan}}}"#)));
    let asked = read(&format!(r#"{{"context":"numbers","metadata":{metadata}}}"#));
    let sent = app.minted_config(&token, &asked).await;
    let prompt = &sent["personaConfig"]["systemPrompt"];
    prompt.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbouring_id_is_another_id() {
    let app = spawn().await;
    app.apply(NUMBERS).await;
    for spelling in [
        OURS.to_owned(),
        format!("{OURS}.0"),
        "1.546130668394913822e18".to_owned(),
    ] {
        let prompt = prompt(&app, &spelling, "{}").await;
        assert!(
            prompt.starts_with(&format!("Organisation {OURS}.")),
            "{prompt}"
        );
    }
    let other = prompt(&app, NEIGHBOUR, "{}").await;
    assert!(other.starts_with("Order"), "{other}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prompts_and_the_ledger_have_numbers_digit_by_digit() {
    let app = spawn().await;
    app.apply(NUMBERS).await;
    let metadata = format!(
        r#"{{"order":{OURS},"price":12345678901234567.89,"all":{{"id":{LONG},"half":0.10000000000000001}}}}"#
    );
    let printed = prompt(&app, NEIGHBOUR, &metadata).await;
    for part in [
        format!("Order {OURS} of 12345678901234567.89, 12345678901234567.88 off, {NEIGHBOUR} next"),
        format!(r#""id":{LONG}"#),
        r#""half":0.10000000000000001"#.to_owned(),
    ] {
        assert!(printed.contains(&part), "{part}: {printed}");
    }
    let key = app.admin_key("demo", Role::Viewer).await;
    let listed = body(app.ask(Method::GET, "/v1/admin/sessions", &key).await, 200).await;
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/admin/sessions/{id}");
    let session = body(app.ask(Method::GET, &path, &key).await, 200).await;
    let kept = session.to_string();
    for number in [OURS, LONG, "0.10000000000000001", "12345678901234567.89"] {
        assert!(kept.contains(number), "{number}: {kept}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_and_a_rule_agree_about_a_number() {
    let app = spawn().await;
    app.apply(NUMBERS).await;
    let asked = read(r#"{"context":"numbers","metadata":{"order":1546130668394913824}}"#);
    let answer = app.mint(&app.user("counted"), &asked).await;
    let refused = problem(answer, 422, "metadata_invalid").await;
    assert_eq!(
        errors(&refused),
        [(
            "/metadata/order".to_owned(),
            format!("must be at most {NEIGHBOUR}")
        )]
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_rounded_is_refused_with_its_place_and_a_claim_is_passed_over() {
    let app = spawn().await;
    app.apply(NUMBERS).await;
    let long = "1".repeat(39);
    let asked = format!(r#"{{"context":"numbers","metadata":{{"all":{{"id":{long}}}}}}}"#);
    let answer = app
        .request(Method::POST, "/v1/session-token", &app.user("counted"))
        .header("content-type", "application/json")
        .body(asked)
        .send()
        .await
        .unwrap();
    let refused = problem(answer, 400, "malformed_request").await;
    let [(pointer, message)] = &errors(&refused)[..] else {
        panic!("{refused}");
    };
    assert_eq!(pointer, "/metadata/all/id");
    assert!(
        message
            .ends_with("has more than 38 digits and would be rounded: put it in quotes, as a text"),
        "{message}"
    );

    let other = prompt(&app, &long, "{}").await;
    assert!(
        other.starts_with("Order"),
        "a token lives on without the claim: {other}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_has_the_digits_that_were_applied() {
    let app = spawn().await;
    app.apply(NUMBERS).await;
    let key = app.admin_key("demo", Role::Owner).await;
    let answer = app.ask(Method::GET, "/v1/admin/bundle", &key).await;
    let exported = answer.text().await.unwrap();
    for number in [OURS, NEIGHBOUR] {
        assert!(exported.contains(number), "{exported}");
    }
    let clause = json!({ "attribute": "user.plan", "operator": "equals", "values": [1_546_130_668_394_913_822_i64] });
    let parsed = read(&exported);
    let rules = &parsed.pointer("/contexts/numbers/rules/0/when/0");
    assert_eq!(*rules, Some(&clause), "{exported}");
    app.stop().await;
}
