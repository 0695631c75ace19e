//! Single sign-on: which provider a tenant trusts, and the way of a browser there and back.
//!
//! What a tenant's provider says counts in that tenant only: see [`super::signed_in`].

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::change::Change;
use super::refusal::Refusal;
use super::sign_in::{
    Beginning, SignInError, SignedIn, Visitor, Workplace, admit_address, admit_sso, begin, count,
    ends_at,
};
use crate::auth::{SsoError, SsoIdentity, SsoProvider};
use crate::crypto::seal::{Aad, SealError};
use crate::crypto::token::{NoRandomness, hash_token, random_token, same_secret};
use crate::domain::email::{Email, is_domain};
use crate::domain::fault::Faults;
use crate::domain::ids::{AdminId, TenantId};
use crate::domain::role::Role;
use crate::domain::text;
use crate::domain::web_url;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::audit::AuditEvent;
use crate::store::sealed::SealedColumn;
use crate::store::sso::ProviderRow;
use crate::store::tenant_tx::TenantTx;
use crate::store::tenants::TenantRow;

/// How long a browser may take to come back.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// Most domains of one provider.
pub const MAX_DOMAINS: usize = 20;

/// A provider to set.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its issuer identifier, character for character as the provider writes it.
    pub issuer: String,
    /// What it calls the gateway.
    pub client_id: String,
    /// What it knows the gateway by.
    pub client_secret: SecretChange,
    /// Whose addresses it may speak for.
    pub allowed_domains: Vec<String>,
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
    /// None: a public client.
    Clear,
}

