//! Who may call: reads every tenant's issuers for the authenticator, and every allowed web origin.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::auth::{Authenticator, Directory, IssuerEntry, RegisteredUrl, TenantEntry};
use crate::crypto::seal::KeyRing;
use crate::crypto::shared_secret;
use crate::domain::ids::TenantId;
use crate::domain::issuer::{ClaimPath, IssuerConfig, TenantBinding};
use crate::domain::policy::Origin;
use crate::store::issuers::IssuerRow;
use crate::store::sealed::SealedColumn;
use crate::store::tenants::TenantRow;
use crate::store::{Database, StoreError};

/// Every tenant's allowed origins together: enough to answer a preflight, which names no tenant.
#[derive(Debug, Default)]
pub struct Origins(RwLock<Arc<Known>>);

#[derive(Debug, Default)]
struct Known {
    origins: Vec<Origin>,
    /// The tenant whose pages come from a host; `None` where several tenants' do.
    hosts: HashMap<String, Option<TenantId>>,
}

impl Origins {
    /// Whether any tenant's pages may come from there.
    pub fn any_allows(&self, origin: &str) -> bool {
        let known = self.known();
        known.origins.iter().any(|allowed| allowed.matches(origin))
    }

    /// The one tenant that has allowed another origin of the same host: it may have mistaken the scheme or the port.
    pub fn neighbour_of(&self, origin: &str) -> Option<TenantId> {
        *self.known().hosts.get(&host_of(origin)?)?
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, all: Vec<(TenantId, Origin)>) {
        let mut known = Known::default();
        for (tenant, origin) in all {
            if let Some(host) = host_of(origin.as_str()) {
                let holder = known.hosts.entry(host).or_insert(Some(tenant));
                *holder = holder.filter(|other| *other == tenant);
            }
            known.origins.push(origin);
        }
        known.origins.sort();
        known.origins.dedup();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

/// Reads everything anew and swaps it in.
pub async fn refresh(
    database: &Database,
    keys: &KeyRing,
    auth: &Authenticator,
    origins: &Origins,
) -> Result<(), StoreError> {
    let mut tx = database.platform().await?;
    let tenants = tx.tenants().await?;
    let issuers = tx.issuers().await?;
    let shared = tx.shared_issuers().await?;
    let registered = tx.registered_issuers().await?;
    tx.commit().await?;

    origins.replace(
        tenants
            .iter()
            .filter(|tenant| tenant.active)
            .flat_map(|tenant| allowed_origins(tenant).map(|origin| (tenant.id, origin)))
            .collect(),
    );
    let own = issuers
        .into_iter()
        .filter_map(|(tenant, row)| own_issuer(keys, tenant, row));
    let shared = shared.into_iter().filter_map(|row| {
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
    });
    let directory = Directory {
        issuers: own.chain(shared).collect(),
        registered: registered
            .into_iter()
            .map(|(issuer, tenant, is_proven)| RegisteredUrl {
                issuer,
                tenant,
                is_proven,
            })
            .collect(),
        tenants: tenants
            .into_iter()
            .map(|tenant| TenantEntry {
                id: tenant.id,
                slug: tenant.slug,
                active: tenant.active,
            })
            .collect(),
    };
    for fault in auth.replace_directory(directory) {
        tracing::error!(%fault, "an issuer is left out");
    }
    Ok(())
}

/// Only what a preflight needs of a policy; the policy itself is judged when the tenant is loaded.
fn allowed_origins(tenant: &TenantRow) -> impl Iterator<Item = Origin> {
    let listed = tenant
        .policy
        .get("allowedOrigins")
        .and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(|origin| Origin::parse(origin.as_str()?))
}

/// The host of an origin, without its port.
fn host_of(origin: &str) -> Option<String> {
    let origin = origin.strip_suffix(":*").unwrap_or(origin);
    Some(url::Url::parse(origin).ok()?.host_str()?.to_owned())
}

fn own_issuer(keys: &KeyRing, tenant: TenantId, row: IssuerRow) -> Option<IssuerEntry> {
    let secrets = match row.shared_secret {
        None => Vec::new(),
        Some(sealed) => {
            match keys.open(&sealed, &SealedColumn::IssuerSecret.place(tenant, row.id.0)) {
                Ok(secrets) => shared_secret::bytes(&secrets),
                Err(error) => {
                    tracing::error!(issuer.id = %row.id, %error, "an issuer's shared secret can't be opened");
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
        config: parse(&row.id, &Value::Object(row.config))?,
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
