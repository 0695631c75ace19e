//! The claims of a token, and its signing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::algorithm::SigningAlgorithm;
use super::keys::{DevIssuerKeys, KeyError};

/// Claims that the issuer writes itself.
const OWN_CLAIMS: [&str; 6] = ["iss", "sub", "aud", "exp", "iat", "nbf"];

/// How long tokens live by default, in seconds.
const AN_HOUR: i64 = 3600;

/// The longest life, and the longest time ago that a token may have expired, in seconds.
const LONGEST: i64 = 30 * 24 * AN_HOUR;

/// One audience or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single string.
    One(String),
    /// A list of strings.
    Several(Vec<String>),
}

/// The body of `POST /token`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(expecting = "an object with sub, claims, alg, expiresIn, aud")]
pub struct TokenRequest {
    /// The user's id in their token.
    pub sub: String,
    /// Further claims, as they are to be in the token.
    #[serde(default)]
    pub claims: Map<String, Value>,
    #[serde(default)]
    pub alg: SigningAlgorithm,
    /// Seconds until the token expires; negative for one that expired that long ago.
    #[serde(default = "an_hour")]
    pub expires_in: i64,
    /// Whom the token is for; the issuer's default audience when absent.
    #[serde(default)]
    pub aud: Option<Audience>,
}

fn an_hour() -> i64 {
    AN_HOUR
}

/// Why a token is not signed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// `sub` is empty.
    #[error("`sub` is empty; name a user")]
    NoSubject,
    /// A claim that the issuer writes itself.
    #[error("`claims.{0}` is written by the issuer; use `sub`, `aud` and `expiresIn`")]
    OwnClaim(String),
    /// A life that makes no sense.
    #[error("`expiresIn` is {0} seconds; the issuer signs from -{LONGEST} to {LONGEST}")]
    Lifetime(i64),
    /// The key can't sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl TokenRequest {
    /// A token for this user with these claims: RS256, one hour, default audience.
    pub fn new(sub: impl Into<String>, claims: Map<String, Value>) -> Self {
        Self {
            sub: sub.into(),
            claims,
            alg: SigningAlgorithm::default(),
            expires_in: AN_HOUR,
            aud: None,
        }
    }

    pub(super) fn sign(
        &self,
        issuer: &str,
        default_audience: &str,
        keys: &DevIssuerKeys,
        now: DateTime<Utc>,
    ) -> Result<String, TokenError> {
        let claims = Value::Object(self.all_claims(issuer, default_audience, now)?);
        let header = json!({"alg": self.alg, "kid": keys.id(self.alg), "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = keys.sign(self.alg, signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn all_claims(
        &self,
        issuer: &str,
        default_audience: &str,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, TokenError> {
        if self.sub.is_empty() {
            return Err(TokenError::NoSubject);
        }
        if let Some(name) = self
            .claims
            .keys()
            .find(|name| OWN_CLAIMS.contains(&name.as_str()))
        {
            return Err(TokenError::OwnClaim(name.clone()));
        }
        if !(-LONGEST..=LONGEST).contains(&self.expires_in) {
            return Err(TokenError::Lifetime(self.expires_in));
        }
        let now = now.timestamp();
        let expires = now + self.expires_in;
        // A token that has expired already was issued an hour before its end.
        let since = if self.expires_in > 0 {
            now
        } else {
            expires - AN_HOUR
        };
        let audience = match &self.aud {
            Some(audience) => json!(audience),
            None => json!(default_audience),
        };
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", json!(issuer)),
            ("sub", json!(self.sub)),
            ("aud", audience),
            ("iat", json!(since)),
            ("nbf", json!(since)),
            ("exp", json!(expires)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        claims.extend(self.claims.clone());
        Ok(claims)
    }
}
