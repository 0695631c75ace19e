//! New passwords for people who forgot theirs: by a link in a mail that they ask for, or by one that an owner or an operator makes.
//!
//! A link opens no more than the password did: it is for accounts that have one, and a second factor is asked for afterwards as
//! before. Whoever makes a link sees it, so an owner makes none for an account that opens more than their own tenant.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use super::sign_in::{SignInError, Visitor, actor, admit_address, admit_stranger, target};
use crate::crypto::password::{BadPassword, Password};
use crate::crypto::token::{hash_token, random_token};
use crate::domain::email::Email;
use crate::domain::ids::AdminId;
use crate::domain::language::Language;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::mail::{Letter, Words};
use crate::store::audit::AuditEvent;
use crate::store::password_resets::{NewReset, OpenReset};
use crate::store::people::MemberRow;
use crate::store::{StoreError, log_not_done};

/// What tokens of links begin with.
pub const TOKEN_PREFIX: &str = "pgr_";
/// How long a link in a mail can be used.
const MAILED_FOR: TimeDelta = TimeDelta::minutes(30);
/// How long a link that somebody passes on can be used.
const GIVEN_FOR: TimeDelta = TimeDelta::hours(24);

/// A link that was made for somebody.
#[derive(Debug)]
pub struct MadeReset {
    /// Shown this once.
    pub token: SecretString,
    pub expires_at: DateTime<Utc>,
}

/// Why nobody can be mailed a link.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("no mail is configured")]
    NoMail,
    /// Only the address that asks counts: what is known of the account is not told.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

/// Mails a link to whoever has this address, if they have an account with a password. Everything that depends on that happens after the
/// answer, so neither the answer nor its time tells.
pub fn request(
    gateway: &Arc<Gateway>,
    email: &str,
    language: Language,
    from: &Visitor,
) -> Result<(), RequestError> {
    if gateway.mail.is_none() {
        return Err(RequestError::NoMail);
    }
    let limits = &gateway.limits.sign_in;
    limits
        .admit_reset(from.address)
        .inspect_err(|too_many| gateway.metrics.limit_refusal(too_many.limit()))
        .map_err(SignInError::from)?;
    let Some(turn) = limits.reset_turn() else {
        tracing::warn!("a link for a new password was not sent: too many are under way");
        return Ok(());
    };
    let Ok(email) = Email::parse(email) else {
        return Ok(());
    };
    let inside = gateway.clone();
    drop(gateway.finisher.run(async move {
        if let Err(error) = mail_link(&inside, &email, language).await {
            log_not_done(&error, "a link for a new password was not sent");
        }
        drop(turn);
    }));
    Ok(())
}

async fn mail_link(
    gateway: &Gateway,
    email: &Email,
    language: Language,
) -> Result<(), SignInError> {
    let Some(mail) = &gateway.mail else {
        return Ok(());
    };
    if let Err(too_many) = gateway.limits.sign_in.admit_reset_of(email) {
        gateway.metrics.limit_refusal(too_many.limit());
        return Ok(());
    }
    let mut tx = gateway.database.platform().await?;
    let person = tx.person_by_email(email).await?;
    let Some(person) = person.filter(|person| !person.disabled && person.password_hash.is_some())
    else {
        return Ok(());
    };
    let token = random_token(TOKEN_PREFIX)?;
    let now = gateway.clock.now();
    tx.insert_reset(&NewReset {
        hash: hash_token(&token),
        person: person.id,
        now,
        expires_at: now + MAILED_FOR,
    })
    .await?;
    tx.commit().await?;
    let words = Words::PasswordReset {
        token: &token,
        minutes: MAILED_FOR.num_minutes(),
    };
    // Not taken: it is logged and counted, and they ask again.
    _ = mail.send(Letter::write(mail, email, language, &words));
    Ok(())
}

