//! Which issuers there are, and whose: what the authenticator knows of all tenants. Built outside
//! from the database and swapped in whole.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};
use uuid::Uuid;

use super::claimed::Claims;
use super::jwks::{Fetcher, KeysUnavailable, RemoteKeys, RemoteSource, SecondLook};
use super::keys::{KeySet, SetRefusal};
use super::refusal::Refusal;
use super::verify::{Unverified, Verified};
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::issuer::{IssuerConfig, KeySource, TenantBinding};

/// All issuers and tenants of the installation.
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
    /// Whose.
    pub tenant: TenantId,
    /// Whether somebody other than the tenant vouched for one of its audiences: the issuer by a token, or an operator.
    pub is_proven: bool,
}

/// One issuer.
#[derive(Debug)]
pub struct IssuerEntry {
    /// Its id.
    pub id: IssuerId,
    /// Whose users its tokens name.
    pub binding: TenantBinding,
    /// The rules for its tokens.
    pub config: IssuerConfig,
    /// Those of its audiences that are not proven to be the tenant's: their tokens are refused.
    pub pending: Vec<String>,
    /// The HS256 secret, opened; only where the configuration says `sharedSecret`.
    pub secret: Option<SecretSlice<u8>>,
}

/// One tenant, as far as tokens are concerned.
#[derive(Debug, Clone)]
pub struct TenantEntry {
    /// Its id.
    pub id: TenantId,
    /// Its name in shared issuers' claims.
    pub slug: String,
    /// `false` while it is suspended: good tokens are answered as such.
    pub active: bool,
}

/// An issuer, or one of its audiences, that is left out of the directory: its tokens are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryFault {
    /// Which issuer.
    pub issuer: IssuerId,
    /// Why.
    pub reason: FaultReason,
}

/// Why an issuer is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultReason {
    /// The typed-in keys or the secret are not good enough.
    #[error("the issuer's keys cannot be used: it {0}")]
    Keys(#[from] SetRefusal),
    /// A shared secret is configured, but none is stored, or the other way round.
    #[error("a stored secret and the source sharedSecret go together")]
    Secret,
    /// Another issuer entry claims the same pair; neither gets it.
    #[error("another issuer has the same iss with audience {0:?}")]
    Contested(String),
}

impl IssuerEntry {
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
#[derive(Debug)]
enum IssuerKeys {
    /// Typed in, or a secret.
    Static(Arc<KeySet>),
    Remote(Arc<RemoteKeys>),
}

impl IssuerKeys {
    fn open(entry: &IssuerEntry, fetcher: &Arc<Fetcher>) -> Result<Self, FaultReason> {
        let wants_secret = *entry.config.keys() == KeySource::SharedSecret;
        if wants_secret != entry.secret.is_some() {
            return Err(FaultReason::Secret);
        }
        let remote = |source| Self::Remote(RemoteKeys::new(entry.id, source, Arc::clone(fetcher)));
        Ok(match (entry.config.keys(), &entry.secret) {
            (KeySource::SharedSecret, None) => return Err(FaultReason::Secret),
            (KeySource::SharedSecret, Some(secret)) => {
                Self::Static(Arc::new(KeySet::shared_secret(secret.expose_secret())?))
            }
            (KeySource::Jwks(set), _) => Self::Static(Arc::new(KeySet::admit(set)?)),
            (KeySource::JwksUrl(url), _) => remote(RemoteSource::JwksUrl(url.clone())),
            (KeySource::Discovery(document), _) => remote(RemoteSource::Discovery {
                document: document.clone(),
                issuer: entry.config.issuer().to_owned(),
            }),
        })
    }
}

/// One issuer with its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) id: IssuerId,
    pub(super) config: IssuerConfig,
    binding: TenantBinding,
    secret: Option<SecretSlice<u8>>,
    keys: Arc<IssuerKeys>,
}

impl Issuer {
    fn keys_serve(&self, entry: &IssuerEntry) -> bool {
        let same_secret = match (&self.secret, &entry.secret) {
            (Some(old), Some(new)) => old.expose_secret() == new.expose_secret(),
            (None, None) => true,
            _ => false,
        };
        self.config.issuer() == entry.config.issuer()
            && self.config.keys() == entry.config.keys()
            && same_secret
    }

    pub(super) async fn current_keys(&self) -> Result<Arc<KeySet>, KeysUnavailable> {
        match &*self.keys {
            IssuerKeys::Static(keys) => Ok(Arc::clone(keys)),
            IssuerKeys::Remote(remote) => remote.current().await,
        }
    }

