//! Who is calling: a bearer token in, a [`Caller`] out.
//!
//! The unverified (issuer, audience) picks the rules, and everything is judged by them afterwards.
//! Nothing here touches the database; keys come from memory, fetched under the outbound guard.

mod available_keys;
mod check;
mod claimed;
mod client_auth;
mod directory;
mod discovery;
mod entries;
mod explain;
mod fetch_error;
mod fetcher;
mod introspection;
mod jwks;
mod jws;
mod keys;
mod lenient;
mod outbound;
mod refusal;
mod sso;
mod verify;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::domain::caller::Caller;
use crate::domain::ids::{IssuerId, TenantId};
use crate::telemetry::metrics::Metrics;

use directory::{Index, Part};
use fetcher::{Fetcher, MemoryBudget};
use introspection::ALL_BYTES;
use jwks::{KeysUnavailable, SecondLook};

pub use check::{
    CheckReport, KeyReport, OwnershipClaim, SkipReport, TENANT_CLAIM, ownership_claim,
    problems_of_given_keys,
};
pub use claimed::Claimed;
pub use entries::{
    Directory, DirectoryFault, FaultReason, IssuerEntry, Owner, RegisteredUrl, TenantEntry,
};
pub use explain::{Step, TokenReport};
pub use fetch_error::FetchError;
pub use fetcher::{IntrospectionSettings, JwksSettings};
pub use introspection::is_opaque;
pub use jwks::{KeyHealth, KeyState};
pub use jws::MAX_TOKEN_BYTES;
pub use keys::{Key, KeySet, MAX_KEYS, SetRefusal, Skip, SkippedKey};
pub use outbound::{
    BadCertificate, MAX_BODY_BYTES, Outbound, OutboundError, OutboundPolicy, OutboundSetupError,
};
pub use refusal::Refusal;
pub use sso::{EmailProof, SingleSignOn, SsoAttempt, SsoClient, SsoError, SsoIdentity};
pub use verify::{Unverified, Verified, peek, verify};

/// Why a caller is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The token is not good: 401, with one body for all reasons.
    #[error("token refused: {0}")]
    Refused(#[from] Refusal),
    /// The issuers were never read, since there was no database yet: 503.
    #[error("who may call is not known yet")]
    NotKnownYet,
    /// The issuer's keys are unavailable at the moment, which is not the token's fault: 503.
    #[error("the issuer's signing keys are not available")]
    KeysUnavailable {
        /// When to try again; at least a second.
        retry_after: Duration,
    },
    /// The issuer's introspection endpoint may get no request at the moment, or does not answer: 503.
    #[error("the issuer did not say whether the token is good")]
    IntrospectionUnavailable {
        /// When to try again; at least a second.
        retry_after: Duration,
    },
    /// Too many refused tokens came from this address: 429.
    #[error("too many tokens from this address were refused")]
    TooManyRefused {
        /// When the next one is judged.
        retry_after: Duration,
    },
    /// The token is good, its tenant is suspended: 403.
    #[error("the tenant is suspended")]
    TenantSuspended {
        /// Which tenant, for the log.
        tenant: TenantId,
    },
}

impl AuthError {
    /// Stable name for logs and metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.as_label(),
            Self::NotKnownYet => "not_known_yet",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::IntrospectionUnavailable { .. } => "introspection_unavailable",
            Self::TooManyRefused { .. } => "too_many_refused",
            Self::TenantSuspended { .. } => "tenant_suspended",
        }
    }
}

impl From<KeysUnavailable> for AuthError {
    fn from(KeysUnavailable { retry_after }: KeysUnavailable) -> Self {
        Self::KeysUnavailable { retry_after }
    }
}

/// Turns bearer tokens into callers. One per process, shared by reference.
pub struct Authenticator {
    /// Held for look-ups and swaps only, never while something is computed or awaited.
    index: RwLock<Index>,
    /// Whether a directory was ever set. Before that no issuer is known, which is not the token's fault.
    is_filled: AtomicBool,
    fetcher: Arc<Fetcher>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Knows no issuer until [`Authenticator::replace_directory`]. Fetches run as tasks of
    /// `tracker` on `runtime`, which should outlive the web workers.
    pub fn new(
        outbound: OutboundPolicy,
        settings: JwksSettings,
        introspection: IntrospectionSettings,
        clock: Clock,
        tracker: TaskTracker,
        runtime: Handle,
        metrics: Metrics,
    ) -> Result<Self, OutboundSetupError> {
        let fetcher = Fetcher {
            outbound: Outbound::new(outbound)?,
            settings,
            introspection,
            room: MemoryBudget::new(ALL_BYTES),
            clock,
            tracker,
            runtime,
            metrics,
        };
        Ok(Self {
            index: RwLock::default(),
            is_filled: AtomicBool::new(false),
            fetcher: Arc::new(fetcher),
        })
    }

    /// Asks identity providers by the same rules as issuers.
    pub fn single_sign_on(&self) -> SingleSignOn {
        SingleSignOn::new(Arc::clone(&self.fetcher))
    }

