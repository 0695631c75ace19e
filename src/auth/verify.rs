//! The verifier: pure, no I/O, no clock. `keys` checks the signature and nothing else;
//! every rule about header and claims is here and in `jws` (RFC 8725, RFC 7519, RFC 9068).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::jws::Jws;
use super::keys::{Key, KeySet};
use super::refusal::Refusal;
use crate::domain::caller::{Facts, LeftOut, Subject};
use crate::domain::decimal::Decimal;
use crate::domain::issuer::{Algorithm, AudienceClaim, ClaimPath, IssuerConfig};
use crate::domain::json;

/// Largest date that a token may hold: every whole number up to here is exact in a double.
pub(super) const MAX_DATE: i64 = 1 << 53;

/// A token that was read but not verified. Its issuer and audiences may pick the rules that it is
/// then judged by, and nothing else.
#[derive(Debug)]
pub struct Unverified<'t> {
    jws: Jws<'t>,
    claims: Map<String, Value>,
    issuer: String,
}

impl Unverified<'_> {
    /// The `iss` that the token claims to have.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom the token claims to be for, by the claim that plays the audience; none where it has no such claim.
    pub fn audiences(&self, claim: AudienceClaim) -> Vec<&str> {
        claim.find(&self.claims).unwrap_or_default()
    }

    /// The key id in the header: printable, at most 256 characters.
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid()
    }

    /// The `alg` in the header.
    pub fn algorithm(&self) -> Algorithm {
        self.jws.algorithm()
    }

    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whether its `typ` says that it is an access token, and nothing else (RFC 9068).
    pub(super) fn is_access_token_by_type(&self) -> bool {
        self.jws.access_token_type()
    }
}

/// A token whose signature and claims are right by its issuer's rules.
#[derive(Debug)]
pub struct Verified<'u> {
    /// The `sub`.
    pub subject: Subject,
    /// The facts that the claim map selected.
    pub facts: Facts,
    /// What it left out, by the fact's name.
    pub left_out: BTreeMap<String, LeftOut>,
    claims: &'u Map<String, Value>,
}

impl Verified<'_> {
    pub fn text(&self, path: &ClaimPath) -> Option<&str> {
        path.find(self.claims)?.as_str()
    }
}

/// Reads a token without believing it: size, form, header, and the types of `iss` and `aud`, which may be missing.
/// `jku`, `x5u`, `jwk` and `x5c` are never looked at.
pub fn peek(token: &str) -> Result<Unverified<'_>, Refusal> {
    let (jws, payload) = Jws::read(token)?;
    let claims = json::object(&payload).ok_or(Refusal::Malformed)?;
    let issuer = text(&claims, "iss")?.ok_or(Refusal::Claims)?.to_owned();
    // Whichever claim plays the audience, an `aud` of another form is no token's.
    if AudienceClaim::Aud.find(&claims).is_none() {
        return Err(Refusal::Claims);
    }
    Ok(Unverified {
        jws,
        claims,
        issuer,
    })
}

/// Judges a token by the rules and keys of one issuer at one moment. Claims come first, since a
/// token that they refuse needs neither a key nor arithmetic.
pub fn verify<'u>(
    token: &'u Unverified<'_>,
    rules: &IssuerConfig,
    keys: &KeySet,
    now: DateTime<Utc>,
) -> Result<Verified<'u>, Refusal> {
    let subject = check_claims(token, rules, now)?;
    check_signature(token, keys)?;
    let (facts, left_out) = rules.claims().facts(&token.claims);
    Ok(Verified {
        subject,
        facts,
        left_out,
        claims: &token.claims,
    })
}

/// All that can be judged without a key.
pub(super) fn check_claims(
    token: &Unverified<'_>,
    rules: &IssuerConfig,
    now: DateTime<Utc>,
) -> Result<Subject, Refusal> {
    check_issuer(&token.claims, rules)?;
    check_audience(&token.claims, rules)?;
    check_algorithm(token.algorithm(), rules)?;
    check_kind(&token.claims, token.jws.access_token_type(), rules)?;
    check_required(&token.claims, rules)?;
    check_dates(&token.claims, rules, now)?;
    check_subject(&token.claims)
}

pub(super) fn check_issuer(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
) -> Result<(), Refusal> {
    let issuer = text(claims, "iss")?.ok_or(Refusal::Claims)?;
    if rules.issues(issuer, claims) {
        Ok(())
    } else {
        Err(Refusal::Issuer)
    }
}

