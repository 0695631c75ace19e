//! Which published keys are let in. A key that is admitted carries one algorithm for good, so that
//! no token can talk it into another use (RFC 8725, 3.1).

mod numbers;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::crypto::shared_secret;
use crate::domain::issuer::Algorithm;
use crate::domain::json;

/// Most usable keys of one set: a token without `kid` is tried against each of its algorithm.
pub const MAX_KEYS: usize = 32;
/// Longest key id, in characters.
const MAX_KID_CHARS: usize = 256;

/// A key id as tokens and key sets may write it: 1 to 256 printable ASCII characters. It is only
/// ever compared.
pub(super) fn is_kid(text: &str) -> bool {
    (1..=MAX_KID_CHARS).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7F).contains(&b))
}

/// One key that may verify tokens, of one algorithm.
#[derive(Debug)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    /// Tells two keys of one id apart; the public bytes, or empty for a secret.
    public: Vec<u8>,
    decoding: DecodingKey,
}

impl Key {
    /// The only algorithm that this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id by which tokens name it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
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
    /// The private part stands in it: the key is burnt.
    Private,
    /// RSA below 2048 or above 8192 bits, a bad exponent, or a modulus from a broken generator.
    WeakRsa,
    /// A point off its curve, of small order, or not in its canonical form.
    BadPoint,
    /// Another key with the same `kid` and algorithm stands in the set.
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
                "is of a kind not used here: RS256, ES256 (P-256) and EdDSA (Ed25519) are"
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetRefusal {
    /// Not an object with a list `keys`, or a name stands in it twice.
    #[error("is no JWK set: {{\"keys\": [...]}}, no name twice, no deep nesting")]
    Malformed,
    /// Every member was skipped, or there was none.
    #[error("holds no key that can verify RS256, ES256 or EdDSA signatures")]
    NoUsableKey,
    /// An HS256 secret below 32 bytes.
    #[error("a shared secret needs at least 32 bytes (RFC 7518, 3.2)")]
    ShortSecret,
}

impl SetRefusal {
    /// Stable name for logs and metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoUsableKey => "no_usable_key",
            Self::ShortSecret => "short_secret",
        }
    }
}

/// The admitted keys of one issuer. Never empty.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<(usize, Skip)>,
    /// A shared secret has no id: a token's `kid` means nothing to it.
    ids_matter: bool,
}

