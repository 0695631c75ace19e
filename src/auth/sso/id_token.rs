//! Whether an ID token is the answer to one attempt to sign in (OIDC Core, 3.1.3.7): pure, no I/O, no clock. Form, signature, dates and
//! subject are judged by the rules of `verify` and `jws`.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::auth::keys::KeySet;
use crate::auth::refusal::Refusal;
pub(super) use crate::auth::verify::check_signature;
use crate::auth::verify::{self, DateBounds, MAX_DATE, Unverified, peek};
use crate::crypto::token::same_secret;
use crate::domain::caller::Subject;
use crate::domain::issuer::{Algorithm, AudienceClaim, IssuerConfig};

/// An ID token counts once, for its nonce, so it may live as long as the provider likes.
const DATES: DateBounds = DateBounds {
    leeway: IssuerConfig::DEFAULT_LEEWAY_SECONDS as i64,
    longest: MAX_DATE,
    needs_iat: true,
};

/// Why an ID token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdTokenRefusal {
    /// For a reason that any token may be refused for.
    #[error(transparent)]
    Token(#[from] Refusal),
    /// `azp` names another client.
    #[error("azp is another client")]
    AuthorizedParty,
    /// It is the answer to another attempt, or to none.
    #[error("nonce is not the one of this sign-in")]
    Nonce,
    /// `at_hash` is another access token's.
    #[error("at_hash is not the access token's")]
    AccessToken,
    /// `auth_time` is missing, or before the sign-in that was asked for.
    #[error("auth_time does not say that they signed in for this")]
    NotSignedInAgain,
}

/// What the ID token of one attempt must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a SecretString,
    pub(super) access_token: &'a SecretString,
    /// Since when the person must have signed in.
    pub(super) signed_in_since: Option<DateTime<Utc>>,
}

impl Expected<'_> {
    /// All that can be judged without a key.
    pub(super) fn check_claims(
        &self,
        token: &Unverified<'_>,
        now: DateTime<Utc>,
    ) -> Result<Subject, IdTokenRefusal> {
        let claims = token.claims();
        if token.is_access_token_by_type() {
            return Err(Refusal::Type.into());
        }
        self.check_parties(token)?;
        DATES.check(claims, now)?;
        let nonce = claims.get("nonce").and_then(Value::as_str);
        if !nonce.is_some_and(|nonce| same_secret(&nonce.into(), self.nonce)) {
            return Err(IdTokenRefusal::Nonce);
        }
        if let Some(hash) = claims.get("at_hash") {
            let made = access_token_hash(token.algorithm(), self.access_token);
            if hash.as_str() != Some(&made) {
                return Err(IdTokenRefusal::AccessToken);
            }
        }
        if let Some(since) = self.signed_in_since {
            let at = claims.get("auth_time").and_then(Value::as_i64);
            if at.is_none_or(|at| at < since.timestamp() - DATES.leeway) {
                return Err(IdTokenRefusal::NotSignedInAgain);
            }
        }
        Ok(verify::check_subject(claims)?)
    }

    /// Who signed it, and for whom: this client alone, since whoever else it is for could hand it on.
    fn check_parties(&self, token: &Unverified<'_>) -> Result<(), IdTokenRefusal> {
        // A secret that signs is known to whoever configured the provider.
        if token.algorithm().is_symmetric() {
            return Err(Refusal::AlgorithmNotAllowed.into());
        }
        if token.issuer() != self.issuer {
            return Err(Refusal::Issuer.into());
        }
        let audiences = token.audiences(AudienceClaim::Aud);
        if audiences.is_empty() {
            return Err(Refusal::Claims.into());
        }
        if audiences.iter().any(|audience| *audience != self.client_id) {
            return Err(Refusal::Audience.into());
        }
        match token.claims().get("azp") {
            Some(party) if party != self.client_id => Err(IdTokenRefusal::AuthorizedParty),
            _ => Ok(()),
        }
    }
}

/// The claims of a signed answer of the userinfo endpoint (OIDC Core, 5.3.2). It has no dates and no nonce: it is the answer to a request.
pub(super) fn signed_userinfo(
    text: &str,
    expected: &Expected<'_>,
    keys: &KeySet,
) -> Result<Map<String, Value>, IdTokenRefusal> {
    let token = peek(text)?;
    expected.check_parties(&token)?;
    check_signature(&token, keys)?;
    Ok(token.claims().clone())
}

/// OIDC Core, 3.1.3.6: the left half of the access token's digest, by the hash of the ID token's own algorithm.
fn access_token_hash(algorithm: Algorithm, access_token: &SecretString) -> String {
    use Algorithm::{
        ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
    };
    let hash = match algorithm {
        RS256 | PS256 | ES256 | HS256 => &SHA256,
        RS384 | PS384 | ES384 | HS384 => &SHA384,
        // Ed25519's own hash.
        RS512 | PS512 | HS512 | EdDSA => &SHA512,
    };
    let whole = digest(hash, access_token.expose_secret().as_bytes());
    let whole = whole.as_ref();
    let half = whole.get(..whole.len() / 2).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_oidc_core_gives_its_at_hash() {
        // Appendix A.3.
        let access_token = SecretString::from("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
        let made = access_token_hash(Algorithm::RS256, &access_token);
        assert_eq!(made, "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