/// Why a browser was not sent on, or did not come in.
#[derive(Debug, thiserror::Error)]
pub enum SsoFailure {
    /// No such tenant, or it has no provider.
    #[error("the tenant has no single sign-on")]
    NoProvider,
    /// The provider.
    #[error(transparent)]
    Provider(#[from] SsoError),
    /// Not signed in.
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

/// What is wrong with settings, before their provider is asked.
pub fn check(settings: ProviderSettings) -> Result<ProviderSettings, Refusal> {
    let mut faults = Faults::new();
    let issuer = web_url::parse(&settings.issuer).ok();
    let plain = issuer.is_some_and(|url| url.query().is_none() && url.fragment().is_none());
    if !plain || settings.issuer.len() > 500 {
        faults.add(
            "/issuer",
            "must be the provider's issuer URL: https, without query and fragment, as its discovery document writes it",
        );
    }
    if !text::is_clean_line(&settings.client_id, 200) {
        faults.add("/clientId", "must be one line of 1 to 200 characters");
    }
    if let SecretChange::Set(secret) = &settings.client_secret
        && !text::is_clean_line(secret.expose_secret(), 500)
    {
        faults.add("/clientSecret", "must be one line of 1 to 500 characters");
    }
    if settings.allowed_domains.is_empty() || settings.allowed_domains.len() > MAX_DOMAINS {
        faults.add("/allowedDomains", "must list 1 to 20 domains");
    }
    for (at, domain) in settings.allowed_domains.iter().enumerate() {
        if !is_domain(domain) {
            faults.add(
                format!("/allowedDomains/{at}"),
                "must be a domain such as example.com",
            );
        }
    }
    if settings.new_person_role == Some(Role::Owner) {
        faults.add(
            "/newPersonRole",
            "must be viewer, editor, publisher or null: an owner is made by an owner",
        );
    }
    faults.into_result(settings).map_err(Refusal::Invalid)
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
    let same_client = stored.as_ref().is_some_and(|stored| {
        stored.issuer == settings.issuer && stored.client_id == settings.client_id
    });
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
    let same_issuer = stored
        .as_ref()
        .is_some_and(|stored| stored.issuer == settings.issuer);
    if !same_issuer {
        change.tx.forget_sso_subjects().await?;
    }
    let mut allowed_domains: Vec<String> = settings
        .allowed_domains
        .iter()
        .map(|domain| domain.to_ascii_lowercase())
        .collect();
    allowed_domains.sort();
    allowed_domains.dedup();
    let row = ProviderRow {
        id,
        issuer: settings.issuer,
        client_id: settings.client_id,
        client_secret,
        allowed_domains,
        new_person_role: settings.new_person_role,
        revision: stored.map_or(1, |stored| stored.revision + 1),
    };
    change.tx.put_sso_provider(&row, change.now).await?;
    change
        .note(
            "sso.set",
            "sso",
            json!({
                "issuer": row.issuer, "clientId": row.client_id, "allowedDomains": row.allowed_domains,
                "newPersonRole": row.new_person_role.map(Role::as_str),
            }),
        )
        .await?;
    Ok(row)
}

/// Removes the tenant's provider. Sessions that it opened go on to their end.
pub async fn remove(change: &mut Change, stored: &ProviderRow) -> Result<(), Refusal> {
    change.tx.delete_sso_provider().await?;
    change
        .note("sso.remove", "sso", json!({ "issuer": stored.issuer }))
        .await?;
    Ok(())
}

/// A browser carries it, so no row names it.
fn departure_place(tenant: TenantId) -> Aad {
    Aad {
        table: "sso_attempt",
        column: "departure",
        tenant,
        row: Uuid::nil(),
    }
}

/// What must be known of a browser that left for the provider when it comes back. The browser carries it itself, sealed: whoever
/// asks to be sent on leaves nothing here.
#[derive(Serialize, Deserialize)]
struct Departure {
    /// What the provider hands back.
    state: String,
    /// What the ID token must repeat.
    nonce: String,
    pkce_verifier: String,
    /// The provider it was sent to,
    provider: Uuid,
    /// as it was then.
    revision: i64,
    /// Where it comes back to.
    redirect_uri: String,
    /// Until when.
    expires_at: DateTime<Utc>,
}

impl Departure {
    fn seal(&self, gateway: &Gateway, tenant: TenantId) -> Result<SecretString, SealError> {
        let text = serde_json::to_string(self).map_err(|_never| SealError::Cipher)?;
        let sealed = gateway
            .keys
            .seal(&SecretString::from(text), &departure_place(tenant))?;
        Ok(SecretString::from(URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// None where the cookie is not one of ours, or of another tenant.
    fn open(gateway: &Gateway, tenant: TenantId, cookie: &SecretString) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(cookie.expose_secret()).ok()?;
        let text = gateway.keys.open(&sealed, &departure_place(tenant)).ok()?;
        serde_json::from_str(text.expose_secret()).ok()
    }
}

/// A browser to send on.
#[derive(Debug)]
pub struct SentOn {
    /// Where to.
    pub url: url::Url,
    /// For a cookie of that browser, until it comes back.
    pub browser: SecretString,
}

/// Sends a browser to the tenant's provider.
pub async fn start(
    gateway: &Gateway,
    slug: &str,
    redirect_uri: &str,
    from: &Visitor,
) -> Result<SentOn, SsoFailure> {
    admit_address(gateway, from).map_err(SignInError::from)?;
    let (tenant, provider) = find(gateway, slug).await?;
    let _turn = admit_sso(gateway, tenant.id, from)
        .await
        .map_err(SignInError::from)?;
    let (state, nonce) = (random_token("")?, random_token("")?);
    let (state, nonce) = (state.expose_secret(), nonce.expose_secret());
    let begun = gateway
        .sso
        .begin(
            &open(gateway, tenant.id, &provider)?,
            redirect_uri,
            state.to_owned(),
            nonce.to_owned(),
        )
        .await?;
    let departure = Departure {
        state: state.to_owned(),
        nonce: nonce.to_owned(),
        pkce_verifier: begun.pkce_verifier.expose_secret().to_owned(),
        provider: provider.id,
        revision: provider.revision,
        redirect_uri: redirect_uri.to_owned(),
        expires_at: gateway.clock.now() + PATIENCE,
    };
    Ok(SentOn {
        url: begun.url,
        browser: departure.seal(gateway, tenant.id)?,
    })
}

/// What a browser brings back from the provider.
#[derive(Debug)]
pub struct CameBack {
    /// What it was sent with.
    pub state: SecretString,
    /// The provider's code, unless it refused.
    pub code: Option<String>,
    /// Who says so (RFC 9207), where the provider does.
    pub issuer: Option<String>,
    /// The cookie.
    pub browser: SecretString,
    /// Where it comes from.
    pub from: Visitor,
}

/// Signs in whom the provider vouches for.
pub async fn finish(gateway: &Gateway, slug: &str, back: CameBack) -> Result<SignedIn, SsoFailure> {
    let outcome = come_in(gateway, slug, back).await;
    match outcome {
        Ok(signed_in) => {
            gateway.metrics.sign_in("ok");
            Ok(signed_in)
        }
        Err(SsoFailure::SignIn(error)) => {
            let outcome = Err(error);
            count(gateway, &outcome);
            outcome.map_err(SsoFailure::SignIn)
        }
        Err(failure) => {
            gateway.metrics.sign_in("sso_failed");
            tracing::info!(error = %failure, "a single sign-on failed");
            Err(failure)
        }
    }
}

async fn come_in(gateway: &Gateway, slug: &str, back: CameBack) -> Result<SignedIn, SsoFailure> {
    admit_address(gateway, &back.from).map_err(SignInError::from)?;
    let (tenant, provider) = find(gateway, slug).await?;
    let now = gateway.clock.now();
    let left = Departure::open(gateway, tenant.id, &back.browser)
        .filter(|left| same_secret(&back.state, &SecretString::from(left.state.as_str())))
        .ok_or(SignInError::Refused("sso_state"))?;
    if left.expires_at <= now {
        return Err(SignInError::Refused("sso_too_late").into());
    }
    if (left.provider, left.revision) != (provider.id, provider.revision) {
        return Err(SignInError::Refused("sso_provider_changed").into());
    }
    if back.issuer.is_some_and(|issuer| issuer != provider.issuer) {
        return Err(SignInError::Refused("sso_other_issuer").into());
    }
    let code = back.code.ok_or(SignInError::Refused("sso_denied"))?;
    let turn = admit_sso(gateway, tenant.id, &back.from)
        .await
        .map_err(SignInError::from)?;
    let identity = gateway
        .sso
        .finish(
            &open(gateway, tenant.id, &provider)?,
            &left.redirect_uri,
            code,
            &left.nonce,
            &SecretString::from(left.pkce_verifier),
        )
        .await
        .map_err(|error| match error {
            SsoError::Refused(label) => SsoFailure::SignIn(SignInError::Refused(label)),
            error => error.into(),
        })?;
    drop(turn);
    let email = vouched_for(&provider, &identity)?;
    let mut tx = gateway.database.tenant(tenant.id).await?;
    let is_first = tx
        .use_sso(&hash_token(&back.state), left.expires_at)
        .await?;
    tx.commit().await?;
    if !is_first {
        return Err(SignInError::Refused("sso_used").into());
    }
    let (person, role) =
        settle(gateway, tenant.id, &provider, &identity, &email, &back.from).await?;
    let signed_in = begin(
        gateway,
        &Beginning {
            person,
            email: &email,
            password_hash: None,
            by_sso: true,
            instead_of: None,
            expires_at: ends_at(now),
            how: json!({ "by": "sso", "issuer": provider.issuer }),
            request_id: back.from.request_id.as_deref(),
        },
        Some(Workplace {
            tenant: tenant.id,
            slug: tenant.slug,
            name: tenant.name,
            role,
        }),
    )
    .await?;
    Ok(signed_in)
}

/// The address that the provider may speak for.
fn vouched_for(provider: &ProviderRow, identity: &SsoIdentity) -> Result<Email, SignInError> {
    let email = identity
        .email
        .as_deref()
        .ok_or(SignInError::Refused("sso_no_email"))?;
    let email = Email::parse(email).map_err(|_unreadable| SignInError::Refused("sso_bad_email"))?;
    if !identity.email_verified {
        return Err(SignInError::Refused("sso_email_not_verified"));
    }
    if !provider
        .allowed_domains
        .iter()
        .any(|domain| domain == email.domain())
    {
        return Err(SignInError::Refused("sso_foreign_domain"));
    }
    Ok(email)
}

/// Makes sure that the person is a member: already, by an open invitation, or as the provider's new people are.
async fn settle(
    gateway: &Gateway,
    tenant: TenantId,
    provider: &ProviderRow,
    identity: &SsoIdentity,
    email: &Email,
    from: &Visitor,
) -> Result<(AdminId, Role), SignInError> {
    let now = gateway.clock.now();
    let mut tx = gateway.database.tenant(tenant).await?;
    tx.lock_members().await?;
    let person = tx.lock_person(email).await?;
    if person.as_ref().is_some_and(|person| person.disabled) {
        return Err(SignInError::Refused("disabled"));
    }
    if let Some(person) = &person
        && let Some(membership) = tx.membership(person.id).await?
    {
        match membership.sso_subject {
            Some(subject) if subject == identity.subject => {}
            Some(_) => return Err(SignInError::Refused("sso_other_subject")),
            None => {
                tx.set_sso_subject(person.id, &identity.subject).await?;
                let details = json!({ "issuer": provider.issuer });
                tell(gateway, &mut tx, "member.link", email, details, from).await?;
            }
        }
        tx.commit().await?;
        return Ok((person.id, membership.role));
    }
    let invited = tx.accept_invitation_of(email, now).await?;
    let role = invited
        .or(provider.new_person_role)
        .ok_or(SignInError::Refused("sso_no_membership"))?;
    let id = if let Some(person) = person {
        person.id
    } else {
        let id = AdminId(gateway.clock.new_id());
        let name = identity
            .name
            .as_deref()
            .map(|name| text::clean_line(name, super::invitations::MAX_NAME).into_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| email.as_str().to_owned());
        tx.insert_person(id, email, &name, None).await?;
        id
    };
    tx.insert_membership(id, role, true, Some(&identity.subject))
        .await?;
    let action = if invited.is_some() {
        "invitation.accept"
    } else {
        "member.create"
    };
    let details = json!({ "role": role.as_str(), "by": "sso" });
    tell(gateway, &mut tx, action, email, details, from).await?;
    tx.commit().await?;
    Ok((id, role))
}

async fn tell(
    gateway: &Gateway,
    tx: &mut TenantTx,
    action: &str,
    email: &Email,
    details: Value,
    from: &Visitor,
) -> Result<(), StoreError> {
    tx.audit(&AuditEvent {
        id: gateway.clock.new_id(),
        at: gateway.clock.now(),
        actor: &super::sign_in::actor(email),
        action,
        target: &super::sign_in::target(email),
        before_hash: None,
        after_hash: None,
        request_id: from.request_id.as_deref(),
        details,
    })
    .await
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

fn open(gateway: &Gateway, tenant: TenantId, row: &ProviderRow) -> Result<SsoProvider, SealError> {
    let client_secret = row
        .client_secret
        .as_ref()
        .map(|sealed| {
            gateway
                .keys
                .open(sealed, &SealedColumn::SsoClientSecret.place(tenant, row.id))
        })
        .transpose()?;
    Ok(SsoProvider {
        issuer: row.issuer.clone(),
        client_id: row.client_id.clone(),
        client_secret,
    })
}
