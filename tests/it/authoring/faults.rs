//! A bundle with faults is refused whole, with every fault and its place.

use persona_gateway::authoring::bundle::Bundle;
use persona_gateway::authoring::yaml::Source;

use super::applying::demo;
use crate::harness::sql;
use crate::harness::tenants::Bench;

#[tokio::test]
async fn faults_of_every_section_are_told_together_with_their_lines() {
    let text = r#"tenant: Bad Slug
nonsense: 1
policy:
  timeZone: Mars
  retainInputsDays: -1
issuers:
  - {issuer: "not a url", audiences: [], algorithms: [none], keys: {}}
providerKey: "sk-1234567890"
catalogue:
  avatars: [{id: x}]
  hats: []
snippets:
  Rules: {text: x}
  rules: {txt: x}
personas:
  guide:
    name: Guide
    systemPrompt: "{{ nothing.here | nofilter }}"
    avatarID: typo
contexts:
  support:
    aliases: [support]
    rules: [{when: [], then: {}}]
    default: 1
"#;
    let source = Source::parse(text).unwrap();
    let faults = Bundle::parse(&source.value).unwrap_err();
    let lines: Vec<usize> = faults
        .iter()
        .map(|fault| source.place(&fault.pointer).line)
        .collect();
    for line in [1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 18, 19] {
        assert!(lines.contains(&line), "line {line} is told: {faults:#?}");
    }
    assert!(
        lines.iter().any(|line| (22..=24).contains(line)),
        "{faults:#?}"
    );
    assert!(
        !format!("{faults:?}").contains("sk-1234567890"),
        "a secret in the wrong place is not told on"
    );
}

#[tokio::test]
async fn one_fault_refuses_all_of_it() {
    let bench = Bench::new().await;
    let faults = bench
        .faults(&demo().replace("default: trainer", "default: nobody"))
        .await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].pointer, "/contexts/training/default");
    let mut owner = bench.database.owner().await;
    for table in [
        "tenant",
        "document",
        "issuer",
        "audit_event",
        "catalogue_entry",
    ] {
        let left = sql::number(&mut owner, &format!("select count(*) from {table}")).await;
        assert_eq!(left.unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn faults_that_only_the_database_shows_are_told_together_too() {
    let bench = Bench::new().await;
    let faults = bench
        .faults(
            "
tenant: acme
catalogue: {avatars: [{id: a1, name: A}]}
providerKey: {env: UNSET_KEY}
snippets: {rules: {text: x}}
personas:
  one: {name: One, systemPrompt: '{{ snippets.missing }}'}
  two: {name: Two, systemPrompt: Hi, avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18}
  three: {name: Three, systemPrompt: '{{ snippets.rules }}', snippets: {rules: 7}}
contexts:
  default: {default: four}
",
        )
        .await;
    let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/providerKey",
            "/personas/one/snippets",
            "/personas/three/snippets/rules",
            "/personas/two/avatarId",
            "/contexts/default/default",
        ],
        "{faults:#?}"
    );
}

#[tokio::test]
async fn an_issuer_and_audience_of_another_tenant_are_refused_with_their_place() {
    let bench = Bench::new().await;
    bench.apply(&demo()).await.unwrap();
    let thief = "
tenant: thief
issuers:
  - {issuer: 'https://mine.example', audiences: [x], algorithms: [RS256], keys: {discovery: true}}
  - {issuer: 'https://issuer.example', audiences: [x, demo], algorithms: [RS256], keys: {discovery: true}}
";
    let faults = bench.faults(thief).await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].pointer, "/issuers/1/audiences");
    assert!(faults[0].message.contains("another tenant"), "{faults:?}");
    let mut owner = bench.database.owner().await;
    let tenants = sql::texts(&mut owner, "select slug from tenant").await;
    assert_eq!(tenants, ["demo"], "nothing of it was applied");
    bench.apply(&thief.replace(", demo", "")).await.unwrap();
}

