//! Which issuers there are, and whose: what the authenticator knows of all tenants. Built outside
//! from the database and swapped in whole.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::AuthError;
use super::claimed::Claims;
use super::jwks::{Fetcher, KeysUnavailable, RemoteKeys, RemoteSource, SecondLook};
use super::keys::{KeySet, SetRefusal};
use super::refusal::Refusal;
use super::verify::{Unverified, Verified};
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::issuer::{
    Algorithm, AudienceClaim, IssuerConfig, KeySource, TenantBinding, form_of,
};

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
    /// The shared secrets, opened; only where the configuration says `sharedSecret`. Two while one replaces the other.
    pub secrets: Vec<SecretSlice<u8>>,
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
#[derive(Debug, Default)]
struct IssuerKeys {
    /// What symmetric algorithms are judged by.
    secrets: Option<Arc<KeySet>>,
    /// What all others are judged by.
    published: Option<Published>,
}

#[derive(Debug, Clone)]
enum Published {
    /// Typed in.
    Static(Arc<KeySet>),
    Remote(Arc<RemoteKeys>),
}

impl IssuerKeys {
    /// Opens the keys of an entry; published ones that did not move are `kept`.
    fn open(
        entry: &IssuerEntry,
        kept: Option<Published>,
        fetcher: &Arc<Fetcher>,
    ) -> Result<Self, FaultReason> {
        if entry.config.takes_secret() == entry.secrets.is_empty() {
            return Err(FaultReason::Secret);
        }
        let mut keys = Self::default();
        if entry.config.takes_secret() {
            let secrets = entry.secrets.iter().map(ExposeSecret::expose_secret);
            keys.secrets = Some(Arc::new(KeySet::shared_secrets(secrets)?));
        }
        keys.published = match (kept, entry.config.keys()) {
            (Some(kept), _) => Some(kept),
            (None, None) => None,
            (None, Some(KeySource::Jwks(set))) => {
                Some(Published::Static(Arc::new(KeySet::admit(set)?)))
            }
            (None, Some(source)) => RemoteSource::of(source, entry.config.issuer()).map(|source| {
                Published::Remote(RemoteKeys::new(entry.id, source, Arc::clone(fetcher)))
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
    /// The published keys, if they serve another form of this issuer, too.
    fn published_for(&self, entry: &IssuerEntry) -> Option<Published> {
        let same = self.config.issuer() == entry.config.issuer()
            && self.config.keys() == entry.config.keys();
        self.keys.published.clone().filter(|_| same)
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

    pub(super) fn remote(&self) -> Option<&RemoteKeys> {
        match &self.keys.published {
            Some(Published::Remote(remote)) => Some(remote),
            _ => None,
        }
    }
}

/// The directory, ready for look-ups.
#[derive(Debug, Default)]
pub(super) struct Index {
    issuers: HashMap<IssuerId, Arc<Issuer>>,
    /// iss -> audience -> issuer; `None` where two entries claim the pair.
    pairs: HashMap<String, HashMap<String, Option<Arc<Issuer>>>>,
    /// iss -> the tenants that have it, and whether it was proven that it is theirs.
    registered: HashMap<String, HashMap<TenantId, bool>>,
    /// iss -> aud -> the tenants that have registered the pair without proof.
    pending: HashMap<String, HashMap<String, HashSet<TenantId>>>,
    /// iss -> the claims that play the audience at its entries.
    audience_claims: HashMap<String, BTreeSet<AudienceClaim>>,
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
            let before = before.issuers.get(&entry.id);
            let kept = before.and_then(|old| old.published_for(&entry));
            match IssuerKeys::open(&entry, kept, fetcher) {
                Ok(keys) => index.add(entry, keys, &mut faults),
                Err(reason) => faults.push(DirectoryFault {
                    issuer: entry.id,
                    reason,
                }),
            }
        }
        (index, faults)
    }

    fn add(&mut self, entry: IssuerEntry, keys: IssuerKeys, faults: &mut Vec<DirectoryFault>) {
        let serves: Vec<String> = entry.serves().cloned().collect();
        let issuer = Arc::new(Issuer {
            id: entry.id,
            config: entry.config,
            binding: entry.binding,
            keys,
        });
        let url = issuer.config.issuer().to_owned();
        let claims = self.audience_claims.entry(url.clone()).or_default();
        claims.insert(issuer.config.audience_claim());
        let pairs = self.pairs.entry(url).or_default();
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
        if !entry.pending.is_empty() {
            let claims = self.audience_claims.entry(entry.config.issuer().to_owned());
            claims.or_default().insert(entry.config.audience_claim());
        }
        for audience in &entry.pending {
            let pairs = self.pending.entry(entry.config.issuer().to_owned());
            let tenants = pairs.or_default().entry(audience.clone());
            tenants.or_default().insert(tenant);
        }
    }

    /// The issuer whose rules a token is to be judged by.
    pub(super) fn find(&self, token: &Unverified<'_>) -> Result<Arc<Issuer>, Refusal> {
        let forms = forms(token.issuer(), token.claims());
        let mut found: Option<&Arc<Issuer>> = None;
        let mut is_contested = false;
        let mut is_named = false;
        for iss in &forms {
            let pairs = self.pairs.get(iss);
            for (claim, audience) in self.audiences(iss, token.claims()) {
                is_named = true;
                match pairs.and_then(|pairs| pairs.get(audience)) {
                    None => {}
                    // Nobody's.
                    Some(None) => is_contested = true,
                    // Named, but not by the claim that plays the audience there.
                    Some(Some(issuer)) if issuer.config.audience_claim() != claim => {}
                    Some(Some(issuer)) if found.is_some_and(|other| other.id != issuer.id) => {
                        return Err(Refusal::AmbiguousAudience);
                    }
                    Some(Some(issuer)) => found = Some(issuer),
                }
            }
        }
        let is_waited_for = |iss: &String| !self.waiting(iss, token.claims()).is_empty();
        let is_known = |iss: &String| self.audience_claims.contains_key(iss);
        found.map(Arc::clone).ok_or_else(|| {
            if is_contested {
                Refusal::UnknownIssuer
            } else if forms.iter().any(is_waited_for) {
                Refusal::PairPending
            } else if !forms.iter().any(is_known) {
                Refusal::UnknownIssuer
            } else if is_named {
                // Somebody's issuer, but for other audiences.
                Refusal::Audience
            } else {
                Refusal::Claims
            }
        })
    }

    /// Whom a token is for, by each claim that plays the audience at an issuer's entries.
    fn audiences<'c>(
        &self,
        iss: &str,
        claims: &'c Map<String, Value>,
    ) -> Vec<(AudienceClaim, &'c str)> {
        let playing = self.audience_claims.get(iss).into_iter().flatten();
        playing
            .flat_map(|claim| {
                let names = claim.find(claims).unwrap_or_default().into_iter();
                names.map(|name| (*claim, name))
            })
            .collect()
    }

    /// The tenants whose tokens these would be, once it is proven. Where the issuer is proven to be some tenants', the others that
    /// have registered it are told nothing.
    fn waiting(&self, issuer: &str, claims: &Map<String, Value>) -> HashSet<TenantId> {
        let pairs = self.pending.get(issuer);
        let audiences = self.audiences(issuer, claims).into_iter();
        let mut waiting: HashSet<TenantId> = audiences
            .filter_map(|(_, audience)| pairs?.get(audience))
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
        let forms = forms(&claims.issuer, &claims.all);
        let is_known = |iss: &&String| {
            self.audience_claims.contains_key(*iss) || self.registered.contains_key(*iss)
        };
        let issuer = forms.iter().find(is_known);
        let issuer = issuer.unwrap_or(&claims.issuer);
        let pairs = self.pairs.get(issuer);
        let named = |issuer: &Issuer| match &issuer.binding {
            TenantBinding::Fixed(tenant) => Some(*tenant),
            TenantBinding::ByClaim { claim } => {
                let name = claim.find(&claims.all)?.as_str()?;
                self.named(name)
            }
        };
        let audiences = self.audiences(issuer, &claims.all).into_iter();
        let meant: HashSet<Option<TenantId>> = audiences
            .filter_map(|(_, audience)| pairs?.get(audience))
            .map(|issuer| named(issuer.as_ref()?))
            .collect();
        if !meant.is_empty() {
            return meant;
        }
        let waiting = self.waiting(issuer, &claims.all);
        if !waiting.is_empty() {
            return waiting.into_iter().map(Some).collect();
        }
        let shared = pairs.into_iter().flat_map(HashMap::values).flatten();
        let shared =
            shared.filter(|issuer| matches!(issuer.binding, TenantBinding::ByClaim { .. }));
        let mut known: HashSet<_> = shared.map(|issuer| named(issuer)).collect();
        known.extend(self.holders(issuer).into_iter().map(Some));
        if known.is_empty() {
            let registered = self.registered.get(issuer).into_iter().flatten();
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

/// What an issuer's entries may call the `iss` of a token: as it is, or by its form.
fn forms(iss: &str, claims: &Map<String, Value>) -> Vec<String> {
    let form = form_of(iss, claims);
    std::iter::once(iss.to_owned()).chain(form).collect()
}
