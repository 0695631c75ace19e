//! The compact form of a signed token (RFC 7515): three parts, a header that asks for nothing
//! special, and a signature by the one algorithm of the one key. Claims are `verify`'s.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::{Key, KeySet, Match, is_kid};
use super::refusal::Refusal;
use crate::domain::issuer::Algorithm;
use crate::domain::json;

/// Longest token, in bytes; looked at before anything is decoded.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The parts of a JWS.
#[derive(Debug)]
pub(super) struct Jws<'t> {
    signing_input: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    access_token_type: bool,
}

impl<'t> Jws<'t> {
    /// The token without its payload, and the payload's bytes.
    pub(super) fn read(token: &'t str) -> Result<(Self, Vec<u8>), Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Refusal::Malformed)?;
        // A fourth part would leave a dot inside the payload, which is no base64url.
        let payload = decode(payload)?;
        if decode(signature)?.is_empty() {
            return Err(Refusal::Malformed);
        }
        let header = json::object(&decode(header)?).ok_or(Refusal::Malformed)?;
        let jws = Self {
            signing_input,
            signature,
            access_token_type: is_access_token_type(&header)?,
            kid: kid(&header)?,
            algorithm: algorithm(&header)?,
        };
        Ok((jws, payload))
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ` is `at+jwt` (RFC 9068).
    pub(super) fn access_token_type(&self) -> bool {
        self.access_token_type
    }

    /// Only keys that are `meant` for such tokens count.
    pub(super) fn check_signature(
        &self,
        keys: &KeySet,
        meant: impl Fn(&Key) -> bool,
    ) -> Result<(), Refusal> {
        let (mut keys, otherwise) = match keys.find(self.kid(), self.algorithm) {
            Match::Keys(keys) => (keys, Refusal::Signature),
            Match::Nameless(keys) => (keys, Refusal::UnknownKey),
            Match::OtherAlgorithm => return Err(Refusal::KeyAlgorithm),
            Match::None => return Err(Refusal::UnknownKey),
        };
        keys.retain(|key| meant(key));
        if keys.is_empty() {
            return Err(Refusal::KeyIssuer);
        }
        let input = self.signing_input.as_bytes();
        let fits = |key: &&Key| key.verifies(self.algorithm, input, self.signature);
        if keys.iter().any(fits) {
            Ok(())
        } else {
            Err(otherwise)
        }
    }
}

/// Refuses padding, whitespace, the other alphabet and set trailing bits.
pub(super) fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).ok().ok_or(Refusal::Malformed)
}

pub(super) fn is_access_token_type(header: &Map<String, Value>) -> Result<bool, Refusal> {
    const FORBIDDEN: [&str; 5] = ["crit", "b64", "zip", "cty", "enc"];
    if FORBIDDEN.iter().any(|name| header.contains_key(*name)) {
        return Err(Refusal::Header);
    }
    let Some(typ) = header.get("typ") else {
        return Ok(false);
    };
    // RFC 7515, 4.1.9: no case, and "application/" may be left out.
    let typ = typ.as_str().ok_or(Refusal::Type)?.to_ascii_lowercase();
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "at+jwt" => Ok(true),
        "jwt" => Ok(false),
        _ => Err(Refusal::Type),
    }
}

fn kid(header: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if is_kid(kid) => Ok(Some(kid.clone())),
        Some(_) => Err(Refusal::KeyId),
    }
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Refusal> {
    let name = header.get("alg").and_then(Value::as_str);
    name.and_then(Algorithm::parse).ok_or(Refusal::Algorithm)
}