    /// Swaps the whole directory at once, and returns the issuers that it had to leave out. Requests under way finish by the rules that
    /// they began with. Key sets of issuers that did not move stay. To be called by one task at a time.
    pub fn replace_directory(&self, directory: Directory) -> Vec<DirectoryFault> {
        let before = |owner| self.index().part(owner);
        let (index, faults) = Index::build(directory, before, &self.fetcher);
        let old = std::mem::replace(&mut *self.index_to_change(), index);
        self.is_filled.store(true, Ordering::Release);
        // Not under the lock: it may be large.
        drop(old);
        faults
    }

    /// The same for what belongs to one owner, at a cost that does not depend on how much the others have. Nothing is left of an
    /// owner whose `part` is empty; what of the part is another's is not taken in.
    pub fn replace_part(&self, owner: Owner, part: Directory) -> Vec<DirectoryFault> {
        let before = self.index().part(owner);
        let part = part.by_owner().remove(&owner).unwrap_or_default();
        let (part, mut faults) = Part::open(part, before.as_deref(), &self.fetcher);
        faults.extend(self.index_to_change().replace(owner, part));
        faults
    }

    /// Judges a token by the rules of its issuer.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        let token = peek(token)?;
        if !self.is_filled.load(Ordering::Acquire) {
            return Err(AuthError::NotKnownYet);
        }
        let issuer = self.index().find(&token)?;
        // A token that its own claims refuse is not worth a fetch.
        verify::check_claims(&token, &issuer.config, self.fetcher.clock.now())?;
        let keys = issuer.current_keys(token.algorithm()).await?;
        let judge = |keys: &_| verify(&token, &issuer.config, keys, self.fetcher.clock.now());
        let verified = match judge(&keys) {
            Ok(verified) => verified,
            Err(refusal) if !refusal.may_lie_in_the_keys() => return Err(refusal.into()),
            // The issuer may have other keys by now.
            Err(refusal) => match issuer.second_look(token.algorithm(), &keys).await {
                Ok(SecondLook::Keys(keys)) => judge(&keys)?,
                // Behind a failed or slow fetch an unknown key may well exist: that is not the token's fault.
                Err(unavailable) if refusal == Refusal::UnknownKey => {
                    return Err(unavailable.into());
                }
                Ok(SecondLook::Unchanged) | Err(_) => return Err(refusal.into()),
            },
        };
        let (tenant, active) = self.index().tenant(&issuer, &verified)?;
        if !active {
            return Err(AuthError::TenantSuspended { tenant });
        }
        if !verified.left_out.is_empty() {
            tracing::info!(issuer.id = %issuer.id, facts = ?verified.left_out, "claims left out");
        }
        Ok(Caller {
            tenant,
            issuer: issuer.id,
            subject: verified.subject,
            facts: verified.facts,
            left_out: verified.left_out,
        })
    }

    /// Judges an opaque token (see [`is_opaque`]) by the answer of its issuer's endpoint. `sent_for` names the tenant that the page
    /// means, by its name in URLs or its id: nothing in the token does, and it is shown to that tenant's issuer alone. `from` is where it
    /// came from, where that is known.
    pub async fn introspect(
        &self,
        token: &str,
        sent_for: &str,
        from: Option<IpAddr>,
    ) -> Result<Caller, AuthError> {
        introspection::check_form(token)?;
        if !self.is_filled.load(Ordering::Acquire) {
            return Err(AuthError::NotKnownYet);
        }
        let (tenant, issuer) = self.index().introspecting(sent_for)?;
        let introspector = issuer.introspector().ok_or(Refusal::NoIntrospection)?;
        let known = introspector.judge(token, from).await?;
        if !self.index().is_active(tenant)? {
            return Err(AuthError::TenantSuspended { tenant });
        }
        if !known.left_out.is_empty() {
            tracing::info!(issuer.id = %issuer.id, facts = ?known.left_out, "claims left out");
        }
        Ok(Caller {
            tenant,
            issuer: issuer.id,
            subject: known.subject.clone(),
            facts: known.facts.clone(),
            left_out: known.left_out.clone(),
        })
    }

    /// Whose a refused opaque token would be, by the tenant that it was sent for.
    pub fn claimed_for(&self, sent_for: &str) -> Claimed {
        self.index().claimed_for(sent_for)
    }

    /// Drops expired introspection answers; to be called now and then.
    pub fn forget_introspected(&self) {
        let introspectors: Vec<_> = {
            let index = self.index();
            index.introspectors().map(Arc::clone).collect()
        };
        for introspector in introspectors {
            introspector.tidy();
        }
    }

    /// What a refused token claims to be, and whose it would be, for finding out why it was refused.
    pub fn claimed(&self, token: &str) -> Claimed {
        match claimed::Claims::read(token) {
            Some(claims) => claims.to_claimed(self.index().claimed_tenant(&claims)),
            None => Claimed::default(),
        }
    }

    /// State of the keys that are fetched for one issuer of a tenant; `None` if none are, or if none of its tokens are accepted.
    pub fn key_health_of(&self, tenant: TenantId, issuer: IssuerId) -> Option<KeyHealth> {
        let part = self.index().part(Owner::Tenant(tenant))?;
        part.issuer(issuer)?.key_health()
    }

    /// State of all fetched key sets, in no order: for gauges.
    pub fn key_health(&self) -> Vec<KeyHealth> {
        let index = self.index();
        index
            .issuers()
            .filter_map(directory::Issuer::key_health)
            .collect()
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_to_change(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}
