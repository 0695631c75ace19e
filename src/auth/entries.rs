//! Issuers and tenants as the database has them, to make the directory of.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretSlice;

use super::keys::SetRefusal;
use crate::crypto::token::NoRandomness;
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::issuer::{IssuerConfig, TenantBinding};

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
    pub(super) fn owner(&self) -> Owner {
        match &self.binding {
            TenantBinding::Fixed(tenant) => Owner::Tenant(*tenant),
            TenantBinding::ByClaim { .. } => Owner::Installation,
        }
    }

    /// The audiences whose tokens are taken.
    pub(super) fn serves(&self) -> impl Iterator<Item = &String> {
        let audiences = self.config.audiences().iter();
        audiences.filter(|audience| !self.pending.contains(audience))
    }
}

impl fmt::Display for DirectoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "issuer {}: {}", self.issuer, self.reason)
    }
}
