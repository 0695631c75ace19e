//! The table `invitation`: invited people, by the hash of what they were sent.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::people::role;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::token::TokenHash;
use crate::domain::email::Email;
use crate::domain::ids::{InvitationId, TenantId};
use crate::domain::role::Role;

/// How the mail with an invitation goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailState {
    /// It waits to be delivered, or to be tried again.
    Sending,
    /// The mail server took it.
    Sent,
    /// It was not delivered; the text says why.
    Failed(String),
}

impl MailState {
    fn read(state: &str, failure: Option<String>) -> Self {
        match state {
            "sending" => Self::Sending,
            "sent" => Self::Sent,
            _ => Self::Failed(failure.unwrap_or_default()),
        }
    }

    /// The word in the database.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed(_) => "failed",
        }
    }

    fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(why) => Some(why),
            Self::Sending | Self::Sent => None,
        }
    }
}

/// An invitation as stored.
#[derive(Debug, Clone)]
pub struct InvitationRow {
    pub id: InvitationId,
    pub email: String,
    pub role: Role,
    /// Who asks, as the audit trail names them.
    pub invited_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When it was taken up.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// How its mail goes; none where none was sent.
    pub mail: Option<MailState>,
}

/// An invitation that may be accepted.
#[derive(Debug, Clone)]
pub struct OpenInvitation {
    pub tenant: TenantId,
    /// The tenant's name in URLs.
    pub slug: String,
    /// What people call the tenant.
    pub name: String,
    pub id: InvitationId,
    pub email: String,
    pub role: Role,
    /// The actor who invited.
    pub invited_by: String,
    pub expires_at: DateTime<Utc>,
}

impl PlatformTx {
    /// The open invitation with this token, of a tenant that is served.
    pub async fn open_invitation(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<OpenInvitation>, StoreError> {
        let row = sqlx::query!(
            "select i.tenant_id, t.slug, t.name, i.id, i.email, i.role, i.invited_by, i.expires_at
             from invitation i join tenant t on t.id = i.tenant_id and t.status = 'active'
             where i.hash = $1 and i.accepted_at is null and i.revoked_at is null and i.expires_at > $2",
            hash.as_bytes(),
            now
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            Ok(OpenInvitation {
                tenant: TenantId(row.tenant_id),
                slug: row.slug,
                name: row.name,
                id: InvitationId(row.id),
                email: row.email,
                role: role(&row.role)?,
                invited_by: row.invited_by,
                expires_at: row.expires_at,
            })
        })
        .transpose()
    }
}

impl TenantTx {
    /// Adds an invitation by its token's hash.
    pub async fn insert_invitation(
        &mut self,
        row: &InvitationRow,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into invitation (tenant_id, id, email, role, hash, invited_by, created_at, expires_at,
                                     mail_state, mail_failure)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            tenant,
            row.id.0,
            row.email,
            row.role.as_str(),
            hash.as_bytes(),
            row.invited_by,
            row.created_at,
            row.expires_at,
            row.mail.as_ref().map(MailState::as_str),
            row.mail.as_ref().and_then(MailState::failure)
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Invitations, newest first, from after `after` on.
    pub async fn invitations(
        &mut self,
        after: Option<InvitationId>,
        limit: i64,
    ) -> Result<Vec<InvitationRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            "select id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at, mail_state, mail_failure
             from invitation
             where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",
            tenant,
            after.map(|id| id.0),
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let invitations = rows.into_iter().map(|row| {
            Ok(InvitationRow {
                id: InvitationId(row.id),
                email: row.email,
                role: role(&row.role)?,
                invited_by: row.invited_by,
                created_at: row.created_at,
                expires_at: row.expires_at,
                accepted_at: row.accepted_at,
                revoked_at: row.revoked_at,
                mail: row
                    .mail_state
                    .map(|state| MailState::read(&state, row.mail_failure)),
            })
        });
        invitations.collect()
    }

    /// Notes how the mail with an invitation goes.
    pub async fn note_mail(
        &mut self,
        id: InvitationId,
        state: &MailState,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update invitation set mail_state = $3, mail_failure = left($4, 300) where tenant_id = $1 and id = $2",
            tenant,
            id.0,
            state.as_str(),
            state.failure()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes back an address's open invitation, whether it has run out or not.
    pub async fn revoke_invitations_of(
        &mut self,
        email: &Email,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update invitation set revoked_at = $3
             where tenant_id = $1 and email = $2 and accepted_at is null and revoked_at is null",
            tenant,
            email.as_str(),
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes an invitation back; gives whose it was. `None` where there is none that is open.
    pub async fn revoke_invitation(
        &mut self,
        id: InvitationId,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let tenant = self.tenant().0;
        let email = sqlx::query_scalar!(
            "update invitation set revoked_at = $3
             where tenant_id = $1 and id = $2 and accepted_at is null and revoked_at is null returning email",
            tenant,
            id.0,
            now
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(email)
    }

    /// Uses an invitation up; says whether it was still open.
    pub async fn accept_invitation(
        &mut self,
        id: InvitationId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            "update invitation set accepted_at = $3
             where tenant_id = $1 and id = $2 and accepted_at is null and revoked_at is null and expires_at > $3",
            tenant,
            id.0,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Uses up the open invitation of an address whose owner has been proven otherwise; gives its role.
    pub async fn accept_invitation_of(
        &mut self,
        email: &Email,
        now: DateTime<Utc>,
    ) -> Result<Option<Role>, StoreError> {
        let tenant = self.tenant().0;
        let name = sqlx::query_scalar!(
            "update invitation set accepted_at = $3
             where tenant_id = $1 and email = $2 and accepted_at is null and revoked_at is null and expires_at > $3
             returning role",
            tenant,
            email.as_str(),
            now
        )
        .fetch_optional(self.connection())
        .await?;
        name.as_deref().map(role).transpose()
    }
}
