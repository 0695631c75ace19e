//! Trying an issuer's configuration before it is saved: are there keys, do they match, and would a token pass?

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use serde_json::Value;

use super::Authenticator;
use super::available_keys::{AvailableKeys, NoKeys, PLACE_OF_ROOTS};
use super::explain::{TokenReport, explain};
use super::fetch_error::FetchError;
use super::jwks::RemoteSource;
use super::keys::{Key, KeySet, SetRefusal};
use super::verify::peek;
use crate::domain::fault::Fault;
use crate::domain::issuer::{Algorithm, IssuerConfig, KeySource};
use crate::domain::wrong::{Words, Wrong};

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
    /// Its id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    pub reason: String,
}

impl Authenticator {
    /// Fetches (or admits) the keys of a configuration as in service, or calls the introspection endpoint, and
    /// judges a token by that. Touches nothing that is cached. The caller limits how often an admin may ask.
    pub async fn check(
        &self,
        config: &IssuerConfig,
        secrets: &[SecretSlice<u8>],
        token: Option<&str>,
    ) -> CheckReport {
        if let Some(about) = config.introspection() {
            return self.check_opaque(config, about, secrets, token).await;
        }
        let found = AvailableKeys {
            published: match config.keys() {
                Some(source) => Some(self.published(config, source).await),
                None => None,
            },
            secrets: config.is_signed_with_secret().then(|| shared(secrets)),
        };
        let now = self.fetcher.clock.now();
        let mut report = report(config, &found);
        report.token = token.map(|token| explain(token, config, &found, now));
        report
    }

    async fn published(&self, config: &IssuerConfig, source: &KeySource) -> Result<KeySet, NoKeys> {
        let fault = |error: FetchError| NoKeys::from_fetch_error(error, source);
        let now = self.fetcher.clock.now();
        match (source, RemoteSource::from_config(config)) {
            (KeySource::Jwks(set), _) => KeySet::admit(set).map_err(|error| fault(error.into())),
            (_, Some(remote)) => match remote.fetch(&self.fetcher.outbound, now).await {
                Ok((keys, _)) => Ok(keys),
                Err(error) => Err(fault(error)),
            },
            (_, None) => Err(fault(SetRefusal::Empty.into())),
        }
    }
}

fn shared(secrets: &[SecretSlice<u8>]) -> Result<KeySet, NoKeys> {
    let fault = |message: Words| NoKeys {
        fault: Fault::new("/keys/sharedSecret", message),
        skipped: Vec::new(),
    };
    if secrets.is_empty() {
        return Err(fault(
            Wrong::Missing.worded("no shared secret is given, and none is stored"),
        ));
    }
    let secrets = secrets.iter().map(ExposeSecret::expose_secret);
    KeySet::shared_secrets(secrets)
        .map_err(|error| fault(Wrong::KeysUnread(error.to_string()).into()))
}

/// What a token that was judged good by an issuer's rules says of whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnershipClaim {
    /// The tenant that it names in [`TENANT_CLAIM`], if it does.
    pub tenant: Option<String>,
    /// The audiences of the issuer that it is for.
    pub audiences: Vec<String>,
}

/// The claim by which an issuer's token says whose tokens it signs. Not OIDC's `nonce`: any user of an application can have a
/// token with a nonce of their own choice.
pub const TENANT_CLAIM: &str = "persona_gateway_tenant";

/// Reads a token that [`Authenticator::check`] has accepted for `config` just now.
pub fn ownership_claim(token: &str, config: &IssuerConfig) -> Option<OwnershipClaim> {
    let token = peek(token.trim()).ok()?;
    let tenant = token.claims().get(TENANT_CLAIM);
    let tenant = tenant.and_then(Value::as_str).map(str::to_owned);
    let named = token.audiences(config.audience_claim());
    let audiences = config.audiences().iter();
    let audiences = audiences.filter(|audience| named.contains(&audience.as_str()));
    Some(OwnershipClaim {
        tenant,
        audiences: audiences.cloned().collect(),
    })
}

/// What keeps keys and certificates that are in the configuration itself from being used now. Nothing is fetched, so other sources
/// have no problems here.
pub fn problems_of_given_keys(config: &IssuerConfig, now: DateTime<Utc>) -> Vec<Fault> {
    let Some(source @ KeySource::Jwks(set)) = config.keys() else {
        return problem_of_roots(config, now).into_iter().collect();
    };
    let admitted =
        KeySet::admit(set).map_err(|refusal| NoKeys::from_fetch_error(refusal.into(), source));
    let found = AvailableKeys {
        published: Some(admitted),
        secrets: None,
    };
    report(config, &found).problems
}

fn problem_of_roots(config: &IssuerConfig, now: DateTime<Utc>) -> Option<Fault> {
    let fault = config.root_certificates()?.good_at(now).err()?;
    Some(Fault::new(PLACE_OF_ROOTS, Wrong::RootsBad(fault)))
}

fn report(config: &IssuerConfig, found: &AvailableKeys) -> CheckReport {
    let configured = config.algorithms();
    let mut problems: Vec<Fault> = found
        .sets()
        .filter_map(|set| Some(set.as_ref().err()?.fault.clone()))
        .collect();
    let mut notes = Vec::new();
    let sets: Vec<&KeySet> = found.sets().filter_map(|set| set.as_ref().ok()).collect();
    let all = || sets.iter().flat_map(|set| set.keys());
    let is_usable = |key: &&Key| configured.iter().any(|algorithm| key.serves(*algorithm));
    let keys: Vec<KeyReport> = all()
        .filter(is_usable)
        .map(|key| KeyReport {
            kid: key.kid().map(str::to_owned),
            algorithm: key.algorithm(),
        })
        .collect();
    let skipped = found.sets().flat_map(|set| match set {
        Ok(set) => set.skipped(),
        Err(none) => &none.skipped,
    });
    let skipped = skipped.map(|skipped| SkipReport {
        index: skipped.index,
        kid: skipped.kid.clone(),
        reason: skipped.reason.to_string(),
    });
    let offered: BTreeSet<Algorithm> = all().map(Key::algorithm).collect();
    let names = |algorithms: &mut dyn Iterator<Item = &Algorithm>| {
        let names: Vec<&str> = algorithms.map(|a| a.as_str()).collect();
        names.join(", ")
    };
    if problems.is_empty() && keys.is_empty() {
        problems.push(Fault::new(
            "/algorithms",
            Wrong::NoKeyFor {
                wanted: names(&mut configured.iter()),
                offered: names(&mut offered.iter()),
            },
        ));
    } else if !keys.is_empty() {
        let unused: BTreeSet<Algorithm> = all()
            .filter(|key| !is_usable(key))
            .map(Key::algorithm)
            .collect();
        if !unused.is_empty() {
            notes.push(format!(
                "the set has keys for {} too, which `algorithms` leaves out: such tokens are refused",
                names(&mut unused.iter())
            ));
        }
        let is_keyless = |algorithm: &&Algorithm| !all().any(|key| key.serves(**algorithm));
        let keyless = names(&mut configured.iter().filter(is_keyless));
        if !keyless.is_empty() {
            notes.push(format!("the set has no key for {keyless} at present"));
        }
    }
    CheckReport {
        keys,
        skipped: skipped.collect(),
        offered,
        problems,
        notes,
        token: None,
    }
}
