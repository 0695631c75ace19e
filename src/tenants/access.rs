//! Who may call: reads the tenants' issuers for the authenticator, and their allowed web origins. A change costs what its tenant has,
//! however many tenants there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::auth::{
    Authenticator, Directory, DirectoryFault, IssuerEntry, Owner, RegisteredUrl, TenantEntry,
};
use crate::crypto::seal::KeyRing;
use crate::domain::ids::TenantId;
use crate::domain::issuer::{ClaimPath, IssuerConfig, TenantBinding};
use crate::domain::policy::Origin;
use crate::store::issuers::{IssuerRow, SharedIssuerRow};
use crate::store::sealed::SealedColumn;
use crate::store::tenant_tx::PlatformTx;
use crate::store::{Database, StoreError};
use crate::tenants::issuer_secret;

/// Tenants that are read in one transaction when all are.
const PAGE: i64 = 500;
/// Tenants that are read in one transaction when many have changed.
const CHUNK: usize = 100;

/// Every tenant's allowed origins together: enough to answer a preflight, which names no tenant.
#[derive(Debug, Default)]
pub struct Origins(RwLock<OriginIndex>);

#[derive(Debug, Default)]
struct OriginIndex {
    /// The origins that each tenant allows.
    of: HashMap<TenantId, Vec<Origin>>,
    /// An origin's text -> who allows it.
    origins: HashMap<String, HashSet<TenantId>>,
    /// A host -> whose pages come from there.
    hosts: HashMap<String, HashSet<TenantId>>,
}

