//! Why a token passes or not, explained step by step to the admin who configures its issuer. An anonymous caller is told
//! nothing of this.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::available_keys::AvailableKeys;
use super::jws;
use super::keys::KeySet;
use super::lenient::{Lenient, text_member};
use super::refusal::Refusal;
use super::verify::{self, Unverified, peek};
use crate::domain::caller::{Facts, LeftOut};
use crate::domain::issuer::{Algorithm, AudienceClaim, IssuerConfig};
use crate::domain::text::clean_line;
use crate::domain::wrong::{Words, Wrong};

/// What is found where the issuer of a token is right.
pub(super) const ISSUERS_OWN: &str = "iss is the issuer's, byte for byte";
/// What is found where a token was accepted.
pub(super) const ITS_TENANT: &str = "the issuer is this tenant's own, so its users are";

/// Longest text of a token that is shown, in characters.
const MAX_TOLD_CHARS: usize = 200;

/// What the verifier makes of one token by one issuer's rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenReport {
    /// The verifier's own judgement.
    pub accepted: bool,
    /// What was looked at, in order; later steps are listed even where an earlier one failed.
    pub steps: Vec<Step>,
    /// Who it names, where the token was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the claim map takes, or would take were it accepted; absent where no claims can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What: `form`, `algorithm`, `key`, `signature`, `introspection`, `issuer`, `type`, `audience`, `kind`, `required`, `time`, `subject`,
    /// `tenant` or `facts`.
    pub name: &'static str,
    /// Whether it is as it must be; absent where it could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// What was found, and what to change.
    pub message: String,
    /// What is wrong, for programs; `None` of what is right.
    #[serde(skip)]
    pub wrong: Option<Box<Wrong>>,
}

/// Judges a token as it would be done in earnest, and says why. `found` are the keys that could be had.
pub(super) fn explain(
    text: &str,
    rules: &IssuerConfig,
    found: &AvailableKeys,
    now: DateTime<Utc>,
) -> TokenReport {
    let mut report = TokenReport::default();
    let read = Lenient::read(text);
    let strict = peek(text.trim());
    report.form(&strict, &read.faults);
    let tidied = peek(&read.token);
    report.algorithm(read.header.as_ref(), rules);
    if let Ok(token) = &tidied {
        report.key_and_signature(token, found.keys_for(token.algorithm()));
    } else {
        let text = "could not be judged: the token can't be read";
        report.unjudged("signature", Wrong::Unjudged.worded(text));
    }
    if let Some(claims) = &read.claims {
        let header = read.header.as_ref();
        let access_token_type =
            header.is_some_and(|header| jws::is_access_token_type(header).unwrap_or_default());
        report.claims(claims, access_token_type, rules, now);
    }
    let verified = strict.as_ref().ok().and_then(|token| {
        let keys = found.keys_for(token.algorithm())?;
        verify::verify(token, rules, keys, now).ok()
    });
    if let Some(verified) = verified {
        report.accepted = true;
        report.right("tenant", ITS_TENANT);
        report.subject = Some(verified.subject.as_str().to_owned());
    }
    if let Some(claims) = &read.claims {
        report.facts_of(claims, rules);
    }
    report
}

impl TokenReport {
    /// Notes what is as it must be, and what was found.
    pub(super) fn right(&mut self, name: &'static str, message: impl Into<String>) {
        self.steps.push(Step {
            name,
            passed: Some(true),
            message: message.into(),
            wrong: None,
        });
    }

    pub(super) fn wrong(&mut self, name: &'static str, words: impl Into<Words>) {
        self.push(name, Some(false), words.into());
    }

    pub(super) fn unjudged(&mut self, name: &'static str, words: impl Into<Words>) {
        self.push(name, None, words.into());
    }

    fn push(&mut self, name: &'static str, passed: Option<bool>, words: Words) {
        self.steps.push(Step {
            name,
            passed,
            message: words.text,
            wrong: Some(words.wrong),
        });
    }

