//! Why an issuer's keys could not be fetched.

use url::Url;

use super::keys::SetRefusal;
use super::outbound::OutboundError;

/// Why an issuer's keys could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address of the keys may not be reached, or did not answer as it should.
    #[error("the key address: {0}")]
    Outbound(#[from] OutboundError),
    /// None of the issuer's root certificates is good now.
    #[error("the issuer's root certificate {0}")]
    Roots(String),
    /// The answer is no usable key set.
    #[error("the key set {0}")]
    Set(#[from] SetRefusal),
    /// The address of the discovery document may not be reached, or did not answer as it should.
    #[error("the discovery document at {address}: {error}")]
    Discovery { address: Url, error: OutboundError },
    /// The discovery document is no JSON object.
    #[error("the discovery document is no JSON object, or holds a name twice")]
    DiscoveryMalformed,
    /// The discovery document's `issuer` is not the configured one, byte for byte.
    #[error(
        "the discovery document names another issuer than the one configured: {found:?} instead of {wanted:?}; they are compared byte for byte, a slash at the end counts"
    )]
    DiscoveryIssuer {
        /// What it names, one clean line; empty where it names none.
        found: String,
        wanted: String,
    },
    /// The discovery document holds no `jwks_uri`.
    #[error("the discovery document has no jwks_uri that is a URL")]
    DiscoveryJwksUri,
    /// The address of the keys that the discovery document names may not be reached, or did not answer as it should.
    #[error("the key address {address} of the discovery document: {error}")]
    Discovered { address: Url, error: OutboundError },
}

impl FetchError {
    /// Stable name for logs and metrics.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Outbound(error)
            | Self::Discovery { error, .. }
            | Self::Discovered { error, .. } => error.as_label(),
            Self::Set(error) => error.as_label(),
            Self::Roots(_) => "root_certificate",
            Self::DiscoveryMalformed => "discovery_malformed",
            Self::DiscoveryIssuer { .. } => "discovery_issuer",
            Self::DiscoveryJwksUri => "discovery_jwks_uri",
        }
    }
}
