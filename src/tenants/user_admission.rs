//! Admission of a user: verified, from an allowed page, with what is live for the tenant.

use std::sync::Arc;

use crate::auth::AuthError;
use crate::domain::caller::Caller;
use crate::gateway::{Gateway, UserCall};
use crate::limits::{Admitted, TooMany};
use crate::sources::{LiveTenant, SourceError};

/// A verified user, with what is live for their tenant.
#[derive(Debug)]
pub struct AdmittedUser {
    pub caller: Caller,
    pub tenant: Arc<LiveTenant>,
    /// The request counts as in flight as long as this is held.
    _admitted: Admitted,
}

/// Why a user is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The token was refused, or its tenant is suspended.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// A rate limit was reached.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The tenant's live documents could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The page's origin is not one of the tenant's.
    #[error("this origin is not allowed")]
    OriginNotAllowed,
}

/// Admits a user.
pub async fn admit_user(
    gateway: &Gateway,
    call: UserCall<'_>,
) -> Result<AdmittedUser, AdmissionError> {
    let caller = gateway.authenticate(&call).await?;
    let mut admitted = gateway.admit(&caller).await?;
    let tenant = gateway.sources.tenant(caller.tenant).await?;
    if !gateway.admit_origin(&call, &tenant) {
        return Err(AdmissionError::OriginNotAllowed);
    }
    gateway
        .admit_by_policy(&caller, &tenant, &mut admitted)
        .await?;
    Ok(AdmittedUser {
        caller,
        tenant,
        _admitted: admitted,
    })
}