/// What a set has for a token.
#[derive(Debug)]
pub(super) enum Match<'k> {
    /// The keys to try; never empty.
    Keys(Vec<&'k Key>),
    /// The keys to try, none of which has an id; never empty. Where no key fits, the set may have
    /// changed at the issuer, and only another look can tell.
    Nameless(Vec<&'k Key>),
    /// The key id is known, but belongs to another algorithm.
    OtherAlgorithm,
    /// No such key: the set may have changed at the issuer.
    None,
}

impl KeySet {
    /// Reads a fetched JWK set.
    pub fn parse(bytes: &[u8]) -> Result<Self, SetRefusal> {
        let document = json::object(bytes).ok_or(SetRefusal::Malformed)?;
        Self::admit_members(document.get("keys"))
    }

    /// Admits a JWK set that stands in a configuration.
    pub fn admit(document: &Value) -> Result<Self, SetRefusal> {
        Self::admit_members(document.get("keys"))
    }

    /// The set of one HS256 secret.
    pub fn shared_secret(secret: &[u8]) -> Result<Self, SetRefusal> {
        if secret.len() < shared_secret::MIN_BYTES {
            return Err(SetRefusal::ShortSecret);
        }
        let key = Key {
            kid: None,
            algorithm: Algorithm::HS256,
            public: Vec::new(),
            decoding: DecodingKey::from_secret(secret),
        };
        Ok(Self {
            keys: vec![key],
            skipped: Vec::new(),
            ids_matter: false,
        })
    }

    fn admit_members(members: Option<&Value>) -> Result<Self, SetRefusal> {
        let members = members
            .and_then(Value::as_array)
            .ok_or(SetRefusal::Malformed)?;
        let mut admitted: Vec<(usize, Key)> = Vec::new();
        let mut skipped = Vec::new();
        for (index, member) in members.iter().enumerate() {
            match admit(member) {
                // Key sets that name the same key twice are common enough.
                Ok(key) if admitted.iter().any(|(_, other)| same(other, &key)) => {}
                Ok(key) => admitted.push((index, key)),
                Err(skip) => skipped.push((index, skip)),
            }
        }
        let mut uses: BTreeMap<(String, Algorithm), usize> = BTreeMap::new();
        for (_, key) in &admitted {
            if let Some(kid) = &key.kid {
                *uses.entry((kid.clone(), key.algorithm)).or_default() += 1;
            }
        }
        let ambiguous = |key: &Key| {
            let kid = key.kid.clone();
            kid.is_some_and(|kid| uses.get(&(kid, key.algorithm)).is_some_and(|n| *n > 1))
        };
        let mut keys = Vec::new();
        for (index, key) in admitted {
            if ambiguous(&key) {
                skipped.push((index, Skip::Ambiguous));
            } else if keys.len() == MAX_KEYS {
                skipped.push((index, Skip::TooMany));
            } else {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err(SetRefusal::NoUsableKey);
        }
        skipped.sort_unstable();
        Ok(Self {
            keys,
            skipped,
            ids_matter: true,
        })
    }

    /// The keys to try for a token: with a key id, that key; without one, all of its algorithm.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Match<'_> {
        let fits = |key: &&Key| key.algorithm == algorithm;
        let kid = kid.filter(|_| self.ids_matter);
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let keys: Vec<&Key> = self.keys.iter().filter(named).filter(fits).collect();
        if !keys.is_empty() {
            let nameless = self.ids_matter && keys.iter().all(|key| key.kid.is_none());
            if nameless {
                Match::Nameless(keys)
            } else {
                Match::Keys(keys)
            }
        } else if kid.is_some() && self.keys.iter().any(|key| named(&key)) {
            Match::OtherAlgorithm
        } else {
            Match::None
        }
    }

    /// The admitted keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Members that are not used, by their place in the set.
    pub fn skipped(&self) -> &[(usize, Skip)] {
        &self.skipped
    }
}

fn same(a: &Key, b: &Key) -> bool {
    a.kid == b.kid && a.algorithm == b.algorithm && a.public == b.public
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
    let (algorithm, names): (Algorithm, &[&str]) = match (key_type, text(jwk, "crv")?) {
        ("RSA", _) => (Algorithm::RS256, &["RS256"]),
        ("EC", Some("P-256")) => (Algorithm::ES256, &["ES256"]),
        // RFC 9864 gives EdDSA on this curve a name of its own.
        ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, &["EdDSA", "Ed25519"]),
        _ => return Err(Skip::Unsupported),
    };
    if text(jwk, "alg")?.is_some_and(|alg| !names.contains(&alg)) {
        return Err(Skip::Unsupported);
    }
    verifies_signatures(jwk)?;
    let (public, decoding) = match algorithm {
        Algorithm::RS256 => rsa(jwk)?,
        Algorithm::ES256 => p256(jwk)?,
        Algorithm::EdDSA => ed25519(jwk)?,
        Algorithm::HS256 => return Err(Skip::Symmetric),
    };
    Ok(Key {
        kid,
        algorithm,
        public,
        decoding,
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

fn rsa(jwk: &Map<String, Value>) -> Result<(Vec<u8>, DecodingKey), Skip> {
    let n = bytes(jwk, "n")?;
    let e = bytes(jwk, "e")?;
    // Some issuers send the sign byte of the DER integer along.
    let n = n.strip_prefix(&[0]).unwrap_or(&n);
    if !numbers::is_sound_modulus(n) || !numbers::is_sound_exponent(&e) {
        return Err(Skip::WeakRsa);
    }
    Ok((
        [n, &e].concat(),
        DecodingKey::from_rsa_raw_components(n, &e),
    ))
}

fn p256(jwk: &Map<String, Value>) -> Result<(Vec<u8>, DecodingKey), Skip> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err(Skip::BadPoint);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    if ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).is_err() {
        return Err(Skip::BadPoint);
    }
    let decoding = DecodingKey::from_ec_der(&point);
    Ok((point, decoding))
}

fn ed25519(jwk: &Map<String, Value>) -> Result<(Vec<u8>, DecodingKey), Skip> {
    let x = bytes(jwk, "x")?;
    if !numbers::is_sound_ed25519(&x) {
        return Err(Skip::BadPoint);
    }
    let decoding = DecodingKey::from_ed_der(&x);
    Ok((x, decoding))
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
