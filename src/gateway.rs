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
use crate::lifecycle::Finisher;
use crate::limits::{AddressAdmitted, AdminAdmitted, Admitted, Limits, TooMany, one_address};
use crate::mail::Mail;
use crate::places::Places;
use crate::refusals::{RefusalReason, Refusals, Refused};
use crate::repeats::Repeats;
use crate::sources::{LiveTenant, Sources};
use crate::store::Database;
use crate::telemetry::metrics::{Limit, Metrics, OriginCheck};
use crate::telemetry::note_tenant;
use crate::turns::Nobodys;
use crate::work::{Work, WorkError};

/// A user's call as it arrived; nothing of it is verified yet.
#[derive(Debug, Clone, Copy)]
pub struct UserCall<'a> {
    /// The token, without `Bearer`.
    pub token: &'a str,
    /// Set for an opaque token, whose tenant the request names.
    pub opaque: Option<Opaque<'a>>,
    /// The page's web origin, if the browser sent one that is not the gateway's own.
    pub origin: Option<&'a str>,
    pub request: Option<RequestId>,
}

/// What a request adds to an opaque token, which names no tenant itself.
#[derive(Debug, Clone, Copy)]
pub struct Opaque<'a> {
    /// The tenant whose issuer judges the token: its name in URLs, or its id.
    pub sent_for: &'a str,
    /// The client's address, if it is known.
    pub from: Option<IpAddr>,
}

/// The services that use cases work with.
#[derive(Debug)]
pub struct Gateway {
    /// Verifies users' JWTs.
    pub auth: Arc<Authenticator>,
    /// Rate and concurrency limits.
    pub limits: Limits,
    /// Cached reads of live documents and preferences.
    pub sources: Arc<Sources>,
    /// The writer of the session ledger.
    pub ledger: Ledger,
    /// Counts refused callers, for the tenants' admins.
    pub refusals: Refusals,
    /// What requests with an `Idempotency-Key` got.
    pub repeats: Repeats,
    /// Places of Anam's keys.
    pub places: Places,
    pub anam: Arc<Anam>,
    /// Mail to people who administer; none where no server is configured.
    pub mail: Option<Mail>,
    /// Runs what must end although its client is gone.
    pub finisher: Finisher,
    /// Connections for use cases of admins and operators, apart from those that users wait for.
    pub database: Database,
    /// Connections for users' own changes.
    pub users_database: Database,
    /// Seals secrets, and marks cursors.
    pub keys: KeyRing,
    pub clock: Clock,
    /// Threads for admins' requests.
    pub work: Work,
    /// Passwords of people who administer.
    pub passwords: Passwords,
    /// Single sign-on of people who administer.
    pub sso: SingleSignOn,
    pub metrics: Metrics,
}

impl Gateway {
    /// Verifies a user's token, and counts refusals.
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
            Err(error) => {
                self.note_refused_token(call, error);
            }
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
            AuthError::Refused(refusal) => RefusalReason::Token(*refusal),
            AuthError::KeysUnavailable { .. } => RefusalReason::KeysUnavailable,
            AuthError::IntrospectionUnavailable { .. } => RefusalReason::IntrospectionUnavailable,
            AuthError::TenantSuspended { .. }
            | AuthError::TooManyRefused { .. }
            | AuthError::NotKnownYet => return,
        };
        self.refusals
            .note(Refused::token(why, claimed, call.request));
    }

    /// Whether the tenant allows the web origin that a user calls from; counts a refusal.
    pub fn admit_origin(&self, call: &UserCall<'_>, tenant: &LiveTenant) -> bool {
        match call.origin {
            Some(origin) if !tenant.snapshot.policy.allows_origin(origin) => {
                self.metrics.origin_refusal(OriginCheck::Request);
                self.note_refused_origin(Some(tenant.snapshot.tenant), origin, call.request);
                false
            }
            _ => true,
        }
    }

    /// Counts a preflight of an origin that no tenant allows. `neighbour` is the tenant that allows another origin of the same host.
    pub fn note_refused_preflight(
        &self,
        neighbour: Option<TenantId>,
        origin: &str,
        request: Option<RequestId>,
    ) {
        self.metrics.origin_refusal(OriginCheck::Preflight);
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

    /// Applies the limits of users' requests, waits for the request's turn, and counts a refusal.
    pub async fn admit(&self, caller: &Caller) -> Result<Admitted, TooMany> {
        let counted = self.limits.admit(caller).await;
        if let Err(too_many) = &counted {
            self.metrics.limit_refusal(too_many.limit());
            if too_many.limit() != Limit::Turn {
                // Who asks too often asks again at once.
                self.limits.wait_as(Nobodys::Refused).await;
            }
        }
        counted
    }

    /// Applies the limits of the tenant's own policy, and counts a refusal.
    pub async fn admit_by_policy(
        &self,
        caller: &Caller,
        tenant: &LiveTenant,
        admitted: &mut Admitted,
    ) -> Result<(), TooMany> {
        let rates = tenant.snapshot.policy.limits;
        let counting = self.limits.admit_by_policy(caller, rates, admitted);
        counting
            .await
            .inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Applies the rate limits of test calls, which `by` makes, and counts a refusal.
    pub fn count_test_call(&self, tenant: TenantId, by: &str) -> Result<(), TooMany> {
        let counted = self.limits.count_test_call(tenant, by);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Waits for a test call's turn among users' requests, and counts a refusal.
    pub async fn enter_test_call(&self, tenant: TenantId) -> Result<Admitted, TooMany> {
        let entered = self.limits.enter(tenant).await;
        entered.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Applies the rate limit of an admin's checks that call other servers, and counts a refusal.
    pub fn admit_try_out(&self, tenant: TenantId) -> Result<(), TooMany> {
        let counted = self.limits.admit_try_out(tenant);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Applies the rate limit of a client address, and counts a refusal.
    pub async fn admit_address(&self, address: IpAddr) -> Result<(), TooMany> {
        let counted = self.limits.admit_address(address).await;
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Applies the limit of a client address at the admin API, before the credential is looked up, and counts a refusal.
    pub async fn admit_admin_address(&self, address: IpAddr) -> Result<AddressAdmitted, TooMany> {
        let counted = self.limits.admit_admin_address(address).await;
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Applies the rate limit of a tenant's admin credentials, and counts a refusal.
    pub async fn admit_admin(&self, tenant: TenantId) -> Result<AdminAdmitted, TooMany> {
        let counted = self.limits.admit_admin(tenant).await;
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Runs a job that takes much processor time on a work thread, away from those that answer users; see [`Work::run`].
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
