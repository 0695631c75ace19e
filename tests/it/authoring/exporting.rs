//! Out and in again: nothing is lost on the way.

use persona_gateway::authoring::yaml::{Source, write};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use super::applying::demo;
use crate::harness::tenants::Bench;

/// Every corner of a bundle in which a value may change its form on the way through YAML, JSON and jsonb.
const CORNERS: &str = r#"
tenant: corners
name: "Näme: with #signs, 'quotes' and \"more\""
policy:
  timeZone: Europe/Berlin
  retainInputsDays: 0
  allowedOrigins: ["https://app.example.com"]
  defaults: {languageCode: en, maxSessionLengthSeconds: 60, avatarId: 071b0286-4cce-4808-bee2-e642f1062de3, voiceId: de23e340-1416-4dd8-977d-065a7ca11697, llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7}
catalogue:
  languages: [{id: "no", name: "Norwegian"}, {id: en, name: English, attributes: {deep: {yes: [1, 1.5, null, true, "true"]}}}]
snippets:
  text: {text: "  leading\n\ntrailing  \n\ttab and 中文 emoji 😀\n"}
  odd: {text: "- looks: like\n# yaml"}
personas:
  guide:
    name: "on"
    systemPrompt: |
      {{ snippets.text }} and {{ snippets.odd }}

      Ends with a blank line.

    voiceGenerationOptions: {speed: 1.0}
contexts:
  default:
    description: "null"
    aliases: [main]
    metadata: {type: object, properties: {n: {type: number, maximum: 1.0e+2, multipleOf: 0.5}, s: {type: string, pattern: "^[a-z]+$"}}}
    rules:
      - name: "1"
        when: [{attribute: metadata.n, operator: equals, values: [1, 2.5]}]
        then: {persona: guide}
    default: guide
"#;

async fn goes_around(bundle: &str, slug: &str) {
    let first = Bench::new().await;
    first.apply(bundle).await.unwrap();
    let exported = first.export(slug).await;
    let again = first
        .apply_with(&write(&exported), |options| options.prune = true)
        .await
        .unwrap();
    assert_eq!(again.steps, [], "what was exported is what is there");

    for text in [
        write(&exported),
        serde_json::to_string_pretty(&exported).unwrap(),
    ] {
        assert_eq!(Source::parse(&text).unwrap().value, exported, "{text}");
        let second = Bench::new().await;
        second.apply(&text).await.unwrap();
        let back: Value = second.export(slug).await;
        assert_eq!(write(&back), write(&exported));
        assert_eq!(back.to_string(), exported.to_string());
    }
}

/// Written as people write, with every kind of member that stands in an order.
const IN_ORDER: &str = include_str!("in-order.yaml");

#[tokio::test]
async fn members_are_exported_in_the_order_in_which_people_write_them() {
    let bench = Bench::new().await;
    bench.apply(IN_ORDER).await.unwrap();
    let exported = bench.export("orderly").await;
    let written = Source::parse(IN_ORDER).unwrap().value;
    assert_eq!(write(&exported), write(&written));
}

#[tokio::test]
async fn the_demo_goes_around_unchanged() {
    goes_around(&demo(), "demo").await;
}

#[tokio::test]
async fn awkward_values_go_around_unchanged() {
    goes_around(CORNERS, "corners").await;
}

#[tokio::test]
async fn an_issuers_root_certificate_goes_around_unchanged() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.not_after = date_time_ymd(2099, 1, 1);
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    let both = format!("# ours\r\n{}\n{pem}", pem.replace('\n', "\r\n"));
    let bundle = json!({
        "tenant": "rooted",
        "issuers": [{
            "issuer": "https://id.rooted.example",
            "audiences": ["app"],
            "keys": { "discovery": true },
            "rootCertificate": both,
            "leewaySeconds": 30,
        }],
    });
    goes_around(&bundle.to_string(), "rooted").await;
}

#[tokio::test]
async fn a_snippet_older_than_the_live_one_stays_pinned_in_the_export() {
    let bench = Bench::new().await;
    let bundle = |text: &str| {
        format!(
            "tenant: acme\nsnippets: {{rules: {{text: {text}}}}}\npersonas: {{guide: {{name: G, systemPrompt: '{{{{ snippets.rules }}}}'}}}}"
        )
    };
    bench.apply(&bundle("one")).await.unwrap();
    bench
        .apply("tenant: acme\nsnippets: {rules: {text: two}}")
        .await
        .unwrap();
    let exported = bench.export("acme").await;
    assert_eq!(
        exported["personas"]["guide"]["snippets"],
        serde_json::json!({ "rules": 1 })
    );
    let plan = bench.apply(&write(&exported)).await.unwrap();
    assert_eq!(plan.steps, []);
}
