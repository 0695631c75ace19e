//! What somebody who is signed in may do with their own session and account.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::actor::{Actor, TOUCH, is_well_formed};
use super::sign_in::{
    CurrentTenant, IDLE, PendingSession, SignInError, SignedIn, TOKEN_PREFIX, Trust, Visitor,
    actor, begin, prove, target, workplace,
};
use crate::crypto::password::{BadPassword, Password};
use crate::crypto::token::hash_token;
use crate::domain::email::Email;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::audit::AuditEvent;
use crate::store::console_sessions::SessionRow;
use crate::store::people::MembershipRow;

/// Whose session this token is of, if it goes on. Using a session keeps it from falling idle.
pub async fn find(
    gateway: &Gateway,
    token: &SecretString,
) -> Result<Option<SessionRow>, StoreError> {
    if !is_well_formed(token.expose_secret(), TOKEN_PREFIX) {
        return Ok(None);
    }
    let hash = hash_token(token);
    let now = gateway.clock.now();
    let mut tx = gateway.database.platform().await?;
    let session = tx.session(&hash, now, now - IDLE).await?;
    if session
        .as_ref()
        .is_some_and(|session| session.seen_at + TOUCH <= now)
    {
        tx.touch_session(&hash, now).await?;
    }
    tx.commit().await?;
    Ok(session)
}

/// The person of a session, as changes name them.
pub fn actor_of(session: &SessionRow) -> Actor {
    Actor {
        label: format!("person:{}", session.email),
        person: None,
    }
}

/// Whether the session may do what operators do. An identity provider that a tenant's owner configured says nothing about
/// who runs the installation.
pub fn is_operator(session: &SessionRow) -> bool {
    session.operator && !session.by_sso
}

/// The tenants that a session may move to.
pub async fn memberships(
    gateway: &Gateway,
    session: &SessionRow,
) -> Result<Vec<MembershipRow>, StoreError> {
    let here = session.tenant.as_ref().map(|tenant| tenant.id);
    let mut tx = gateway.database.platform().await?;
    let memberships = tx.memberships(session.person).await?;
    tx.commit().await?;
    let within_reach = memberships.into_iter().filter(|membership| {
        if session.by_sso {
            here == Some(membership.tenant)
        } else {
            !membership.by_sso
        }
    });
    Ok(within_reach.collect())
}

/// Ends a session.
pub async fn sign_out(
    gateway: &Gateway,
    session: &SessionRow,
    from: &Visitor,
) -> Result<(), StoreError> {
    let (actor, target) = (actor_of(session).label, format!("person/{}", session.email));
    let event = AuditEvent {
        id: gateway.clock.new_id(),
        at: gateway.clock.now(),
        actor: &actor,
        action: "person.sign_out",
        target: &target,
        before_hash: None,
        after_hash: None,
        request_id: from.request_id.as_deref(),
        details: json!({}),
    };
    let Some(tenant) = &session.tenant else {
        let mut tx = gateway.database.platform().await?;
        tx.end_session(&session.hash).await?;
        tx.audit(&event).await?;
        return tx.commit().await;
    };
    let mut tx = gateway.database.tenant(tenant.id).await?;
    tx.end_session(&session.hash).await?;
    tx.audit(&event).await?;
    tx.commit().await
}

/// Goes on in another tenant: a new session takes the old one's place, and ends when that one would have.
pub async fn switch(
    gateway: &Gateway,
    session: &SessionRow,
    slug: &str,
    from: &Visitor,
) -> Result<SignedIn, SignInError> {
    let memberships = memberships(gateway, session).await?;
    let Some(membership) = memberships
        .iter()
        .find(|membership| membership.slug == slug)
    else {
        let within_reach = memberships.into_iter().map(|membership| membership.slug);
        return Err(SignInError::WhichTenant(within_reach.collect()));
    };
    let email = email_of(session)?;
    begin(
        gateway,
        &PendingSession {
            person: session.person,
            email: &email,
            password_hash: None,
            by_sso: session.by_sso,
            instead_of: Some(session.hash),
            expires_at: session.expires_at,
            factor_at: session.factor_at,
            proven_at: session.proven_at,
            how: json!({ "by": "switch" }),
            request_id: from.request_id.as_deref(),
        },
        Some(workplace(membership)?),
    )
    .await
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The current one is wrong, or there is none.
    #[error(transparent)]
    Current(#[from] SignInError),
    /// The new one may not be set.
    #[error(transparent)]
    New(#[from] BadPassword),
}

impl From<StoreError> for PasswordError {
    fn from(error: StoreError) -> Self {
        Self::Current(error.into())
    }
}

/// Sets another password, after a look at the current one; all sessions of the person end, this one too.
pub async fn change_password(
    gateway: &Gateway,
    session: &SessionRow,
    current: &SecretString,
    new: SecretString,
    from: &Visitor,
) -> Result<(), PasswordError> {
    let email = email_of(session)?;
    let new = Password::parse(new, &email)?;
    let proven = prove(gateway, &email, current, Trust::SignedIn, from.address).await?;
    let hash = gateway
        .passwords
        .hash(&new)
        .await
        .map_err(SignInError::from)?;
    let (actor, target) = (actor(&email), target(&email));
    let changed_password = AuditEvent {
        id: gateway.clock.new_id(),
        at: gateway.clock.now(),
        actor: &actor,
        action: "person.change_password",
        target: &target,
        before_hash: None,
        after_hash: None,
        request_id: from.request_id.as_deref(),
        details: json!({}),
    };
    // Each door has an audit trail of its own.
    macro_rules! change_through {
        ($door:expr) => {{
            let mut tx = $door.await?;
            let before = Some(proven.password_hash.as_str());
            let changed = tx.set_password(session.person, before, &hash).await?;
            tx.end_sessions(session.person).await?;
            tx.audit(&changed_password).await?;
            if changed {
                tx.commit().await?;
            }
            changed
        }};
    }
    let changed = if let Some(tenant) = &session.tenant {
        change_through!(gateway.database.tenant(tenant.id))
    } else {
        change_through!(gateway.database.platform())
    };
    if changed {
        Ok(())
    } else {
        Err(SignInError::Refused("changed_meanwhile").into())
    }
}

/// The tenant that a session works in, as another one begins with it.
pub(super) fn workplace_of(session: &SessionRow) -> Result<Option<CurrentTenant>, SignInError> {
    let Some(tenant) = &session.tenant else {
        return Ok(None);
    };
    if !tenant.active {
        return Err(SignInError::Suspended);
    }
    Ok(Some(CurrentTenant {
        tenant: tenant.id,
        slug: tenant.slug.clone(),
        name: tenant.slug.clone(),
        role: tenant.role,
    }))
}

pub(super) fn email_of(session: &SessionRow) -> Result<Email, StoreError> {
    Email::parse(&session.email)
        .map_err(|error| StoreError::Unreadable(format!("an admin's address {error}")))
}