/// Makes a link for a member of the admin's tenant.
pub async fn make_link(change: &mut Change, member: &MemberRow) -> Result<MadeReset, Refusal> {
    let account = change.tx.account_beyond(member.id).await?;
    if member.disabled || member.by_sso || !account.has_password {
        return Err(Refusal::Conflict(
            Wrong::NoPassword(member.email.clone()).into(),
        ));
    }
    if account.operator || account.elsewhere {
        return Err(Refusal::Conflict({
            let words = format!(
                "{}'s password opens more than this tenant: an operator can make a link, or they ask for a mail at the sign-in",
                member.email
            );
            Wrong::OpensMore(member.email.clone()).worded(words)
        }));
    }
    let (made, reset) = made(member.id, change.now)?;
    change.tx.insert_reset(&reset).await?;
    change.note(
        "person.make_password_link",
        &format!("person/{}", member.email),
        json!({}),
    );
    Ok(made)
}

/// A new token, and what is stored of it.
pub(super) fn made(person: AdminId, now: DateTime<Utc>) -> Result<(MadeReset, NewReset), Refusal> {
    let token = random_token(TOKEN_PREFIX)?;
    let expires_at = (now + GIVEN_FOR).trunc_subsecs(0);
    let reset = NewReset {
        hash: hash_token(&token),
        person,
        now,
        expires_at,
    };
    Ok((MadeReset { token, expires_at }, reset))
}

/// What somebody sends who has a link.
#[derive(Debug)]
pub struct Redemption {
    pub token: SecretString,
    /// The new password.
    pub password: SecretString,
    /// Of the mail that tells that it was changed.
    pub language: Language,
    pub from: Visitor,
}

#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// Unknown, used or expired.
    #[error("there is no such link")]
    NoLink,
    /// The new password may not be set.
    #[error(transparent)]
    Password(#[from] BadPassword),
    /// Limits; the database.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<StoreError> for RedeemError {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

/// Sets a new password with a link, which ends all sessions and all other links of the person.
pub async fn redeem(gateway: &Gateway, sent: Redemption) -> Result<(), RedeemError> {
    let Redemption {
        token,
        password,
        language,
        from,
    } = sent;
    admit_address(gateway, &from).map_err(SignInError::from)?;
    let hash = hash_token(&token);
    let now = gateway.clock.now();
    let mut platform = gateway.database.platform().await?;
    let reset = platform
        .open_reset(&hash, now)
        .await?
        .ok_or(RedeemError::NoLink)?;
    let memberships = platform.memberships(reset.person).await?;
    platform.commit().await?;
    let email = Email::parse(&reset.email)
        .map_err(|error| StoreError::Unreadable(format!("an admin's address {error}")))?;
    let password = Password::parse(password, &email)?;
    let turn = admit_stranger(gateway, &email, &from)
        .await
        .map_err(SignInError::from)?;
    let new = gateway
        .passwords
        .hash(&password)
        .await
        .map_err(SignInError::from)?;
    drop(turn);

    let OpenReset {
        person,
        password_hash: before,
        ..
    } = reset;
    let (actor, target) = (actor(&email), target(&email));
    let event = AuditEvent {
        id: gateway.clock.new_id(),
        at: now,
        actor: &actor,
        action: "person.reset_password",
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
            if !tx.take_reset(&hash, now).await?
                || !tx.set_password(person, Some(&before), &new).await?
            {
                return Err(RedeemError::NoLink);
            }
            tx.end_sessions(person).await?;
            tx.audit(&event).await?;
            tx.commit().await?;
        }};
    }
    if let Some(membership) = memberships.iter().find(|membership| !membership.by_sso) {
        change_through!(gateway.database.tenant(membership.tenant));
    } else {
        change_through!(gateway.database.platform());
    }
    if let Some(mail) = &gateway.mail {
        _ = mail.send(Letter::write(
            mail,
            &email,
            language,
            &Words::PasswordChanged,
        ));
    }
    Ok(())
}
