//! `/v1/admin/provider-keys`: the tenant's own Anam keys. A key goes in and is never shown again.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::{checked, id, read_members};
use crate::anam::Probe;
use crate::api::answers::{Acting, Changing, Creating, Reading, ReadingOne};
use crate::api::{only, reading};
use crate::domain::members::{Members, flag, line};
use crate::gateway::Gateway;
use crate::store::provider_keys::ProviderKeyInfo;
use crate::tenants::change::Change;
use crate::tenants::provider_keys::{self, KeyText};
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, Own, View};
use crate::web::body::AdminBodyLimits;
use crate::web::etag::Validator;
use crate::web::once::{Created, once};
use crate::web::page::PageBody;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/provider-keys")
                .route(reading().to(list))
                .route(web::post().to(add)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/provider-keys/{key:[^/:]+}")
                .route(reading().to(get))
                .route(web::delete().to(delete)),
            "GET, HEAD, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/provider-keys/{key:[^/:]+}:test").route(web::post().to(test)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/provider-keys/{key:[^/:]+}:retire")
                .route(web::post().to(retire)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, add, get, delete, test, retire))]
pub struct Doc;

/// What may be told of an Anam key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderKey)]
struct ProviderKeyBody {
    /// The key's id here.
    id: Uuid,
    /// What people call it.
    #[schema(example = "production, autumn")]
    label: String,
    /// Its last four characters; empty for a short key.
    #[schema(example = "9f3c")]
    last_four: String,
    /// Whether it may be used. The newest active key is the one in use.
    active: bool,
    /// Whether it is the one that tokens are minted with.
    in_use: bool,
    /// Since when it is stored.
    created_at: DateTime<Utc>,
}

impl ProviderKeyBody {
    fn new(key: ProviderKeyInfo, in_use: bool) -> Self {
        Self {
            id: key.id.0,
            label: key.label,
            last_four: key.last_four,
            active: key.active,
            in_use,
            created_at: key.created_at,
        }
    }

    fn validator(&self) -> Validator {
        let content = json!([self.id, self.active, self.in_use]).to_string();
        Validator::new(1, content.as_bytes())
    }
}

/// A key to add.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewProviderKey)]
struct NewKeyBody {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 100, example = "production, autumn")]
    label: String,
    /// The Anam API key. Sealed, and never shown again.
    #[schema(min_length = 8, max_length = 500, write_only)]
    key: String,
    /// Adds it without asking Anam whether it is good.
    #[schema(nullable = false)]
    skip_test: Option<bool>,
}

/// How a key is retired.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderKeyRetirement)]
struct RetireBody {
    /// Retires it although it is the only active one: from then on the platform's key is used, if there is one.
    #[schema(nullable = false)]
    leave_none: Option<bool>,
}

/// What asking Anam told about a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKeyTest)]
struct TestBody {
    /// `good`; `refused`: Anam does not know it; `noPermission`: it may not read Anam's lists, and whether it may mint
    /// can't be told; `noPlan`; `unreachable`: Anam gave no answer.
    #[schema(example = "good")]
    outcome: &'static str,
    /// The same in words.
    message: &'static str,
}

impl From<Probe> for TestBody {
    fn from(probe: Probe) -> Self {
        Self {
            outcome: probe.as_str(),
            message: match probe {
                Probe::Good => "Anam takes it.",
                Probe::Refused => "Anam does not know it: tokens can't be minted with it.",
                Probe::NoPermission => {
                    "Anam knows it, but it may not read lists: the catalogue can't be synchronised with it. Whether it may mint shows with the first token."
                }
                Probe::NoPlan => "Anam knows it, but its account has no plan.",
                Probe::Unreachable => "Anam gave no answer that tells. Try again.",
            },
        }
    }
}

/// The tenant's keys, newest first.
#[utoipa::path(
    get, path = "/v1/admin/provider-keys", tag = "Admin: provider keys", operation_id = "listProviderKeys", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses((status = 200, description = "All of them", body = PageBody<ProviderKeyBody>), Reading)
)]
async fn list(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let (keys, current) = provider_keys::list(&mut tx).await?;
    let body = |key: ProviderKeyInfo| {
        let in_use = current == Some(key.id);
        ProviderKeyBody::new(key, in_use)
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PageBody {
            items: keys.into_iter().map(body).collect(),
            next: None,
        }))
}