impl Origins {
    /// Whether any tenant's pages may come from there.
    pub fn any_allows(&self, origin: &str) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Origin::naming(origin).any(|text| known.origins.contains_key(text))
    }

    /// The one tenant that has allowed another origin of the same host: it may have mistaken the scheme or the port.
    pub fn neighbour_of(&self, origin: &str) -> Option<TenantId> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut tenants = known.hosts.get(&host_of(origin)?)?.iter();
        let tenant = tenants.next()?;
        tenants.next().is_none().then_some(*tenant)
    }

    fn replace_all(&self, all: HashMap<TenantId, Vec<Origin>>) {
        let mut known = OriginIndex::default();
        for (tenant, origins) in all {
            known.replace(tenant, origins);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn replace(&self, tenant: TenantId, origins: Vec<Origin>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.replace(tenant, origins);
    }
}

impl OriginIndex {
    fn replace(&mut self, tenant: TenantId, origins: Vec<Origin>) {
        for origin in self.of.remove(&tenant).unwrap_or_default() {
            remove(&mut self.origins, origin.as_str(), tenant);
            if let Some(host) = host_of(origin.as_str()) {
                remove(&mut self.hosts, &host, tenant);
            }
        }
        for origin in &origins {
            let text = origin.as_str().to_owned();
            self.origins.entry(text).or_default().insert(tenant);
            if let Some(host) = host_of(origin.as_str()) {
                self.hosts.entry(host).or_default().insert(tenant);
            }
        }
        if !origins.is_empty() {
            self.of.insert(tenant, origins);
        }
    }
}

fn remove(from: &mut HashMap<String, HashSet<TenantId>>, text: &str, tenant: TenantId) {
    if let Some(tenants) = from.get_mut(text) {
        tenants.remove(&tenant);
        if tenants.is_empty() {
            from.remove(text);
        }
    }
}

/// Keeps true who may call: reads it of all tenants, or of some, and puts it in.
#[derive(Debug, Clone)]
pub struct Access {
    pub database: Database,
    pub keys: KeyRing,
    /// The authenticator, which gets the issuers.
    pub auth: Arc<Authenticator>,
    /// The index that preflights are answered from.
    pub origins: Arc<Origins>,
}

/// The revisions that tenants had when they were read.
pub type Revisions = BTreeMap<TenantId, i64>;

impl Access {
    /// `keys` open shared secrets; what is read goes to `auth` and `origins`.
    pub fn new(
        database: Database,
        keys: KeyRing,
        auth: Arc<Authenticator>,
        origins: Arc<Origins>,
    ) -> Self {
        Self {
            database,
            keys,
            auth,
            origins,
        }
    }

    /// Reads everything again, page by page, and swaps it in.
    pub async fn read_all(&self) -> Result<Revisions, StoreError> {
        let mut directory = Directory::default();
        let mut origins = HashMap::new();
        let mut revisions = Revisions::new();
        let mut after = None;
        loop {
            let mut tx = self.database.platform().await?;
            let page = tx.revisions(after, PAGE).await?;
            let tenants: Vec<TenantId> = page.iter().map(|(tenant, _)| *tenant).collect();
            let parts = self.parts(&mut tx, &tenants).await?;
            tx.commit().await?;
            for part in parts {
                revisions.extend(part.revision.map(|revision| (part.tenant, revision)));
                origins.insert(part.tenant, part.origins);
                directory.tenants.extend(part.directory.tenants);
                directory.registered.extend(part.directory.registered);
                directory.issuers.extend(part.directory.issuers);
            }
            after = tenants.last().copied();
            if after.is_none() {
                break;
            }
        }
        directory.issuers.extend(self.shared().await?);
        self.origins.replace_all(origins);
        report(self.auth.replace_directory(directory));
        Ok(revisions)
    }

    /// Reads these tenants again, and puts them in one by one. Those without a revision do not exist (any more).
    pub async fn read_some(&self, tenants: &[TenantId]) -> Result<Revisions, StoreError> {
        let mut revisions = Revisions::new();
        for tenants in tenants.chunks(CHUNK) {
            let mut tx = self.database.platform().await?;
            let parts = self.parts(&mut tx, tenants).await?;
            tx.commit().await?;
            for part in parts {
                revisions.extend(part.revision.map(|revision| (part.tenant, revision)));
                self.origins.replace(part.tenant, part.origins);
                let owner = Owner::Tenant(part.tenant);
                report(self.auth.replace_part(owner, part.directory));
            }
        }
        Ok(revisions)
    }

    /// Reads the shared issuers again, and puts them in.
    pub async fn read_shared(&self) -> Result<(), StoreError> {
        let part = Directory {
            issuers: self.shared().await?,
            ..Directory::default()
        };
        report(self.auth.replace_part(Owner::Installation, part));
        Ok(())
    }

    async fn parts(
        &self,
        tx: &mut PlatformTx,
        tenants: &[TenantId],
    ) -> Result<Vec<TenantPart>, StoreError> {
        let mut parts: BTreeMap<TenantId, TenantPart> = tenants
            .iter()
            .map(|tenant| (*tenant, TenantPart::empty(*tenant)))
            .collect();
        for row in tx.callable_tenants(tenants).await? {
            if let Some(part) = parts.get_mut(&row.id) {
                part.revision = Some(row.revision);
                if row.active {
                    part.origins = allowed_origins(&row.allowed_origins).collect();
                }
                part.directory.tenants.push(TenantEntry {
                    id: row.id,
                    slug: row.slug,
                    active: row.active,
                });
            }
        }
        for (tenant, row) in tx.issuers_of(tenants).await? {
            if let Some(part) = parts.get_mut(&tenant) {
                let issuer = own_issuer(&self.keys, tenant, row);
                part.directory.issuers.extend(issuer);
            }
        }
        for (issuer, tenant, is_proven) in tx.registered_issuers_of(tenants).await? {
            if let Some(part) = parts.get_mut(&tenant) {
                part.directory.registered.push(RegisteredUrl {
                    issuer,
                    tenant,
                    is_proven,
                });
            }
        }
        Ok(parts.into_values().collect())
    }

    async fn shared(&self) -> Result<Vec<IssuerEntry>, StoreError> {
        let mut tx = self.database.platform().await?;
        let rows = tx.shared_issuers().await?;
        tx.commit().await?;
        Ok(rows.into_iter().filter_map(shared_issuer).collect())
    }
}

/// What of one tenant decides who may call.
struct TenantPart {
    tenant: TenantId,
    /// `None` where it does not exist.
    revision: Option<i64>,
    origins: Vec<Origin>,
    directory: Directory,
}

impl TenantPart {
    fn empty(tenant: TenantId) -> Self {
        Self {
            tenant,
            revision: None,
            origins: Vec::new(),
            directory: Directory::default(),
        }
    }
}

fn report(faults: Vec<DirectoryFault>) {
    for fault in faults {
        tracing::error!(%fault, "an issuer is left out");
    }
}

/// Only what a preflight needs of a policy; the policy itself is judged when the tenant is loaded.
fn allowed_origins(listed: &Value) -> impl Iterator<Item = Origin> {
    let listed = listed.as_array().into_iter().flatten();
    listed.filter_map(|origin| Origin::parse(origin.as_str()?))
}

/// The host of an origin, without its port.
fn host_of(origin: &str) -> Option<String> {
    let origin = origin.strip_suffix(":*").unwrap_or(origin);
    Some(url::Url::parse(origin).ok()?.host_str()?.to_owned())
}

fn shared_issuer(row: SharedIssuerRow) -> Option<IssuerEntry> {
    let claim = ClaimPath::parse(&row.tenant_claim).inspect_err(|error| {
        tracing::error!(issuer.id = %row.id, %error, "a shared issuer's tenant claim can't be read");
    });
    Some(IssuerEntry {
        id: row.id,
        binding: TenantBinding::ByClaim { claim: claim.ok()? },
        config: parse(&row.id, &Value::Object(row.config))?,
        pending: Vec::new(),
        secrets: Vec::new(),
    })
}

fn own_issuer(keys: &KeyRing, tenant: TenantId, row: IssuerRow) -> Option<IssuerEntry> {
    let config = parse(&row.id, &Value::Object(row.config))?;
    let secrets = match row.shared_secret {
        None => Vec::new(),
        Some(sealed) => {
            match keys.open(&sealed, &SealedColumn::IssuerSecret.place(tenant, row.id.0)) {
                Ok(secret) => issuer_secret::bytes(&config, &secret),
                Err(error) => {
                    tracing::error!(issuer.id = %row.id, %error, "an issuer's secret can't be opened");
                    return None;
                }
            }
        }
    };
    let pending = row.pairs.into_iter();
    let pending = pending.filter(|pair| pair.claimed_at.is_none());
    let pending = pending.map(|pair| pair.audience).collect();
    Some(IssuerEntry {
        id: row.id,
        binding: TenantBinding::Fixed(tenant),
        config,
        pending,
        secrets,
    })
}

fn parse(id: &crate::domain::ids::IssuerId, config: &Value) -> Option<IssuerConfig> {
    IssuerConfig::parse(config)
        .inspect_err(|faults| {
            for fault in faults {
                tracing::error!(issuer.id = %id, %fault, "an issuer's configuration can't be read");
            }
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const KNOWN: [&str; 6] = [
        "https://a.example",
        "https://a.example:8443",
        "http://a.example",
        "https://b.example",
        "http://localhost:*",
        "http://localhost:5173",
    ];
    const ASKED: [&str; 8] = [
        "https://a.example",
        "https://a.example:8443",
        "https://a.example:1",
        "https://b.example",
        "http://localhost",
        "http://localhost:5173",
        "http://localhost:1",
        "http://localhost:*",
    ];

    proptest! {
        #[test]
        fn origins_that_were_changed_tenant_by_tenant_answer_as_if_read_anew(
            steps in prop::collection::vec((0..3_u128, prop::collection::vec(0..KNOWN.len(), 0..3)), 1..12)
        ) {
            let changed = Origins::default();
            let mut all = HashMap::new();
            for (tenant, origins) in steps {
                let tenant = TenantId(Uuid::from_u128(tenant));
                let origins: Vec<Origin> = origins.into_iter().filter_map(|one| Origin::parse(KNOWN[one])).collect();
                changed.replace(tenant, origins.clone());
                all.insert(tenant, origins);
                let anew = Origins::default();
                anew.replace_all(all.clone());
                for asked in ASKED {
                    let allows = all.values().flatten().any(|origin| origin.matches(asked));
                    prop_assert_eq!(changed.any_allows(asked), allows);
                    prop_assert_eq!(anew.any_allows(asked), allows);
                    prop_assert_eq!(changed.neighbour_of(asked), anew.neighbour_of(asked));
                }
            }
            for tenant in all.into_keys() {
                changed.replace(tenant, Vec::new());
            }
            let left = changed.0.read().unwrap();
            prop_assert!(left.of.is_empty() && left.origins.is_empty() && left.hosts.is_empty());
        }
    }
}
