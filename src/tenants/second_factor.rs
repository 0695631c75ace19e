//! A second factor beside the password: codes of an authenticator app, and recovery codes for when the phone is gone.
//!
//! It is the person's, in every tenant that their password opens. Where a tenant's identity provider vouches for somebody, a second
//! factor is that provider's matter; such a session neither asks for one nor changes one.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::change::Change;
use super::refusal::Refusal;
use super::sign_in::{
    PendingSession, SignInError, SignedIn, Trust, Visitor, actor, begin, ends_at, prove, target,
};
use super::signed_in::{email_of, workplace_of};
use crate::crypto::seal::SealError;
use crate::crypto::token::{NoRandomness, TokenHash};
use crate::crypto::totp::{self, TotpFault};
use crate::domain::email::Email;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::audit::AuditEvent;
use crate::store::console_sessions::SessionRow;
use crate::store::people::MemberRow;
use crate::store::second_factors::place;

/// Most characters of a code that is looked at.
pub const MAX_CODE_CHARS: usize = 40;

/// How a person's second factor stands.
#[derive(Debug, Clone, Copy)]
pub struct FactorState {
    /// Since when it is asked for; none where it is not.
    pub since: Option<DateTime<Utc>>,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
}

/// A secret for an app, which must show a code of it before it counts.
#[derive(Debug)]
pub struct Enrolment {
    /// To be typed, in base 32. Shown this once.
    pub secret: SecretString,
    /// The same for a QR code.
    pub uri: SecretString,
}

/// How somebody shows again who they are.
#[derive(Debug)]
pub enum Proof {
    Password(SecretString),
    /// Of the app, or a recovery code.
    Code(String),
}

#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The code is wrong, or was used.
    #[error("the code is wrong")]
    Wrong,
    /// The present state forbids it; the text says what to do.
    #[error("{0}")]
    Conflict(Wrong),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Totp(#[from] TotpFault),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl From<StoreError> for FactorError {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<NoRandomness> for FactorError {
    fn from(error: NoRandomness) -> Self {
        Self::SignIn(error.into())
    }
}

const OF_THE_PROVIDER: FactorError = FactorError::Conflict(Wrong::FactorElsewhere);
const NONE: FactorError = FactorError::Conflict(Wrong::NoFactor);

pub async fn state(gateway: &Gateway, session: &SessionRow) -> Result<FactorState, StoreError> {
    let mut tx = gateway.database.platform().await?;
    let factor = tx.factor(session.person).await?;
    tx.commit().await?;
    let confirmed = factor.filter(|factor| factor.confirmed_at.is_some());
    Ok(FactorState {
        since: confirmed.as_ref().and_then(|factor| factor.confirmed_at),
        recovery_codes: confirmed.map_or(0, |factor| factor.recovery_codes),
    })
}

/// Makes a secret, in the place of one that was not confirmed.
pub async fn enrol(gateway: &Gateway, session: &SessionRow) -> Result<Enrolment, FactorError> {
    if session.by_sso {
        return Err(OF_THE_PROVIDER);
    }
    let secret = totp::new_secret()?;
    let uri = totp::uri(&secret, &session.email)?;
    let sealed = gateway.keys.seal(&secret, &place(session.person))?;
    let mut tx = gateway.database.platform().await?;
    let begun = tx
        .begin_factor(session.person, &sealed, gateway.clock.now())
        .await?;
    tx.commit().await?;
    if begun {
        Ok(Enrolment { secret, uri })
    } else {
        Err(FactorError::Conflict(Wrong::HasFactor))
    }
}

