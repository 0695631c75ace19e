//! Anam's session token: opaque to us, but checked for what its SDK will look at.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::AnamError;

/// Anam documents one hour.
const LIFETIME: TimeDelta = TimeDelta::hours(1);

/// A token that starts one conversation with one configuration.
#[derive(Debug, Clone)]
pub struct SessionToken {
    token: SecretString,
    /// Until when it can start a conversation: its `exp`, one hour from now at most.
    pub expires_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: Option<String>,
    exp: Option<i64>,
}

impl SessionToken {
    /// Takes a token as Anam answered it.
    pub fn check(token: String, now: DateTime<Utc>) -> Result<Self, AnamError> {
        let parts: Vec<&str> = token.split('.').collect();
        let [_, payload, _] = parts.as_slice() else {
            return Err(AnamError::BadToken("it is not a three-part JWT"));
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(AnamError::BadToken("a part of it is empty"));
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(payload)
            .or_else(|_| STANDARD_NO_PAD.decode(payload));
        let payload = bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Payload>(&bytes).ok());
        let Some(payload) = payload else {
            return Err(AnamError::BadToken("its payload does not parse"));
        };
        match payload
            .kind
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None | Some("ephemeral" | "stateful") => {}
            Some("legacy") => {
                return Err(AnamError::BadToken(
                    "it is of type legacy, which the SDK refuses",
                ));
            }
            Some(_) => return Err(AnamError::BadToken("it is of an unknown type")),
        }
        let latest = now + LIFETIME;
        let expires_at = payload
            .exp
            .and_then(|exp| DateTime::from_timestamp(exp, 0))
            .map_or(latest, |exp| exp.min(latest));
        Ok(Self {
            token: token.into(),
            expires_at,
        })
    }

    /// A token that another instance has checked.
    pub fn passed_on(token: String, expires_at: DateTime<Utc>) -> Self {
        Self {
            token: token.into(),
            expires_at,
        }
    }

    /// The token, for the one answer that hands it out.
    pub fn expose(&self) -> &str {
        self.token.expose_secret()
    }

    /// SHA-256, for the ledger.
    pub fn hash(&self) -> Vec<u8> {
        digest(&SHA256, self.expose().as_bytes()).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!(
            "eyJhbGciOiJIUzI1NiJ9.{}.c2ln",
            URL_SAFE_NO_PAD.encode(payload)
        )
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_token_lives_until_its_exp_but_an_hour_at_most() {
        let soon =
            SessionToken::check(token(r#"{"type":"ephemeral","exp":1800000060}"#), now()).unwrap();
        assert_eq!(soon.expires_at, now() + TimeDelta::seconds(60));
        let late = SessionToken::check(token(r#"{"exp":1900000000}"#), now()).unwrap();
        assert_eq!(late.expires_at, now() + LIFETIME);
    }

    #[test]
    fn a_token_that_the_sdk_would_refuse_is_refused_here() {
        for bad in [
            "",
            "a.b",
            "a.b.c.d",
            "..",
            &token("{}x"),
            &token(r#"{"type":"LEGACY"}"#),
            &token(r#"{"type":"other"}"#),
        ] {
            assert!(
                SessionToken::check((*bad).to_owned(), now()).is_err(),
                "{bad}"
            );
        }
    }
}