    pub(super) async fn second_look(
        &self,
        kid: Option<&str>,
        tried: &Arc<KeySet>,
    ) -> Result<SecondLook, KeysUnavailable> {
        match &*self.keys {
            IssuerKeys::Static(_) => Ok(SecondLook::StillUnknown),
            IssuerKeys::Remote(remote) => remote.second_look(kid, tried).await,
        }
    }

    pub(super) fn remember_unknown(&self, kid: Option<&str>) {
        if let (IssuerKeys::Remote(remote), Some(kid)) = (&*self.keys, kid) {
            remote.remember_unknown(kid);
        }
    }

    pub(super) fn remote(&self) -> Option<&RemoteKeys> {
        match &*self.keys {
            IssuerKeys::Static(_) => None,
            IssuerKeys::Remote(remote) => Some(remote),
        }
    }
}

/// The directory, ready for look-ups.
#[derive(Debug, Default)]
pub(super) struct Index {
    issuers: HashMap<IssuerId, Arc<Issuer>>,
    /// iss -> aud -> issuer; `None` where two entries claim the pair.
    pairs: HashMap<String, HashMap<String, Option<Arc<Issuer>>>>,
    /// iss -> the tenants that have it, and whether it was proven that it is theirs.
    registered: HashMap<String, HashMap<TenantId, bool>>,
    /// iss -> aud -> the tenants that have registered the pair without proof.
    pending: HashMap<String, HashMap<String, HashSet<TenantId>>>,
    by_slug: HashMap<String, TenantId>,
    active: HashMap<TenantId, bool>,
}

impl Index {
    /// Builds the look-ups. Issuers whose address and keys did not change keep the sets of `before`.
    pub(super) fn build(
        directory: Directory,
        before: &Self,
        fetcher: &Arc<Fetcher>,
    ) -> (Self, Vec<DirectoryFault>) {
        let mut index = Self::default();
        let mut faults = Vec::new();
        for tenant in directory.tenants {
            index.by_slug.insert(tenant.slug, tenant.id);
            index.active.insert(tenant.id, tenant.active);
        }
        for url in directory.registered {
            let tenants = index.registered.entry(url.issuer).or_default();
            tenants.insert(url.tenant, url.is_proven);
        }
        for entry in directory.issuers {
            index.wait(&entry);
            if entry.serves().next().is_none() {
                // Nobody's keys are fetched for what serves nobody.
                continue;
            }
            let kept = before
                .issuers
                .get(&entry.id)
                .filter(|old| old.keys_serve(&entry));
            let keys = match kept {
                Some(old) => Ok(Arc::clone(&old.keys)),
                None => IssuerKeys::open(&entry, fetcher).map(Arc::new),
            };
            match keys {
                Ok(keys) => index.add(entry, keys, &mut faults),
                Err(reason) => faults.push(DirectoryFault {
                    issuer: entry.id,
                    reason,
                }),
            }
        }
        (index, faults)
    }

    fn add(&mut self, entry: IssuerEntry, keys: Arc<IssuerKeys>, faults: &mut Vec<DirectoryFault>) {
        let serves: Vec<String> = entry.serves().cloned().collect();
        let issuer = Arc::new(Issuer {
            id: entry.id,
            config: entry.config,
            binding: entry.binding,
            secret: entry.secret,
            keys,
        });
        let pairs = self
            .pairs
            .entry(issuer.config.issuer().to_owned())
            .or_default();
        for audience in serves {
            let contested = |issuer: &Issuer| DirectoryFault {
                issuer: issuer.id,
                reason: FaultReason::Contested(audience.clone()),
            };
            match pairs.get_mut(&audience) {
                None => {
                    pairs.insert(audience, Some(Arc::clone(&issuer)));
                }
                Some(holder) => {
                    faults.extend(holder.take().as_deref().map(contested));
                    faults.push(contested(&issuer));
                }
            }
        }
        self.issuers.insert(issuer.id, issuer);
    }

    /// Remembers what of an entry is pending.
    fn wait(&mut self, entry: &IssuerEntry) {
        let TenantBinding::Fixed(tenant) = entry.binding else {
            return;
        };
        for audience in &entry.pending {
            let pairs = self.pending.entry(entry.config.issuer().to_owned());
            let tenants = pairs.or_default().entry(audience.clone());
            tenants.or_default().insert(tenant);
        }
    }

