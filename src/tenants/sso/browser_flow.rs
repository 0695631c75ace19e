//! A browser's single sign-on: to the tenant's provider and back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::code::{CODE_LASTS, CODE_PREFIX, Program, SignInCode, VouchedPerson};
use super::{Member, SsoFailure, begin_here, counted, find, open};
use crate::auth::{EmailProof, SsoAttempt, SsoError, SsoIdentity};
use crate::crypto::seal::{Aad, SealError};
use crate::crypto::token::{hash_token, random_token, same_secret};
use crate::domain::email::Email;
use crate::domain::ids::{AdminId, TenantId};
use crate::domain::role::Role;
use crate::domain::text;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::audit::AuditEvent;
use crate::store::sso::{NewCode, ProviderRow};
use crate::store::tenant_tx::TenantTx;
use crate::tenants::invitations::MAX_NAME;
use crate::tenants::sign_in::{
    SignInError, SignedIn, Visitor, actor, admit_address, admit_sso, target,
};

/// How long a person may take at the provider.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// A browser carries it, so no row names it.
fn departure_place(tenant: TenantId) -> Aad {
    Aad {
        table: "sso_attempt",
        column: "departure",
        tenant,
        row: Uuid::nil(),
    }
}

/// What must be known of a sign-in when the browser comes back from the provider. The browser carries it, sealed in a cookie, so that
/// starting a sign-in stores nothing here.
#[derive(Serialize, Deserialize)]
struct ReturnState {
    /// `state`, which the provider returns.
    state: String,
    /// What the ID token must repeat.
    nonce: String,
    pkce_verifier: String,
    /// The provider it was sent to,
    provider: Uuid,
    /// as it was then.
    revision: i64,
    redirect_uri: String,
    expires_at: DateTime<Utc>,
    /// The program that sent it, where one did.
    program: Option<Program>,
    /// Since when the person must have signed in at the provider, where that was asked for.
    #[serde(default)]
    signed_in_since: Option<DateTime<Utc>>,
}

