//! Who may sign a tenant's user JWTs, and how the claims become facts about the user.
//!
//! An [`IssuerConfig`] exists only after [`IssuerConfig::parse`] found nothing wrong; the same JSON
//! form is in the database, in the admin API and in bundles.

mod address;
mod audience;
mod claims;
mod introspection;
mod parse;
mod required;
mod root;

use std::collections::BTreeSet;
use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::fault::Fault;
use super::ids::TenantId;
use super::web_url;

pub use audience::AudienceClaim;
pub(super) use claims::fact;
pub use claims::{ClaimMap, ClaimPath};
pub use introspection::{ClientAuthentication, Introspection};
pub use required::RequiredClaims;
pub use root::RootCertificates;

/// A signature algorithm that the gateway accepts (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RS384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RS512,
    /// RSA PSS with SHA-256.
    PS256,
    /// RSA PSS with SHA-384.
    PS384,
    /// RSA PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
    /// HMAC with SHA-256, for shared secrets only.
    HS256,
    /// HMAC with SHA-384, for shared secrets only.
    HS384,
    /// HMAC with SHA-512, for shared secrets only.
    HS512,
}

impl Algorithm {
    pub const ALL: [Self; 12] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
        Self::HS256,
        Self::HS384,
        Self::HS512,
    ];

    /// Those that an issuer with public keys may use where its configuration names none.
    pub const USUAL: [Self; 3] = [Self::RS256, Self::ES256, Self::EdDSA];

    /// The exact name in a token's `alg`; any other spelling is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether it goes with a shared secret, never with a public key.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an issuer's public keys come from.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySource {
    /// `{"jwksUrl": "https://..."}`: a JWK set at this address (RFC 7517).
    JwksUrl(Url),
    /// `{"discovery": true}`: OIDC discovery at the issuer's own URL. Holds the address
    /// of the discovery document.
    Discovery(Url),
    /// `{"metadataUrl": "https://..."}`: OIDC discovery with the document at another address than the issuer's own.
    MetadataUrl(Url),
    /// `{"jwks": {"keys": [...]}}`: public keys typed in. They are judged when they are admitted.
    Jwks(Value),
}

/// What an issuer's tokens are verified with: public keys, a shared secret, or both, such as while it moves from one to the
/// other. A token's algorithm says which of them it is judged by, so that a public key is never a secret. Or, of opaque tokens, who is
/// asked.
#[derive(Debug, Clone, Default, PartialEq)]
struct KeySources {
    /// There is one, or a secret, or `introspection`.
    published: Option<KeySource>,
    /// `"sharedSecret": true`: a secret, which is sealed apart from this configuration.
    shared_secret: bool,
    /// Alone.
    introspection: Option<Introspection>,
}