    /// Notes what was found right, or what is wrong.
    pub(super) fn judge(&mut self, name: &'static str, judged: Result<String, Words>) {
        match judged {
            Ok(message) => self.right(name, message),
            Err(words) => self.wrong(name, words),
        }
    }

    /// What is wrong with an algorithm or a claim is reported by their own steps.
    fn form(&mut self, strict: &Result<Unverified<'_>, Refusal>, faults: &[String]) {
        match strict {
            Err(Refusal::Header | Refusal::Type | Refusal::KeyId) if faults.is_empty() => {}
            Ok(_) | Err(Refusal::Claims | Refusal::Algorithm) if faults.is_empty() => {
                self.right("form", "is a compact JWS of two strict JSON objects");
                return;
            }
            _ => {}
        }
        let mut messages = faults.to_vec();
        if let Err(refusal @ (Refusal::Header | Refusal::Type | Refusal::KeyId)) = strict {
            messages.push(format!("{refusal}. {}", refusal.advice()));
        }
        if messages.is_empty() {
            messages.extend(strict.as_ref().err().map(ToString::to_string));
        }
        self.wrong("form", Wrong::TokenForm.worded(messages.join("; ")));
    }

    fn algorithm(&mut self, header: Option<&Map<String, Value>>, rules: &IssuerConfig) {
        let Some(header) = header else { return };
        let allowed: Vec<&str> = rules.algorithms().iter().map(|alg| alg.as_str()).collect();
        let allowed = allowed.join(", ");
        let algorithm = header.get("alg").and_then(Value::as_str);
        match algorithm.map(|name| Algorithm::parse(name).ok_or(name)) {
            Some(Ok(algorithm)) if verify::check_algorithm(algorithm, rules).is_ok() => self.right(
                "algorithm",
                format!("alg is {algorithm}, which this issuer may use"),
            ),
            Some(Ok(algorithm)) => self.wrong(
                "algorithm",
                Wrong::AlgorithmOther {
                    name: algorithm.to_string(),
                    known: allowed,
                },
            ),
            Some(Err(_)) => self.wrong(
                "algorithm",
                Wrong::AlgorithmNever {
                    name: text_member(header, "alg").unwrap_or_default(),
                    known: allowed,
                },
            ),
            None => self.wrong("algorithm", Wrong::AlgorithmMissing(allowed)),
        }
    }

    fn claims(
        &mut self,
        claims: &Map<String, Value>,
        access_token_type: bool,
        rules: &IssuerConfig,
        now: DateTime<Utc>,
    ) {
        let judged = verify::check_issuer(claims, rules);
        let issuer = format!("{:?}", rules.issuer());
        let judged = match judged {
            Ok(()) => Ok(ISSUERS_OWN.to_owned()),
            Err(Refusal::Claims) => Err(Wrong::IssuerMissing(issuer).into()),
            Err(_) => Err(Wrong::IssuerOther {
                name: text_member(claims, "iss").unwrap_or_default(),
                issuer,
            }
            .into()),
        };
        self.judge("issuer", judged);
        self.claims_but_issuer(claims, access_token_type, rules, now);
    }

    /// What is judged of a JWT and of what is said of an opaque token alike.
    pub(super) fn claims_but_issuer(
        &mut self,
        claims: &Map<String, Value>,
        access_token_type: bool,
        rules: &IssuerConfig,
        now: DateTime<Utc>,
    ) {
        let judged = verify::check_audience(claims, rules);
        self.judge("audience", audience(claims, rules, judged));

        let judged = verify::check_kind(claims, access_token_type, rules);
        let judged = match judged {
            Ok(()) => Ok("is of a kind that says who is calling".to_owned()),
            Err(Refusal::Type) => Err(Wrong::NotAtJwt.into()),
            Err(Refusal::Claims) => Err(Wrong::ClientIdMissing.into()),
            Err(_) => Err(Wrong::NoAccessToken.into()),
        };
        self.judge("kind", judged);
        self.required(claims, rules);

        let judged = verify::check_dates(claims, rules, now);
        self.judge("time", times(claims, rules, judged, now));

        let judged = verify::check_subject(claims);
        let judged = match judged {
            Ok(subject) => Ok(format!("sub is {:?}", subject.as_str())),
            Err(Refusal::Claims) => Err(Wrong::SubjectMissing.into()),
            Err(refusal) => Err(Wrong::SubjectForm.worded(refusal.to_string())),
        };
        self.judge("subject", judged);
    }

