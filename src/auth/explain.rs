//! Why a token passes or not, told step by step to the admin who configures its issuer. An anonymous caller is told
//! nothing of this.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::keys::KeySet;
use super::refusal::Refusal;
use super::verify::{self, Unverified, peek};
use crate::domain::caller::Facts;
use crate::domain::issuer::IssuerConfig;

/// What the verifier makes of one token by one issuer's rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenReport {
    /// The verifier's own judgement.
    pub accepted: bool,
    /// What was looked at, in order; later steps are told also where an earlier one failed.
    pub steps: Vec<Step>,
    /// Who it names, where the token was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the claim map took, where the token was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What: `form`, `algorithm`, `key`, `signature`, `issuer`, `audience`, `kind`, `time`, `subject`, `tenant` or `facts`.
    pub name: &'static str,
    /// Whether it is as it must be; absent where it could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// What was found, and what to change.
    pub message: String,
}

/// Judges a token as it would be done in earnest, and says why. `keys` is `None` where none could be had.
pub(super) fn explain(
    token: &str,
    rules: &IssuerConfig,
    keys: Option<&KeySet>,
    now: DateTime<Utc>,
) -> TokenReport {
    let mut report = TokenReport {
        accepted: false,
        steps: Vec::new(),
        subject: None,
        facts: None,
    };
    let token = match peek(token.trim()) {
        Ok(token) => token,
        Err(refusal) => {
            report.add("form", Err(refusal), unread(refusal));
            return report;
        }
    };
    report.add(
        "form",
        Ok(()),
        "is a compact JWS of two strict JSON objects".to_owned(),
    );
    report.look_at(&token, rules, keys, now);
    let verified = keys.and_then(|keys| verify::verify(&token, rules, keys, now).ok());
    if let Some(verified) = verified {
        report.accepted = true;
        report.add(
            "tenant",
            Ok(()),
            "the issuer is this tenant's own, so its users are".to_owned(),
        );
        report.add(
            "facts",
            Ok(()),
            facts_found(rules, &verified.facts, &verified.passed_over),
        );
        report.subject = Some(verified.subject.as_str().to_owned());
        report.facts = Some(verified.facts);
    }
    report
}

impl TokenReport {
    fn add(&mut self, name: &'static str, judged: Result<(), Refusal>, message: String) {
        self.steps.push(Step {
            name,
            passed: Some(judged.is_ok()),
            message,
        });
    }

    fn look_at(
        &mut self,
        token: &Unverified<'_>,
        rules: &IssuerConfig,
        keys: Option<&KeySet>,
        now: DateTime<Utc>,
    ) {
        let judged = verify::check_algorithm(token, rules);
        let allowed: Vec<&str> = rules.algorithms().iter().map(|alg| alg.as_str()).collect();
        let message = match judged {
            Ok(()) => format!("alg is {}, which this issuer may use", token.algorithm()),
            Err(_) => format!(
                "alg is {}, but this issuer's algorithms are {}: add it to `algorithms` if the issuer means to use it",
                token.algorithm(),
                allowed.join(", ")
            ),
        };
        self.add("algorithm", judged, message);
        self.key_and_signature(token, keys);

        let judged = verify::check_issuer(token, rules);
        let message = match judged {
            Ok(()) => "iss is the issuer's, byte for byte".to_owned(),
            Err(_) => format!(
                "iss is {:?}, but `issuer` is {:?}: they are compared byte for byte, a slash at the end counts",
                token.issuer(),
                rules.issuer()
            ),
        };
        self.add("issuer", judged, message);

        let judged = verify::check_audience(token, rules);
        let message = match judged {
            Ok(()) => "aud names one of the issuer's audiences".to_owned(),
            Err(_) => format!(
                "aud is {:?}, but `audiences` are {:?}: list the audience that your tokens are issued for",
                token.audiences(),
                rules.audiences()
            ),
        };
        self.add("audience", judged, message);

        let judged = verify::check_kind(token, rules);
        let message = match judged {
            Ok(()) => "is of a kind that says who is calling".to_owned(),
            Err(Refusal::Type) => "typ must be at+jwt, since `atJwtStrict` is on".to_owned(),
            Err(Refusal::Claims) => {
                "client_id and jti must be there as texts, since `atJwtStrict` is on".to_owned()
            }
            Err(_) => "is an ID token (it has nonce, at_hash or c_hash, and `refuseIdTokens` is on), a logout token or a security event: send the access token".to_owned(),
        };
        self.add("kind", judged, message);

        let judged = verify::check_dates(token.claims(), rules, now);
        self.add("time", judged, times(token.claims(), rules, judged, now));

        let judged = verify::check_subject(token);
        let message = match &judged {
            Ok(subject) => format!("sub is {:?}", subject.as_str()),
            Err(Refusal::Claims) => "sub must be there as a text".to_owned(),
            Err(refusal) => refusal.to_string(),
        };
        self.add("subject", judged.map(|_| ()), message);
    }

