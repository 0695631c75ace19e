//! A whole tenant in one file: nothing of it is lost on the way to another database.

use persona_gateway::authoring::yaml::write;
use serde_json::{Value, json};

use crate::harness::tenants::Bench;

const TESTED: &str = r#"
tenant: acme
sampleUsers:
  expert: {description: Knows everything, subject: user-7, facts: {plan: pro, roles: [member]}, preferences: {tone: dry}}
  newcomer: {}
snippets:
  rules:
    text: "Be kind."
    tests: [{name: stays short, expect: {promptMaxChars: 2000}}]
personas:
  guide:
    name: Guide
    systemPrompt: "Hi {{ user.plan }}. {{ snippets.rules }}"
    avatarId: 071b0286-4cce-4808-bee2-e642f1062de3
    voiceId: de23e340-1416-4dd8-977d-065a7ca11697
    llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7
    tests:
      - {name: is kind to experts, user: {sample: expert}, expect: {persona: guide, promptContains: [Be kind.], promptLacks: [password]}}
contexts:
  default:
    default: guide
    tests: [{name: everybody gets the guide, expect: {persona: guide, fields: {/languageCode: en}}}]
"#;

fn older(text: &str) -> String {
    format!(
        "tenant: acme\nsnippets: {{rules: {{text: {text}}}}}\npersonas: {{guide: {{name: G, systemPrompt: '{{{{ snippets.rules }}}}'}}}}"
    )
}

async fn moved(bundle: &Value) -> Value {
    let fresh = Bench::new().await;
    fresh.apply(&write(bundle)).await.unwrap();
    let again = fresh
        .apply_with(&write(bundle), |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!(again.steps, [], "a second time changes nothing");
    fresh.export("acme").await
}

#[tokio::test]
async fn kept_tests_and_sample_users_go_around_unchanged() {
    let bench = Bench::new().await;
    bench.apply(TESTED).await.unwrap();
    let exported = bench.export("acme").await;
    assert_eq!(exported["sampleUsers"]["expert"]["facts"]["plan"], "pro");
    assert_eq!(
        exported["personas"]["guide"]["tests"][0]["user"],
        json!({ "sample": "expert" })
    );
    assert_eq!(moved(&exported).await, exported);
}

#[tokio::test]
async fn a_bundle_whose_tests_fail_is_refused_whole() {
    let bench = Bench::new().await;
    let faults = bench
        .faults(&TESTED.replace("promptLacks: [password]", "promptLacks: [kind]"))
        .await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].pointer.starts_with("/personas/guide"),
        "{faults:?}"
    );
    assert!(
        faults[0].message.contains("is kind to experts"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn an_older_snippet_that_a_persona_pins_comes_along() {
    let bench = Bench::new().await;
    for text in ["zero", "one"] {
        bench.apply(&older(text)).await.unwrap();
    }
    bench
        .apply("tenant: acme\nsnippets: {rules: {text: two}}")
        .await
        .unwrap();
    let exported = bench.export("acme").await;
    assert_eq!(
        exported["snippets"]["rules"],
        json!({ "text": "two", "versions": { "2": { "text": "one" } } })
    );
    assert_eq!(
        exported["personas"]["guide"]["snippets"],
        json!({ "rules": 2 })
    );
    let same = bench.apply(&write(&exported)).await.unwrap();
    assert_eq!(same.steps, []);

    let there = moved(&exported).await;
    assert_eq!(
        there["snippets"]["rules"],
        json!({ "text": "two", "versions": { "1": { "text": "one" } } }),
        "the number is another one, the text is not"
    );
    assert_eq!(
        there["personas"]["guide"]["snippets"],
        json!({ "rules": 1 })
    );
}

#[tokio::test]
async fn a_pin_on_a_version_that_the_bundle_does_not_carry_is_refused() {
    let bench = Bench::new().await;
    let faults = bench
        .faults(&older("one").replace("name: G,", "name: G, snippets: {rules: 7},"))
        .await;
    assert_eq!(faults[0].pointer, "/personas/guide/snippets/rules");
}

#[tokio::test]
async fn pruning_removes_sample_users_that_the_bundle_leaves_out() {
    let bench = Bench::new().await;
    bench.apply(TESTED).await.unwrap();
    let fewer = "tenant: acme\nsampleUsers: {expert: {description: Knows everything, subject: user-7, facts: {plan: pro, roles: [member]}, preferences: {tone: dry}}}";
    let kept = bench.apply(fewer).await.unwrap();
    assert_eq!(
        (kept.steps.len(), kept.left_alone),
        (0, vec!["sample_user/newcomer".to_owned()])
    );
    let pruned = bench
        .apply_with(fewer, |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!(pruned.steps[0].target, "sample_user/newcomer");
    assert!(
        bench.export("acme").await["sampleUsers"]
            .get("newcomer")
            .is_none()
    );
}
