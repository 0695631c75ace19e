//! The directory, ready for look-ups. Each owner's part comes and goes by itself, so a change costs what its owner has and not what
//! all have.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::claimed::{Claimed, Claims};
use super::super::entries::{
    Directory, DirectoryFault, FaultReason, IssuerEntry, Owner, RegisteredUrl, TenantEntry,
};
use super::super::fetcher::Fetcher;
use super::super::introspection::Introspector;
use super::super::refusal::Refusal;
use super::super::verify::{Unverified, Verified};
use super::{Issuer, IssuerKeys};
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::issuer::{AudienceClaim, TenantBinding, form_of};

/// What belongs to one owner, keys opened.
#[derive(Debug, Default)]
pub(in super::super) struct Part {
    tenants: Vec<TenantEntry>,
    registered: Vec<RegisteredUrl>,
    /// (iss, audience) of pairs without proof.
    pending: Vec<(String, String)>,
    /// (iss, the claim that plays the audience), once an entry.
    audience_claims: Vec<(String, AudienceClaim)>,
    issuers: Vec<Serving>,
    /// Whose tokens are opaque. They are found by their tenant, so of these there is one.
    introspecting: Option<Arc<Issuer>>,
}

/// An issuer, and the audiences whose tokens are taken.
#[derive(Debug)]
struct Serving {
    issuer: Arc<Issuer>,
    audiences: Vec<String>,
}

impl Part {
    /// Opens the keys. Issuers whose address and keys did not change keep the sets that they have in `before`.
    pub(in super::super) fn open(
        directory: Directory,
        before: Option<&Self>,
        fetcher: &Arc<Fetcher>,
    ) -> (Self, Vec<DirectoryFault>) {
        let mut faults = Vec::new();
        let mut part = Self {
            tenants: directory.tenants,
            registered: directory.registered,
            ..Self::default()
        };
        for entry in directory.issuers {
            if entry.config.introspection().is_some() {
                match IssuerKeys::open(&entry, before.and_then(Self::introspecting), fetcher) {
                    Ok(keys) => part.introspecting = Some(Arc::new(Issuer::new(entry, keys))),
                    Err(reason) => faults.push(DirectoryFault {
                        issuer: entry.id,
                        reason,
                    }),
                }
                continue;
            }
            part.wait(&entry);
            let audiences: Vec<String> = entry.serves().cloned().collect();
            if audiences.is_empty() {
                // Nobody's keys are fetched for what serves nobody.
                continue;
            }
            let before = before.and_then(|before| before.issuer(entry.id));
            match IssuerKeys::open(&entry, before, fetcher) {
                Ok(keys) => part.add(entry, audiences, keys),
                Err(reason) => faults.push(DirectoryFault {
                    issuer: entry.id,
                    reason,
                }),
            }
        }
        (part, faults)
    }

    /// One of the issuers whose keys verify tokens.
    pub(in super::super) fn issuer(&self, id: IssuerId) -> Option<&Issuer> {
        let mut issuers = self.issuers.iter().map(|serving| &*serving.issuer);
        issuers.find(|issuer| issuer.id == id)
    }

    fn introspecting(&self) -> Option<&Issuer> {
        self.introspecting.as_deref()
    }

    fn add(&mut self, entry: IssuerEntry, audiences: Vec<String>, keys: IssuerKeys) {
        let claim = entry.config.audience_claim();
        let url = entry.config.issuer().to_owned();
        self.audience_claims.push((url, claim));
        let issuer = Arc::new(Issuer::new(entry, keys));
        self.issuers.push(Serving { issuer, audiences });
    }

    /// Remembers what of a tenant's entry is pending.
    fn wait(&mut self, entry: &IssuerEntry) {
        if entry.pending.is_empty() || entry.owner() == Owner::Installation {
            return;
        }
        let url = entry.config.issuer();
        let claim = entry.config.audience_claim();
        self.audience_claims.push((url.to_owned(), claim));
        let pairs = entry.pending.iter();
        self.pending
            .extend(pairs.map(|audience| (url.to_owned(), audience.clone())));
    }
}

/// The tenants that have registered an issuer URL.
#[derive(Debug, Default)]
struct Registered {
    /// Those of which it is proven that it is theirs, for some audience.
    proven: HashSet<TenantId>,
    others: HashSet<TenantId>,
}

