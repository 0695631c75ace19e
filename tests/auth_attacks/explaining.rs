//! What an admin is told of a pasted token. The judgement is the verifier's own; the steps say what to change.

use persona_gateway::auth::{CheckReport, JwksSettings, TokenReport};
use persona_gateway::domain::issuer::IssuerConfig;
use serde_json::json;

use crate::kit::{
    Bench, ED, ISSUER, NOW, RSA, claims, claims_with, claims_without, config, inline_config,
    key_set,
};

async fn check(config: &IssuerConfig, token: &str) -> CheckReport {
    let bench = Bench::new(JwksSettings::default());
    bench.auth.check(config, None, Some(token)).await
}

async fn explain(token: &str) -> TokenReport {
    check(&inline_config(), token).await.token.unwrap()
}

fn failed(report: &TokenReport) -> Vec<&str> {
    let steps = report.steps.iter();
    let failed = steps.filter(|step| step.passed == Some(false));
    failed.map(|step| step.name).collect()
}

fn message<'r>(report: &'r TokenReport, name: &str) -> &'r str {
    let step = report.steps.iter().find(|step| step.name == name);
    &step.expect("the step is told").message
}

#[tokio::test]
async fn a_good_token_is_accepted_and_what_it_says_is_shown() {
    let mut claims = claims_with("plan", json!("pro"));
    claims["roles"] = json!([{ "id": 1 }]);
    let report = explain(&ED.token(ED.header("ed"), claims)).await;
    assert!(report.accepted);
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert_eq!(report.subject.as_deref(), Some("user-1"));
    assert_eq!(json!(report.facts), json!({ "plan": "pro" }));
    let facts = message(&report, "facts");
    assert!(facts.starts_with("1 taken; passed over"), "{facts}");
    assert!(facts.contains("roles"), "{facts}");
    assert!(
        facts.contains("not in this token: locale (from locale)"),
        "{facts}"
    );
}

#[tokio::test]
async fn every_fault_of_a_token_is_told_at_once_and_nothing_of_it_is_taken() {
    let mut claims = claims_with("iss", json!(format!("{ISSUER}/")));
    claims["aud"] = json!("another-app");
    claims["exp"] = json!(NOW - 3600);
    claims["sub"] = json!("");
    let report = explain(&ED.token(ED.header("gone"), claims)).await;
    assert!(!report.accepted);
    assert_eq!(
        failed(&report),
        ["key", "issuer", "audience", "time", "subject"]
    );
    assert_eq!(
        (report.subject.as_ref(), report.facts.as_ref()),
        (None, None)
    );
    assert!(message(&report, "key").contains(r#"["rsa", "ec", "ed"]"#));
    assert!(message(&report, "audience").contains(r#"["another-app"]"#));
    assert!(message(&report, "time").starts_with("has expired: paste a fresh one"));
    assert_eq!(
        message(&report, "signature"),
        "could not be judged without a key"
    );
}

#[tokio::test]
async fn a_signature_of_another_key_is_told_apart_from_an_unknown_key() {
    let report = explain(
        &ED.token(ED.header("ed"), claims())
            .replace(".ey", ".eyJ4IjoxfQ"),
    )
    .await;
    assert_eq!(failed(&report), ["form"]);
    let mut token = ED.good("ed");
    token.truncate(token.len() - 4);
    let report = explain(&format!("{token}AAAA")).await;
    assert_eq!(failed(&report), ["signature"]);
    let report = explain(&RSA.token(RSA.header("ed"), claims())).await;
    assert_eq!(failed(&report), ["key"]);
    assert!(message(&report, "key").ends_with("that key is not for RS256"));
}

#[tokio::test]
async fn a_text_that_is_no_token_is_explained_too() {
    for (text, words) in [
        ("", "paste the token alone"),
        ("opaque-access-token", "opaque tokens"),
        (&format!("Bearer {}", ED.good("ed")), "without `Bearer`"),
        (&ED.token(json!({"alg": "none"}), claims()), "`none`"),
        (
            &ED.token(ED.header("ed"), claims_without("aud")),
            "aud (a text",
        ),
    ] {
        let report = explain(text).await;
        assert!(!report.accepted);
        assert_eq!(failed(&report), ["form"]);
        assert!(
            message(&report, "form").contains(words),
            "{}",
            message(&report, "form")
        );
    }
    // A line break that was copied along is not the token's fault.
    assert!(explain(&format!(" {}\n", ED.good("ed"))).await.accepted);
}

#[tokio::test]
async fn without_keys_the_claims_are_judged_all_the_same() {
    let rules = json!({
        "issuer": ISSUER, "audiences": ["app"], "keys": {"jwksUrl": "https://10.0.0.1/keys"},
    });
    let report = check(&config(&rules), &ED.good("ed")).await;
    let problem = &report.problems[0];
    assert_eq!(problem.pointer, "/keys/jwksUrl");
    assert_eq!(problem.message, "the key address: address not allowed");
    let token = report.token.unwrap();
    assert!(!token.accepted);
    assert_eq!(
        message(&token, "signature"),
        "could not be judged: there are no keys"
    );
    assert_eq!(failed(&token), Vec::<&str>::new());
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_may_not_use_is_named() {
    let rules = json!({
        "issuer": ISSUER, "audiences": ["app"], "algorithms": ["RS256"], "keys": {"jwks": key_set()},
    });
    let report = check(&config(&rules), &ED.good("ed")).await;
    assert!(
        report.notes[0].contains("ES256, EdDSA"),
        "{:?}",
        report.notes
    );
    let token = report.token.unwrap();
    assert!(!token.accepted);
    assert_eq!(failed(&token), ["algorithm"]);
}