    /// What the claim map takes, or would take.
    pub(super) fn facts_of(&mut self, claims: &Map<String, Value>, rules: &IssuerConfig) {
        let (facts, left_out) = rules.claims().facts(claims);
        let summary = facts_found(rules, &facts, &left_out);
        if self.accepted {
            self.right("facts", summary);
        } else {
            let text = format!("were it accepted: {summary}");
            self.unjudged("facts", Wrong::FactsUnused.worded(text));
        }
        self.facts = Some(facts);
    }

    fn required(&mut self, claims: &Map<String, Value>, rules: &IssuerConfig) {
        for (path, values) in rules.required_claims().iter() {
            let wanted: Vec<String> = values.iter().map(Value::to_string).collect();
            let wanted = wanted.join(" or ");
            let found = path.find(claims);
            let found =
                found.map_or_else(|| "missing".to_owned(), |found| short(&found.to_string()));
            let passed = rules.required_claims().has(path, claims);
            if passed {
                let text = format!("{path} is {found}, as `requiredClaims` wants it");
                self.right("required", text);
                continue;
            }
            let name = path.to_string();
            let wrong = Wrong::ClaimOther {
                name,
                found,
                wanted,
            };
            self.wrong("required", wrong);
        }
    }

    fn key_and_signature(&mut self, token: &Unverified<'_>, keys: Option<&KeySet>) {
        let Some(keys) = keys else {
            for name in ["key", "signature"] {
                let text = "could not be judged: there are no keys";
                self.unjudged(name, Wrong::Unjudged.worded(text));
            }
            return;
        };
        let kid = token
            .kid()
            .map_or_else(|| "no kid".to_owned(), |kid| format!("the kid {kid:?}"));
        let judged = verify::check_signature(token, keys);
        let known: Vec<&str> = keys.keys().iter().filter_map(|key| key.kid()).collect();
        let id = token.kid().unwrap_or_default().to_owned();
        let algorithm = token.algorithm().to_string();
        let unknown = match judged {
            Err(Refusal::KeyAlgorithm) => {
                let text = format!("the header has {kid}, but that key is not for {algorithm}");
                let name = id;
                Wrong::KeyAlgorithm { name, algorithm }.worded(text)
            }
            Err(Refusal::KeyIssuer) => Wrong::KeyIssuer(id).worded(format!(
                "the header has {kid}, but that key signs for another issuer than {:?}",
                token.issuer()
            )),
            Err(Refusal::UnknownKey) => {
                let text = format!(
                    "the header has {kid} and alg {algorithm}, for which no key fits; the key ids are {known:?}"
                );
                let known = short(&known.join(", "));
                let name = id;
                Wrong::UnknownKey {
                    name,
                    algorithm,
                    known,
                }
                .worded(text)
            }
            _ => {
                let text = format!("the header has {kid}, and there is a key for it");
                self.right("key", text);
                match judged {
                    Ok(()) => self.right("signature", "was made with the key"),
                    Err(_) => self.wrong("signature", Wrong::Signature),
                }
                return;
            }
        };
        self.wrong("key", unknown);
        let text = "could not be judged without a key";
        self.unjudged("signature", Wrong::Unjudged.worded(text));
    }
}