/// The directory, ready for look-ups.
#[derive(Debug, Default)]
pub(in super::super) struct Index {
    parts: HashMap<Owner, Arc<Part>>,
    /// iss -> audience -> the entries that claim the pair. It is nobody's where there are several.
    pairs: HashMap<String, HashMap<String, Vec<Arc<Issuer>>>>,
    registered: HashMap<String, Registered>,
    /// iss -> aud -> the tenants that have registered the pair without proof.
    pending: HashMap<String, HashMap<String, HashSet<TenantId>>>,
    /// iss -> the claims that play the audience at its entries, and at how many.
    audience_claims: HashMap<String, BTreeMap<AudienceClaim, usize>>,
    by_slug: HashMap<String, TenantId>,
    active: HashMap<TenantId, bool>,
}

impl Index {
    /// Builds the look-ups of everybody. Issuers whose address and keys did not change keep the sets of `before`.
    pub(in super::super) fn build(
        directory: Directory,
        before: impl Fn(Owner) -> Option<Arc<Part>>,
        fetcher: &Arc<Fetcher>,
    ) -> (Self, Vec<DirectoryFault>) {
        let mut index = Self::default();
        let mut faults = Vec::new();
        for (owner, part) in directory.by_owner() {
            let (part, unusable) = Part::open(part, before(owner).as_deref(), fetcher);
            faults.extend(unusable);
            faults.extend(index.replace(owner, part));
        }
        (index, faults)
    }

    pub(in super::super) fn part(&self, owner: Owner) -> Option<Arc<Part>> {
        self.parts.get(&owner).map(Arc::clone)
    }

    /// Puts a part in the place of the one that its owner had; says which pairs are contested by it.
    pub(in super::super) fn replace(&mut self, owner: Owner, part: Part) -> Vec<DirectoryFault> {
        if let Some(before) = self.parts.remove(&owner) {
            self.take(owner, &before);
        }
        self.insert_part(owner, Arc::new(part))
    }

    fn insert_part(&mut self, owner: Owner, part: Arc<Part>) -> Vec<DirectoryFault> {
        for tenant in &part.tenants {
            self.by_slug.insert(tenant.slug.clone(), tenant.id);
            self.active.insert(tenant.id, tenant.active);
        }
        for url in &part.registered {
            let tenants = self.registered.entry(url.issuer.clone()).or_default();
            if url.is_proven {
                tenants.proven.insert(url.tenant);
            } else {
                tenants.others.insert(url.tenant);
            }
        }
        if let Owner::Tenant(tenant) = owner {
            for (iss, audience) in &part.pending {
                let pairs = self.pending.entry(iss.clone()).or_default();
                pairs.entry(audience.clone()).or_default().insert(tenant);
            }
        }
        for (iss, claim) in &part.audience_claims {
            let claims = self.audience_claims.entry(iss.clone()).or_default();
            *claims.entry(*claim).or_default() += 1;
        }
        let mut faults = Vec::new();
        for Serving { issuer, audiences } in &part.issuers {
            let url = issuer.config.issuer().to_owned();
            let pairs = self.pairs.entry(url).or_default();
            for audience in audiences {
                let holders = pairs.entry(audience.clone()).or_default();
                holders.push(Arc::clone(issuer));
                // The tenant that had it alone until now is affected, too.
                let contested = match holders.len() {
                    1 => 0,
                    2 => 2,
                    _ => 1,
                };
                let contested = holders.iter().rev().take(contested).rev();
                faults.extend(contested.map(|issuer| DirectoryFault {
                    issuer: issuer.id,
                    reason: FaultReason::Contested(audience.clone()),
                }));
            }
        }
        if !part.is_empty() {
            self.parts.insert(owner, part);
        }
        faults
    }

