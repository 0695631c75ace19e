//! `/v1/admin/invitations` and `/v1/admin/members`: who belongs to the tenant.

use actix_web::web;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::email::Email;
use crate::domain::ids::{AdminId, InvitationId};
use crate::domain::language::Language;
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::invitations::{InvitationRow, MailState};
use crate::store::people::MemberRow;
use crate::tenants::change::Change;
use crate::tenants::invitations::{self, InvitationState, MAX_NAME};
use crate::tenants::members;
use crate::tenants::refusal::Refusal;
use crate::tenants::sign_in::{MAX_SECRET_BYTES, Visitor};
use crate::web::admin::{Own, View};
use crate::web::etag::Validator;
use crate::web::input::{Line, Secret, input};
use crate::web::operation::{
    Absent, Answer, Body, Call, Created, IfMatch, Json, NoContent, Once, Page, PageOf, Path,
    Recent, Tagged, Unless, operations,
};

operations! {
    "Admin: access";

    "/v1/admin/invitations" {
        /// Lists invitations, newest first.
        GET listInvitations => list_invitations;
        /// Invites a person, also by mail if a mail server is configured. The token is shown only in this answer, to be passed on where no
        /// mail arrives. It is valid for seven days. A new invitation replaces an open one to the same address.
        POST createInvitation => invite;
    }
    "/v1/admin/invitations:read" {
        /// Reads an open invitation by its token: who invites whom to what. Reading doesn't use it up.
        POST readInvitation => read_invitation;
    }
    "/v1/admin/invitations:accept" {
        /// Accepts an invitation: joins its tenant with a new account, or with the existing account of that address and its
        /// password. Sign in afterwards.
        POST acceptInvitation => accept;
    }
    "/v1/admin/invitations/{invitation}" {
        /// Revokes an open invitation.
        DELETE revokeInvitation => revoke;
    }
    "/v1/admin/members" {
        /// Lists the tenant's members, by e-mail address.
        GET listMembers => list_members;
    }
    "/v1/admin/members/{member}" {
        /// Returns one member.
        GET getMember => get_member;
        /// Changes a member's role. The role of the only owner can't be changed.
        PATCH changeRole => change_role;
        /// Removes a member and ends their sessions in this tenant. API keys that they made stay: revoke those too if needed. The
        /// only owner can't be removed.
        DELETE removeMember => remove;
    }
}

/// A person who was invited.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InvitationBody {
    /// The invitation.
    id: Uuid,
    /// The invited person's address.
    #[schema(example = "bob@example.com")]
    email: String,
    /// The role that the person will have.
    role: Role,
    /// How it stands.
    state: StateBody,
    /// The admin who sent the invitation.
    #[schema(example = "person:ann@example.com")]
    invited_by: String,
    /// When the invitation was created.
    created_at: DateTime<Utc>,
    /// When the invitation expires.
    expires_at: DateTime<Utc>,
    /// How the mail with it goes; absent where none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mail: Option<MailBody>,
    /// What the invited send to join. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "pgi_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE"
    )]
    token: Option<String>,
}

impl InvitationBody {
    fn new(row: InvitationRow, now: DateTime<Utc>) -> Self {
        let state = invitations::state(&row, now).into();
        let mail = invitations::mail_state(&row, now);
        Self {
            id: row.id.0,
            email: row.email,
            role: row.role,
            state,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            mail: mail.map(MailBody::from),
            token: None,
        }
    }
}

/// How the mail with an invitation goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvitationMail)]
struct MailBody {
    state: MailStateBody,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "the mail server could not be reached")]
    failure: Option<String>,
}

/// Whether a mail was delivered to the mail server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = InvitationMailState)]
enum MailStateBody {
    Sending,
    Sent,
    Failed,
}

impl From<MailState> for MailBody {
    fn from(state: MailState) -> Self {
        let (state, failure) = match state {
            MailState::Sending => (MailStateBody::Sending, None),
            MailState::Sent => (MailStateBody::Sent, None),
            MailState::Failed(why) => (MailStateBody::Failed, Some(why)),
        };
        Self { state, failure }
    }
}

