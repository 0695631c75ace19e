//! `/v1/admin/sign-in` and what somebody who is signed in does with their own account.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::{checked, read_members};
use crate::api::answers::{Creating, Reading};
use crate::api::{only, reading};
use crate::domain::members::{Members, line};
use crate::gateway::Gateway;
use crate::store::people::MembershipRow;
use crate::tenants::sign_in::{self, SignIn, SignedIn};
use crate::tenants::signed_in;
use crate::web::Problem;
use crate::web::body::AdminBodyLimits;
use crate::web::people::{Person, visitor};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/sign-in").route(web::post().to(sign_in)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/sign-out").route(web::post().to(sign_out)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/account").route(reading().to(account)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/account:switch").route(web::post().to(switch)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/password").route(web::post().to(change_password)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(sign_in, sign_out, account, switch, change_password))]
pub struct Doc;

/// Somebody is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedInBody {
    /// To be sent as `Authorization: Bearer`. Shown this once.
    #[schema(example = "pgs_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
    token: String,
    /// When the session ends, whatever is done with it; it ends earlier after 30 minutes without a request.
    expires_at: DateTime<Utc>,
    /// The tenant that it works in; absent for an operator who belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "demo")]
    tenant: Option<String>,
    /// What the person may there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "editor")]
    role: Option<&'static str>,
}

/// The answer that holds the token.
pub(super) fn signed_in_answer(signed_in: SignedIn) -> HttpResponse {
    let workplace = signed_in.workplace;
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SignedInBody {
            token: signed_in.token.expose_secret().to_owned(),
            expires_at: signed_in.expires_at,
            role: workplace.as_ref().map(|workplace| workplace.role.as_str()),
            tenant: workplace.map(|workplace| workplace.slug),
        })
}

/// A try to sign in.
#[derive(Debug, Serialize, ToSchema)]
struct SignInBody {
    /// The address of the account.
    #[schema(example = "ann@example.com")]
    email: String,
    /// Its password.
    #[schema(example = "correct horse battery", max_length = 1024)]
    password: String,
    /// The tenant to work in; needed by who belongs to several.
    #[schema(nullable = false, example = "demo")]
    tenant: Option<String>,
}

/// A person who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Account {
    /// Their address.
    #[schema(example = "ann@example.com")]
    email: String,
    /// What they are called.
    #[schema(example = "Ann Lee")]
    name: String,
    /// Whether this session may do what operators do.
    operator: bool,
    /// Whether the tenant's identity provider vouched for them: then the session stays in that tenant.
    single_sign_on: bool,
    /// When the session ends at the latest.
    expires_at: DateTime<Utc>,
    /// The tenant that it works in; absent for an operator who belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "demo")]
    tenant: Option<String>,
    /// What they may there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "editor")]
    role: Option<&'static str>,
    /// The tenants that the session may switch to, this one among them.
    tenants: Vec<TenantOfPerson>,
}

/// A tenant that a person may work in.
#[derive(Debug, Serialize, ToSchema)]
struct TenantOfPerson {
    /// Its name in URLs and bundles.
    #[schema(example = "demo")]
    slug: String,
    /// Its name for people.
    #[schema(example = "Demo Inc.")]
    name: String,
    /// What the person may there.
    #[schema(example = "editor")]
    role: &'static str,
    /// Whether it is served.
    active: bool,
}

impl From<MembershipRow> for TenantOfPerson {
    fn from(row: MembershipRow) -> Self {
        Self {
            slug: row.slug,
            name: row.name,
            role: row.role.as_str(),
            active: row.active,
        }
    }
}

/// The tenant to go on in.
#[derive(Debug, Serialize, ToSchema)]
struct SwitchBody {
    /// Its name in URLs and bundles.
    #[schema(example = "demo")]
    tenant: String,
}

/// A change of password.
#[derive(Debug, Serialize, ToSchema)]
struct PasswordBody {
    /// The one that holds.
    #[schema(max_length = 1024, example = "correct horse battery")]
    current: String,
    /// The one that shall hold: 12 to 128 characters, not the e-mail address, none of the most common.
    #[schema(
        min_length = 12,
        max_length = 128,
        example = "staple the other battery"
    )]
    new: String,
}