/// Takes the first code of a new secret: from now on it is asked for, and this session has shown it. Gives the recovery codes.
pub async fn confirm(
    gateway: &Gateway,
    session: &SessionRow,
    code: &str,
    from: &Visitor,
) -> Result<Vec<SecretString>, FactorError> {
    if session.by_sso {
        return Err(OF_THE_PROVIDER);
    }
    let email = email_of(session)?;
    admit(gateway, &email, from)?;
    let mut tx = gateway.database.platform().await?;
    let factor = tx.factor(session.person).await?;
    tx.commit().await?;
    let factor = factor.ok_or(FactorError::Conflict(Wrong::FactorNotBegun))?;
    if factor.confirmed_at.is_some() {
        return Err(FactorError::Conflict(Wrong::FactorConfirmed));
    }
    let now = gateway.clock.now();
    let secret = gateway.keys.open(&factor.secret, &place(session.person))?;
    let step = totp::step_of(&secret, code.trim(), now)?.ok_or(FactorError::Wrong)?;
    let codes = totp::new_recovery_codes()?;
    let hashes = hashes_of(&codes);
    let recorded = recorded(
        gateway,
        &email,
        "person.enrol_second_factor",
        json!({}),
        from,
    );
    let event = recorded.event();
    // Each door has an audit trail of its own.
    macro_rules! through {
        ($door:expr) => {{
            let mut tx = $door.await?;
            let confirmed = tx
                .confirm_factor(session.person, &factor.secret, step, now)
                .await?;
            if !confirmed {
                return Err(FactorError::Conflict(Wrong::FactorRemade));
            }
            tx.put_recovery_codes(session.person, &hashes).await?;
            tx.mark_proven(&session.hash, now, true).await?;
            tx.audit(&event).await?;
            tx.commit().await?;
        }};
    }
    if let Some(tenant) = &session.tenant {
        through!(gateway.database.tenant(tenant.id));
    } else {
        through!(gateway.database.platform());
    }
    Ok(codes)
}

/// Replaces the recovery codes.
pub async fn renew_recovery_codes(
    gateway: &Gateway,
    session: &SessionRow,
    from: &Visitor,
) -> Result<Vec<SecretString>, FactorError> {
    if session.by_sso {
        return Err(OF_THE_PROVIDER);
    }
    if !session.has_factor {
        return Err(NONE);
    }
    let email = email_of(session)?;
    let codes = totp::new_recovery_codes()?;
    let hashes = hashes_of(&codes);
    let recorded = recorded(
        gateway,
        &email,
        "person.renew_recovery_codes",
        json!({}),
        from,
    );
    let event = recorded.event();
    macro_rules! through {
        ($door:expr) => {{
            let mut tx = $door.await?;
            tx.put_recovery_codes(session.person, &hashes).await?;
            tx.audit(&event).await?;
            tx.commit().await?;
        }};
    }
    if let Some(tenant) = &session.tenant {
        through!(gateway.database.tenant(tenant.id));
    } else {
        through!(gateway.database.platform());
    }
    Ok(codes)
}

/// Removes the person's own second factor.
pub async fn remove(
    gateway: &Gateway,
    session: &SessionRow,
    from: &Visitor,
) -> Result<(), FactorError> {
    if session.by_sso {
        return Err(OF_THE_PROVIDER);
    }
    let email = email_of(session)?;
    let recorded = recorded(
        gateway,
        &email,
        "person.remove_second_factor",
        json!({}),
        from,
    );
    let event = recorded.event();
    macro_rules! through {
        ($door:expr) => {{
            let mut tx = $door.await?;
            if tx.remove_factor(session.person).await? {
                tx.audit(&event).await?;
            }
            tx.commit().await?;
        }};
    }
    if let Some(tenant) = &session.tenant {
        through!(gateway.database.tenant(tenant.id));
    } else {
        through!(gateway.database.platform());
    }
    Ok(())
}

/// Removes a member's second factor, for somebody who has lost app and recovery codes. Whoever could do that for an account that opens more
/// than their own tenant would weaken what is others'.
pub async fn remove_of_member(change: &mut Change, member: &MemberRow) -> Result<(), Refusal> {
    let account = change.tx.account_beyond(member.id).await?;
    if account.operator || account.elsewhere {
        return Err(Refusal::Conflict({
            let words = format!(
                "{}'s account opens more than this tenant: an operator can remove the second factor",
                member.email
            );
            Wrong::OpensMore(member.email.clone()).worded(words)
        }));
    }
    if !change.tx.remove_factor(member.id).await? {
        return Err(Refusal::NotFound);
    }
    change.tx.end_sessions(member.id).await?;
    change.note(
        "person.remove_second_factor",
        &format!("person/{}", member.email),
        json!({}),
    );
    Ok(())
}

