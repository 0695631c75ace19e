//! How a table of token cases is judged.

use std::fmt::Display;

use persona_gateway::auth::{KeySet, Refusal, Verified, peek, verify};
use persona_gateway::domain::issuer::{IssuerConfig, KeySource};

use crate::kit::{ED, SECRET, claims, now};

pub(crate) type Case = (String, String, Refusal);

pub(crate) fn judge(token: &str, rules: &IssuerConfig) -> Result<(), Refusal> {
    let keys = match rules.keys() {
        Some(KeySource::Jwks(set)) => KeySet::admit(set).unwrap(),
        _ => KeySet::shared_secrets([SECRET]).unwrap(),
    };
    let token = peek(token)?;
    verify(&token, rules, &keys, now()).map(|_: Verified<'_>| ())
}

#[track_caller]
pub(crate) fn all_refused(cases: &[Case], rules: &IssuerConfig, at_least: usize) {
    assert!(
        cases.len() >= at_least,
        "only {} cases were made",
        cases.len()
    );
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, token, expected)| match judge(token, rules) {
            Err(refusal) if refusal == *expected => None,
            other => Some(format!("{name}: {other:?} instead of {expected:?}")),
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[track_caller]
pub(crate) fn all_accepted(cases: &[(&str, String)], rules: &IssuerConfig) {
    for (name, token) in cases {
        assert_eq!(judge(token, rules), Ok(()), "{name}");
    }
}

pub(crate) fn case(name: impl Into<String>, token: String, refusal: Refusal) -> Case {
    (name.into(), token, refusal)
}

/// A token of the Ed25519 key with this header and the good claims.
pub(crate) fn with_header(header: impl Display) -> String {
    ED.token(header, claims())
}

pub(crate) fn with_claims(claims: impl Display) -> String {
    ED.token(ED.header("ed"), claims)
}
