//! Which published keys are let in. A key that is admitted carries its kind for good, and its algorithm where it names one, so that
//! no token can talk it into another use (RFC 8725, 3.1).

mod kind;
mod material;
mod numbers;
mod set;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::domain::issuer::{Algorithm, form_of};

use kind::Kind;
use material::Material;
pub(super) use set::Match;
pub use set::{KeySet, SkippedKey};

/// Most usable keys of one set: a token without `kid` is tried against each of its algorithm.
pub const MAX_KEYS: usize = 32;
/// Most keys that a message names.
const MAX_TOLD_KEYS: usize = 8;
/// Longest key id, in characters.
const MAX_KID_CHARS: usize = 256;

/// A key id as tokens and key sets may write it: 1 to 256 printable ASCII characters. It is only
/// ever compared.
pub(super) fn is_kid(text: &str) -> bool {
    (1..=MAX_KID_CHARS).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7F).contains(&b))
}

/// One key that may verify tokens.
#[derive(Debug)]
pub struct Key {
    kid: Option<String>,
    kind: Kind,
    /// The one algorithm that it is for, by its `alg`. Without one it is for those of its kind that the issuer may use.
    named: Option<Algorithm>,
    /// Whose tokens it signs, where an issuer of many says so; see [`Key::signs_for`].
    issuer: Option<String>,
    /// Tells two keys of one id apart; the public bytes, or empty for a secret.
    public: Vec<u8>,
    material: Material,
}

impl Key {
    /// The algorithm that it names, else the usual one of its kind.
    pub fn algorithm(&self) -> Algorithm {
        self.named.unwrap_or(self.kind.usual())
    }

    /// Whether it may verify signatures of this algorithm.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        match self.named {
            Some(named) => named == algorithm,
            None => self.kind.serves(algorithm),
        }
    }

    /// The id by which tokens name it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it signs the tokens of an issuer. Entra publishes one set for all its directories, and says for each key in the member
    /// `issuer` for which of them it is: `https://login.microsoftonline.com/{tenantid}/v2.0` for any. Tokens of version 1
    /// have an `iss` of another form, but their keys say the one of version 2.
    pub(super) fn signs_for(&self, iss: &str, claims: &Map<String, Value>) -> bool {
        let Some(issuer) = &self.issuer else {
            return true;
        };
        let is_for =
            |iss: &str| iss == issuer || form_of(iss, claims).is_some_and(|form| form == *issuer);
        let second = iss
            .strip_prefix("https://sts.windows.net/")
            .and_then(|rest| rest.strip_suffix('/'))
            .map(|directory| format!("https://login.microsoftonline.com/{directory}/v2.0"));
        is_for(iss) || second.is_some_and(|iss| is_for(&iss))
    }

    /// Whether a signature, as base64url, is this key's for a text, by an algorithm that it serves.
    pub(super) fn verifies(&self, algorithm: Algorithm, text: &[u8], signature: &str) -> bool {
        self.serves(algorithm) && self.material.verifies(algorithm, text, signature)
    }
}

/// Why one member of a key set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// No object, or a member of it has the wrong type or base64.
    Malformed,
    /// A key type, curve or algorithm that the gateway does not use.
    Unsupported,
    /// `use` or `key_ops` say that it is not for verifying signatures.
    OtherUse,
    /// A symmetric key in a published set.
    Symmetric,
    /// The private part is in it: the key is burnt.
    Private,
    /// RSA below 2048 or above 8192 bits, a bad exponent, or a modulus from a broken generator.
    WeakRsa,
    /// A point off its curve, of small order, or not in its canonical form.
    BadPoint,
    /// Another key with the same `kid` and algorithm is in the set.
    Ambiguous,
    /// More than [`MAX_KEYS`] usable keys came before it.
    TooMany,
}

impl Skip {
    /// Stable name for logs and metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::OtherUse => "other_use",
            Self::Symmetric => "symmetric",
            Self::Private => "private",
            Self::WeakRsa => "weak_rsa",
            Self::BadPoint => "bad_point",
            Self::Ambiguous => "ambiguous",
            Self::TooMany => "too_many",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is no JWK: a member is missing, or has the wrong type or base64url",
            Self::Unsupported => {
                "is of a kind not used here: RSA, P-256, P-384 and Ed25519 are, for signatures"
            }
            Self::OtherUse => "is not for verifying signatures, by its `use` or `key_ops`",
            Self::Symmetric => "is a secret; secrets are never taken from a key set",
            Self::Private => "holds its private part and must be replaced",
            Self::WeakRsa => {
                "is a weak RSA key: 2048 to 8192 bits and an exponent from 65537 are needed"
            }
            Self::BadPoint => "is no sound point of its curve",
            Self::Ambiguous => "shares its `kid` with another key of the same algorithm",
            Self::TooMany => "comes after the 32 keys that are used",
        })
    }
}