    fn take(&mut self, owner: Owner, part: &Part) {
        for tenant in &part.tenants {
            self.active.remove(&tenant.id);
            // Another may bear its name by now.
            if self.by_slug.get(&tenant.slug) == Some(&tenant.id) {
                self.by_slug.remove(&tenant.slug);
            }
        }
        for url in &part.registered {
            if let Entry::Occupied(mut found) = self.registered.entry(url.issuer.clone()) {
                let tenants = found.get_mut();
                tenants.proven.remove(&url.tenant);
                tenants.others.remove(&url.tenant);
                if tenants.proven.is_empty() && tenants.others.is_empty() {
                    found.remove();
                }
            }
        }
        if let Owner::Tenant(tenant) = owner {
            for (iss, audience) in &part.pending {
                remove_from(&mut self.pending, iss, audience, |tenants| {
                    tenants.remove(&tenant);
                    tenants.is_empty()
                });
            }
        }
        for (iss, claim) in &part.audience_claims {
            if let Entry::Occupied(mut found) = self.audience_claims.entry(iss.clone()) {
                let claims = found.get_mut();
                if let Some(entries) = claims.get_mut(claim) {
                    *entries -= 1;
                    if *entries == 0 {
                        claims.remove(claim);
                    }
                }
                if claims.is_empty() {
                    found.remove();
                }
            }
        }
        for Serving { issuer, audiences } in &part.issuers {
            for audience in audiences {
                remove_from(
                    &mut self.pairs,
                    issuer.config.issuer(),
                    audience,
                    |holders| {
                        holders.retain(|holder| !Arc::ptr_eq(holder, issuer));
                        holders.is_empty()
                    },
                );
            }
        }
    }

    /// The issuer whose rules a token is to be judged by.
    pub(in super::super) fn find(&self, token: &Unverified<'_>) -> Result<Arc<Issuer>, Refusal> {
        let forms = forms(token.issuer(), token.claims());
        let mut found: Option<&Arc<Issuer>> = None;
        let mut is_contested = false;
        let mut is_named = false;
        for iss in &forms {
            let pairs = self.pairs.get(iss);
            for (claim, audience) in self.audiences(iss, token.claims()) {
                is_named = true;
                match pairs
                    .and_then(|pairs| pairs.get(audience))
                    .map(Vec::as_slice)
                {
                    None | Some([]) => {}
                    // Named, but not by the claim that plays the audience there.
                    Some([issuer]) if issuer.config.audience_claim() != claim => {}
                    Some([issuer]) if found.is_some_and(|other| other.id != issuer.id) => {
                        return Err(Refusal::AmbiguousAudience);
                    }
                    Some([issuer]) => found = Some(issuer),
                    // Nobody's.
                    Some(_) => is_contested = true,
                }
            }
        }
        let is_waited_for = |iss: &String| self.waiting(iss, token.claims()).next().is_some();
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
            .flat_map(|(claim, _)| {
                let names = claim.find(claims).unwrap_or_default().into_iter();
                names.map(|name| (*claim, name))
            })
            .collect()
    }

    /// The tenants whose tokens these would be, once it is proven. Where the issuer is proven to be some tenants', the others that
    /// have registered it are told nothing.
    fn waiting(&self, issuer: &str, claims: &Map<String, Value>) -> impl Iterator<Item = TenantId> {
        let pairs = self.pending.get(issuer);
        let audiences = self.audiences(issuer, claims).into_iter();
        let waiting: Vec<_> = audiences
            .filter_map(|(_, audience)| pairs?.get(audience))
            .collect();
        let proven = self.registered.get(issuer).map(|tenants| &tenants.proven);
        let proven = proven.filter(|proven| !proven.is_empty());
        let waiting = waiting.into_iter().flatten().copied();
        waiting.filter(move |tenant| proven.is_none_or(|proven| proven.contains(tenant)))
    }

    /// The one tenant whose token a refused one would be: by its issuer and audience, else by its issuer where that is one
    /// tenant's alone. `None` where it could be several tenants', so that no tenant learns of another's.
    pub(in super::super) fn claimed_tenant(&self, claims: &Claims) -> Option<TenantId> {
        let tenant = self.candidate(claims)?;
        self.active.contains_key(&tenant).then_some(tenant)
    }

