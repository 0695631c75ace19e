//! All issuers with their tenants, as the authenticator knows them. Loaded from the database elsewhere, and replaced
//! whole or owner by owner.

mod index;

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::AuthError;
use super::entries::{FaultReason, IssuerEntry};
use super::fetcher::Fetcher;
use super::introspection::Introspector;
use super::jwks::{KeyHealth, KeysUnavailable, RemoteKeys, RemoteSource, SecondLook};
use super::keys::KeySet;
use super::refusal::Refusal;
use crate::domain::ids::IssuerId;
use crate::domain::issuer::{Algorithm, IssuerConfig, KeySource, TenantBinding};

pub(super) use index::{Index, Part};

/// Where an issuer's keys are at run time.
#[derive(Debug, Default)]
struct IssuerKeys {
    /// What symmetric algorithms are judged by.
    secrets: Option<Arc<KeySet>>,
    /// What all others are judged by.
    published: Option<Published>,
    /// The endpoint that judges opaque tokens.
    introspector: Option<Arc<Introspector>>,
}

#[derive(Debug, Clone)]
enum Published {
    /// Typed in.
    Static(Arc<KeySet>),
    Remote(Arc<RemoteKeys>),
}

impl IssuerKeys {
    /// Opens the keys of an entry. What was fetched `before` is kept where it did not move.
    fn open(
        entry: &IssuerEntry,
        before: Option<&Issuer>,
        fetcher: &Arc<Fetcher>,
    ) -> Result<Self, FaultReason> {
        if entry.config.takes_secret() == entry.secrets.is_empty() {
            return Err(FaultReason::Secret);
        }
        let mut keys = Self::default();
        if let Some(about) = entry.config.introspection() {
            let kept = before.and_then(|before| before.introspector_for(entry));
            let introspector = match kept {
                Some(kept) => kept,
                None => Introspector::new(entry, about, Arc::clone(fetcher))?,
            };
            keys.introspector = Some(introspector);
            return Ok(keys);
        }
        if entry.config.is_signed_with_secret() {
            let secrets = entry.secrets.iter().map(ExposeSecret::expose_secret);
            keys.secrets = Some(Arc::new(KeySet::shared_secrets(secrets)?));
        }
        let kept = before.and_then(|before| before.published_for(entry));
        keys.published = match (kept, entry.config.keys()) {
            (Some(kept), _) => Some(kept),
            (None, None) => None,
            (None, Some(KeySource::Jwks(set))) => {
                Some(Published::Static(Arc::new(KeySet::admit(set)?)))
            }
            (None, Some(_)) => RemoteSource::from_config(&entry.config).map(|source| {
                let name = entry.id.to_string();
                Published::Remote(RemoteKeys::new(name, source, Arc::clone(fetcher)))
            }),
        };
        Ok(keys)
    }
}

/// One issuer with its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) id: IssuerId,
    pub(super) config: IssuerConfig,
    binding: TenantBinding,
    keys: IssuerKeys,
}

impl Issuer {
    fn new(entry: IssuerEntry, keys: IssuerKeys) -> Self {
        Self {
            id: entry.id,
            config: entry.config,
            binding: entry.binding,
            keys,
        }
    }

    /// The published keys, if they serve another form of this issuer, too.
    fn published_for(&self, entry: &IssuerEntry) -> Option<Published> {
        let same = self.config.issuer() == entry.config.issuer()
            && self.config.keys() == entry.config.keys()
            && self.config.root_certificates() == entry.config.root_certificates();
        self.keys.published.clone().filter(|_| same)
    }

    fn introspector_for(&self, entry: &IssuerEntry) -> Option<Arc<Introspector>> {
        let introspector = self.keys.introspector.as_ref();
        introspector
            .filter(|introspector| introspector.serves(entry))
            .map(Arc::clone)
    }

    pub(super) fn introspector(&self) -> Option<&Arc<Introspector>> {
        self.keys.introspector.as_ref()
    }

    /// The keys that tokens of an algorithm are judged by: a secret never verifies what a public key should, nor the other way round.
    pub(super) async fn current_keys(
        &self,
        algorithm: Algorithm,
    ) -> Result<Arc<KeySet>, AuthError> {
        let none = || AuthError::Refused(Refusal::AlgorithmNotAllowed);
        if algorithm.is_symmetric() {
            return self.keys.secrets.clone().ok_or_else(none);
        }
        match self.keys.published.as_ref().ok_or_else(none)? {
            Published::Static(keys) => Ok(Arc::clone(keys)),
            Published::Remote(remote) => Ok(remote.current().await?),
        }
    }

    pub(super) async fn second_look(
        &self,
        algorithm: Algorithm,
        tried: &Arc<KeySet>,
    ) -> Result<SecondLook, KeysUnavailable> {
        match &self.keys.published {
            Some(Published::Remote(remote)) if !algorithm.is_symmetric() => {
                remote.second_look(tried).await
            }
            _ => Ok(SecondLook::Unchanged),
        }
    }

    /// State of the published keys, where they are fetched.
    pub(super) fn key_health(&self) -> Option<KeyHealth> {
        match &self.keys.published {
            Some(Published::Remote(remote)) => Some(remote.health(self.id)),
            _ => None,
        }
    }
}
