//! Trying an issuer's configuration before it is saved: are there keys, do they match, and would a token pass?

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use serde_json::Value;

use super::Authenticator;
use super::explain::{TokenReport, explain};
use super::jwks::{FetchError, RemoteSource};
use super::keys::{Key, KeySet};
use super::verify::peek;
use crate::domain::fault::Fault;
use crate::domain::issuer::{Algorithm, IssuerConfig, KeySource};

/// What a try-out found. Good where `problems` is empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The keys that tokens will be verified with.
    pub keys: Vec<KeyReport>,
    /// Members of the key set that are not used, which need not be a fault.
    pub skipped: Vec<SkipReport>,
    /// The algorithms for which the issuer has a key.
    pub offered: BTreeSet<Algorithm>,
    /// What keeps this issuer's tokens from passing. Pointers are into its configuration.
    pub problems: Vec<Fault>,
    /// What is allowed, but may not be meant.
    pub notes: Vec<String>,
    /// What would become of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenReport>,
}

/// One usable key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyReport {
    /// Its id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// Fetches (or admits) the keys of a configuration as it would be done in earnest, and judges a token by them. Touches
    /// no cached key set. The caller limits how often an admin may ask.
    pub async fn check(
        &self,
        config: &IssuerConfig,
        secret: Option<&SecretSlice<u8>>,
        token: Option<&str>,
    ) -> CheckReport {
        let fetched = self.keys_of(config, secret).await;
        let mut report = match &fetched {
            Ok(keys) => report(config, keys),
            Err(problem) => CheckReport {
                keys: Vec::new(),
                skipped: Vec::new(),
                offered: BTreeSet::new(),
                problems: vec![Fault::new(place_of_keys(config), problem.clone())],
                notes: Vec::new(),
                token: None,
            },
        };
        let now = self.fetcher.clock.now();
        report.token = token.map(|token| explain(token, config, fetched.as_ref().ok(), now));
        report
    }

    async fn keys_of(
        &self,
        config: &IssuerConfig,
        secret: Option<&SecretSlice<u8>>,
    ) -> Result<KeySet, String> {
        let source = match config.keys() {
            KeySource::SharedSecret => {
                let secret = secret.ok_or("no shared secret is given, and none is stored")?;
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

/// What a token that was judged good by an issuer's rules says of whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Testimony {
    /// The tenant that it names in [`TENANT_CLAIM`], if it does.
    pub tenant: Option<String>,
    /// The audiences of the issuer that it is for.
    pub audiences: Vec<String>,
}

/// The claim by which an issuer's token says whose tokens it signs. Not OIDC's `nonce`: any user of an application can have a
/// token with a nonce of their own choice.
pub const TENANT_CLAIM: &str = "persona_gateway_tenant";

/// Reads a token that [`Authenticator::check`] has accepted for `config` just now.
pub fn testimony(token: &str, config: &IssuerConfig) -> Option<Testimony> {
    let token = peek(token.trim()).ok()?;
    let tenant = token.claims().get(TENANT_CLAIM);
    let tenant = tenant.and_then(Value::as_str).map(str::to_owned);
    let named = token.audiences();
    let audiences = config.audiences().iter();
    let audiences = audiences.filter(|audience| named.contains(audience));
    Some(Testimony {
        tenant,
        audiences: audiences.cloned().collect(),
    })
}

/// Where a configuration says where its keys are.
fn place_of_keys(config: &IssuerConfig) -> &'static str {
    match config.keys() {
        KeySource::JwksUrl(_) => "/keys/jwksUrl",
        KeySource::Discovery(_) => "/issuer",
        KeySource::Jwks(_) => "/keys/jwks",
        KeySource::SharedSecret => "/keys/sharedSecret",
    }
}

fn report(config: &IssuerConfig, keys: &KeySet) -> CheckReport {
    let configured = config.algorithms();
    let usable = keys.keys().iter();
    let usable = usable.filter(|key| configured.contains(&key.algorithm()));
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
    let offered: BTreeSet<Algorithm> = keys.keys().iter().map(Key::algorithm).collect();
    let names = |algorithms: &mut dyn Iterator<Item = &Algorithm>| {
        let names: Vec<&str> = algorithms.map(|a| a.as_str()).collect();
        names.join(", ")
    };
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    if found.is_empty() {
        problems.push(Fault::new(
            "/algorithms",
            format!(
                "no key of the set is for one of {}; its keys are for {}",
                names(&mut configured.iter()),
                names(&mut offered.iter())
            ),
        ));
    } else {
        let unused = names(&mut offered.difference(configured));
        if !unused.is_empty() {
            notes.push(format!(
                "the set has keys for {unused} too, which `algorithms` leaves out: such tokens are refused"
            ));
        }
        let keyless = names(&mut configured.difference(&offered));
        if !keyless.is_empty() {
            notes.push(format!("the set has no key for {keyless} at present"));
        }
    }
    CheckReport {
        keys: found,
        skipped: skipped.collect(),
        offered,
        problems,
        notes,
        token: None,
    }
}
