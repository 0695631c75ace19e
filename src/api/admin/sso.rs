//! `/v1/admin/sso`: the tenant's identity provider, and the way of a browser there and back.

pub mod browser;

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::people::role;
use super::{checked, read_members};
use crate::api::answers::{Changing, ReadingOne};
use crate::api::{only, reading};
use crate::domain::members::{Members, line};
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::sso::ProviderRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::sso::{self, ProviderSettings, SecretChange};
use crate::web::Problem;
use crate::web::admin::{May, Own};
use crate::web::body::AdminBodyLimits;
use crate::web::etag::Validator;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(only(
        web::resource("/v1/admin/sso")
            .route(reading().to(get))
            .route(web::put().to(put))
            .route(web::delete().to(delete)),
        "GET, HEAD, PUT, DELETE",
    ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(get, put, delete))]
pub struct Doc;

/// The tenant's identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderBody {
    /// Its issuer identifier.
    #[schema(example = "https://login.example.com")]
    issuer: String,
    /// What it calls the gateway.
    #[schema(example = "persona-gateway")]
    client_id: String,
    /// Whether a client secret is stored; it is never shown.
    has_client_secret: bool,
    /// Whose e-mail addresses it may speak for.
    #[schema(example = json!(["example.com"]))]
    allowed_domains: Vec<String>,
    /// What somebody without a membership becomes; null turns them away.
    #[schema(example = "viewer")]
    new_person_role: Option<&'static str>,
}

impl From<&ProviderRow> for ProviderBody {
    fn from(row: &ProviderRow) -> Self {
        Self {
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            has_client_secret: row.client_secret.is_some(),
            allowed_domains: row.allowed_domains.clone(),
            new_person_role: row.new_person_role.map(Role::as_str),
        }
    }
}

/// An identity provider to set.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewProvider {
    /// Its issuer identifier, character for character as its discovery document writes it. It is asked before it is stored.
    #[schema(example = "https://login.example.com", max_length = 500)]
    issuer: String,
    /// What it calls the gateway.
    #[schema(example = "persona-gateway", min_length = 1, max_length = 200)]
    client_id: String,
    /// What it knows the gateway by. Absent, the stored one stays if issuer and client stay; null is a public client.
    #[schema(max_length = 500)]
    client_secret: Option<String>,
    /// Whose e-mail addresses it may speak for.
    #[schema(example = json!(["example.com"]), min_items = 1, max_items = 20)]
    allowed_domains: Vec<String>,
    /// What somebody without a membership becomes: `viewer`, `editor` or `publisher`; null or absent turns them away.
    #[schema(example = "viewer", pattern = "^(viewer|editor|publisher)$")]
    new_person_role: Option<String>,
}

fn validator(row: Option<&ProviderRow>) -> Validator {
    match row {
        None => Validator::new(0, &[]),
        Some(row) => Validator::new(row.revision, row.id.as_bytes()),
    }
}

fn shown(row: &ProviderRow) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, validator(Some(row)).etag()))
        .json(ProviderBody::from(row))
}

/// The tenant's identity provider.
#[utoipa::path(
    get, path = "/v1/admin/sso", tag = "Admin: access", operation_id = "getSso", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    responses((status = 200, description = "The provider", body = ProviderBody, headers(("ETag" = String, description = "Its state"))), ReadingOne)
)]
async fn get(may: May<Own>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let row = tx.sso_provider().await?.ok_or(Refusal::NotFound)?;
    Ok(shown(&row))
}

/// Sets the tenant's identity provider, after asking it. The first time, send `If-None-Match: *` in the place of `If-Match`.
#[utoipa::path(
    put, path = "/v1/admin/sso", tag = "Admin: access", operation_id = "putSso", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet"),
    ),
    request_body(content = NewProvider, content_type = "application/json"),
    responses((status = 200, description = "The provider", body = ProviderBody, headers(("ETag" = String, description = "Its state"))), Changing)
)]
async fn put(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let settings = sso::check(settings(sent)?)?;
    gateway.admit_try_out(may.tenant)?;
    Box::pin(gateway.sso.check(&settings.issuer))
        .await
        .map_err(|error| Refusal::fault("/issuer", error.to_string()))?;
    let mut change = Change::begin(&gateway, &may).await?;
    let stored = known(&mut change, &request).await?;
    let row = sso::put(&mut change, stored, settings).await?;
    change.commit().await?;
    Ok(shown(&row))
}

/// Removes the tenant's identity provider. Sessions that it opened go on to their end.
#[utoipa::path(
    delete, path = "/v1/admin/sso", tag = "Admin: access", operation_id = "deleteSso", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Removed"), Changing)
)]
async fn delete(
    may: May<Own>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    let stored = sso::stored(&mut change).await?.ok_or(Refusal::NotFound)?;
    require(&request, Some(&stored))?;
    sso::remove(&mut change, &stored).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is stored, provided that the caller knows it.
async fn known(change: &mut Change, request: &HttpRequest) -> Result<Option<ProviderRow>, Problem> {
    let stored = sso::stored(change).await?;
    if request.headers().contains_key(IF_NONE_MATCH) {
        validator(stored.as_ref())
            .check_write(request)
            .map_err(|problem| problem.current(current(stored.as_ref())))?;
    } else {
        require(request, stored.as_ref())?;
    }
    Ok(stored)
}

fn require(request: &HttpRequest, stored: Option<&ProviderRow>) -> Result<(), Problem> {
    validator(stored).require(request, || current(stored))
}

fn current(stored: Option<&ProviderRow>) -> Value {
    stored
        .map(|row| serde_json::to_value(ProviderBody::from(row)).unwrap_or_default())
        .unwrap_or_default()
}

fn settings(sent: serde_json::Map<String, Value>) -> Result<ProviderSettings, Refusal> {
    let mut members = Members::new(sent);
    let issuer = members.required("issuer", line(500));
    let client_id = members.required("clientId", line(200));
    let client_secret = members.optional("clientSecret", |value| match value {
        Value::Null => Ok(SecretChange::Clear),
        Value::String(secret) => Ok(SecretChange::Set(SecretString::from(secret))),
        _ => Err("must be a text, or null for a public client".into()),
    });
    let allowed_domains = members.required("allowedDomains", |value| {
        let listed = value.as_array().and_then(|list| {
            list.iter()
                .map(|domain| domain.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        listed.ok_or_else(|| "must be a list of domains such as example.com".into())
    });
    let new_person_role = members.optional("newPersonRole", |value| match value {
        Value::Null => Ok(None),
        value => role(value).map(Some),
    });
    checked(members.finish())?;
    Ok(ProviderSettings {
        issuer: issuer.unwrap_or_default(),
        client_id: client_id.unwrap_or_default(),
        client_secret: client_secret.unwrap_or(SecretChange::Keep),
        allowed_domains: allowed_domains.unwrap_or_default(),
        new_person_role: new_person_role.flatten(),
    })
}