/// How an invitation stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = InvitationState)]
enum StateBody {
    Open,
    Accepted,
    Revoked,
    Expired,
}

impl From<InvitationState> for StateBody {
    fn from(state: InvitationState) -> Self {
        match state {
            InvitationState::Open => Self::Open,
            InvitationState::Accepted => Self::Accepted,
            InvitationState::Revoked => Self::Revoked,
            InvitationState::Expired => Self::Expired,
        }
    }
}

/// An invitation, as the invited read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OpenInvitationBody {
    /// The address that was invited.
    #[schema(example = "bob@example.com")]
    email: String,
    /// The tenant's name in URLs.
    #[schema(example = "demo")]
    tenant: String,
    /// What people call the tenant.
    #[schema(example = "Demo")]
    tenant_name: String,
    /// The role that the person will have.
    role: Role,
    /// The address of the person who invited. Left out where it was a key or an operator's command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ann@example.com")]
    invited_by: Option<String>,
    /// Until when it can be accepted.
    expires_at: DateTime<Utc>,
}

/// A person's new membership.
#[derive(Debug, Serialize, ToSchema)]
struct JoinedBody {
    /// The person's address.
    #[schema(example = "bob@example.com")]
    email: String,
    /// The tenant's name in URLs.
    #[schema(example = "demo")]
    tenant: String,
    /// The role that the person will have.
    role: Role,
}

/// A member of the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MemberBody {
    /// The person's id.
    id: Uuid,
    #[schema(example = "ann@example.com")]
    email: String,
    /// The person's name.
    #[schema(example = "Ann Lee")]
    name: String,
    /// The role, which decides what the person may do.
    role: Role,
    /// Whether they come by the tenant's identity provider only.
    single_sign_on: bool,
    /// Whether an operator has locked the account.
    disabled: bool,
    /// Whether they have a second factor.
    second_factor: bool,
    /// When the person became a member.
    since: DateTime<Utc>,
}

impl From<&MemberRow> for MemberBody {
    fn from(row: &MemberRow) -> Self {
        Self {
            id: row.id.0,
            email: row.email.clone(),
            name: row.name.clone(),
            role: row.role,
            single_sign_on: row.by_sso,
            disabled: row.disabled,
            second_factor: row.second_factor,
            since: row.since,
        }
    }
}

fn validator(row: &MemberRow) -> Validator {
    Validator::new(
        1,
        format!("{} {} {}", row.id, row.role, row.since).as_bytes(),
    )
}

fn tagged(row: &MemberRow) -> Tagged<MemberBody> {
    Tagged::new(&MemberBody::from(row), &validator(row))
}

input! {
    /// An invitation to send.
    struct NewInvitation {
        /// The address of the person to invite.
        #[example("bob@example.com")]
        email: Email,
        /// The role that the person will have.
        #[example("editor")]
        role: Role,
        /// The language of the mail: `en` unless set.
        #[example("de")]
        language: Option<Language>,
    }

    /// An invitation to read.
    struct InvitationToken {
        /// The invitation's token.
        #[example("pgi_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
        token: Secret<MAX_SECRET_BYTES>,
    }

    /// Somebody joins.
    struct Acceptance {
        /// The invitation's token.
        #[example("pgi_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
        token: Secret<MAX_SECRET_BYTES>,
        /// What they want to be called; needed where there is no account with the address yet.
        #[example("Bob Ray")]
        name: Option<Line<MAX_NAME>>,
        /// A new password of 12 to 128 characters, or that of the account which has the address already.
        #[example("correct horse battery")]
        password: Secret<MAX_SECRET_BYTES>,
    }

    /// Another role.
    struct RoleChange {
        /// What the member may from now on.
        #[example("publisher")]
        role: Role,
    }
}

