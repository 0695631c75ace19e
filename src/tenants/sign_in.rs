//! People sign in with their password, and begin a session in one of their tenants.

use std::net::IpAddr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::crypto::password::{Checked, HashError, Password};
use crate::crypto::token::{NoRandomness, TokenHash, hash_token, random_token};
use crate::domain::email::Email;
use crate::domain::ids::{AdminId, TenantId};
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::limits::sign_in::{PasswordTurn, SsoTurn};
use crate::limits::{TooMany, one_address};
use crate::store::StoreError;
use crate::store::audit::AuditEvent;
use crate::store::console_sessions::{Missing, NewSession};
use crate::store::people::{MembershipRow, PersonRow};

/// What tokens of sessions begin with.
pub const TOKEN_PREFIX: &str = "pgs_";
/// How long a session lasts without use.
pub const IDLE: TimeDelta = TimeDelta::minutes(30);
/// How long a session lasts at most.
pub const LONGEST: TimeDelta = TimeDelta::hours(12);

/// The origin of a call without a bearer credential, such as a sign-in.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request's id, for the audit trail.
    pub request_id: Option<String>,
}

/// Longest text that is looked up as an e-mail address, in characters. Callers that aren't signed in don't learn whether it is one.
pub const MAX_EMAIL_CHARS: usize = 320;
/// Longest password, or token of an invitation, or code of a single sign-on, that is looked at, in bytes.
pub const MAX_SECRET_BYTES: usize = 1_024;

/// A sign-in with a password.
#[derive(Debug)]
pub struct SignIn {
    /// As the person typed it.
    pub email: String,
    /// As the person typed it.
    pub password: SecretString,
    /// The tenant to work in, by its name in URLs; may be left out by who has only one.
    pub tenant: Option<String>,
    pub from: Visitor,
}

#[derive(Debug)]
pub struct SignedIn {
    /// The bearer token. Returned once; only its hash is stored.
    pub token: SecretString,
    /// The latest end of the session.
    pub expires_at: DateTime<Utc>,
    /// The tenant it works in; none for an operator who belongs to none.
    pub workplace: Option<CurrentTenant>,
    /// What must be done before the session may do anything else.
    pub missing: Option<Missing>,
}

/// The tenant that a session works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentTenant {
    pub tenant: TenantId,
    pub slug: String,
    pub name: String,
    pub role: Role,
}

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, wrong, disabled or without a tenant: one answer for all, the label is for the log.
    #[error("not signed in: {0}")]
    Refused(&'static str),
    /// The password is right; the tenant must be named, or is another.
    #[error("the tenant must be one of {0:?}")]
    WhichTenant(Vec<String>),
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// A rate limit was reached.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The password could not be hashed or verified.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The database failed or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignInError {
    /// Stable name for logs and metrics.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Refused(label) => label,
            Self::WhichTenant(_) => "which_tenant",
            Self::Suspended => "suspended",
            Self::TooMany(_) => "too_many",
            Self::Hash(_) | Self::NoRandomness(_) => "overloaded",
            Self::Store(_) => "store",
        }
    }
}

pub async fn sign_in(gateway: &Gateway, attempt: SignIn) -> Result<SignedIn, SignInError> {
    let outcome = with_password(gateway, attempt).await;
    count(gateway, &outcome);
    outcome
}

/// Counts the outcome of a sign-in, and logs a failure: never with the address of the person, which may be a mistyped password.
fn count(gateway: &Gateway, outcome: &Result<SignedIn, SignInError>) {
    match outcome {
        Ok(_) => gateway.metrics.sign_in("ok"),
        Err(error) => count_refused(gateway, error),
    }
}

pub(super) fn count_refused(gateway: &Gateway, error: &SignInError) {
    gateway.metrics.sign_in(error.as_label());
    tracing::info!(reason = error.as_label(), "a sign-in was refused");
}

async fn with_password(gateway: &Gateway, attempt: SignIn) -> Result<SignedIn, SignInError> {
    let SignIn {
        email,
        password,
        tenant,
        from,
    } = attempt;
    let Ok(email) = Email::parse(&email) else {
        let limits = &gateway.limits.sign_in;
        counted(gateway, limits.admit_address(from.address))?;
        let turn = counted(gateway, limits.stranger(None, from.address).await)?;
        // As long as for an address that is one.
        gateway.passwords.check(&password, None).await?;
        drop(turn);
        return Err(SignInError::Refused("unknown"));
    };
    let proven = prove(gateway, &email, &password, Trust::ByPlace, from.address).await?;
    remember_place(gateway, &proven, &email, from.address).await?;
    let workplace = choose(&proven, tenant.as_deref())?;
    begin(
        gateway,
        &PendingSession {
            person: proven.person,
            email: &email,
            password_hash: Some(&proven.password_hash),
            by_sso: false,
            instead_of: None,
            expires_at: ends_at(gateway.clock.now()),
            factor_at: None,
            proven_at: gateway.clock.now(),
            how: json!({ "by": "password" }),
            request_id: from.request_id.as_deref(),
        },
        workplace,
    )
    .await
}

