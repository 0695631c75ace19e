//! A user at the door: verified, from an allowed page, with what is live for the tenant.

use std::sync::Arc;

use crate::auth::AuthError;
use crate::domain::caller::Caller;
use crate::gateway::{Gateway, UserCall};
use crate::limits::{Admitted, TooMany};
use crate::sources::{LiveTenant, SourceError};

/// A user who may use the user API.
#[derive(Debug)]
pub struct Visit {
    /// Who.
    pub caller: Caller,
    /// What is live for their tenant.
    pub tenant: Arc<LiveTenant>,
    /// The visit counts as under way as long as this is held.
    _admitted: Admitted,
}

/// Why a user may not.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// The JWT, or the tenant behind it.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Over a limit.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// What is live could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The page's origin is not one of the tenant's.
    #[error("this origin is not allowed")]
    OriginNotAllowed,
}

/// Lets a user in.
pub async fn visit(gateway: &Gateway, call: UserCall<'_>) -> Result<Visit, VisitError> {
    let caller = gateway.authenticate(&call).await?;
    let admitted = gateway.admit(&caller)?;
    let tenant = gateway.sources.tenant(caller.tenant).await?;
    if !gateway.admit_origin(&call, &tenant) {
        return Err(VisitError::OriginNotAllowed);
    }
    Ok(Visit {
        caller,
        tenant,
        _admitted: admitted,
    })
}
