//! Why a token is refused. For the log, metrics and the tenant's admins: callers get one answer for all reasons.

/// A reason to refuse a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// Longer than the size limit.
    #[error("the token is longer than 16 kB")]
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
    #[error("the header's alg is none that an issuer may use")]
    Algorithm,
    /// A registered claim is missing or has the wrong type.
    #[error("a registered claim is missing or has the wrong type")]
    Claims,
    /// Nobody has registered this issuer.
    #[error("no issuer is registered with this iss")]
    UnknownIssuer,
    /// A tenant has registered this (issuer, audience), but nobody has proven whose it is.
    #[error("the iss and aud are registered, but not proven to be a tenant's")]
    PairPending,
    /// The token names the audiences of several issuer entries at once.
    #[error("the token's audiences belong to several tenants")]
    AmbiguousAudience,
    /// `iss` is not the issuer's.
    #[error("iss is not this issuer's")]
    Issuer,
    /// The issuer is known, but its audience claim names none of its audiences.
    #[error("aud names none of this issuer's audiences")]
    Audience,
    /// The issuer may not use this algorithm.
    #[error("this issuer does not sign with this alg")]
    AlgorithmNotAllowed,
    /// An ID token, a logout token or a security event, where an access token is wanted.
    #[error("the claims are those of another kind of token")]
    Kind,
    /// A claim that must have a certain value has another, or is missing.
    #[error("a claim has none of the values that this issuer's tokens must have")]
    RequiredClaim,
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
    /// The key is published for another issuer's tokens.
    #[error("the key with this kid signs for another issuer")]
    KeyIssuer,
    /// The signature is not the key's.
    #[error("the signature does not fit")]
    Signature,
    /// A shared issuer's token names no tenant, or one that does not exist; or an opaque one was sent for none that does.
    #[error("the claim or header that names the tenant is missing or names none")]
    UnknownTenant,
    /// An opaque token was sent for a tenant that has no issuer to ask about it.
    #[error("the token is opaque, and the tenant has no issuer with introspection")]
    NoIntrospection,
    /// The issuer's endpoint says that an opaque token is not good.
    #[error("the issuer's introspection endpoint says that the token is not active")]
    Inactive,
}

impl Refusal {
    pub const ALL: &'static [Self] = &[
        Self::TooLarge,
        Self::Malformed,
        Self::Header,
        Self::Type,
        Self::KeyId,
        Self::Algorithm,
        Self::Claims,
        Self::UnknownIssuer,
        Self::PairPending,
        Self::AmbiguousAudience,
        Self::Issuer,
        Self::Audience,
        Self::AlgorithmNotAllowed,
        Self::Kind,
        Self::RequiredClaim,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::Lifetime,
        Self::Subject,
        Self::UnknownKey,
        Self::KeyAlgorithm,
        Self::KeyIssuer,
        Self::Signature,
        Self::UnknownTenant,
        Self::NoIntrospection,
        Self::Inactive,
    ];

    /// Whether other keys of the issuer could let the same token in.
    pub(super) fn may_lie_in_the_keys(self) -> bool {
        matches!(
            self,
            Self::UnknownKey | Self::KeyAlgorithm | Self::KeyIssuer | Self::Signature
        )
    }

    /// What the tenant's admins can do about it, in whole sentences.
    pub fn advice(self) -> &'static str {
        match self {
            Self::TooLarge => "Ask the issuer for fewer claims in the token, such as fewer groups.",
            Self::Malformed => {
                "Send the JWT itself, whole, without quotes or line breaks. With an opaque token, send the header Persona-Gateway-Tenant, too, and register an issuer with introspection."
            }
            Self::Header => {
                "Let the issuer sign plain tokens: without encryption, compression, or extensions that must be understood."
            }
            Self::Type => "Send the access token, whose typ is JWT or at+jwt.",
            Self::KeyId => "Let the issuer name its keys by 1 to 256 printable ASCII characters.",
            Self::Algorithm => {
                "Let the issuer sign with RS256, ES256, EdDSA or another algorithm that the issuer's `algorithms` may list."
            }
            Self::Claims => {
                "See that iss, sub and exp are there once, iss and sub as texts, aud (or the issuer's audienceClaim) as a text or a list of texts, and the dates as numbers; of an opaque token, in what its introspection endpoint answers."
            }
            Self::UnknownIssuer => {
                "Register the issuer, its URL byte for byte as the token's iss says it, with the token's aud among its audiences; or enable it."
            }
            Self::PairPending => {
                "Prove whose these tokens are: POST /v1/admin/issuers/{issuer}:prove with one whose claim persona_gateway_tenant names the tenant; or ask the gateway's operator for `persona-gateway issuer-pair assign`."
            }
            Self::AmbiguousAudience => "Ask for a token with one audience.",
            Self::Issuer => {
                "Register the issuer byte for byte as the token's iss says it; a slash at the end counts."
            }
            Self::Audience => {
                "Add the token's aud to the issuer's audiences if these users are yours; else let the page ask for a token with the audience that is registered."
            }
            Self::AlgorithmNotAllowed => {
                "Add the token's alg to the issuer's algorithms if the issuer means to use it."
            }
            Self::Kind => {
                "Send the access token: an ID token, a logout token or a security event says nothing about who is calling."
            }
            Self::RequiredClaim => {
                "Send the token whose claims are those of the issuer's requiredClaims, such as the access token; or change requiredClaims."
            }
            Self::Expired => {
                "Let the page fetch a fresh token before it asks. Where all are refused so, compare the clocks."
            }
            Self::NotYetValid | Self::IssuedInFuture => {
                "Compare the issuer's clock with the gateway's; leewaySeconds of the issuer may be raised."
            }
            Self::Lifetime => {
                "Let the issuer give shorter tokens, or raise maxLifetimeSeconds of the issuer."
            }
            Self::Subject => "Let the issuer put a short, printable sub into its tokens.",
            Self::UnknownKey => {
                "See whether the issuer signs with a key of its published set, and names it by kid; POST /v1/admin/issuers/{issuer}:check shows the set."
            }
            Self::KeyAlgorithm => {
                "See that the issuer's key set says for each key which algorithm it is for."
            }
            Self::KeyIssuer => {
                "Send a token of the directory that the key is published for; its `iss` and `tid` must be that directory's."
            }
            Self::Signature => {
                "See whether the keys or the shared secret are this very issuer's, and whether the token arrives whole."
            }
            Self::UnknownTenant => {
                "Let the issuer put the tenant's name or id into the claim that the shared issuer is registered with."
            }
            Self::NoIntrospection => {
                "Register an issuer whose keys are introspection, if its tokens are opaque; else let the page ask for a JWT."
            }
            Self::Inactive => {
                "It has expired, was revoked, is another server's, or the gateway's client may not look at it: POST /v1/admin/issuers/{issuer}:check asks about one."
            }
        }
    }

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
            Self::PairPending => "pair_pending",
            Self::AmbiguousAudience => "ambiguous_audience",
            Self::Issuer => "issuer",
            Self::Audience => "wrong_audience",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::Kind => "kind",
            Self::RequiredClaim => "required_claim",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::Lifetime => "lifetime",
            Self::Subject => "subject",
            Self::UnknownKey => "unknown_key",
            Self::KeyAlgorithm => "key_algorithm",
            Self::KeyIssuer => "key_issuer",
            Self::Signature => "signature",
            Self::UnknownTenant => "unknown_tenant",
            Self::NoIntrospection => "no_introspection",
            Self::Inactive => "inactive",
        }
    }
}
