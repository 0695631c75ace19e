//! The secret that goes with an issuer: what signs its tokens, or what the gateway shows at its introspection endpoint.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::Value;

use crate::crypto::shared_secret::BadSecret;
use crate::crypto::{client_secret, shared_secret};
use crate::domain::issuer::IssuerConfig;
use crate::domain::wrong::{Words, Wrong};
use crate::store::issuers::IssuerRow;

/// Judges a new one; `Err` says what would be right.
pub fn judge(config: &IssuerConfig, written: &SecretString) -> Result<(), Words> {
    if config.introspection().is_some() {
        let most = client_secret::MAX_BYTES;
        client_secret::judge(written).map_err(|bad| Wrong::Ascii { most }.worded(bad.to_string()))
    } else {
        shared_secret::judge(written).map_err(|bad| wrong(bad).worded(bad.to_string()))
    }
}

fn wrong(bad: BadSecret) -> Wrong {
    match bad {
        BadSecret::Length => Wrong::SecretBytes {
            least: shared_secret::MIN_BYTES,
            most: shared_secret::MAX_BYTES,
        },
        BadSecret::TooMany => Wrong::TwoSecrets,
        BadSecret::NotBase64Url => Wrong::Base64Url(shared_secret::BASE64URL),
        BadSecret::Published => Wrong::PublishedSecret,
        BadSecret::Guessable => Wrong::GuessableSecret,
    }
}

/// The bytes that the verifier uses.
pub fn bytes(config: &IssuerConfig, written: &SecretString) -> Vec<SecretSlice<u8>> {
    if config.introspection().is_some() {
        let bytes = written.expose_secret().as_bytes();
        vec![SecretSlice::from(bytes.to_vec())]
    } else {
        shared_secret::bytes(written)
    }
}

/// The sealed one of an issuer, where it may stay though the issuer becomes `wanted`: see [`IssuerConfig::may_keep_secret_of`].
pub fn reusable_secret<'r>(wanted: &IssuerConfig, before: &'r IssuerRow) -> Option<&'r [u8]> {
    let sealed = before.shared_secret.as_deref()?;
    let config = IssuerConfig::parse(&Value::Object(before.config.clone())).ok()?;
    wanted.may_keep_secret_of(&config).then_some(sealed)
}
