//! Who may sign a tenant's user JWTs, and how the claims become facts about the user.
//!
//! An [`IssuerConfig`] exists only after [`IssuerConfig::parse`] found nothing wrong; the same JSON
//! form stands in the database, in the admin API and in bundles.

mod claims;
mod parse;

use std::collections::BTreeSet;
use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::Url;

use super::fault::Fault;
use super::ids::TenantId;
use super::web_url;

pub(super) use claims::fact;
pub use claims::{ClaimMap, ClaimPath};

/// A signature algorithm that the gateway accepts (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// HMAC with SHA-256, for shared secrets only.
    HS256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RS256, Self::ES256, Self::EdDSA, Self::HS256];

    /// The exact name in a token's `alg`; any other spelling is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySource {
    /// `{"jwksUrl": "https://..."}`: a JWK set at this address (RFC 7517).
    JwksUrl(Url),
    /// `{"discovery": true}`: OIDC discovery at the issuer's own URL. Holds the address
    /// of the discovery document.
    Discovery(Url),
    /// `{"jwks": {"keys": [...]}}`: public keys typed in. They are judged when they are admitted.
    Jwks(Value),
    /// `{"sharedSecret": true}`: an HS256 secret, which is sealed apart from this configuration.
    SharedSecret,
}

impl Serialize for KeySource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::JwksUrl(url) => map.serialize_entry("jwksUrl", url.as_str())?,
            Self::Discovery(_) => map.serialize_entry("discovery", &true)?,
            Self::Jwks(set) => map.serialize_entry("jwks", set)?,
            Self::SharedSecret => map.serialize_entry("sharedSecret", &true)?,
        }
        map.end()
    }
}

/// The rules for the tokens of one issuer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerConfig {
    issuer: String,
    audiences: Vec<String>,
    algorithms: BTreeSet<Algorithm>,
    keys: KeySource,
    leeway_seconds: u32,
    max_lifetime_seconds: u32,
    claims: ClaimMap,
    at_jwt_strict: bool,
    refuse_id_tokens: bool,
}

impl IssuerConfig {
    /// Leeway for clocks that differ, where the configuration names none.
    pub const DEFAULT_LEEWAY_SECONDS: u32 = 60;
    /// Most leeway that a configuration may ask for.
    pub const MAX_LEEWAY_SECONDS: u32 = 300;
    /// Longest life of a token, where the configuration names none: a day.
    pub const DEFAULT_LIFETIME_SECONDS: u32 = 86_400;
    /// Bounds of `maxLifetimeSeconds`: a minute to 30 days.
    pub const LIFETIME_BOUNDS_SECONDS: (u32, u32) = (60, 2_592_000);
    /// Most audiences of one issuer.
    pub const MAX_AUDIENCES: usize = 20;
    /// Longest issuer or audience, in characters.
    pub const MAX_NAME_CHARS: usize = 512;

    /// Reads the JSON form. Every fault is reported, not only the first.
    pub fn parse(json: &Value) -> Result<Self, Vec<Fault>> {
        parse::issuer(json)
    }

    /// The `iss` of this issuer's tokens, compared byte for byte.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token must name one of these in `aud`. Never empty.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The algorithms that this issuer may sign with. Never empty; HS256 stands alone.
    pub fn algorithms(&self) -> &BTreeSet<Algorithm> {
        &self.algorithms
    }

    /// Where the keys come from.
    pub fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// Whether whoever signs with these keys must hold the issuer's own URL: they are found by discovery there, or in its own
    /// `.well-known` folder. Other addresses below it may hold what its users upload; keys that somebody typed in, or a secret,
    /// say nothing about the URL.
    pub fn has_keys_of_its_own_url(&self) -> bool {
        match &self.keys {
            KeySource::Discovery(_) => true,
            KeySource::JwksUrl(keys) => web_url::parse(&self.issuer).is_ok_and(|issuer| {
                let folder = format!("{}/.well-known/", issuer.path().trim_end_matches('/'));
                let name = keys.path().strip_prefix(&folder).unwrap_or_default();
                issuer.origin() == keys.origin()
                    && keys.query().is_none()
                    && !name.is_empty()
                    && !name.contains(['/', '%'])
            }),
            KeySource::Jwks(_) | KeySource::SharedSecret => false,
        }
    }

    /// How far `exp`, `nbf` and `iat` may be off.
    pub fn leeway_seconds(&self) -> u32 {
        self.leeway_seconds
    }

    /// Longest time from `iat` (or from now, without one) to `exp`.
    pub fn max_lifetime_seconds(&self) -> u32 {
        self.max_lifetime_seconds
    }

    /// Which claims become facts.
    pub fn claims(&self) -> &ClaimMap {
        &self.claims
    }

    /// Only access tokens by RFC 9068: `typ` `at+jwt`, and `client_id`, `iat`, `jti` present.
    pub fn at_jwt_strict(&self) -> bool {
        self.at_jwt_strict
    }

    /// Refuses tokens with `nonce`, `at_hash` or `c_hash`: they are OIDC's ID tokens.
    pub fn refuse_id_tokens(&self) -> bool {
        self.refuse_id_tokens
    }
}

impl<'de> Deserialize<'de> for IssuerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Self::parse(&json).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            serde::de::Error::custom(lines.join("; "))
        })
    }
}

/// How a verified token of an issuer leads to its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TenantBinding {
    /// The issuer belongs to one tenant.
    Fixed(TenantId),
    /// The operator registered the issuer for many tenants; a claim holds the tenant's slug or id.
    ByClaim {
        /// Where the slug or id stands in the token.
        claim: ClaimPath,
    },
}

#[cfg(test)]
mod tests;
