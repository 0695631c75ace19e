//! Which claim says for whom a token is.

use serde::Serialize;
use serde_json::{Map, Value};

/// The claim that plays the audience. Only claims that the issuer itself fills: one that a client or a user can fill would let them
/// choose whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum AudienceClaim {
    /// `aud` (RFC 7519, 4.1.3).
    #[serde(rename = "aud")]
    Aud,
    /// `client_id` (RFC 9068, 2.2): Cognito, Ory Hydra.
    #[serde(rename = "client_id")]
    ClientId,
    /// `azp`, the authorised party (OIDC Core, 2): Clerk, Kinde, Keycloak.
    #[serde(rename = "azp")]
    Azp,
    /// `cid`: Okta.
    #[serde(rename = "cid")]
    Cid,
    /// `appid`: Entra, version 1.
    #[serde(rename = "appid")]
    AppId,
    /// `iss`, where an issuer serves one application alone and says so in its URL: `WorkOS`.
    #[serde(rename = "iss")]
    Iss,
}

impl AudienceClaim {
    pub const ALL: [Self; 6] = [
        Self::Aud,
        Self::ClientId,
        Self::Azp,
        Self::Cid,
        Self::AppId,
        Self::Iss,
    ];

    /// The exact name of the claim.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The claim's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aud => "aud",
            Self::ClientId => "client_id",
            Self::Azp => "azp",
            Self::Cid => "cid",
            Self::AppId => "appid",
            Self::Iss => "iss",
        }
    }

    /// Whether it is the one that is meant where nothing is said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::Aud
    }

    /// Whom a token is for by this claim: none where the claim is missing, `None` where it is neither a text nor a list of texts.
    pub fn find(self, claims: &Map<String, Value>) -> Option<Vec<&str>> {
        match claims.get(self.as_str()) {
            None => Some(Vec::new()),
            Some(Value::String(one)) => Some(vec![one]),
            Some(Value::Array(many)) if self == Self::Aud => {
                many.iter().map(Value::as_str).collect()
            }
            Some(_) => None,
        }
    }
}
