//! What a refused token says of itself, for finding out why it was refused. Nothing of it was verified: it is cleaned,
//! cut, and shown as a claim, never acted upon.

use serde_json::{Map, Value};

use super::lenient::{MAX_BYTES, object};
use crate::domain::ids::TenantId;
use crate::domain::issuer::AudienceClaim;
use crate::domain::text::clean_line;

/// Longest text that is shown, characters.
const MAX_CHARS: usize = 200;
/// Audiences that are shown.
const MAX_AUDIENCES: usize = 5;

/// What a token claims to be, and whose it would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The tenant whose token it would be; `None` where it could be several tenants', or nobody's.
    pub tenant: Option<TenantId>,
    /// Its `iss`, one clean line, empty where there is none.
    pub issuer: String,
    /// Its `aud`, or another claim that may play the audience; one clean line, several with commas between.
    pub audience: String,
    /// The `kid` in its header, one clean line.
    pub kid: String,
}

impl Claimed {
    /// Of an opaque token, which names no issuer: what the request adds to it, and the URL of the issuer that would judge it.
    pub(super) fn of_opaque(tenant: Option<TenantId>, issuer: &str) -> Self {
        Self {
            tenant,
            issuer: clean_line(issuer, MAX_CHARS).into_owned(),
            ..Self::default()
        }
    }
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
        // The first that is there: which one plays the audience is the issuer's to say.
        let mut playing = AudienceClaim::ALL
            .into_iter()
            .filter(|claim| *claim != AudienceClaim::Iss)
            .map(|claim| match all.get(claim.as_str()) {
                Some(Value::Array(many)) => many.iter().filter_map(|one| text(Some(one))).collect(),
                one => Vec::from_iter(text(one)),
            });
        let audiences = playing.find(|names| !names.is_empty());
        let audiences = audiences.unwrap_or_default();
        Some(Self {
            issuer: text(all.get("iss")).unwrap_or_default(),
            audiences,
            kid: text(header.get("kid")).unwrap_or_default(),
            all,
        })
    }

    pub(super) fn to_claimed(&self, tenant: Option<TenantId>) -> Claimed {
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