/// Why there is no key set at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetRefusal {
    /// Not an object with a list `keys`, or a name is in it twice.
    #[error("is no JWK set: {{\"keys\": [...]}}, no name twice, no deep nesting")]
    Malformed,
    /// X.509 certificates, as Google offers them beside its key set.
    #[error("holds certificates, not a key set: give the address of the JWK set")]
    Certificates,
    /// A discovery document.
    #[error(
        "is a discovery document, not a key set: give it as metadataUrl, or its jwks_uri as jwksUrl"
    )]
    Document,
    /// An HTML page.
    #[error("is HTML, not a key set: the address leads to a page, such as a sign-in or an error")]
    Html,
    #[error("holds no keys")]
    Empty,
    /// Every member was skipped; never empty.
    #[error("holds no key that can verify signatures: {}", reasons(.0))]
    NoUsableKey(Vec<SkippedKey>),
    /// An HS256 secret below 32 bytes.
    #[error("a shared secret needs at least 32 bytes (RFC 7518, 3.2)")]
    ShortSecret,
}

impl SetRefusal {
    /// Stable name for logs and metrics.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Certificates => "certificates",
            Self::Document => "document",
            Self::Html => "html",
            Self::Empty => "empty",
            Self::NoUsableKey(_) => "no_usable_key",
            Self::ShortSecret => "short_secret",
        }
    }

    /// The members that were skipped, where all were.
    pub fn skipped(&self) -> &[SkippedKey] {
        match self {
            Self::NoUsableKey(skipped) => skipped,
            _ => &[],
        }
    }
}

/// Each key with its reason, the first few of many.
fn reasons(skipped: &[SkippedKey]) -> String {
    let mut reasons: Vec<String> = skipped
        .iter()
        .take(MAX_TOLD_KEYS)
        .map(ToString::to_string)
        .collect();
    if let more @ 1.. = skipped.len().saturating_sub(MAX_TOLD_KEYS) {
        reasons.push(format!("and {more} more"));
    }
    reasons.join("; ")
}

/// Members of a JWK that only a private or symmetric key has (RFC 7518, 6; RFC 8037, 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn admit(member: &Value) -> Result<Key, Skip> {
    let jwk = member.as_object().ok_or(Skip::Malformed)?;
    let key_type = text(jwk, "kty")?.ok_or(Skip::Malformed)?;
    if key_type == "oct" {
        return Err(Skip::Symmetric);
    }
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(Skip::Private);
    }
    let kid = text(jwk, "kid")?.map(str::to_owned);
    if kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
        return Err(Skip::Malformed);
    }
    let family = Kind::from_jwk(key_type, text(jwk, "crv")?).ok_or(Skip::Unsupported)?;
    let named = match text(jwk, "alg")? {
        None => None,
        Some(name) => Some(family.named(name).ok_or(Skip::Unsupported)?),
    };
    verifies_signatures(jwk)?;
    let (public, material) = match family {
        Kind::Rsa => rsa(jwk)?,
        Kind::P256 => point(jwk, Algorithm::ES256, 32)?,
        Kind::P384 => point(jwk, Algorithm::ES384, 48)?,
        Kind::Ed25519 => ed25519(jwk)?,
        Kind::Secret(_) => return Err(Skip::Symmetric),
    };
    Ok(Key {
        kid,
        kind: family,
        named,
        issuer: text(jwk, "issuer")?.map(str::to_owned),
        public,
        material,
    })
}

/// RFC 7517, 4.2 and 4.3: both members are optional; what is there must say "verify".
fn verifies_signatures(jwk: &Map<String, Value>) -> Result<(), Skip> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Skip::OtherUse);
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let operations = operations.as_array().ok_or(Skip::Malformed)?;
    let mut seen: Vec<&str> = Vec::new();
    for operation in operations {
        let operation = operation.as_str().ok_or(Skip::Malformed)?;
        if seen.contains(&operation) {
            return Err(Skip::Malformed);
        }
        seen.push(operation);
    }
    let only_signatures = seen.iter().all(|op| matches!(*op, "sign" | "verify"));
    if only_signatures && seen.contains(&"verify") {
        Ok(())
    } else {
        Err(Skip::OtherUse)
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<(Vec<u8>, Material), Skip> {
    let n = bytes(jwk, "n")?;
    let e = bytes(jwk, "e")?;
    // Some issuers send the sign byte of the DER integer along.
    let n = n.strip_prefix(&[0]).unwrap_or(&n);
    if !numbers::is_sound_modulus(n) || !numbers::is_sound_exponent(&e) {
        return Err(Skip::WeakRsa);
    }
    Ok(([n, &e].concat(), Material::rsa(n, &e)))
}

fn point(
    jwk: &Map<String, Value>,
    algorithm: Algorithm,
    length: usize,
) -> Result<(Vec<u8>, Material), Skip> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(Skip::BadPoint);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let material = Material::point(algorithm, &point).ok_or(Skip::BadPoint)?;
    Ok((point, material))
}

fn ed25519(jwk: &Map<String, Value>) -> Result<(Vec<u8>, Material), Skip> {
    let x = bytes(jwk, "x")?;
    if !numbers::is_sound_ed25519(&x) {
        return Err(Skip::BadPoint);
    }
    let material = Material::point(Algorithm::EdDSA, &x).ok_or(Skip::BadPoint)?;
    Ok((x, material))
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, Skip> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Skip::Malformed),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Skip> {
    let text = text(jwk, name)?.ok_or(Skip::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).ok().ok_or(Skip::Malformed)
}
