//! Owners invite people; the invited join with a password.
//!
//! Whoever invites sees the token, whether it is mailed too or handed over: mail may fail. An invitation therefore proves nothing
//! about an account that exists already: joining with one takes its password.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use super::sign_in::{
    SignInError, Trust, Visitor, actor, admit_address, admit_stranger, prove, target,
};
use crate::crypto::password::{BadPassword, Password};
use crate::crypto::token::{NoRandomness, hash_token, random_token};
use crate::domain::email::Email;
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::{AdminId, InvitationId};
use crate::domain::language::Language;
use crate::domain::role::Role;
use crate::domain::text;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::mail::{InvitationLetter, Letter, Words};
use crate::store::StoreError;
use crate::store::audit::AuditEvent;
use crate::store::invitations::{InvitationRow, MailState, OpenInvitation};
use crate::store::tenant_tx::TenantTx;

/// What tokens of invitations begin with.
pub const TOKEN_PREFIX: &str = "pgi_";
/// How long an invitation stays open.
pub const VALID_FOR: TimeDelta = TimeDelta::days(7);
/// Most characters of a person's name.
pub const MAX_NAME: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationState {
    Open,
    /// It was.
    Accepted,
    /// It was taken back, or a newer one took its place.
    Revoked,
    Expired,
}

pub fn state(row: &InvitationRow, now: DateTime<Utc>) -> InvitationState {
    if row.accepted_at.is_some() {
        InvitationState::Accepted
    } else if row.revoked_at.is_some() {
        InvitationState::Revoked
    } else if row.expires_at <= now {
        InvitationState::Expired
    } else {
        InvitationState::Open
    }
}

/// After so long, a mail that still counts as being sent was lost with the process that sent it.
const LOST_AFTER: TimeDelta = TimeDelta::minutes(15);

/// How the mail with an invitation goes; none where none was sent.
pub fn mail_state(row: &InvitationRow, now: DateTime<Utc>) -> Option<MailState> {
    match &row.mail {
        Some(MailState::Sending) if row.created_at + LOST_AFTER < now => Some(MailState::Failed(
            "the gateway stopped, or had too many mails to send, before this one went".to_owned(),
        )),
        state => state.clone(),
    }
}

/// Invites somebody; a new invitation takes the place of an older one to the same address. The token is shown this once. It is mailed
/// once the change is committed, where a mail server is configured.
pub async fn invite(
    change: &mut Change,
    email: &Email,
    role: Role,
    language: Language,
) -> Result<(InvitationRow, SecretString), Refusal> {
    let (id, now) = (InvitationId(change.new_id()), change.now);
    let by = change.admin.actor.label.clone();
    let tenant = change.admin.tenant;
    let mail = change.mail.as_ref().map(|mail| match mail.admit(tenant) {
        Ok(()) => MailState::Sending,
        Err(not_taken) => MailState::Failed(not_taken.to_string()),
    });
    let (row, token) = issue(&mut change.tx, id, now, email, role, &by, mail).await?;
    if row.mail == Some(MailState::Sending)
        && let Some(mail) = &change.mail
    {
        let by = change.admin.actor.human().unwrap_or(by);
        let name = change.tx.tenant_row().await?.map(|tenant| tenant.name);
        let words = Words::Invitation {
            tenant: name.as_deref().unwrap_or_default(),
            by: display_name(&by),
            role,
            token: &token,
            until: row.expires_at,
        };
        let about = InvitationLetter {
            tenant,
            invitation: id,
        };
        let letter = Letter::write(mail, email, language, &words).about(about);
        change.send(letter);
    }
    change.note(
        "invitation.create",
        &target(email),
        json!({ "role": role.as_str() }),
    );
    Ok((row, token))
}

/// The person who invited; `None` where a key or a command did.
pub fn inviter(invitation: &OpenInvitation) -> Option<&str> {
    invitation.invited_by.strip_prefix("person:")
}

/// An actor as strangers read it.
pub fn display_name(actor: &str) -> &str {
    actor.strip_prefix("person:").unwrap_or(actor)
}

/// Writes an invitation, without a word in the audit trail.
pub(super) async fn issue(
    tx: &mut TenantTx,
    id: InvitationId,
    now: DateTime<Utc>,
    email: &Email,
    role: Role,
    by: &str,
    mail: Option<MailState>,
) -> Result<(InvitationRow, SecretString), Refusal> {
    tx.lock_members().await?;
    if tx.is_member(email).await? {
        return Err(Refusal::Exists(
            Wrong::MemberAlready(email.to_string()).into(),
        ));
    }
    tx.revoke_invitations_of(email, now).await?;
    let token = random_token(TOKEN_PREFIX)?;
    let row = InvitationRow {
        id,
        email: email.as_str().to_owned(),
        role,
        invited_by: by.to_owned(),
        created_at: now.trunc_subsecs(6),
        expires_at: (now + VALID_FOR).trunc_subsecs(0),
        accepted_at: None,
        revoked_at: None,
        mail,
    };
    tx.insert_invitation(&row, &hash_token(&token)).await?;
    Ok((row, token))
}

/// Takes an open invitation back.
pub async fn revoke(change: &mut Change, id: InvitationId) -> Result<(), Refusal> {
    let email = change
        .tx
        .revoke_invitation(id, change.now)
        .await?
        .ok_or(Refusal::NotFound)?;
    change.note("invitation.revoke", &format!("person/{email}"), json!({}));
    Ok(())
}

/// What somebody who was invited sends.
#[derive(Debug)]
pub struct Acceptance {
    /// The invitation's token.
    pub token: SecretString,
    /// The person's name; required of people who have no account yet.
    pub name: Option<String>,
    /// A new password, or that of the account which has this address already.
    pub password: SecretString,
    pub from: Visitor,
}

