//! `/v1/admin/invitations` and `/v1/admin/members`: who belongs to the tenant.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::sign_in::secret;
use super::{checked, id, read_members};
use crate::api::answers::{Acting, Changing, Creating, Listing, ReadingOne};
use crate::api::{only, reading};
use crate::domain::ids::InvitationId;
use crate::domain::members::{Members, line};
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::invitations::InvitationRow;
use crate::store::people::MemberRow;
use crate::tenants::change::Change;
use crate::tenants::invitations::{self, Acceptance, InvitationState};
use crate::tenants::members;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, Own, View};
use crate::web::body::AdminBodyLimits;
use crate::web::codes::Code;
use crate::web::etag::Validator;
use crate::web::once::{Created, once};
use crate::web::page::{Page, PageBody, query};
use crate::web::people::visitor;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/invitations")
                .route(reading().to(list_invitations))
                .route(web::post().to(invite)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/invitations:accept").route(web::post().to(accept)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/invitations/{invitation:[^/:]+}")
                .route(web::delete().to(revoke)),
            "DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/members").route(reading().to(list_members)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/members/{member:[^/:]+}")
                .route(reading().to(get_member))
                .route(web::patch().to(change_role))
                .route(web::delete().to(remove)),
            "GET, HEAD, PATCH, DELETE",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(
    list_invitations,
    invite,
    accept,
    revoke,
    list_members,
    get_member,
    change_role,
    remove
))]
pub struct Doc;

/// A member that is a role's name.
#[expect(
    clippy::needless_pass_by_value,
    reason = "readers of members all have this shape"
)]
pub(super) fn role(value: Value) -> Result<Role, String> {
    value
        .as_str()
        .and_then(Role::parse)
        .ok_or_else(|| "must be viewer, editor, publisher or owner".into())
}

/// A page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Items at most: 1 to 100, 50 unless set.
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<i64>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Somebody who was asked to join.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InvitationBody {
    /// The invitation.
    id: Uuid,
    /// Who is asked.
    #[schema(example = "bob@example.com")]
    email: String,
    /// As what.
    #[schema(example = "editor")]
    role: &'static str,
    /// `open`, `accepted`, `revoked` or `expired`.
    #[schema(example = "open")]
    state: &'static str,
    /// Who asks.
    #[schema(example = "person:ann@example.com")]
    invited_by: String,
    /// Since when.
    created_at: DateTime<Utc>,
    /// Until when.
    expires_at: DateTime<Utc>,
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
        let state = match invitations::state(&row, now) {
            InvitationState::Open => "open",
            InvitationState::Accepted => "accepted",
            InvitationState::Revoked => "revoked",
            InvitationState::Expired => "expired",
        };
        Self {
            id: row.id.0,
            email: row.email,
            role: row.role.as_str(),
            state,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            token: None,
        }
    }
}

/// Somebody to ask.
#[derive(Debug, Serialize, ToSchema)]
struct NewInvitation {
    /// Their address.
    #[schema(example = "bob@example.com")]
    email: String,
    /// As what: `viewer`, `editor`, `publisher` or `owner`.
    #[schema(example = "editor", pattern = "^(viewer|editor|publisher|owner)$")]
    role: String,
}

/// Somebody joins.
#[derive(Debug, Serialize, ToSchema)]
struct AcceptBody {
    /// The invitation's token.
    #[schema(example = "pgi_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
    token: String,
    /// What they want to be called; needed where there is no account with the address yet.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 100,
        example = "Bob Ray"
    )]
    name: Option<String>,
    /// A new password of 12 to 128 characters, or that of the account which has the address already.
    #[schema(max_length = 1024, example = "correct horse battery")]
    password: String,
}

/// Somebody has joined.
#[derive(Debug, Serialize, ToSchema)]
struct JoinedBody {
    /// Who.
    #[schema(example = "bob@example.com")]
    email: String,
    /// Where.
    #[schema(example = "demo")]
    tenant: String,
    /// As what.
    #[schema(example = "editor")]
    role: &'static str,
}

/// A member of the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MemberBody {
    /// The person.
    id: Uuid,
    /// Their address.
    #[schema(example = "ann@example.com")]
    email: String,
    /// What they are called.
    #[schema(example = "Ann Lee")]
    name: String,
    /// What they may.
    #[schema(example = "owner")]
    role: &'static str,
    /// Whether they come by the tenant's identity provider only.
    single_sign_on: bool,
    /// Whether an operator has locked the account.
    disabled: bool,
    /// Since when they are a member.
    since: DateTime<Utc>,
}

impl From<&MemberRow> for MemberBody {
    fn from(row: &MemberRow) -> Self {
        Self {
            id: row.id.0,
            email: row.email.clone(),
            name: row.name.clone(),
            role: row.role.as_str(),
            single_sign_on: row.by_sso,
            disabled: row.disabled,
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

fn shown(row: &MemberRow) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, validator(row).etag()))
        .json(MemberBody::from(row))
}

/// Another role.
#[derive(Debug, Serialize, ToSchema)]
struct RoleChange {
    /// `viewer`, `editor`, `publisher` or `owner`.
    #[schema(example = "publisher", pattern = "^(viewer|editor|publisher|owner)$")]
    role: String,
}

