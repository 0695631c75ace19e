//! What a check of an issuer has to judge tokens by.

use super::fetch_error::FetchError;
use super::keys::{KeySet, SkippedKey};
use crate::domain::fault::Fault;
use crate::domain::issuer::{Algorithm, KeySource};
use crate::domain::wrong::Wrong;

/// What there is to judge by: each where the configuration has such keys.
pub(super) struct AvailableKeys {
    pub(super) published: Option<Result<KeySet, NoKeys>>,
    pub(super) secrets: Option<Result<KeySet, NoKeys>>,
}

/// Why there are no keys, and what of them was skipped.
pub(super) struct NoKeys {
    pub(super) fault: Fault,
    pub(super) skipped: Vec<SkippedKey>,
}

impl NoKeys {
    pub(super) fn from_fetch_error(error: FetchError, source: &KeySource) -> Self {
        let message = error.to_string();
        let (place, message, skipped) = match error {
            FetchError::Roots(message) => (PLACE_OF_ROOTS, message, Vec::new()),
            FetchError::Set(refusal) => {
                (place_of_keys(source), message, refusal.skipped().to_vec())
            }
            _ => (place_of_keys(source), message, Vec::new()),
        };
        Self {
            fault: Fault::new(place, Wrong::KeysUnread(message)),
            skipped,
        }
    }
}

impl AvailableKeys {
    /// The keys that tokens of an algorithm are judged by.
    pub(super) fn keys_for(&self, algorithm: Algorithm) -> Option<&KeySet> {
        let keys = if algorithm.is_symmetric() {
            &self.secrets
        } else {
            &self.published
        };
        keys.as_ref()?.as_ref().ok()
    }

    /// All of them.
    pub(super) fn sets(&self) -> impl Iterator<Item = &Result<KeySet, NoKeys>> {
        self.published.iter().chain(&self.secrets)
    }
}

/// Where a configuration has its root certificates.
pub(super) const PLACE_OF_ROOTS: &str = "/rootCertificate";

/// Where a configuration says where its keys are.
fn place_of_keys(source: &KeySource) -> &'static str {
    match source {
        KeySource::JwksUrl(_) => "/keys/jwksUrl",
        KeySource::Discovery(_) => "/issuer",
        KeySource::MetadataUrl(_) => "/keys/metadataUrl",
        KeySource::Jwks(_) => "/keys/jwks",
    }
}