impl ReturnState {
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

/// The address of the provider, and the cookie to set.
#[derive(Debug)]
pub struct AuthorizationRedirect {
    pub url: Url,
    /// For a cookie of that browser, until it comes back.
    pub browser: SecretString,
}

/// A single sign-on that is wished for.
#[derive(Debug)]
pub struct Wish {
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// The program that begins it, where one does.
    pub program: Option<Program>,
    /// Whether the person has to sign in at the provider also if they are signed in there.
    pub is_fresh: bool,
}

/// Starts a single sign-on: redirects a browser to the tenant's provider.
pub async fn start(
    gateway: &Gateway,
    slug: &str,
    wish: Wish,
    from: &Visitor,
) -> Result<AuthorizationRedirect, SsoFailure> {
    admit_address(gateway, from).map_err(SignInError::from)?;
    let (tenant, provider) = find(gateway, slug).await?;
    let _turn = admit_sso(gateway, tenant.id, from)
        .await
        .map_err(SignInError::from)?;
    let now = gateway.clock.now();
    let attempt = SsoAttempt {
        signed_in_since: wish.is_fresh.then_some(now),
        ..SsoAttempt::random()?
    };
    let client = open(gateway, tenant.id, &provider)?;
    let url = gateway
        .sso
        .begin(&client, &wish.redirect_uri, &attempt)
        .await?;
    let departure = ReturnState {
        state: attempt.state.expose_secret().to_owned(),
        nonce: attempt.nonce.expose_secret().to_owned(),
        pkce_verifier: attempt.pkce_verifier.expose_secret().to_owned(),
        provider: provider.id,
        revision: provider.revision,
        redirect_uri: wish.redirect_uri,
        expires_at: now + PATIENCE,
        program: wish.program,
        signed_in_since: attempt.signed_in_since,
    };
    Ok(AuthorizationRedirect {
        url,
        browser: departure.seal(gateway, tenant.id)?,
    })
}

/// The provider's answer, which the browser brings back.
#[derive(Debug)]
pub struct ProviderCallback {
    /// `state`, as the provider returned it.
    pub state: SecretString,
    /// The provider's code, unless it refused.
    pub code: Option<String>,
    /// Who says so (RFC 9207), where the provider does.
    pub issuer: Option<String>,
    /// The cookie.
    pub browser: SecretString,
    pub from: Visitor,
    /// Whether a person looks at what comes out, rather than a program that reads a token.
    pub shows_pages: bool,
}

/// The result of a single sign-on.
#[derive(Debug)]
pub enum SsoOutcome {
    Token(SignedIn),
    /// A person looks at a page: no session is opened in their browser.
    VouchedPerson(VouchedPerson),
}

/// A single sign-on that failed.
#[derive(Debug)]
pub struct SsoRejection {
    pub why: SsoFailure,
    /// The program that waits for them, where it was it that sent them.
    pub program: Option<Program>,
}

/// Lets in whom the provider vouches for.
pub async fn finish(
    gateway: &Gateway,
    slug: &str,
    back: ProviderCallback,
) -> Result<SsoOutcome, SsoRejection> {
    let mut program = None;
    let outcome = come_in(gateway, slug, back, &mut program).await;
    counted(gateway, outcome, |came_in| {
        matches!(came_in, SsoOutcome::Token(_))
    })
    .map_err(|why| SsoRejection { why, program })
}

async fn come_in(
    gateway: &Gateway,
    slug: &str,
    back: ProviderCallback,
    program: &mut Option<Program>,
) -> Result<SsoOutcome, SsoFailure> {
    admit_address(gateway, &back.from).map_err(SignInError::from)?;
    let (tenant, provider) = find(gateway, slug).await?;
    let now = gateway.clock.now();
    let left = ReturnState::open(gateway, tenant.id, &back.browser)
        .filter(|left| same_secret(&back.state, &SecretString::from(left.state.as_str())))
        .ok_or(SignInError::Refused("sso_state"))?;
    program.clone_from(&left.program);
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
    let client = open(gateway, tenant.id, &provider)?;
    let attempt = SsoAttempt {
        state: left.state.into(),
        nonce: left.nonce.into(),
        pkce_verifier: left.pkce_verifier.into(),
        signed_in_since: left.signed_in_since,
    };
    let identity = Box::pin(
        gateway
            .sso
            .finish(&client, &left.redirect_uri, &code, &attempt),
    )
    .await
    .map_err(|error| match error {
        SsoError::Refused(label) => SsoFailure::SignIn(SignInError::Refused(label)),
        error => error.into(),
    })?;
    drop(turn);
    let email = vouched_for(&provider, &identity)?;
    let (person, role) =
        settle(gateway, tenant.id, &provider, &identity, &email, &back.from).await?;
    // A program gets its session by a code that is worth nothing without its verifier; a page shows no token.
    let code = match left.program {
        Some(program) => Some(SignInCode {
            code: random_token(CODE_PREFIX)?,
            ends: now + CODE_LASTS,
            program,
        }),
        None => None,
    };
    let new_code = code.as_ref().map(|code| NewCode {
        email: &email,
        hash: hash_token(&code.code),
        challenge: &code.program.challenge,
        ends: code.ends,
        is_fresh: left.signed_in_since.is_some(),
    });
    // As long as the way there and back, or its code, could be taken again.
    let ends = left.expires_at.max(now + CODE_LASTS);
    let mut tx = gateway.database.tenant(tenant.id).await?;
    let is_first = tx
        .use_sso(&hash_token(&back.state), ends, new_code.as_ref())
        .await?;
    tx.commit().await?;
    if !is_first {
        return Err(SignInError::Refused("sso_used").into());
    }
    if code.is_some() || back.shows_pages {
        return Ok(SsoOutcome::VouchedPerson(VouchedPerson {
            email: email.as_str().to_owned(),
            tenant: tenant.name,
            role,
            code,
        }));
    }
    let member = Member {
        person,
        email: &email,
        role,
    };
    let signed_in = begin_here(gateway, tenant, &provider, &member, &back.from).await?;
    Ok(SsoOutcome::Token(signed_in))
}

/// The address that the provider may speak for.
fn vouched_for(provider: &ProviderRow, identity: &SsoIdentity) -> Result<Email, SignInError> {
    let email = identity
        .email
        .as_deref()
        .ok_or(SignInError::Refused("sso_no_email"))?;
    let email = Email::parse(email).map_err(|_unreadable| SignInError::Refused("sso_bad_email"))?;
    let is_proven = identity.email_proof == EmailProof::Verified;
    if !is_proven && !provider.trusts_addresses {
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
                audit(gateway, &mut tx, "member.link", email, details, from).await?;
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
            .map(|name| text::clean_line(name, MAX_NAME).into_owned())
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
    audit(gateway, &mut tx, action, email, details, from).await?;
    tx.commit().await?;
    Ok((id, role))
}

async fn audit(
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
        actor: &actor(email),
        action,
        target: &target(email),
        before_hash: None,
        after_hash: None,
        request_id: from.request_id.as_deref(),
        details,
    })
    .await
}
