//! Why a token is refused. For our log and metrics alone: callers get one answer for all reasons.

/// A reason to refuse a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// Longer than the cap.
    #[error("the token is longer than 8 kB")]
    TooLarge,
    /// Not three parts of strict base64url, or not two JSON objects without duplicate names.
    #[error("the token is no compact JWS of two strict JSON objects")]
    Malformed,
    /// The header asks for something that the gateway does not do.
    #[error("the header has crit, b64, zip, cty or enc")]
    Header,
    /// `typ` says that this is another kind of token.
    #[error("the header's typ is not one of an access token")]
    Type,
    /// `kid` is no text of 1 to 256 printable ASCII characters.
    #[error("the header's kid is no short printable text")]
    KeyId,
    /// `alg` is missing, `none`, or one that no issuer may use.
    #[error("the header's alg is none of RS256, ES256, EdDSA and HS256")]
    Algorithm,
    /// A registered claim is missing or has the wrong type.
    #[error("a registered claim is missing or has the wrong type")]
    Claims,
    /// No issuer is configured for this (issuer, audience).
    #[error("no issuer is configured for this iss and aud")]
    UnknownIssuer,
    /// The token names the audiences of several issuer entries at once.
    #[error("the token's audiences belong to several tenants")]
    AmbiguousAudience,
    /// `iss` is not the issuer's.
    #[error("iss is not this issuer's")]
    Issuer,
    /// `aud` names none of the issuer's audiences.
    #[error("aud names none of this issuer's audiences")]
    Audience,
    /// The issuer may not use this algorithm.
    #[error("this issuer does not sign with this alg")]
    AlgorithmNotAllowed,
    /// An ID token, a logout token or a security event, where an access token is wanted.
    #[error("the claims are those of another kind of token")]
    Kind,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is to come.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// The token lives longer than the issuer's tokens may.
    #[error("the token lives longer than this issuer's tokens may")]
    Lifetime,
    /// `sub` is empty, too long, or holds control characters.
    #[error("sub is empty, longer than 255 characters or holds control characters")]
    Subject,
    /// The issuer's key set has no such key; or none of its keys has an id, and none fits.
    #[error("the issuer has no key with this kid and alg")]
    UnknownKey,
    /// The key with this id is one of another algorithm.
    #[error("the key with this kid is one of another alg")]
    KeyAlgorithm,
    /// The signature is not the key's.
    #[error("the signature does not fit")]
    Signature,
    /// A shared issuer's token names no tenant, or one that does not exist.
    #[error("the claim that names the tenant is missing or names none")]
    UnknownTenant,
}

impl Refusal {
    /// Stable name for logs and metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::Type => "type",
            Self::KeyId => "key_id",
            Self::Algorithm => "algorithm",
            Self::Claims => "claims",
            Self::UnknownIssuer => "unknown_issuer",
            Self::AmbiguousAudience => "ambiguous_audience",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::Kind => "kind",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::Lifetime => "lifetime",
            Self::Subject => "subject",
            Self::UnknownKey => "unknown_key",
            Self::KeyAlgorithm => "key_algorithm",
            Self::Signature => "signature",
            Self::UnknownTenant => "unknown_tenant",
        }
    }
}