pub(super) fn check_audience(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
) -> Result<(), Refusal> {
    let audiences = rules.audience_claim().find(claims);
    let audiences = audiences.filter(|audiences| !audiences.is_empty());
    let is_meant = |name: &&str| rules.audiences().iter().any(|audience| audience == name);
    if audiences.ok_or(Refusal::Claims)?.iter().any(is_meant) {
        Ok(())
    } else {
        Err(Refusal::Audience)
    }
}

pub(super) fn check_required(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
) -> Result<(), Refusal> {
    match rules.required_claims().missing(claims) {
        None => Ok(()),
        Some(_) => Err(Refusal::RequiredClaim),
    }
}

pub(super) fn check_algorithm(algorithm: Algorithm, rules: &IssuerConfig) -> Result<(), Refusal> {
    if rules.algorithms().contains(&algorithm) {
        Ok(())
    } else {
        Err(Refusal::AlgorithmNotAllowed)
    }
}

pub(super) fn check_subject(claims: &Map<String, Value>) -> Result<Subject, Refusal> {
    let subject = text(claims, "sub")?.ok_or(Refusal::Claims)?;
    Subject::parse(subject).ok_or(Refusal::Subject)
}

pub(super) fn check_signature(token: &Unverified<'_>, keys: &KeySet) -> Result<(), Refusal> {
    let is_for_token = |key: &Key| key.signs_for(&token.issuer, &token.claims);
    token.jws.check_signature(keys, is_for_token)
}

/// Rules that keep kinds of token apart (RFC 8725, 3.12).
pub(super) fn check_kind(
    claims: &Map<String, Value>,
    access_token_type: bool,
    rules: &IssuerConfig,
) -> Result<(), Refusal> {
    // RFC 8417: a security event, such as a logout token, says nothing about who is calling.
    if claims.contains_key("events") {
        return Err(Refusal::Kind);
    }
    let id_token = ["nonce", "at_hash", "c_hash"];
    if rules.refuse_id_tokens() && id_token.iter().any(|name| claims.contains_key(*name)) {
        return Err(Refusal::Kind);
    }
    if rules.at_jwt_strict() {
        if !access_token_type {
            return Err(Refusal::Type);
        }
        // RFC 9068, 2.2; the other claims that it wants are wanted of every token, or with the dates.
        for name in ["client_id", "jti"] {
            text(claims, name)?.ok_or(Refusal::Claims)?;
        }
    }
    Ok(())
}

pub(super) fn check_dates(
    claims: &Map<String, Value>,
    rules: &IssuerConfig,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let bounds = DateBounds {
        leeway: rules.leeway_seconds().into(),
        longest: rules.max_lifetime_seconds().into(),
        needs_iat: rules.at_jwt_strict(),
    };
    bounds.check(claims, now)
}

/// What dates a token may have; in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateBounds {
    /// How far each may be off.
    pub(super) leeway: i64,
    /// Longest time from `iat` (or from now, without one) to `exp`.
    pub(super) longest: i64,
    /// Whether `iat` must be there.
    pub(super) needs_iat: bool,
}

impl DateBounds {
    pub(super) fn check(
        self,
        claims: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let now = now.timestamp();
        let exp = date(claims, "exp")?.ok_or(Refusal::Claims)?;
        let nbf = date(claims, "nbf")?;
        let iat = date(claims, "iat")?;
        if self.needs_iat && iat.is_none() {
            return Err(Refusal::Claims);
        }
        if now >= exp + self.leeway {
            return Err(Refusal::Expired);
        }
        if nbf.is_some_and(|nbf| nbf > now + self.leeway) {
            return Err(Refusal::NotYetValid);
        }
        if iat.is_some_and(|iat| iat > now + self.leeway) {
            return Err(Refusal::IssuedInFuture);
        }
        let from = iat.unwrap_or(now + self.leeway);
        if exp - from > self.longest {
            return Err(Refusal::Lifetime);
        }
        Ok(())
    }
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<Option<&'c str>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::Claims),
    }
}

/// A `NumericDate` (RFC 7519, 2), in whole seconds: a number from 0 to 2^53. A fraction, which the
/// RFC allows, is dropped.
pub(super) fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = Decimal::from_value(value)
        .filter(|seconds| (Decimal::ZERO..=MAX_DATE.into()).contains(seconds));
    let whole = seconds.and_then(|seconds| seconds.truncated().as_i64());
    whole.map(Some).ok_or(Refusal::Claims)
}