async fn list_invitations(call: Call<Own>, page: PageOf<()>) -> Answer<Page<InvitationBody>> {
    let mut tx = call.read().await?;
    let rows = tx
        .invitations(page.after_id::<InvitationId>()?, page.rows())
        .await?;
    let now = call.gateway().clock.now();
    Ok(page.of(
        rows,
        |row| row.id.to_string(),
        |row| InvitationBody::new(row, now),
    ))
}

async fn invite(
    Recent(call): Recent<Call<Own>>,
    sent: Once<Body<NewInvitation>>,
) -> Answer<Created<InvitationBody>> {
    call.once(sent, async move |change, sent| {
        let language = sent.language.unwrap_or_default();
        let (row, token) = invitations::invite(change, &sent.email, sent.role, language).await?;
        let body = InvitationBody {
            token: Some(token.expose_secret().to_owned()),
            ..InvitationBody::new(row, change.now)
        };
        let address = format!("/v1/admin/invitations/{}", body.id);
        Ok(Created::at(address, &body))
    })
    .await
}

async fn revoke(call: Call<Own>, Path(invitation): Path<InvitationId>) -> Answer<NoContent> {
    call.change(async move |change| {
        invitations::revoke(change, invitation).await?;
        Ok(NoContent)
    })
    .await
}

async fn read_invitation(
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<InvitationToken>,
) -> Answer<Unless<Absent, Json<OpenInvitationBody>>> {
    let token = sent.checked()?.token.into_inner();
    let open = invitations::find_open(&gateway, &token, &from).await?;
    Ok(Json::new(&OpenInvitationBody {
        invited_by: invitations::inviter(&open).map(str::to_owned),
        email: open.email,
        tenant: open.slug,
        tenant_name: open.name,
        role: open.role,
        expires_at: open.expires_at,
    })
    .into())
}

async fn accept(
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<Acceptance>,
) -> Answer<Unless<Absent, Json<JoinedBody>>> {
    let sent = sent.checked()?;
    let acceptance = invitations::Acceptance {
        token: sent.token.into_inner(),
        name: sent.name.map(String::from),
        password: sent.password.into_inner(),
        from,
    };
    let joined = Box::pin(invitations::accept(&gateway, acceptance)).await?;
    Ok(Json::new(&JoinedBody {
        email: joined.email,
        tenant: joined.slug,
        role: joined.role,
    })
    .into())
}

async fn list_members(call: Call<View>, page: PageOf<()>) -> Answer<Page<MemberBody>> {
    let mut tx = call.read().await?;
    let rows = tx.members(page.after(), page.rows()).await?;
    Ok(page.of(rows, |row| row.email.clone(), |row| MemberBody::from(&row)))
}

async fn get_member(call: Call<View>, member: Path<AdminId>) -> Answer<Tagged<MemberBody>> {
    let mut tx = call.read().await?;
    let row = tx.member(*member).await?.ok_or(Refusal::NotFound)?;
    Ok(tagged(&row))
}

async fn change_role(
    Recent(call): Recent<Call<Own>>,
    Path(member): Path<AdminId>,
    seen: IfMatch,
    sent: Body<RoleChange>,
) -> Answer<Tagged<MemberBody>> {
    call.change(async move |change| {
        let member = seen_member(change, member, seen).await?;
        let role = sent.checked()?.role;
        let member = members::change_role(change, member, role).await?;
        Ok(tagged(&member))
    })
    .await
}

async fn remove(
    Recent(call): Recent<Call<Own>>,
    Path(member): Path<AdminId>,
    seen: IfMatch,
) -> Answer<NoContent> {
    call.change(async move |change| {
        let member = seen_member(change, member, seen).await?;
        members::remove(change, &member).await?;
        Ok(NoContent)
    })
    .await
}

/// The member, provided that the caller has seen them as they are.
async fn seen_member(change: &mut Change, member: AdminId, seen: IfMatch) -> Answer<MemberRow> {
    let member = members::find(change, member).await?;
    seen.check(&validator(&member), || {
        serde_json::to_value(MemberBody::from(&member)).unwrap_or_default()
    })?;
    Ok(member)
}
