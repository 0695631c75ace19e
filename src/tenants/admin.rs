//! Who administers a tenant, and how they prove it.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::actor::{Actor, TOUCH, is_well_formed};
use super::sign_in::TOKEN_PREFIX;
use super::signed_in;
use crate::crypto::token::hash_token;
use crate::domain::ids::TenantId;
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::console_sessions::Missing;

/// What the keys of machines start with.
pub const API_KEY_PREFIX: &str = "pgk_";
/// How many first characters of a key are shown to recognise it.
const SHOWN_CHARS: usize = 12;

/// How long ago somebody may have shown who they are, to do something dangerous.
pub const RECENTLY: TimeDelta = TimeDelta::minutes(10);

/// Whether whoever last showed then who they are did so of late. Machines and commands need not.
pub fn is_recent(proven_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    proven_at.is_none_or(|at| at + RECENTLY > now)
}

/// Somebody who may administer one tenant.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Which tenant: it belongs to the credential, never to an address or a body.
    pub tenant: TenantId,
    pub role: Role,
    pub actor: Actor,
    /// The request's id, for the audit trail.
    pub request_id: Option<String>,
    /// When the person last showed who they are; none for machines and commands, who need not.
    pub proven_at: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
pub enum NoAdmin {
    /// No such credential, or no longer.
    #[error("the credential is not good")]
    Refused,
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// Somebody who is signed in, but owes a second factor.
    #[error("the second factor is missing")]
    Missing(Missing),
    /// An operator who is signed in, but works in no tenant.
    #[error("signed in to no tenant")]
    NoTenant,
    /// The database failed or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds whose credential this is: a machine's key, or a person's session.
pub async fn authenticate(gateway: &Gateway, token: &SecretString) -> Result<Admin, NoAdmin> {
    let text = token.expose_secret();
    if is_well_formed(text, API_KEY_PREFIX) {
        by_key(gateway, token).await
    } else if is_well_formed(text, TOKEN_PREFIX) {
        by_session(gateway, token).await
    } else {
        // Anything else is refused without asking the database.
        Err(NoAdmin::Refused)
    }
}

async fn by_key(gateway: &Gateway, token: &SecretString) -> Result<Admin, NoAdmin> {
    let now = gateway.clock.now();
    let mut platform = gateway.database.platform().await?;
    let found = platform.api_key(&hash_token(token), now).await?;
    platform.commit().await?;
    let key = found.ok_or(NoAdmin::Refused)?;
    if !key.tenant_active {
        return Err(NoAdmin::TenantSuspended);
    }
    if key.last_used_at.is_none_or(|at| at + TOUCH <= now) {
        let mut tx = gateway.database.tenant(key.tenant).await?;
        tx.touch_api_key(key.id, now).await?;
        tx.commit().await?;
    }
    Ok(Admin {
        tenant: key.tenant,
        role: key.role,
        actor: Actor {
            label: format!("key:{}", key.prefix),
            person: key.created_by_person,
        },
        request_id: None,
        proven_at: None,
    })
}

async fn by_session(gateway: &Gateway, token: &SecretString) -> Result<Admin, NoAdmin> {
    let session = signed_in::find(gateway, token).await?;
    let session = session.ok_or(NoAdmin::Refused)?;
    if let Some(missing) = session.missing() {
        return Err(NoAdmin::Missing(missing));
    }
    let actor = signed_in::actor_of(&session);
    let tenant = session.tenant.ok_or(NoAdmin::NoTenant)?;
    if !tenant.active {
        return Err(NoAdmin::TenantSuspended);
    }
    Ok(Admin {
        tenant: tenant.id,
        role: tenant.role,
        actor,
        request_id: None,
        proven_at: Some(session.proven_at),
    })
}

/// What may be shown of a key, for people to tell keys apart.
pub fn shown_prefix(key: &SecretString) -> String {
    key.expose_secret().chars().take(SHOWN_CHARS).collect()
}
