//! What an admin is told of a pasted token. The judgement is the verifier's own; the steps say what to change.

use persona_gateway::auth::{CheckReport, JwksSettings, TokenReport};
use persona_gateway::domain::issuer::IssuerConfig;
use serde_json::json;

use crate::kit::{
    Bench, ED, ISSUER, NOW, RSA, b64, claims, claims_with, claims_without, config, inline_config,
    key_set,
};

async fn check(config: &IssuerConfig, token: &str) -> CheckReport {
    let bench = Bench::new(JwksSettings::default());
    bench.auth.check(config, &[], Some(token)).await
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
    assert!(
        facts.starts_with("1 taken; roles: the claim was left out"),
        "{facts}"
    );
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
    assert_eq!(report.subject, None);
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
    assert!(!report.accepted);
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
    let good = ED.good("ed");
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let jwe = b64(json!({"alg": "RSA-OAEP", "enc": "A256GCM"}).to_string());
    for (text, words) in [
        (String::new(), &["is empty"][..]),
        ("opaque-access-token".to_owned(), &["opaque token"]),
        (format!("Bearer {good}"), &["`Bearer`"]),
        (
            format!("Authorization: bearer \"{good}\","),
            &["`Authorization:`", "`Bearer`", "quotes"],
        ),
        (
            format!("\u{201c}{header}.\n  {payload}.{signature}\u{201d}"),
            &["quotes", "line breaks"],
        ),
        (
            format!("{header}=.{payload}==.{signature}="),
            &[
                "padding (`=`) at its header",
                "at its payload",
                "at its signature",
            ],
        ),
        (
            format!("{header}.{payload}.{}+/", signature.get(2..).unwrap()),
            &["`+` or `/` in its signature"],
        ),
        (format!("{header}.{payload}"), &["two parts"]),
        (format!("{header}.{payload}."), &["empty signature"]),
        (format!("{jwe}.a.b.c.d"), &["encrypted", "A256GCM"]),
        (
            format!(
                "{header}.{}.{signature}",
                b64("{\"sub\":\"a\",\"sub\":\"b\"}")
            ),
            &["a name that occurs twice"],
        ),
        (
            format!("{header}.{}.{signature}", b64("<html>")),
            &["payload that is no JSON"],
        ),
    ] {
        let report = explain(&text).await;
        assert!(!report.accepted, "{text}");
        assert_eq!(failed(&report)[0], "form", "{text}");
        for word in words {
            let told = message(&report, "form");
            assert!(told.contains(word), "{text}: {told}");
        }
    }
    // A line break that was copied along is not the token's fault.
    assert!(explain(&format!(" {good}\n")).await.accepted);
}

#[tokio::test]
async fn what_is_missing_is_told_all_at_once_with_the_facts_that_it_would_give() {
    let mut claims = claims_without("aud");
    claims.as_object_mut().unwrap().remove("iss");
    claims["client_id"] = json!("an-app");
    claims["plan"] = json!("pro");
    let report = explain(&ED.token(json!({"alg": "none"}), claims)).await;
    assert!(!report.accepted);
    assert_eq!(failed(&report), ["algorithm", "issuer", "audience"]);
    assert!(message(&report, "algorithm").contains("`none` is never taken"));
    assert!(message(&report, "issuer").starts_with("iss is missing"));
    let audience = message(&report, "audience");
    assert!(audience.starts_with("aud is missing"), "{audience}");
    assert!(
        audience.contains("with audienceClaim client_id that counts"),
        "{audience}"
    );
    assert_eq!(json!(report.facts), json!({ "plan": "pro" }));
    assert!(message(&report, "facts").starts_with("were it accepted: 1 taken"));
    assert!(message(&report, "time").starts_with("is good now"));
}

#[tokio::test]
async fn a_dressed_token_is_judged_by_its_signature_all_the_same() {
    let report = explain(&format!("Bearer {}", ED.good("ed"))).await;
    assert_eq!(failed(&report), ["form"]);
    assert_eq!(message(&report, "signature"), "was made with the key");
    assert_eq!(report.subject, None, "what is sent so is refused");
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