    /// The issuer whose rules a token is to be judged by.
    pub(super) fn find(&self, token: &Unverified<'_>) -> Result<Arc<Issuer>, Refusal> {
        let pairs = self.pairs.get(token.issuer());
        let mut found: Option<&Arc<Issuer>> = None;
        let mut is_contested = false;
        for audience in token.audiences() {
            match pairs.and_then(|pairs| pairs.get(audience)) {
                None => {}
                // Nobody's.
                Some(None) => is_contested = true,
                Some(Some(issuer)) => {
                    if found.is_some_and(|other| other.id != issuer.id) {
                        return Err(Refusal::AmbiguousAudience);
                    }
                    found = Some(issuer);
                }
            }
        }
        found.map(Arc::clone).ok_or_else(|| {
            if is_contested {
                Refusal::UnknownIssuer
            } else if !self.waiting(token.issuer(), token.audiences()).is_empty() {
                Refusal::PairPending
            } else if pairs.is_some() || self.pending.contains_key(token.issuer()) {
                // Somebody's issuer, but for other audiences.
                Refusal::Audience
            } else {
                Refusal::UnknownIssuer
            }
        })
    }

    /// The tenants whose tokens these would be, once it is proven. Where the issuer is proven to be some tenants', the others that
    /// have registered it are told nothing.
    fn waiting(&self, issuer: &str, audiences: &[String]) -> HashSet<TenantId> {
        let pairs = self.pending.get(issuer);
        let mut waiting: HashSet<TenantId> = audiences
            .iter()
            .filter_map(|audience| pairs?.get(audience))
            .flatten()
            .copied()
            .collect();
        let holders = self.holders(issuer);
        if !holders.is_empty() {
            waiting.retain(|tenant| holders.contains(tenant));
        }
        waiting
    }

    /// The tenants of which it is proven that an issuer's tokens are theirs, for some audience.
    fn holders(&self, issuer: &str) -> HashSet<TenantId> {
        let tenants = self.registered.get(issuer).into_iter().flatten();
        let proven = tenants.filter(|(_, is_proven)| **is_proven);
        proven.map(|(tenant, _)| *tenant).collect()
    }

    /// The one tenant whose token a refused one would be: by its issuer and audience, else by its issuer where that is one
    /// tenant's alone. `None` where it could be several tenants', so that none is told of another's.
    pub(super) fn claimed_tenant(&self, claims: &Claims) -> Option<TenantId> {
        let tenants = self.candidates(claims);
        let mut tenants = tenants.into_iter();
        match (tenants.next(), tenants.next()) {
            (Some(tenant), None) => tenant.filter(|tenant| self.active.contains_key(tenant)),
            _ => None,
        }
    }

    /// `None` among them is a tenant that does not exist.
    fn candidates(&self, claims: &Claims) -> HashSet<Option<TenantId>> {
        let pairs = self.pairs.get(&claims.issuer);
        let named = |issuer: &Issuer| match &issuer.binding {
            TenantBinding::Fixed(tenant) => Some(*tenant),
            TenantBinding::ByClaim { claim } => {
                let name = claim.find(&claims.all)?.as_str()?;
                self.named(name)
            }
        };
        let audiences = claims.audiences.iter();
        let meant: HashSet<Option<TenantId>> = audiences
            .filter_map(|aud| pairs?.get(aud))
            .map(|issuer| named(issuer.as_ref()?))
            .collect();
        if !meant.is_empty() {
            return meant;
        }
        let waiting = self.waiting(&claims.issuer, &claims.audiences);
        if !waiting.is_empty() {
            return waiting.into_iter().map(Some).collect();
        }
        let shared = pairs.into_iter().flat_map(HashMap::values).flatten();
        let shared =
            shared.filter(|issuer| matches!(issuer.binding, TenantBinding::ByClaim { .. }));
        let mut known: HashSet<_> = shared.map(|issuer| named(issuer)).collect();
        known.extend(self.holders(&claims.issuer).into_iter().map(Some));
        if known.is_empty() {
            let registered = self.registered.get(&claims.issuer).into_iter().flatten();
            known.extend(registered.map(|(tenant, _)| Some(*tenant)));
        }
        known
    }

    /// The tenant of a verified token, and whether it is active.
    pub(super) fn tenant(
        &self,
        issuer: &Issuer,
        token: &Verified<'_>,
    ) -> Result<(TenantId, bool), Refusal> {
        let tenant = match &issuer.binding {
            TenantBinding::Fixed(tenant) => Some(*tenant),
            TenantBinding::ByClaim { claim } => token.text(claim).and_then(|name| self.named(name)),
        };
        let tenant = tenant.ok_or(Refusal::UnknownTenant)?;
        let active = self.active.get(&tenant).ok_or(Refusal::UnknownTenant)?;
        Ok((tenant, *active))
    }

    /// What reads as an id is an id, so that no tenant can call itself by another's.
    fn named(&self, name: &str) -> Option<TenantId> {
        match Uuid::try_parse(name) {
            Ok(id) => Some(TenantId(id)),
            Err(_) => self.by_slug.get(name).copied(),
        }
    }

    pub(super) fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.values().map(AsRef::as_ref)
    }
}
