//! Single sign-on: which provider a tenant trusts, and the way of a browser there and back.
//!
//! What a tenant's provider says counts in that tenant only: see [`super::signed_in`].

pub mod browser_flow;
pub mod code;

use secrecy::SecretString;
use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use super::sign_in::{
    CurrentTenant, PendingSession, SignInError, SignedIn, Visitor, begin, count_refused, ends_at,
};
use crate::auth::{SsoClient, SsoError};
use crate::crypto::seal::SealError;
use crate::crypto::token::NoRandomness;
use crate::domain::email::{Domain, Email};
use crate::domain::ids::{AdminId, TenantId};
use crate::domain::role::Role;
use crate::domain::web_url;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::sealed::SealedColumn;
use crate::store::sso::ProviderRow;
use crate::store::tenants::TenantRow;

/// Longest issuer identifier.
pub const MAX_ISSUER_CHARS: usize = 500;
/// Longest name that a provider calls the gateway by, in characters.
pub const MAX_CLIENT_ID_CHARS: usize = 200;
/// Longest secret of a client, in characters.
pub const MAX_CLIENT_SECRET_CHARS: usize = 500;
/// Most domains of one provider.
pub const MAX_DOMAINS: usize = 20;

/// A provider's issuer identifier, character for character as the provider writes it: a URL without query and fragment
/// (`OpenID` Connect Discovery 1.0, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderIssuer(String);