/// Whom a token is for, and what to change where that is nobody here. Another claim that names an audience of ours is pointed out.
fn audience(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
    judged: Result<(), Refusal>,
) -> Result<String, Words> {
    let claim = rules.audience_claim();
    let name = claim.as_str();
    if judged.is_ok() {
        return Ok(format!("{name} names one of the issuer's audiences"));
    }
    let wanted = rules.audiences();
    let (found, mut message) = match claim.find(claims) {
        None => (
            String::new(),
            format!("{name} is neither a text nor a list of texts; `audiences` are {wanted:?}"),
        ),
        Some(found) if found.is_empty() => (
            String::new(),
            format!("{name} is missing, or names nobody; `audiences` are {wanted:?}"),
        ),
        Some(found) => {
            let found = short(&format!("{found:?}"));
            let text = format!(
                "{name} is {found}, but `audiences` are {wanted:?}: list the audience that your tokens are issued for"
            );
            (found, text)
        }
    };
    let mut others_named = Vec::new();
    let others = AudienceClaim::ALL.into_iter().filter(|other| {
        *other != claim && *other != AudienceClaim::Iss && claims.contains_key(other.as_str())
    });
    for other in others {
        let found = other.find(claims).unwrap_or_default();
        let found = short(&format!("{found:?}"));
        let other = other.as_str();
        let hint =
            format!("; this token has {other} {found}: with audienceClaim {other} that counts");
        message.push_str(&hint);
        others_named.push(other);
    }
    let (known, others) = (wanted.join(", "), others_named.join(", "));
    let wrong = match (others.is_empty(), found.is_empty()) {
        (false, _) => Wrong::AudienceElsewhere {
            name,
            known,
            others,
        },
        (true, false) => Wrong::AudienceOther { name, found, known },
        (true, true) => Wrong::AudienceMissing { name, known },
    };
    Err(wrong.worded(message))
}

/// What a token says, cut to what can be shown.
fn short(text: &str) -> String {
    clean_line(text, MAX_TOLD_CHARS).into_owned()
}

fn times(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
    judged: Result<(), Refusal>,
    now: DateTime<Utc>,
) -> Result<String, Words> {
    let date_text = |name: &str| match verify::date(claims, name) {
        Ok(Some(seconds)) => format!("{name} is {}", moment(seconds)),
        Ok(None) => format!("{name} is missing"),
        Err(_) => format!("{name} is no date: seconds since 1970 are meant"),
    };
    let dates = ["iat", "nbf", "exp"].map(date_text).join(", ");
    let clock = moment(now.timestamp());
    let around = format!("({dates}; the gateway's clock says {clock})");
    let wrong = match judged {
        Ok(()) => return Ok(format!("is good now {around}")),
        Err(Refusal::Expired) => Wrong::Expired(clock),
        Err(Refusal::NotYetValid | Refusal::IssuedInFuture) => Wrong::TooEarly {
            now: clock,
            leeway: rules.leeway_seconds(),
        },
        Err(Refusal::Lifetime) => Wrong::LivesLong(rules.max_lifetime_seconds()),
        Err(_) => Wrong::NoDates,
    };
    let text = format!("{wrong} {around}");
    Err(wrong.worded(text))
}

fn moment(seconds: i64) -> String {
    DateTime::<Utc>::UNIX_EPOCH
        .checked_add_signed(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX))
        .map_or_else(
            || seconds.to_string(),
            |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
        )
}

fn facts_found(
    rules: &IssuerConfig,
    facts: &Facts,
    left_out: &BTreeMap<String, LeftOut>,
) -> String {
    let missing: Vec<String> = rules
        .claims()
        .iter()
        .filter(|(name, _)| !facts.contains_key(*name) && !left_out.contains_key(*name))
        .map(|(name, path)| format!("{name} (from {path})"))
        .collect();
    let mut parts = vec![format!("{} taken", facts.len())];
    let left_out = left_out.iter();
    parts.extend(left_out.map(|(name, what)| format!("{name}: {what}")));
    if !missing.is_empty() {
        parts.push(format!("not in this token: {}", missing.join(", ")));
    }
    parts.join("; ")
}