/// The latest end of a session that begins now, to the second.
pub(super) fn ends_at(now: DateTime<Utc>) -> DateTime<Utc> {
    (now + LONGEST).trunc_subsecs(0)
}

/// Counts a refusal by a limit.
fn counted<T>(gateway: &Gateway, admitted: Result<T, TooMany>) -> Result<T, TooMany> {
    admitted.inspect_err(|too_many| gateway.metrics.limit_refusal(too_many.limit()))
}

/// Applies the limits of a sign-in without a password.
pub(super) fn admit_address(gateway: &Gateway, from: &Visitor) -> Result<(), TooMany> {
    counted(gateway, gateway.limits.sign_in.admit_address(from.address))
}

/// Applies the limits of a person without an account who chooses a password, and waits for a turn.
pub(super) async fn admit_stranger(
    gateway: &Gateway,
    email: &Email,
    from: &Visitor,
) -> Result<PasswordTurn, TooMany> {
    let turn = gateway
        .limits
        .sign_in
        .stranger(Some(email), from.address)
        .await;
    counted(gateway, turn)
}

/// Applies the limits of a single sign-on, and waits for a turn.
pub(super) async fn admit_sso(
    gateway: &Gateway,
    tenant: TenantId,
    from: &Visitor,
) -> Result<SsoTurn, TooMany> {
    let turn = gateway.limits.sign_in.admit_sso(tenant, from.address).await;
    counted(gateway, turn)
}

/// What is known of a person whose password is about to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Only what the account remembers: whether they have signed in from there before.
    ByPlace,
    SignedIn,
}

/// What a place is marked for.
const PLACE: &str = "sign-in place";

/// A place as it is marked. Of no tenant: accounts are the installation's.
fn place(email: &Email, address: IpAddr) -> String {
    format!("{email} {}", one_address(address))
}

fn is_known(
    gateway: &Gateway,
    email: &Email,
    person: Option<&PersonRow>,
    address: Option<IpAddr>,
) -> bool {
    let (Some(person), Some(address)) = (person, address) else {
        return false;
    };
    let place = place(email, address);
    let is_it = |mark: &Vec<u8>| {
        let nobodys = TenantId(Uuid::nil());
        gateway
            .keys
            .is_marked(PLACE, nobodys, place.as_bytes(), mark)
    };
    person.sign_in_places.iter().any(is_it)
}

async fn remember_place(
    gateway: &Gateway,
    proven: &Proven,
    email: &Email,
    address: Option<IpAddr>,
) -> Result<(), StoreError> {
    let Some(address) = address else {
        return Ok(());
    };
    let nobodys = TenantId(Uuid::nil());
    let place = place(email, address);
    let mark = gateway.keys.mark(PLACE, nobodys, place.as_bytes());
    let mut tx = gateway.database.platform().await?;
    tx.remember_place(proven.person, &mark).await?;
    tx.commit().await
}

/// A person whose password was right.
pub(super) struct Proven {
    pub(super) person: AdminId,
    pub(super) password_hash: String,
    pub(super) operator: bool,
    pub(super) memberships: Vec<MembershipRow>,
}

/// Applies the limits, waits for a turn and checks the password. Takes as long, and answers the same, whether the account is
/// unknown, disabled or has none.
pub(super) async fn prove(
    gateway: &Gateway,
    email: &Email,
    password: &SecretString,
    trust: Trust,
    address: Option<IpAddr>,
) -> Result<Proven, SignInError> {
    let limits = &gateway.limits.sign_in;
    counted(gateway, limits.admit(email, address))?;
    let mut tx = gateway.database.platform().await?;
    let person = tx.person_by_email(email).await?;
    let memberships = match &person {
        Some(person) => tx.memberships(person.id).await?,
        None => Vec::new(),
    };
    tx.commit().await?;

    let at_known_place = is_known(gateway, email, person.as_ref(), address);
    let turn = if at_known_place || trust == Trust::SignedIn {
        limits.friend(email).await
    } else {
        limits.stranger(Some(email), address).await
    };
    let turn = counted(gateway, turn)?;
    let may = person.filter(|person| !person.disabled);
    let hash = may
        .as_ref()
        .and_then(|person| person.password_hash.as_deref());
    let checked = gateway.passwords.check(password, hash).await?;
    drop(turn);
    let (Checked::Right { outdated }, Some(person)) = (checked, may) else {
        return Err(SignInError::Refused("wrong"));
    };
    let mut password_hash = person.password_hash.unwrap_or_default();
    if outdated && let Ok(parsed) = Password::parse(password.clone(), email) {
        let fresh = gateway.passwords.hash(&parsed).await?;
        let mut tx = gateway.database.platform().await?;
        let replaced = tx
            .set_password(person.id, Some(&password_hash), &fresh)
            .await?;
        tx.audit(&AuditEvent {
            id: gateway.clock.new_id(),
            at: gateway.clock.now(),
            actor: "gateway:sign-in",
            action: "person.rehash_password",
            target: &format!("person/{email}"),
            before_hash: None,
            after_hash: None,
            request_id: None,
            details: json!({}),
        })
        .await?;
        tx.commit().await?;
        if replaced {
            password_hash = fresh;
        }
    }
    Ok(Proven {
        person: person.id,
        password_hash,
        operator: person.operator,
        // What a tenant's identity provider opened, a password does not.
        memberships: memberships
            .into_iter()
            .filter(|membership| !membership.by_sso)
            .collect(),
    })
}