impl ProviderIssuer {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let plain =
            web_url::parse(text).is_ok_and(|url| url.query().is_none() && url.fragment().is_none());
        if plain && text.len() <= MAX_ISSUER_CHARS {
            Ok(Self(text.to_owned()))
        } else {
            Err(Wrong::ProviderUrl)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A provider to set.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    pub issuer: ProviderIssuer,
    /// What it calls the gateway.
    pub client_id: String,
    /// What it knows the gateway by.
    pub client_secret: SecretChange,
    /// Whose addresses it may speak for.
    pub allowed_domains: Vec<Domain>,
    /// Whether these count also where it does not say that it has verified them.
    pub trusts_addresses: bool,
    /// What somebody without a membership becomes; none turns them away.
    pub new_person_role: Option<Role>,
}

/// What is to become of the client's secret.
#[derive(Debug, Clone)]
pub enum SecretChange {
    /// The stored one stays, if issuer and client stay.
    Keep,
    /// This one.
    Set(SecretString),
    /// Removes the secret: a public client.
    Clear,
}

/// Why a browser was not sent on, or did not come in.
#[derive(Debug, thiserror::Error)]
pub enum SsoFailure {
    /// No such tenant, or it has no provider.
    #[error("the tenant has no single sign-on")]
    NoProvider,
    #[error(transparent)]
    Provider(#[from] SsoError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// A stored secret can't be opened.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl From<StoreError> for SsoFailure {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<NoRandomness> for SsoFailure {
    fn from(error: NoRandomness) -> Self {
        Self::SignIn(error.into())
    }
}

/// The tenant's provider, about to be changed. Nobody else changes it until the change ends.
pub async fn stored(change: &mut Change) -> Result<Option<ProviderRow>, Refusal> {
    change.tx.lock_members().await?;
    Ok(change.tx.sso_provider().await?)
}

/// Sets the tenant's provider in the place of the one that is stored.
pub async fn put(
    change: &mut Change,
    stored: Option<ProviderRow>,
    settings: ProviderSettings,
) -> Result<ProviderRow, Refusal> {
    let tenant = change.tx.tenant();
    let id = stored
        .as_ref()
        .map_or_else(|| change.new_id(), |stored| stored.id);
    let same_issuer = stored
        .as_ref()
        .is_some_and(|stored| stored.issuer == settings.issuer.0);
    let same_client = stored
        .as_ref()
        .is_some_and(|stored| same_issuer && stored.client_id == settings.client_id);
    let client_secret = match settings.client_secret {
        SecretChange::Clear => None,
        SecretChange::Set(secret) => Some(
            change
                .keys
                .seal(&secret, &SealedColumn::SsoClientSecret.place(tenant, id))?,
        ),
        // Kept for the one who gave it: another issuer must not be sent it.
        SecretChange::Keep => stored
            .as_ref()
            .filter(|_| same_client)
            .and_then(|stored| stored.client_secret.clone()),
    };
    if !same_issuer {
        change.tx.forget_sso_subjects().await?;
    }
    let mut allowed_domains: Vec<String> = settings
        .allowed_domains
        .into_iter()
        .map(String::from)
        .collect();
    allowed_domains.sort();
    allowed_domains.dedup();
    let row = ProviderRow {
        id,
        issuer: settings.issuer.0,
        client_id: settings.client_id,
        client_secret,
        allowed_domains,
        trusts_addresses: settings.trusts_addresses,
        new_person_role: settings.new_person_role,
        revision: stored.map_or(1, |stored| stored.revision + 1),
    };
    change.tx.put_sso_provider(&row, change.now).await?;
    change.note(
        "sso.set",
        "sso",
        json!({
            "issuer": row.issuer, "clientId": row.client_id, "allowedDomains": row.allowed_domains,
            "trustAddresses": row.trusts_addresses, "newPersonRole": row.new_person_role.map(Role::as_str),
        }),
    );
    Ok(row)
}

/// Removes the tenant's provider. Sessions that it opened go on to their end.
pub async fn remove(change: &mut Change, stored: &ProviderRow) -> Result<(), Refusal> {
    change.tx.delete_sso_provider().await?;
    change.note("sso.remove", "sso", json!({ "issuer": stored.issuer }));
    Ok(())
}

async fn find(gateway: &Gateway, slug: &str) -> Result<(TenantRow, ProviderRow), SsoFailure> {
    let mut platform = gateway.database.platform().await?;
    let tenant = platform.tenant_by_slug(slug).await?;
    platform.commit().await?;
    let tenant = tenant.ok_or(SsoFailure::NoProvider)?;
    let mut tx = gateway.database.tenant(tenant).await?;
    let (row, provider) = (tx.tenant_row().await?, tx.sso_provider().await?);
    tx.commit().await?;
    let (Some(row), Some(provider)) = (row, provider) else {
        return Err(SsoFailure::NoProvider);
    };
    if !row.active {
        return Err(SignInError::Suspended.into());
    }
    Ok((row, provider))
}

fn open(gateway: &Gateway, tenant: TenantId, row: &ProviderRow) -> Result<SsoClient, SealError> {
    let client_secret = row
        .client_secret
        .as_ref()
        .map(|sealed| {
            gateway
                .keys
                .open(sealed, &SealedColumn::SsoClientSecret.place(tenant, row.id))
        })
        .transpose()?;
    Ok(SsoClient {
        issuer: row.issuer.clone(),
        client_id: row.client_id.clone(),
        client_secret,
    })
}

/// Counts how a try ended.
fn counted<T>(
    gateway: &Gateway,
    outcome: Result<T, SsoFailure>,
    is_in: impl FnOnce(&T) -> bool,
) -> Result<T, SsoFailure> {
    match outcome {
        Ok(done) => {
            if is_in(&done) {
                gateway.metrics.sign_in("ok");
            }
            Ok(done)
        }
        Err(SsoFailure::SignIn(error)) => {
            count_refused(gateway, &error);
            Err(error.into())
        }
        Err(failure) => {
            gateway.metrics.sign_in("sso_failed");
            tracing::info!(error = %failure, "a single sign-on failed");
            Err(failure)
        }
    }
}

/// Somebody whom the provider vouches for.
struct Member<'a> {
    person: AdminId,
    email: &'a Email,
    role: Role,
}

async fn begin_here(
    gateway: &Gateway,
    tenant: TenantRow,
    provider: &ProviderRow,
    member: &Member<'_>,
    from: &Visitor,
) -> Result<SignedIn, SsoFailure> {
    let signed_in = begin(
        gateway,
        &PendingSession {
            person: member.person,
            email: member.email,
            password_hash: None,
            by_sso: true,
            instead_of: None,
            expires_at: ends_at(gateway.clock.now()),
            factor_at: None,
            proven_at: gateway.clock.now(),
            how: json!({ "by": "sso", "issuer": provider.issuer }),
            request_id: from.request_id.as_deref(),
        },
        Some(CurrentTenant {
            tenant: tenant.id,
            slug: tenant.slug,
            name: tenant.name,
            role: member.role,
        }),
    )
    .await?;
    Ok(signed_in)
}