/// Adds a key, after Anam was asked whether it is good. It is in use at once; the one before stays active until it is
/// retired, so nothing fails meanwhile.
#[utoipa::path(
    post, path = "/v1/admin/provider-keys", tag = "Admin: provider keys", operation_id = "addProviderKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = NewKeyBody, content_type = "application/json"),
    responses(
        (status = 201, description = "The key", body = ProviderKeyBody, headers(("Location" = String, description = "The key"), ("ETag" = String, description = "Its state"))),
        Creating,
    )
)]
async fn add(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let mut members = Members::new(sent.clone());
    let label = members.required("label", line(100));
    let key = members.required("key", key_text);
    let skip_test = members.optional("skipTest", flag).unwrap_or_default();
    let faults = members.finish();
    let probe = match &key {
        Some(key) if faults.is_ok() && !skip_test => {
            gateway.admit_try_out(may.tenant)?;
            Some(provider_keys::test(&gateway, key).await)
        }
        _ => None,
    };
    once(&request, &gateway, &may, sent, async move |change, _| {
        checked(faults)?;
        let (Some(label), Some(key)) = (label, key) else {
            return Err(Refusal::Invalid(Vec::new()).into());
        };
        if let Some(fault) = probe.and_then(provider_keys::objection) {
            return Err(Refusal::Invalid(vec![fault]).into());
        }
        let added = provider_keys::add(change, &label, &key, probe).await?;
        let body = ProviderKeyBody::new(added, true);
        let location = format!("/v1/admin/provider-keys/{}", body.id);
        Ok(Created::at(location, &body).etag(body.validator().etag()))
    })
    .await
}

fn key_text(value: Value) -> Result<KeyText, String> {
    match value {
        Value::String(text) => KeyText::parse(SecretString::from(text)),
        _ => Err("must be a text".into()),
    }
}

/// What may be told of one key.
#[utoipa::path(
    get, path = "/v1/admin/provider-keys/{key}", tag = "Admin: provider keys", operation_id = "getProviderKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(("key" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The key", body = ProviderKeyBody, headers(("ETag" = String, description = "Its state"))),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let (key, in_use) = provider_keys::find(&mut tx, id(&path)?).await?;
    Ok(shown(&ProviderKeyBody::new(key, in_use)))
}

/// Forgets a retired key.
#[utoipa::path(
    delete, path = "/v1/admin/provider-keys/{key}", tag = "Admin: provider keys", operation_id = "deleteProviderKey", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("key" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Gone"), Changing)
)]
async fn delete(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    change.lock_authoring().await?;
    let (key, in_use) = provider_keys::find(&mut change.tx, id(&path)?).await?;
    let body = ProviderKeyBody::new(key.clone(), in_use);
    body.validator().require(&request, || json!(body))?;
    provider_keys::delete(&mut change, &key).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Asks Anam whether a stored key is good.
#[utoipa::path(
    post, path = "/v1/admin/provider-keys/{key}:test", tag = "Admin: provider keys", operation_id = "testProviderKey",
    security(("adminKey" = [])), extensions(("x-permission" = json!("own"))),
    params(("key" = String, Path, description = "Its id")),
    responses((status = 200, description = "What Anam made of it", body = TestBody), Acting)
)]
async fn test(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let key = provider_keys::open(&gateway, may.tenant, id(&path)?).await?;
    gateway.admit_try_out(may.tenant)?;
    let probe = provider_keys::test(&gateway, &key).await;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(TestBody::from(probe)))
}

/// Takes a key out of use. If it was the newest, the one before it is in use again.
#[utoipa::path(
    post, path = "/v1/admin/provider-keys/{key}:retire", tag = "Admin: provider keys", operation_id = "retireProviderKey",
    security(("adminKey" = [])), extensions(("x-permission" = json!("own"))),
    params(("key" = String, Path, description = "Its id")),
    request_body(content = Option<RetireBody>, content_type = "application/json"),
    responses((status = 200, description = "The key", body = ProviderKeyBody, headers(("ETag" = String, description = "Its state"))), Creating)
)]
async fn retire(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let mut members = Members::new(sent);
    let leave_none = members.optional("leaveNone", flag).unwrap_or_default();
    checked(members.finish())?;
    let mut change = Change::begin(&gateway, &may).await?;
    let (key, in_use) = provider_keys::retire(&mut change, id(&path)?, leave_none).await?;
    change.commit().await?;
    Ok(shown(&ProviderKeyBody::new(key, in_use)))
}

fn shown(body: &ProviderKeyBody) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, body.validator().etag()))
        .json(body)
}
