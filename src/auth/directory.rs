//! All issuers with their tenants, as the authenticator knows them. Loaded from the database elsewhere, and replaced
//! whole or owner by owner.

mod index;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};

use super::AuthError;
use super::introspection::Introspector;
use super::jwks::{Fetcher, KeyHealth, KeysUnavailable, RemoteKeys, RemoteSource, SecondLook};
use super::keys::{KeySet, SetRefusal};
use super::refusal::Refusal;
use crate::crypto::token::NoRandomness;
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::issuer::{Algorithm, IssuerConfig, KeySource, TenantBinding};

pub(super) use index::{Index, Part};

/// The owner of a part of the directory. A part is replaced as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A tenant: itself, its issuers, and the URLs that it has registered.
    Tenant(TenantId),
    /// The installation: the shared issuers.
    Installation,
}

/// Issuers and tenants: those of the whole installation, or of one owner.
#[derive(Debug, Default)]
pub struct Directory {
    /// Every issuer of every tenant, and the shared ones.
    pub issuers: Vec<IssuerEntry>,
    /// Every issuer URL that a tenant has registered, also in issuers that are not in use.
    pub registered: Vec<RegisteredUrl>,
    /// Every tenant, also suspended ones. A tenant that is not listed does not exist.
    pub tenants: Vec<TenantEntry>,
}

/// An issuer URL that a tenant has registered, once a tenant.
#[derive(Debug, Clone)]
pub struct RegisteredUrl {
    /// The `iss` of its tokens.
    pub issuer: String,
    pub tenant: TenantId,
    /// Whether somebody other than the tenant vouched for one of its audiences: the issuer by a token, or an operator.
    pub is_proven: bool,
}

#[derive(Debug)]
pub struct IssuerEntry {
    pub id: IssuerId,
    /// Whose users its tokens name.
    pub binding: TenantBinding,
    /// The rules for its tokens.
    pub config: IssuerConfig,
    /// Those of its audiences that are not proven to be the tenant's: their tokens are refused.
    pub pending: Vec<String>,
    /// The secrets, opened: where the configuration says `sharedSecret`, those that sign, two while one replaces the other; where it says
    /// `introspection`, the one that the gateway shows.
    pub secrets: Vec<SecretSlice<u8>>,
}

/// One tenant, as far as tokens are concerned.
#[derive(Debug, Clone)]
pub struct TenantEntry {
    pub id: TenantId,
    /// Its name in shared issuers' claims.
    pub slug: String,
    /// `false` while it is suspended: good tokens are answered as such.
    pub active: bool,
}

/// An issuer, or one of its audiences, that is left out of the directory: its tokens are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryFault {
    pub issuer: IssuerId,
    pub reason: FaultReason,
}

/// Why an issuer is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultReason {
    /// The typed-in keys or the secret are not good enough.
    #[error("the issuer's keys cannot be used: it {0}")]
    Keys(#[from] SetRefusal),
    /// A shared secret is configured, but none is stored, or the other way round.
    #[error("a stored secret goes together with the source sharedSecret or introspection")]
    Secret,
    /// Opaque tokens can't be recognised without random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Another issuer entry claims the same pair; neither gets it.
    #[error("another issuer has the same iss with audience {0:?}")]
    Contested(String),
}

impl Directory {
    /// The same, owner by owner.
    pub(super) fn by_owner(self) -> BTreeMap<Owner, Self> {
        let mut parts: BTreeMap<Owner, Self> = BTreeMap::new();
        for tenant in self.tenants {
            let part = parts.entry(Owner::Tenant(tenant.id)).or_default();
            part.tenants.push(tenant);
        }
        for url in self.registered {
            let part = parts.entry(Owner::Tenant(url.tenant)).or_default();
            part.registered.push(url);
        }
        for entry in self.issuers {
            let part = parts.entry(entry.owner()).or_default();
            part.issuers.push(entry);
        }
        parts
    }
}

impl IssuerEntry {
    fn owner(&self) -> Owner {
        match &self.binding {
            TenantBinding::Fixed(tenant) => Owner::Tenant(*tenant),
            TenantBinding::ByClaim { .. } => Owner::Installation,
        }
    }

    /// The audiences whose tokens are taken.
    fn serves(&self) -> impl Iterator<Item = &String> {
        let audiences = self.config.audiences().iter();
        audiences.filter(|audience| !self.pending.contains(audience))
    }
}

impl fmt::Display for DirectoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "issuer {}: {}", self.issuer, self.reason)
    }
}

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