/// A text that is not looked at any closer here.
pub(super) fn secret(value: Value) -> Result<SecretString, String> {
    match value {
        Value::String(text) if (1..=1024).contains(&text.len()) => Ok(SecretString::from(text)),
        _ => Err("must be a text of 1 to 1024 bytes".into()),
    }
}

/// Signs a person in with their password. Who belongs to several tenants names one; `errors` lists them, after the right
/// password only. Tries are limited by account and by address.
#[utoipa::path(
    post, path = "/v1/admin/sign-in", tag = "Admin: access", operation_id = "signIn",
    request_body(content = SignInBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Signed in", body = SignedInBody),
        Creating,
    )
)]
async fn sign_in(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let email = members.required("email", line(320));
    let password = members.required("password", secret);
    let tenant = members.optional("tenant", line(63));
    checked(members.finish())?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Problem::new(crate::web::codes::Code::InvalidRequest));
    };
    let attempt = SignIn {
        email,
        password,
        tenant,
        from: visitor(&request),
    };
    let signed_in = Box::pin(sign_in::sign_in(&gateway, attempt)).await?;
    Ok(signed_in_answer(signed_in))
}

/// Ends the session that the request is made with.
#[utoipa::path(
    post, path = "/v1/admin/sign-out", tag = "Admin: access", operation_id = "signOut", security(("adminKey" = [])),
    extensions(("x-permission" = json!("person"))),
    responses((status = 204, description = "Signed out"), Reading)
)]
async fn sign_out(
    person: Person,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    signed_in::sign_out(&gateway, &person, &visitor(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The person who is signed in, and where they may work.
#[utoipa::path(
    get, path = "/v1/admin/account", tag = "Admin: access", operation_id = "getAccount", security(("adminKey" = [])),
    extensions(("x-permission" = json!("person"))),
    responses((status = 200, description = "The account", body = Account), Reading)
)]
async fn account(person: Person, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let tenants = signed_in::memberships(&gateway, &person).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Account {
            email: person.email.clone(),
            name: person.name.clone(),
            operator: signed_in::is_operator(&person),
            single_sign_on: person.by_sso,
            expires_at: person.expires_at,
            tenant: person.tenant.as_ref().map(|tenant| tenant.slug.clone()),
            role: person.tenant.as_ref().map(|tenant| tenant.role.as_str()),
            tenants: tenants.into_iter().map(TenantOfPerson::from).collect(),
        }))
}

/// Goes on in another of the person's tenants: a new token, and the old one ends.
#[utoipa::path(
    post, path = "/v1/admin/account:switch", tag = "Admin: access", operation_id = "switchTenant", security(("adminKey" = [])),
    extensions(("x-permission" = json!("person"))),
    request_body(content = SwitchBody, content_type = "application/json"),
    responses((status = 200, description = "Signed in there", body = SignedInBody), Creating)
)]
async fn switch(
    person: Person,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let tenant = members.required("tenant", line(63)).unwrap_or_default();
    checked(members.finish())?;
    let signed_in = signed_in::switch(&gateway, &person, &tenant, &visitor(&request)).await?;
    Ok(signed_in_answer(signed_in))
}

/// Sets another password. All sessions of the person end, this one too: sign in again.
#[utoipa::path(
    post, path = "/v1/admin/password", tag = "Admin: access", operation_id = "changePassword", security(("adminKey" = [])),
    extensions(("x-permission" = json!("person"))),
    request_body(content = PasswordBody, content_type = "application/json"),
    responses((status = 204, description = "It holds from now on"), Creating)
)]
async fn change_password(
    person: Person,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let current = members.required("current", secret);
    let new = members.required("new", secret);
    checked(members.finish())?;
    let (Some(current), Some(new)) = (current, new) else {
        return Err(Problem::new(crate::web::codes::Code::InvalidRequest));
    };
    let from = visitor(&request);
    Box::pin(signed_in::change_password(
        &gateway, &person, &current, new, &from,
    ))
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
