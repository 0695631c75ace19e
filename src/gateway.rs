//! What use cases receive: everything that the main job needs, put together once in app.rs.

use std::net::IpAddr;
use std::sync::Arc;

use crate::anam::Anam;
use crate::auth::{AuthError, Authenticator, SingleSignOn};
use crate::clock::Clock;
use crate::crypto::password::Passwords;
use crate::crypto::seal::KeyRing;
use crate::domain::caller::Caller;
use crate::domain::ids::TenantId;
use crate::ledger::Ledger;
use crate::limits::{Admitted, Limits, TooMany};
use crate::sources::Sources;
use crate::store::Database;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::note_tenant;

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
    /// Passwords of people who administer.
    pub passwords: Passwords,
    /// Their identity providers.
    pub sso: SingleSignOn,
    /// Counters.
    pub metrics: Metrics,
}

impl Gateway {
    /// Judges a user's JWT, and counts refusals.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        let judged = self.auth.authenticate(token).await;
        match &judged {
            Ok(caller) => note_tenant(caller.tenant),
            Err(error) => {
                tracing::info!(reason = error.as_label(), "a token was refused");
                self.metrics.auth_refusal(error.as_label());
            }
        }
        judged
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
    pub fn admit_admin_address(&self, address: IpAddr) -> Result<(), TooMany> {
        let counted = self.limits.admit_admin_address(address);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }

    /// Counts a request with a tenant's admin credential in, or counts its refusal.
    pub fn admit_admin(&self, tenant: TenantId) -> Result<(), TooMany> {
        let counted = self.limits.admit_admin(tenant);
        counted.inspect_err(|too_many| self.metrics.limit_refusal(too_many.limit()))
    }
}