/// Why an invitation was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No such invitation, or not any more.
    #[error("there is no such invitation")]
    NoInvitation,
    /// What was sent can't be taken.
    #[error("invalid")]
    Invalid(Vec<Fault>),
    /// The account with this address has another password; limits; the database.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<StoreError> for AcceptError {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<NoRandomness> for AcceptError {
    fn from(error: NoRandomness) -> Self {
        Self::SignIn(error.into())
    }
}

#[derive(Debug, Clone)]
pub struct Joined {
    pub email: String,
    /// The tenant's name in URLs.
    pub slug: String,
    pub role: Role,
}

/// The open invitation with this token, for whoever was given it.
pub async fn find_open(
    gateway: &Gateway,
    token: &SecretString,
    from: &Visitor,
) -> Result<OpenInvitation, AcceptError> {
    admit_address(gateway, from).map_err(SignInError::from)?;
    let mut platform = gateway.database.platform().await?;
    let invitation = platform
        .open_invitation(&hash_token(token), gateway.clock.now())
        .await?
        .ok_or(AcceptError::NoInvitation)?;
    platform.commit().await?;
    Ok(invitation)
}

/// Joins: a new account with this name and password, or the account with that address, proven by its password.
pub async fn accept(gateway: &Gateway, acceptance: Acceptance) -> Result<Joined, AcceptError> {
    let Acceptance {
        token,
        name,
        password,
        from,
    } = acceptance;
    let invitation = find_open(gateway, &token, &from).await?;
    let email = Email::parse(&invitation.email)
        .map_err(|error| StoreError::Unreadable(format!("an invitation's address {error}")))?;
    let mut platform = gateway.database.platform().await?;
    let person = platform.person_by_email(&email).await?;
    platform.commit().await?;

    let way = match person.and_then(|person| person.password_hash.map(|_| person.id)) {
        Some(_) => {
            let proven = prove(gateway, &email, &password, Trust::ByPlace, from.address).await?;
            JoiningAccount::Proven(proven.person)
        }
        None => new_account(gateway, &email, name, password, &from).await?,
    };
    join(gateway, &invitation, &email, way, &from).await?;
    Ok(Joined {
        email: invitation.email,
        slug: invitation.slug,
        role: invitation.role,
    })
}

/// The account that an invited person joins with.
enum JoiningAccount {
    /// With an account whose password they know.
    Proven(AdminId),
    /// With a password that they have just chosen.
    New { name: String, password_hash: String },
}

async fn new_account(
    gateway: &Gateway,
    email: &Email,
    name: Option<String>,
    password: SecretString,
    from: &Visitor,
) -> Result<JoiningAccount, AcceptError> {
    let turn = admit_stranger(gateway, email, from)
        .await
        .map_err(SignInError::from)?;
    let mut faults = Faults::new();
    let name = name.unwrap_or_default();
    if let Some(message) = text::refused_line(&name, MAX_NAME) {
        faults.add("/name", message);
    }
    let password = Password::parse(password, email)
        .map_err(|bad: BadPassword| faults.add("/password", bad.to_words()))
        .ok();
    let Some(password) = password else {
        return Err(AcceptError::Invalid(faults.into_vec()));
    };
    let name = faults.into_result(name).map_err(AcceptError::Invalid)?;
    let password_hash = gateway
        .passwords
        .hash(&password)
        .await
        .map_err(SignInError::from)?;
    drop(turn);
    Ok(JoiningAccount::New {
        name,
        password_hash,
    })
}

async fn join(
    gateway: &Gateway,
    invitation: &OpenInvitation,
    email: &Email,
    way: JoiningAccount,
    from: &Visitor,
) -> Result<(), AcceptError> {
    let now = gateway.clock.now();
    let mut tx = gateway.database.tenant(invitation.tenant).await?;
    tx.lock_members().await?;
    if !tx.accept_invitation(invitation.id, now).await? {
        return Err(AcceptError::NoInvitation);
    }
    let person = tx.lock_person(email).await?;
    let joining = match (person, way) {
        (Some(person), JoiningAccount::Proven(id)) if person.id == id => id,
        (
            None,
            JoiningAccount::New {
                name,
                password_hash,
            },
        ) => {
            let id = AdminId(gateway.clock.new_id());
            tx.insert_person(id, email, &name, Some(&password_hash))
                .await?;
            id
        }
        // An account that comes by single sign-on only. Its memberships open by nothing else, so a password gives nobody
        // a way into them; what an operator may do is opened by a password, so theirs is not set here.
        (Some(person), JoiningAccount::New { password_hash, .. })
            if person.password_hash.is_none() && !person.operator && !person.disabled =>
        {
            tx.set_password(person.id, None, &password_hash).await?;
            person.id
        }
        _ => return Err(SignInError::Refused("changed_meanwhile").into()),
    };
    if tx.membership(joining).await?.is_some() {
        // Came by single sign-on since they were invited; from now on by password too.
        tx.open_membership_to_passwords(joining).await?;
    } else {
        tx.insert_membership(joining, invitation.role, false, None)
            .await?;
    }
    tx.audit(&AuditEvent {
        id: gateway.clock.new_id(),
        at: now,
        actor: &actor(email),
        action: "invitation.accept",
        target: &target(email),
        before_hash: None,
        after_hash: None,
        request_id: from.request_id.as_deref(),
        details: json!({ "role": invitation.role.as_str() }),
    })
    .await?;
    tx.commit().await?;
    Ok(())
}