/// Invitations, newest first.
#[utoipa::path(
    get, path = "/v1/admin/invitations", tag = "Admin: access", operation_id = "listInvitations", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))), params(PageQuery),
    responses((status = 200, description = "A page", body = PageBody<InvitationBody>, headers(("Link" = String, description = "The next page"))), Listing)
)]
async fn list_invitations(
    may: May<Own>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: PageQuery = query(&request)?;
    let page = Page::read(
        &request,
        &gateway.keys,
        may.tenant,
        asked.limit,
        asked.cursor.as_deref(),
    )?;
    let after = page.after.as_deref().map(id::<InvitationId>).transpose()?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.invitations(after, page.rows()).await?;
    let now = gateway.clock.now();
    Ok(page.answer(
        &request,
        &gateway.keys,
        rows,
        |row| row.id.to_string(),
        |row| InvitationBody::new(row, now),
    ))
}

/// Asks somebody to join. The token is shown this once: hand it over, nothing is mailed. A new invitation takes the place of
/// an open one to the same address; each is good for seven days.
#[utoipa::path(
    post, path = "/v1/admin/invitations", tag = "Admin: access", operation_id = "createInvitation", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = NewInvitation, content_type = "application/json"),
    responses((status = 201, description = "The invitation, with its token", body = InvitationBody, headers(("Location" = String, description = "The invitation"))), Creating)
)]
async fn invite(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let email = members.required("email", line(320)).unwrap_or_default();
        let role = members.required("role", role).unwrap_or(Role::Viewer);
        checked(members.finish())?;
        let (row, token) = invitations::invite(change, &email, role).await?;
        let now = change.now;
        let body = InvitationBody {
            token: Some(token.expose_secret().to_owned()),
            ..InvitationBody::new(row, now)
        };
        Ok(Created::at(
            format!("/v1/admin/invitations/{}", body.id),
            &body,
        ))
    })
    .await
}

/// Takes an open invitation back.
#[utoipa::path(
    delete, path = "/v1/admin/invitations/{invitation}", tag = "Admin: access", operation_id = "revokeInvitation", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))), params(("invitation" = String, Path, description = "Its id")),
    responses((status = 204, description = "It is good for nothing any more"), Acting)
)]
async fn revoke(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    invitations::revoke(&mut change, id(&path)?).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Joins the tenant that the invitation's token is of: with a new account, or with the one that has this address already and
/// its password. Then sign in.
#[utoipa::path(
    post, path = "/v1/admin/invitations:accept", tag = "Admin: access", operation_id = "acceptInvitation",
    request_body(content = AcceptBody, content_type = "application/json"),
    responses((status = 200, description = "Joined", body = JoinedBody), Creating)
)]
async fn accept(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let token = members.required("token", secret);
    let name = members.optional("name", line(invitations::MAX_NAME));
    let password = members.required("password", secret);
    checked(members.finish())?;
    let (Some(token), Some(password)) = (token, password) else {
        return Err(Problem::new(Code::InvalidRequest));
    };
    let acceptance = Acceptance {
        token,
        name,
        password,
        from: visitor(&request),
    };
    let joined = Box::pin(invitations::accept(&gateway, acceptance)).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(JoinedBody {
            email: joined.email,
            tenant: joined.slug,
            role: joined.role.as_str(),
        }))
}

/// The tenant's members, by address.
#[utoipa::path(
    get, path = "/v1/admin/members", tag = "Admin: access", operation_id = "listMembers", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(PageQuery),
    responses((status = 200, description = "A page", body = PageBody<MemberBody>, headers(("Link" = String, description = "The next page"))), Listing)
)]
async fn list_members(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: PageQuery = query(&request)?;
    let page = Page::read(
        &request,
        &gateway.keys,
        may.tenant,
        asked.limit,
        asked.cursor.as_deref(),
    )?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.members(page.after.as_deref(), page.rows()).await?;
    Ok(page.answer(
        &request,
        &gateway.keys,
        rows,
        |row| row.email.clone(),
        |row| MemberBody::from(&row),
    ))
}

/// One member.
#[utoipa::path(
    get, path = "/v1/admin/members/{member}", tag = "Admin: access", operation_id = "getMember", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(("member" = String, Path, description = "The person's id")),
    responses((status = 200, description = "The member", body = MemberBody, headers(("ETag" = String, description = "Its state"))), ReadingOne)
)]
async fn get_member(
    may: May<View>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let row = tx.member(id(&path)?).await?.ok_or(Refusal::NotFound)?;
    Ok(shown(&row))
}

/// Gives a member another role. The only owner stays one.
#[utoipa::path(
    patch, path = "/v1/admin/members/{member}", tag = "Admin: access", operation_id = "changeRole", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("member" = String, Path, description = "The person's id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = RoleChange, content_type = "application/json"),
    responses((status = 200, description = "The member", body = MemberBody, headers(("ETag" = String, description = "Its state"))), Changing)
)]
async fn change_role(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let mut change = Change::begin(&gateway, &may).await?;
    let member = known(&mut change, &request, &path).await?;
    let mut members = Members::new(sent);
    let role = members.required("role", role).unwrap_or(member.role);
    checked(members.finish())?;
    let member = members::change_role(&mut change, member, role).await?;
    change.commit().await?;
    Ok(shown(&member))
}

/// Removes a member; their sessions here end. Keys that they made stay: revoke those too if need be. The only owner stays.
#[utoipa::path(
    delete, path = "/v1/admin/members/{member}", tag = "Admin: access", operation_id = "removeMember", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("member" = String, Path, description = "The person's id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Removed"), Changing)
)]
async fn remove(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    let member = known(&mut change, &request, &path).await?;
    members::remove(&mut change, &member).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The member, provided that the caller has seen them as they are.
async fn known(
    change: &mut Change,
    request: &HttpRequest,
    path: &str,
) -> Result<MemberRow, Problem> {
    let member = members::find(change, id(path)?).await?;
    validator(&member).require(request, || {
        serde_json::to_value(MemberBody::from(&member)).unwrap_or_default()
    })?;
    Ok(member)
}