impl Serialize for KeySources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.published {
            Some(KeySource::JwksUrl(url)) => map.serialize_entry("jwksUrl", url.as_str())?,
            Some(KeySource::Discovery(_)) => map.serialize_entry("discovery", &true)?,
            Some(KeySource::MetadataUrl(url)) => {
                map.serialize_entry("metadataUrl", url.as_str())?;
            }
            Some(KeySource::Jwks(set)) => map.serialize_entry("jwks", set)?,
            None => {}
        }
        if self.shared_secret {
            map.serialize_entry("sharedSecret", &true)?;
        }
        if let Some(introspection) = &self.introspection {
            map.serialize_entry("introspection", introspection)?;
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
    #[serde(skip_serializing_if = "AudienceClaim::is_usual")]
    audience_claim: AudienceClaim,
    #[serde(skip_serializing_if = "RequiredClaims::is_empty")]
    required_claims: RequiredClaims,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    algorithms: BTreeSet<Algorithm>,
    keys: KeySources,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_certificate: Option<RootCertificates>,
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
    pub const MAX_AUDIENCES: usize = 20;
    /// Longest issuer or audience, in characters.
    pub const MAX_NAME_CHARS: usize = 512;

    /// Reads the JSON form. Every fault is reported, not only the first.
    pub fn parse(json: &Value) -> Result<Self, Vec<Fault>> {
        parse::issuer(json)
    }

    /// The `iss` of this issuer's tokens, compared byte for byte; or a form of it with [`TENANT_ID`] for a part.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether a token is this issuer's by what it claims.
    pub fn issues(&self, iss: &str, claims: &Map<String, Value>) -> bool {
        if self.issuer.contains(TENANT_ID) {
            form_of(iss, claims).is_some_and(|form| form == self.issuer)
        } else {
            iss == self.issuer
        }
    }

    /// A token must name one of these in its audience claim. Never empty.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The claim that plays the audience.
    pub fn audience_claim(&self) -> AudienceClaim {
        self.audience_claim
    }

    /// Which other claims must have which values.
    pub fn required_claims(&self) -> &RequiredClaims {
        &self.required_claims
    }

    /// The algorithms that this issuer may sign with: none where its tokens are opaque. Symmetric ones go with a shared secret, others
    /// with public keys.
    pub fn algorithms(&self) -> &BTreeSet<Algorithm> {
        &self.algorithms
    }

    /// Where the public keys come from; `None` with a shared secret alone, and where tokens are opaque.
    pub fn keys(&self) -> Option<&KeySource> {
        self.keys.published.as_ref()
    }

    /// What the issuer's own servers are believed by; `None` is what everybody's are.
    pub fn root_certificates(&self) -> Option<&RootCertificates> {
        self.root_certificate.as_ref()
    }

    /// Whether tokens may be signed with a shared secret.
    pub fn is_signed_with_secret(&self) -> bool {
        self.keys.shared_secret
    }

    /// The introspection endpoint of this issuer, whose tokens are opaque.
    pub fn introspection(&self) -> Option<&Introspection> {
        self.keys.introspection.as_ref()
    }

    /// Whether a secret goes with it, sealed apart: the one that signs tokens, or the gateway's own at the introspection endpoint.
    pub fn takes_secret(&self) -> bool {
        self.keys.shared_secret || self.keys.introspection.is_some()
    }

    /// Whether the secret that is stored for `before` may serve. One that says who the gateway is goes to no other endpoint, and with
    /// no other id, than it was given for.
    pub fn may_keep_secret_of(&self, before: &Self) -> bool {
        let asked = |config: &Self| {
            let asked = config.introspection()?;
            Some((asked.endpoint().clone(), asked.client_id().to_owned()))
        };
        self.takes_secret() && before.takes_secret() && asked(self) == asked(before)
    }

    /// Whether whoever signs with these keys must hold the issuer's own URL: they are found by discovery there, or in its own
    /// `.well-known` folder. Other addresses below it may hold what its users upload; keys that somebody typed in, or a secret,
    /// say nothing about the URL.
    pub fn has_keys_of_its_own_url(&self) -> bool {
        // Whoever typed the secret in can sign, too; and a form is no one's URL.
        if self.keys.shared_secret || self.issuer.contains(TENANT_ID) {
            return false;
        }
        match &self.keys.published {
            Some(KeySource::Discovery(_)) => true,
            Some(KeySource::JwksUrl(keys)) => web_url::parse(&self.issuer).is_ok_and(|issuer| {
                let folder = format!("{}/.well-known/", issuer.path().trim_end_matches('/'));
                let name = keys.path().strip_prefix(&folder).unwrap_or_default();
                issuer.origin() == keys.origin()
                    && keys.query().is_none()
                    && !name.is_empty()
                    && !name.contains(['/', '%'])
            }),
            Some(KeySource::MetadataUrl(_) | KeySource::Jwks(_)) | None => false,
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

/// Stands in an issuer's URL for the id of the directory that a token comes from: Entra signs the tokens of all its directories, each
/// under a URL of its own, with the directory's id in the claim `tid`.
pub const TENANT_ID: &str = "{tenantid}";

/// The form that a token's `iss` has with its `tid` taken out; `None` without a `tid` that is an id in its one spelling.
pub fn form_of(iss: &str, claims: &Map<String, Value>) -> Option<String> {
    let directory = claims.get("tid")?.as_str()?;
    let is_id = Uuid::try_parse(directory).is_ok_and(|id| id.to_string() == directory);
    (is_id && iss.contains(directory)).then(|| iss.replacen(directory, TENANT_ID, 1))
}

/// Where an issuer describes itself (OIDC Discovery 1.0, 4).
pub fn discovery_address(issuer: &str) -> String {
    let root = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{root}/.well-known/openid-configuration")
}

/// How a verified token of an issuer leads to its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TenantBinding {
    /// The issuer belongs to one tenant.
    Fixed(TenantId),
    /// The operator registered the issuer for many tenants; a claim holds the tenant's slug or id.
    ByClaim {
        /// Where the slug or id is in the token.
        claim: ClaimPath,
    },
}

#[cfg(test)]
mod tests;