fn choose(proven: &Proven, named: Option<&str>) -> Result<Option<CurrentTenant>, SignInError> {
    let found = match (named, proven.memberships.as_slice()) {
        (None, []) if proven.operator => return Ok(None),
        (_, []) => return Err(SignInError::Refused("no_tenant")),
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(slug), all) => all.iter().find(|membership| membership.slug == slug),
    };
    match found {
        Some(membership) => workplace(membership).map(Some),
        None => Err(SignInError::WhichTenant(
            proven
                .memberships
                .iter()
                .map(|membership| membership.slug.clone())
                .collect(),
        )),
    }
}

pub(super) fn workplace(membership: &MembershipRow) -> Result<CurrentTenant, SignInError> {
    if !membership.active {
        return Err(SignInError::Suspended);
    }
    Ok(CurrentTenant {
        tenant: membership.tenant,
        slug: membership.slug.clone(),
        name: membership.name.clone(),
        role: membership.role,
    })
}

pub(super) struct PendingSession<'a> {
    pub(super) person: AdminId,
    pub(super) email: &'a Email,
    /// The password hash that matched; none after a single sign-on.
    pub(super) password_hash: Option<&'a str>,
    pub(super) by_sso: bool,
    /// The session that this one replaces.
    pub(super) instead_of: Option<TokenHash>,
    pub(super) expires_at: DateTime<Utc>,
    /// When the second factor was shown.
    pub(super) factor_at: Option<DateTime<Utc>>,
    /// When the person last showed who they are.
    pub(super) proven_at: DateTime<Utc>,
    /// For the audit trail.
    pub(super) how: Value,
    pub(super) request_id: Option<&'a str>,
}

/// Begins a session, audited in its tenant, or by the platform where it has none; expired sessions of the person are deleted.
pub(super) async fn begin(
    gateway: &Gateway,
    beginning: &PendingSession<'_>,
    workplace: Option<CurrentTenant>,
) -> Result<SignedIn, SignInError> {
    let now = gateway.clock.now();
    let token = random_token(TOKEN_PREFIX)?;
    let session = NewSession {
        hash: hash_token(&token),
        person: beginning.person,
        tenant: workplace.as_ref().map(|workplace| workplace.tenant),
        by_sso: beginning.by_sso,
        now,
        expires_at: beginning.expires_at,
        password_hash: beginning.password_hash,
        instead_of: beginning.instead_of,
        factor_at: beginning.factor_at,
        proven_at: beginning.proven_at,
    };
    let (actor, target) = (actor(beginning.email), target(beginning.email));
    let event = AuditEvent {
        id: gateway.clock.new_id(),
        at: now,
        actor: &actor,
        action: "person.sign_in",
        target: &target,
        before_hash: None,
        after_hash: None,
        request_id: beginning.request_id,
        details: beginning.how.clone(),
    };
    let mut platform = gateway.database.platform().await?;
    platform
        .forget_sessions(beginning.person, now, now - IDLE)
        .await?;
    let begun = match &workplace {
        None => {
            let begun = platform.begin_session(&session).await?;
            if begun {
                platform.audit(&event).await?;
            }
            platform.commit().await?;
            begun
        }
        Some(workplace) => {
            platform.commit().await?;
            let mut tx = gateway.database.tenant(workplace.tenant).await?;
            let begun = tx.begin_session(&session).await?;
            tx.audit(&event).await?;
            if begun {
                tx.commit().await?;
            }
            begun
        }
    };
    if !begun {
        return Err(SignInError::Refused("changed_meanwhile"));
    }
    let mut platform = gateway.database.platform().await?;
    let begun = platform.session(&session.hash, now, now - IDLE).await?;
    platform.commit().await?;
    Ok(SignedIn {
        token,
        expires_at: session.expires_at,
        workplace,
        missing: begun.and_then(|session| session.missing()),
    })
}

/// A person as an actor of audit events.
pub(super) fn actor(email: &Email) -> String {
    format!("person:{email}")
}

/// A person as a target of audit events.
pub(super) fn target(email: &Email) -> String {
    format!("person/{email}")
}
