//! What use cases receive: everything that the main job needs, put together once in app.rs.

use std::net::IpAddr;
use std::sync::Arc;

use crate::anam::Anam;
use crate::auth::{AuthError, Authenticator, SingleSignOn};
use crate::clock::Clock;
use crate::crypto::password::Passwords;
use crate::crypto::seal::KeyRing;
use crate::domain::caller::Caller;
use crate::domain::ids::{RequestId, TenantId};
use crate::ledger::Ledger;
use crate::limits::{AddressAdmitted, AdminAdmitted, Admitted, Limits, TooMany, one_address};
use crate::refusals::{Refusals, Refused, Why};
use crate::sources::{LiveTenant, Sources};
use crate::store::Database;
use crate::telemetry::metrics::{Asked, Limit, Metrics};
use crate::telemetry::note_tenant;
use crate::work::{Work, WorkError};

/// How a user's page calls; nothing of it is believed yet.
#[derive(Debug, Clone, Copy)]
pub struct UserCall<'a> {
    /// The token, without `Bearer`.
    pub token: &'a str,
    /// Where it is opaque, and the page says whose it is.
    pub opaque: Option<Opaque<'a>>,
    /// The page's web origin, where the browser names one that is not the gateway's own.
    pub origin: Option<&'a str>,
    /// The request.
    pub request: Option<RequestId>,
}

/// What a request says of an opaque token, which says nothing itself.
#[derive(Debug, Clone, Copy)]
pub struct Opaque<'a> {
    /// The tenant whose issuer is to be asked: its name in URLs, or its id.
    pub sent_for: &'a str,
    /// Where the request comes from, if that is known.
    pub from: Option<IpAddr>,
}

/// The rooms that a use case may enter.
#[derive(Debug)]
pub struct Gateway {
    /// Verifies users' JWTs.
    pub auth: Arc<Authenticator>,
    /// Counts requests in.
    pub limits: Limits,
    /// Reads what is live.
    pub sources: Arc<Sources>,
    /// Records sessions.
    pub ledger: Ledger,
    /// Counts who is refused, for the tenants' admins.
    pub refusals: Refusals,
    /// Asks Anam.
    pub anam: Anam,
    /// For use cases of admins and operators. However long they wait in it, nobody else does.
    pub database: Database,
    /// For users' own changes.
    pub users_database: Database,
    /// Seals secrets, and marks cursors.
    pub keys: KeyRing,
    /// The time, and new ids.
    pub clock: Clock,
    /// Threads for what admins ask for.
    pub work: Work,
    /// Passwords of people who administer.
    pub passwords: Passwords,
    /// Their identity providers.
    pub sso: SingleSignOn,
    /// Counters.
    pub metrics: Metrics,
}

impl Gateway {
    /// Judges a user's token, and counts refusals.
    pub async fn authenticate(&self, call: &UserCall<'_>) -> Result<Caller, AuthError> {
        let judged = match call.opaque {
            None => self.auth.authenticate(call.token).await,
            Some(Opaque { sent_for, from }) => {
                let from = from.map(one_address);
                self.auth.introspect(call.token, sent_for, from).await
            }
        };
        match &judged {
            Ok(caller) => note_tenant(caller.tenant),
            Err(AuthError::NotKnownYet) => {}
            Err(AuthError::TooManyRefused { .. }) => {
                self.metrics.limit_refusal(Limit::Introspection);
            }
            Err(error) => self.note_refused_token(call, error),
        }
        judged
    }

    fn note_refused_token(&self, call: &UserCall<'_>, error: &AuthError) {
        let claimed = match call.opaque {
            None => self.auth.claimed(call.token),
            Some(Opaque { sent_for, .. }) => self.auth.claimed_for(sent_for),
        };
        let reason = error.as_label();
        self.metrics.auth_refusal(reason);
        tracing::info!(
            reason,
            tenant.id = claimed.tenant.map(display),
            token.issuer = claimed.issuer,
            token.audience = claimed.audience,
            token.kid = claimed.kid,
            "a token was refused"
        );
        let why = match error {
            AuthError::Refused(refusal) => Why::Token(*refusal),
            AuthError::KeysUnavailable { .. } => Why::KeysUnavailable,
            AuthError::IntrospectionUnavailable { .. } => Why::IntrospectionUnavailable,
            AuthError::TenantSuspended { .. }
            | AuthError::TooManyRefused { .. }
            | AuthError::NotKnownYet => return,
        };
        self.refusals
            .note(Refused::token(why, claimed, call.request));
    }

    /// Whether the page that a user calls from is one of the tenant's; counts the others.
    pub fn admit_origin(&self, call: &UserCall<'_>, tenant: &LiveTenant) -> bool {
        match call.origin {
            Some(origin) if !tenant.snapshot.policy.allows_origin(origin) => {
                self.metrics.origin_refusal(Asked::Request);
                self.note_refused_origin(Some(tenant.snapshot.tenant), origin, call.request);
                false
            }
            _ => true,
        }
    }

    /// Counts a preflight for a page that is no tenant's. `neighbour` is the tenant that may have meant it.
    pub fn note_refused_preflight(
        &self,
        neighbour: Option<TenantId>,
        origin: &str,
        request: Option<RequestId>,
    ) {
        self.metrics.origin_refusal(Asked::Preflight);
        self.note_refused_origin(neighbour, origin, request);
    }

    fn note_refused_origin(
        &self,
        tenant: Option<TenantId>,
        origin: &str,
        request: Option<RequestId>,
    ) {
        let refused = Refused::origin(tenant, origin, request);
        tracing::info!(
            tenant.id = tenant.map(display),
            origin = refused.origin,
            "a page's origin was refused"
        );
        self.refusals.note(refused);
    }

    /// Counts a request in, or counts its refusal.
    pub fn admit(&self, caller: &Caller) -> Result<Admitted, TooMany> {
        let counted = self.limits.admit(caller);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Counts an admin's try-out in, which makes the gateway ask somebody else, or counts its refusal.
    pub fn admit_try_out(&self, tenant: TenantId) -> Result<(), TooMany> {
        let counted = self.limits.admit_try_out(tenant);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Counts a request from an address in, or counts its refusal.
    pub fn admit_address(&self, address: IpAddr) -> Result<(), TooMany> {
        let counted = self.limits.admit_address(address);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Counts a request to the admin API in, before its credential is looked up, or counts its refusal.
    pub async fn admit_admin_address(&self, address: IpAddr) -> Result<AddressAdmitted, TooMany> {
        let counted = self.limits.admit_admin_address(address).await;
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Counts a request with a tenant's admin credential in, or counts its refusal.
    pub async fn admit_admin(&self, tenant: TenantId) -> Result<AdminAdmitted, TooMany> {
        let counted = self.limits.admit_admin(tenant).await;
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Does what takes the processor for long away from the threads that answer users; see [`Work::run`].
    pub async fn work<T: Send + 'static>(
        &self,
        tenant: TenantId,
        job: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let done = self.work.run(tenant, job).await;
        done.inspect_err(|error| {
            if *error == WorkError::Busy {
                self.metrics.limit_refusal(Limit::Work);
            }
        })
    }
}
