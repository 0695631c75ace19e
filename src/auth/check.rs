//! Trying an issuer's configuration before it is saved: are there keys, and do they match?

use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;

use super::Authenticator;
use super::jwks::{FetchError, RemoteSource};
use super::keys::KeySet;
use crate::domain::issuer::{Algorithm, IssuerConfig, KeySource};

/// What a try-out found. Good where `problems` is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The keys that tokens will be verified with.
    pub keys: Vec<KeyReport>,
    /// Members of the key set that are not used, which need not be a fault.
    pub skipped: Vec<SkipReport>,
    /// What keeps this issuer's tokens from passing.
    pub problems: Vec<String>,
}

/// One usable key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyReport {
    /// Its id, if it has one.
    pub kid: Option<String>,
    /// What it verifies.
    pub algorithm: Algorithm,
}

/// One member that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipReport {
    /// Place in the set, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

impl Authenticator {
    /// Fetches (or admits) the keys of a configuration as it would be done in earnest. Touches no
    /// cached key set. The caller limits how often an admin may ask.
    pub async fn check(
        &self,
        config: &IssuerConfig,
        secret: Option<&SecretSlice<u8>>,
    ) -> CheckReport {
        match self.keys_of(config, secret).await {
            Ok(keys) => report(config, &keys),
            Err(problem) => CheckReport {
                keys: Vec::new(),
                skipped: Vec::new(),
                problems: vec![problem],
            },
        }
    }

    async fn keys_of(
        &self,
        config: &IssuerConfig,
        secret: Option<&SecretSlice<u8>>,
    ) -> Result<KeySet, String> {
        let source = match config.keys() {
            KeySource::SharedSecret => {
                let secret = secret.ok_or("no shared secret is stored for this issuer")?;
                return KeySet::shared_secret(secret.expose_secret()).map_err(|e| e.to_string());
            }
            KeySource::Jwks(set) => {
                return KeySet::admit(set).map_err(|e| FetchError::Set(e).to_string());
            }
            KeySource::JwksUrl(url) => RemoteSource::JwksUrl(url.clone()),
            KeySource::Discovery(document) => RemoteSource::Discovery {
                document: document.clone(),
                issuer: config.issuer().to_owned(),
            },
        };
        let fetched = source.fetch(&self.fetcher.outbound).await;
        fetched
            .map(|(keys, _)| keys)
            .map_err(|error| error.to_string())
    }
}

fn report(config: &IssuerConfig, keys: &KeySet) -> CheckReport {
    let usable = keys.keys().iter();
    let usable = usable.filter(|key| config.algorithms().contains(&key.algorithm()));
    let found: Vec<KeyReport> = usable
        .map(|key| KeyReport {
            kid: key.kid().map(str::to_owned),
            algorithm: key.algorithm(),
        })
        .collect();
    let skipped = keys.skipped().iter().map(|(index, skip)| SkipReport {
        index: *index,
        reason: skip.to_string(),
    });
    let mut problems = Vec::new();
    if found.is_empty() {
        let wanted: Vec<&str> = config.algorithms().iter().map(|a| a.as_str()).collect();
        problems.push(format!(
            "no key of the set is for one of {}",
            wanted.join(", ")
        ));
    }
    CheckReport {
        keys: found,
        skipped: skipped.collect(),
        problems,
    }
}
