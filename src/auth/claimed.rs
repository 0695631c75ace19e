//! What a refused token says of itself, for whoever has to find out why it was refused. Nothing of it was verified: it is cleaned,
//! cut, and shown as a claim, never acted upon.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::domain::ids::TenantId;
use crate::domain::json;
use crate::domain::text::clean_line;

/// Longest token that is looked at, bytes: those that are refused for their size are among them.
const MAX_BYTES: usize = 16 * 1024;
/// Longest text that is shown, characters.
const MAX_CHARS: usize = 200;
/// Audiences that are shown.
const MAX_AUDIENCES: usize = 5;

/// More lenient than the verifier: one mistake should not hide the others.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a token claims to be, and whose it would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The tenant whose token it would be; `None` where it could be several tenants', or nobody's.
    pub tenant: Option<TenantId>,
    /// Its `iss`, one clean line, empty where there is none.
    pub issuer: String,
    /// Its `aud`, one clean line; several with commas between.
    pub audience: String,
    /// The `kid` in its header, one clean line.
    pub kid: String,
}

/// A token read without judging it.
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) all: Map<String, Value>,
    kid: String,
}

impl Claims {
    /// `None` where there is nothing to be read.
    pub(super) fn read(token: &str) -> Option<Self> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let mut parts = token.split('.');
        let header = parts.next().and_then(object).unwrap_or_default();
        let all = parts.next().and_then(object)?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let audiences = match all.get("aud") {
            Some(Value::Array(many)) => many.iter().filter_map(|one| text(Some(one))).collect(),
            one => text(one).into_iter().collect(),
        };
        Some(Self {
            issuer: text(all.get("iss")).unwrap_or_default(),
            audiences,
            kid: text(header.get("kid")).unwrap_or_default(),
            all,
        })
    }

    /// As it may be shown.
    pub(super) fn shown(&self, tenant: Option<TenantId>) -> Claimed {
        let line = |text: &str| clean_line(text, MAX_CHARS).into_owned();
        let audiences = self.audiences.iter().take(MAX_AUDIENCES);
        let audiences: Vec<String> = audiences.map(|audience| line(audience)).collect();
        Claimed {
            tenant,
            issuer: line(&self.issuer),
            audience: line(&audiences.join(", ")),
            kid: line(&self.kid),
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    json::object(&BASE64.decode(part).ok()?)
}