    /// Each that it could be is a tenant, or `None` for one that does not exist.
    fn candidate(&self, claims: &Claims) -> Option<TenantId> {
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
                self.tenant_id(name)
            }
        };
        let audiences = self.audiences(issuer, &claims.all).into_iter();
        let mut meant = audiences
            .filter_map(|(_, audience)| pairs?.get(audience))
            .map(|holders| match holders.as_slice() {
                [issuer] => named(issuer),
                _ => None,
            })
            .peekable();
        if meant.peek().is_some() {
            return sole(meant)?;
        }
        let mut waiting = self.waiting(issuer, &claims.all).map(Some).peekable();
        if waiting.peek().is_some() {
            return sole(waiting)?;
        }
        let shared = self.parts.get(&Owner::Installation).into_iter();
        let shared = shared.flat_map(|part| &part.issuers);
        let shared = shared.filter(|shared| shared.issuer.config.issuer() == issuer);
        let shared = shared.map(|shared| named(&shared.issuer));
        let registered = self.registered.get(issuer);
        let proven = registered.into_iter().flat_map(|tenants| &tenants.proven);
        let mut known = shared.chain(proven.map(|tenant| Some(*tenant))).peekable();
        if known.peek().is_some() {
            return sole(known)?;
        }
        let others = registered.into_iter().flat_map(|tenants| &tenants.others);
        sole(others.map(|tenant| Some(*tenant)))?
    }

    /// The tenant of a verified token, and whether it is active.
    pub(in super::super) fn tenant(
        &self,
        issuer: &Issuer,
        token: &Verified<'_>,
    ) -> Result<(TenantId, bool), Refusal> {
        let tenant = match &issuer.binding {
            TenantBinding::Fixed(tenant) => Some(*tenant),
            TenantBinding::ByClaim { claim } => {
                token.text(claim).and_then(|name| self.tenant_id(name))
            }
        };
        let tenant = tenant.ok_or(Refusal::UnknownTenant)?;
        Ok((tenant, self.is_active(tenant)?))
    }

    /// The issuer whose endpoint judges opaque tokens that were sent for a tenant.
    pub(in super::super) fn introspecting(
        &self,
        sent_for: &str,
    ) -> Result<(TenantId, Arc<Issuer>), Refusal> {
        let tenant = self.tenant_id(sent_for).ok_or(Refusal::UnknownTenant)?;
        let part = self.parts.get(&Owner::Tenant(tenant));
        let issuer = part.and_then(|part| part.introspecting.as_ref());
        let issuer = issuer.ok_or(Refusal::NoIntrospection)?;
        Ok((tenant, Arc::clone(issuer)))
    }

    /// What may be logged of a refused opaque token that was sent for a tenant.
    pub(in super::super) fn claimed_for(&self, sent_for: &str) -> Claimed {
        let tenant = self.tenant_id(sent_for);
        let tenant = tenant.filter(|tenant| self.active.contains_key(tenant));
        match self.introspecting(sent_for) {
            Ok((_, issuer)) => Claimed::of_opaque(tenant, issuer.config.issuer()),
            Err(_) => Claimed::of_opaque(tenant, ""),
        }
    }

    pub(in super::super) fn is_active(&self, tenant: TenantId) -> Result<bool, Refusal> {
        self.active
            .get(&tenant)
            .copied()
            .ok_or(Refusal::UnknownTenant)
    }

    /// Issuers that introspect opaque tokens, of all tenants.
    pub(in super::super) fn introspectors(&self) -> impl Iterator<Item = &Arc<Introspector>> {
        let issuers = self.parts.values();
        let issuers = issuers.filter_map(|part| part.introspecting());
        issuers.filter_map(Issuer::introspector)
    }

    /// What reads as an id is an id, so that no tenant can call itself by another's.
    fn tenant_id(&self, name: &str) -> Option<TenantId> {
        match Uuid::try_parse(name) {
            Ok(id) => Some(TenantId(id)),
            Err(_) => self.by_slug.get(name).copied(),
        }
    }

    pub(in super::super) fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        let parts = self.parts.values().flat_map(|part| &part.issuers);
        parts.map(|serving| &*serving.issuer)
    }
}

impl Part {
    fn is_empty(&self) -> bool {
        self.tenants.is_empty()
            && self.registered.is_empty()
            && self.pending.is_empty()
            && self.audience_claims.is_empty()
            && self.issuers.is_empty()
            && self.introspecting.is_none()
    }
}

/// Changes what is under two keys, and leaves nothing empty behind; `change` says whether it is.
fn remove_from<T>(
    map: &mut HashMap<String, HashMap<String, T>>,
    outer: &str,
    inner: &str,
    change: impl FnOnce(&mut T) -> bool,
) {
    let Some(inside) = map.get_mut(outer) else {
        return;
    };
    if inside.get_mut(inner).is_some_and(change) {
        inside.remove(inner);
    }
    if inside.is_empty() {
        map.remove(outer);
    }
}

/// The one that all are; `None` where they differ, which the second that differs is enough to tell.
fn sole<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// What an issuer's entries may call the `iss` of a token: as it is, or by its form.
fn forms(iss: &str, claims: &Map<String, Value>) -> Vec<String> {
    let form = form_of(iss, claims);
    std::iter::once(iss.to_owned()).chain(form).collect()
}