#[tokio::test]
async fn two_issuers_for_one_kind_of_token_are_refused() {
    let bench = Bench::new().await;
    let issuer = "  - {issuer: 'https://i.example', audiences: [a], algorithms: [RS256], keys: {discovery: true}}\n";
    let faults = bench
        .faults(&format!("tenant: acme\nissuers:\n{issuer}{issuer}"))
        .await;
    assert_eq!(faults[0].pointer, "/issuers", "{faults:?}");
    assert!(
        faults[0].message.contains("https://i.example"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn pruning_a_persona_that_a_context_still_gives_is_refused() {
    let bench = Bench::new().await;
    bench
        .apply("tenant: acme\npersonas: {a: {name: A, systemPrompt: a}, b: {name: B, systemPrompt: b, avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}}\ncontexts: {default: {default: b}}")
        .await
        .unwrap();
    let without = "tenant: acme\npersonas: {a: {name: A, systemPrompt: a}}";
    let refused = bench
        .apply_with(without, |options| options.prune = true)
        .await;
    let refused = format!("{refused:?}");
    assert!(
        refused.contains("would break the context `default`, which is live: gives the persona `b`, which is not live"),
        "{refused}"
    );
    let both = format!("{without}\ncontexts: {{default: {{default: b}}}}");
    let refused = bench
        .apply_with(&both, |options| options.prune = true)
        .await;
    assert!(
        format!("{refused:?}").contains("/contexts/default"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_name_that_means_another_context_already_is_refused() {
    let bench = Bench::new().await;
    let persona = "tenant: acme\npersonas: {a: {name: A, systemPrompt: a, avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}}\n";
    bench
        .apply(&format!(
            "{persona}contexts: {{support: {{default: a, aliases: [help]}}}}"
        ))
        .await
        .unwrap();
    for (contexts, pointer) in [
        ("help: {default: a}", "/contexts/help"),
        (
            "sales: {default: a, aliases: [help]}",
            "/contexts/sales/aliases/0",
        ),
        (
            "sales: {default: a, aliases: [buy, support]}",
            "/contexts/sales/aliases/1",
        ),
    ] {
        let faults = bench
            .faults(&format!("tenant: acme\ncontexts: {{{contexts}}}"))
            .await;
        assert_eq!(faults[0].pointer, pointer, "{faults:?}");
    }
}

#[tokio::test]
async fn secrets_never_stand_in_a_bundle() {
    for (at, text) in [
        ("/providerKey", "providerKey: key"),
        ("/providerKey", "providerKey: {value: key}"),
        ("/providerKey", "providerKey: {env: A, file: b}"),
        ("/providerKey", "providerKey: {stored: false}"),
        ("/providerKey", "providerKey: {env: ''}"),
        (
            "/issuers/0/secret",
            "issuers: [{issuer: 'https://i.example', audiences: [a], algorithms: [HS256], keys: {sharedSecret: true}, secret: verysecret}]",
        ),
        (
            "/issuers/0/secret",
            "issuers: [{issuer: 'https://i.example', audiences: [a], algorithms: [HS256], keys: {sharedSecret: true}}]",
        ),
        (
            "/issuers/0/secret",
            "issuers: [{issuer: 'https://i.example', audiences: [a], algorithms: [RS256], keys: {discovery: true}, secret: {env: A}}]",
        ),
    ] {
        let source = Source::parse(&format!("tenant: acme\n{text}")).unwrap();
        let faults = Bundle::parse(&source.value).unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.pointer == at),
            "{text}: {faults:?}"
        );
        assert!(!format!("{faults:?}").contains("verysecret"), "{faults:?}");
    }
}

#[tokio::test]
async fn a_tenant_can_not_take_over_a_shared_issuers_tokens() {
    let bench = Bench::new().await;
    let config = serde_json::json!({
        "issuer": "https://shared.example", "audiences": ["app", "other"], "algorithms": ["RS256"],
        "keys": { "discovery": true },
    });
    let operator = persona_gateway::tenants::operators::Operator {
        database: &bench.store,
        clock: &bench.clock,
        label: "cli:test",
        request_id: None,
    };
    operator
        .add_shared_issuer(config.as_object().unwrap(), "org")
        .await
        .unwrap();
    let thief = "
tenant: thief
issuers:
  - {issuer: 'https://shared.example', audiences: [mine, app], algorithms: [RS256], keys: {discovery: true}}
";
    let faults = bench.faults(thief).await;
    assert_eq!(faults[0].pointer, "/issuers/0/audiences", "{faults:?}");
    assert!(faults[0].message.contains("shared issuer"), "{faults:?}");
    bench.apply(&thief.replace(", app", "")).await.unwrap();
}

#[tokio::test]
async fn a_persona_and_a_policy_that_clash_are_refused_whichever_comes_second() {
    let policy = "policy: {locks: {avatarModel: cara-3}}\n";
    let persona = "personas: {guide: {name: G, systemPrompt: x, directorNotes: {customStylePrompt: Be calm}}}\n";
    let together = Bench::new().await;
    let faults = together
        .faults(&format!("tenant: acme\n{policy}{persona}"))
        .await;
    assert_eq!(
        faults[0].pointer, "/personas/guide/directorNotes",
        "{faults:?}"
    );
    let persona_first = Bench::new().await;
    persona_first
        .apply(&format!("tenant: acme\n{persona}"))
        .await
        .unwrap();
    let faults = persona_first
        .faults(&format!("tenant: acme\n{policy}"))
        .await;
    assert_eq!(faults[0].pointer, "", "{faults:?}");
    assert!(faults[0].message.contains("persona `guide`"), "{faults:?}");
}