/// Completes a sign-in with a code: a new session takes the place of the one that the password began.
pub async fn complete_sign_in(
    gateway: &Gateway,
    session: &SessionRow,
    code: &str,
    from: &Visitor,
) -> Result<SignedIn, FactorError> {
    let email = email_of(session)?;
    let how = take_code(gateway, session, &email, code, from).await?;
    let now = gateway.clock.now();
    let pending = PendingSession {
        person: session.person,
        email: &email,
        password_hash: None,
        by_sso: session.by_sso,
        instead_of: Some(session.hash),
        expires_at: ends_at(now),
        factor_at: Some(now),
        proven_at: now,
        how,
        request_id: from.request_id.as_deref(),
    };
    Ok(begin(gateway, &pending, workplace_of(session)?).await?)
}

/// Takes a proof that whoever has the session is still the person, for what is dangerous.
pub async fn prove_again(
    gateway: &Gateway,
    session: &SessionRow,
    proof: Proof,
    from: &Visitor,
) -> Result<(), FactorError> {
    if session.by_sso {
        return Err(FactorError::Conflict(Wrong::CodeWanted));
    }
    let email = email_of(session)?;
    let shows_factor = match proof {
        Proof::Password(password) => {
            prove(gateway, &email, &password, Trust::SignedIn, from.address).await?;
            false
        }
        Proof::Code(code) => {
            take_code(gateway, session, &email, &code, from).await?;
            true
        }
    };
    let mut tx = gateway.database.platform().await?;
    tx.mark_proven(&session.hash, gateway.clock.now(), shows_factor)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn admit(gateway: &Gateway, email: &Email, from: &Visitor) -> Result<(), FactorError> {
    let limits = &gateway.limits.sign_in;
    limits
        .admit_code(email, from.address)
        .inspect_err(|too_many| gateway.metrics.limit_refusal(too_many.limit()))
        .map_err(SignInError::from)?;
    Ok(())
}

/// Uses a code up. Gives what kind it was, for the audit trail.
async fn take_code(
    gateway: &Gateway,
    session: &SessionRow,
    email: &Email,
    code: &str,
    from: &Visitor,
) -> Result<Value, FactorError> {
    admit(gateway, email, from)?;
    let mut tx = gateway.database.platform().await?;
    let factor = tx.factor(session.person).await?;
    let factor = factor
        .filter(|factor| factor.confirmed_at.is_some())
        .ok_or(NONE)?;
    let taken = if let Some(hash) = totp::recovery_hash(code) {
        let taken = tx.take_recovery_code(session.person, &hash).await?;
        taken.then(|| json!({ "by": "recovery_code" }))
    } else {
        let secret = gateway.keys.open(&factor.secret, &place(session.person))?;
        let step = totp::step_of(&secret, code.trim(), gateway.clock.now())?;
        let taken = match step {
            Some(step) => tx.take_step(session.person, step).await?,
            None => false,
        };
        taken.then(|| json!({ "by": "second_factor" }))
    };
    tx.commit().await?;
    if taken.is_none() {
        gateway.metrics.sign_in("wrong_code");
        tracing::info!(reason = "wrong_code", "a second factor was refused");
    }
    taken.ok_or(FactorError::Wrong)
}

fn hashes_of(codes: &[SecretString]) -> Vec<TokenHash> {
    let hashes = codes
        .iter()
        .filter_map(|code| totp::recovery_hash(code.expose_secret()));
    hashes.collect()
}

/// An audit event of what a person does with their own account.
struct Recorded {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    target: String,
    action: &'static str,
    details: Value,
    request_id: Option<String>,
}

fn recorded(
    gateway: &Gateway,
    email: &Email,
    action: &'static str,
    details: Value,
    from: &Visitor,
) -> Recorded {
    Recorded {
        id: gateway.clock.new_id(),
        at: gateway.clock.now(),
        actor: actor(email),
        target: target(email),
        action,
        details,
        request_id: from.request_id.clone(),
    }
}

impl Recorded {
    fn event(&self) -> AuditEvent<'_> {
        AuditEvent {
            id: self.id,
            at: self.at,
            actor: &self.actor,
            action: self.action,
            target: &self.target,
            before_hash: None,
            after_hash: None,
            request_id: self.request_id.as_deref(),
            details: self.details.clone(),
        }
    }
}
