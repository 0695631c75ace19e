//! The document in which an issuer describes itself (`OpenID` Connect Discovery 1.0, 3).

use serde_json::{Map, Value};
use url::Url;

use super::fetch_error::FetchError;
use crate::domain::json;
use crate::domain::text::clean_line;
use crate::domain::web_url;

/// Longest text of a document that an error quotes, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// A document that was read, and is about the requested issuer.
#[derive(Debug)]
pub(super) struct Discovery(Map<String, Value>);

impl Discovery {
    /// Discovery 1.0, 4.3: the `issuer` must be exactly the requested one.
    pub(super) fn read(document: &[u8], issuer: &str) -> Result<Self, FetchError> {
        let members = json::object(document).ok_or(FetchError::DiscoveryMalformed)?;
        let found = members.get("issuer").and_then(Value::as_str);
        if found != Some(issuer) {
            return Err(FetchError::DiscoveryIssuer {
                found: clean_line(found.unwrap_or_default(), MAX_QUOTED_CHARS).into_owned(),
                wanted: issuer.to_owned(),
            });
        }
        Ok(Self(members))
    }

    /// Where the keys are.
    pub(super) fn jwks_uri(&self) -> Result<Url, FetchError> {
        self.url("jwks_uri").ok_or(FetchError::DiscoveryJwksUri)
    }

    /// A member that is an address; `None` where it is missing or none.
    pub(super) fn url(&self, member: &str) -> Option<Url> {
        let text = self.0.get(member)?.as_str()?;
        web_url::parse(text).ok()
    }

    /// Whether a member is a list in which this text stands; `None` where the member is missing or no list.
    pub(super) fn lists(&self, member: &str, text: &str) -> Option<bool> {
        let texts = self.0.get(member)?.as_array()?;
        Some(texts.iter().any(|known| known == text))
    }
}
