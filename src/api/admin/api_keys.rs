//! `/v1/admin/api-keys`: credentials of machines.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::people::{PageQuery, role};
use super::{checked, id, read_members};
use crate::api::answers::{Acting, Creating, Listing, ReadingOne};
use crate::api::{only, reading};
use crate::domain::ids::ApiKeyId;
use crate::domain::members::{Members, line, number};
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::api_keys::StoredKey;
use crate::tenants::api_keys::{self, NewKey};
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, Own};
use crate::web::body::AdminBodyLimits;
use crate::web::once::{Created, once};
use crate::web::page::{Page, PageBody, query};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/api-keys")
                .route(reading().to(list))
                .route(web::post().to(create)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/api-keys/{apiKey:[^/:]+}")
                .route(reading().to(get))
                .route(web::delete().to(revoke)),
            "GET, HEAD, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/api-keys/{apiKey:[^/:]+}:rotate")
                .route(web::post().to(rotate)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, create, get, revoke, rotate))]
pub struct Doc;

/// An API key, as far as it can be shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApiKeyBody {
    /// The key's id.
    id: Uuid,
    /// What it is for.
    #[schema(example = "nightly deploy")]
    name: String,
    /// What it may.
    #[schema(example = "publisher")]
    role: &'static str,
    /// Its first characters, as the audit trail names it.
    #[schema(example = "pgk_Ab3dE9xQ")]
    prefix: String,
    /// Who made it; absent of keys from before this was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "person:ann@example.com")]
    created_by: Option<String>,
    /// Since when.
    created_at: DateTime<Utc>,
    /// Until when; absent of a key without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_at: Option<DateTime<Utc>>,
    /// The key whose place it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replaces: Option<Uuid>,
    /// The key itself. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "pgk_Ab3dE9xQq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE0"
    )]
    key: Option<String>,
}

impl From<StoredKey> for ApiKeyBody {
    fn from(row: StoredKey) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            role: row.role.as_str(),
            prefix: row.prefix,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            replaces: row.replaces.map(|id| id.0),
            key: None,
        }
    }
}

fn created((row, key): (StoredKey, SecretString)) -> Created {
    let body = ApiKeyBody {
        key: Some(key.expose_secret().to_owned()),
        ..ApiKeyBody::from(row)
    };
    Created::at(format!("/v1/admin/api-keys/{}", body.id), &body)
}

/// A key to make.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewApiKey {
    /// What it is for.
    #[schema(example = "nightly deploy", min_length = 1, max_length = 100)]
    name: String,
    /// What it may: `viewer`, `editor`, `publisher` or `owner`.
    #[schema(example = "publisher", pattern = "^(viewer|editor|publisher|owner)$")]
    role: String,
    /// Until when, two years ahead at most; without it the key has no end.
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
}

/// How a key is rotated.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Rotation {
    /// How long the old key goes on, in seconds; a day unless set, 0 ends it at once.
    #[schema(nullable = false, minimum = 0, maximum = 2_592_000, example = 3600)]
    grace_seconds: Option<i64>,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "readers of members all have this shape"
)]
fn time(value: Value) -> Result<DateTime<Utc>, String> {
    value
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.to_utc())
        .ok_or_else(|| "must be a time such as 2027-01-31T12:00:00Z".into())
}

/// API keys, newest first; ended ones too.
#[utoipa::path(
    get, path = "/v1/admin/api-keys", tag = "Admin: access", operation_id = "listApiKeys", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))), params(PageQuery),
    responses((status = 200, description = "A page", body = PageBody<ApiKeyBody>, headers(("Link" = String, description = "The next page"))), Listing)
)]
async fn list(
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
    let after = page.after.as_deref().map(id::<ApiKeyId>).transpose()?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.api_keys(after, page.rows()).await?;
    Ok(page.answer(
        &request,
        &gateway.keys,
        rows,
        |row| row.id.to_string(),
        ApiKeyBody::from,
    ))
}

/// Makes an API key. It is shown this once.
#[utoipa::path(
    post, path = "/v1/admin/api-keys", tag = "Admin: access", operation_id = "createApiKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = NewApiKey, content_type = "application/json"),
    responses((status = 201, description = "The key", body = ApiKeyBody, headers(("Location" = String, description = "The key's entry"))), Creating)
)]
async fn create(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let name = members.required("name", line(100)).unwrap_or_default();
        let role = members.required("role", role).unwrap_or(Role::Viewer);
        let expires_at = members.optional("expiresAt", time);
        checked(members.finish())?;
        let new = NewKey {
            name,
            role,
            expires_at,
        };
        Ok(created(api_keys::create(change, new).await?))
    })
    .await
}

/// One API key.
#[utoipa::path(
    get, path = "/v1/admin/api-keys/{apiKey}", tag = "Admin: access", operation_id = "getApiKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))), params(("apiKey" = String, Path, description = "The key's id")),
    responses((status = 200, description = "Its entry", body = ApiKeyBody), ReadingOne)
)]
async fn get(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let row = tx.api_key_row(id(&path)?).await?.ok_or(Refusal::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ApiKeyBody::from(row)))
}

/// Takes a key back: it is refused from now on.
#[utoipa::path(
    delete, path = "/v1/admin/api-keys/{apiKey}", tag = "Admin: access", operation_id = "revokeApiKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))), params(("apiKey" = String, Path, description = "The key's id")),
    responses((status = 204, description = "Revoked"), Acting)
)]
async fn revoke(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    api_keys::revoke(&mut change, id(&path)?).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a key that takes this one's place, with the same name, role and length of life; this one goes on for the grace.
#[utoipa::path(
    post, path = "/v1/admin/api-keys/{apiKey}:rotate", tag = "Admin: access", operation_id = "rotateApiKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(
        ("apiKey" = String, Path, description = "The key's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day"),
    ),
    request_body(content = Rotation, content_type = "application/json"),
    responses((status = 201, description = "The new key", body = ApiKeyBody, headers(("Location" = String, description = "The key's entry"))), Creating)
)]
async fn rotate(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let key = id(&path)?;
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let most = api_keys::LONGEST_GRACE.num_seconds();
        let grace = members.optional("graceSeconds", number(0, most));
        checked(members.finish())?;
        let grace = grace.map_or(api_keys::GRACE, TimeDelta::seconds);
        Ok(created(api_keys::rotate(change, key, grace).await?))
    })
    .await
}