    fn key_and_signature(&mut self, token: &Unverified<'_>, keys: Option<&KeySet>) {
        let Some(keys) = keys else {
            for name in ["key", "signature"] {
                self.steps.push(Step {
                    name,
                    passed: None,
                    message: "could not be judged: there are no keys".to_owned(),
                });
            }
            return;
        };
        let kid = token
            .kid()
            .map_or_else(|| "no kid".to_owned(), |kid| format!("the kid {kid:?}"));
        let judged = verify::check_signature(token, keys);
        let key = match judged {
            Err(refusal @ (Refusal::UnknownKey | Refusal::KeyAlgorithm)) => Err(refusal),
            _ => Ok(()),
        };
        let known: Vec<&str> = keys.keys().iter().filter_map(|key| key.kid()).collect();
        let message = match key {
            Ok(()) => format!("the header has {kid}, and there is a key for it"),
            Err(Refusal::KeyAlgorithm) => format!(
                "the header has {kid}, but that key is not for {}",
                token.algorithm()
            ),
            Err(_) => format!(
                "the header has {kid} and alg {}, for which no key fits; the key ids are {known:?}",
                token.algorithm()
            ),
        };
        self.add("key", key, message);
        match (key, judged) {
            (Ok(()), Ok(())) => self.add(
                "signature",
                judged,
                "was made with the key".to_owned(),
            ),
            (Ok(()), Err(_)) => self.add(
                "signature",
                judged,
                "was not made with the key, or the token was changed or cut: paste it whole, and see whether the secret or the keys are those of this very issuer".to_owned(),
            ),
            (Err(_), _) => self.steps.push(Step {
                name: "signature",
                passed: None,
                message: "could not be judged without a key".to_owned(),
            }),
        }
    }
}

/// Why a text is not even read as a token.
fn unread(refusal: Refusal) -> String {
    match refusal {
        Refusal::Malformed => "is no JWT of three base64url parts with two JSON objects: paste the token alone, without `Bearer`, quotes or line breaks; opaque tokens can't be used".to_owned(),
        Refusal::Claims => "needs the claims iss (a text) and aud (a text, or a list of texts)".to_owned(),
        Refusal::Algorithm => format!("{refusal}; `none` and all others are never taken"),
        _ => refusal.to_string(),
    }
}

fn times(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
    judged: Result<(), Refusal>,
    now: DateTime<Utc>,
) -> String {
    let told = |name: &str| match verify::date(claims, name) {
        Ok(Some(seconds)) => format!("{name} is {}", moment(seconds)),
        Ok(None) => format!("{name} is missing"),
        Err(_) => format!("{name} is no date: seconds since 1970 are meant"),
    };
    let dates = ["iat", "nbf", "exp"].map(told).join(", ");
    let verdict = match judged {
        Ok(()) => "is good now".to_owned(),
        Err(Refusal::Expired) => "has expired: paste a fresh one".to_owned(),
        Err(Refusal::NotYetValid | Refusal::IssuedInFuture) => format!(
            "begins in the future: does a clock run ahead? `leewaySeconds` is {}",
            rules.leeway_seconds()
        ),
        Err(Refusal::Lifetime) => format!(
            "lives longer than `maxLifetimeSeconds`, {}",
            rules.max_lifetime_seconds()
        ),
        Err(_) => "needs an exp, and dates that are numbers".to_owned(),
    };
    format!(
        "{verdict} ({dates}; the gateway's clock says {})",
        moment(now.timestamp())
    )
}

fn moment(seconds: i64) -> String {
    DateTime::<Utc>::UNIX_EPOCH
        .checked_add_signed(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX))
        .map_or_else(
            || seconds.to_string(),
            |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
        )
}

fn facts_found(rules: &IssuerConfig, facts: &Facts, passed_over: &[String]) -> String {
    let missing: Vec<String> = rules
        .claims()
        .iter()
        .filter(|(name, _)| !facts.contains_key(*name) && !passed_over.iter().any(|p| p == name))
        .map(|(name, path)| format!("{name} (from {path})"))
        .collect();
    let mut told = vec![format!("{} taken", facts.len())];
    if !passed_over.is_empty() {
        told.push(format!(
            "passed over, since the claim is too long or neither a text, a number, a flag nor a list of texts: {}",
            passed_over.join(", ")
        ));
    }
    if !missing.is_empty() {
        told.push(format!("not in this token: {}", missing.join(", ")));
    }
    told.join("; ")
}
