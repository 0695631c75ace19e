//! `/v1/admin/policy` and `/v1/admin/tenant`: what a tenant has laid down for all its personas and users, and its name.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::checked;
use crate::api::answers::{Changing, Reading};
use crate::api::{only, reading};
use crate::authoring::export::order;
use crate::authoring::policy;
use crate::domain::members::{Members, line};
use crate::domain::merge_patch::merged;
use crate::domain::policy::Policy;
use crate::gateway::Gateway;
use crate::store::tenants::TenantRow;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::web::Problem;
use crate::web::admin::{May, Own, View};
use crate::web::body::{self, AdminBodyLimits};
use crate::web::etag::{Conditions, Validator};
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/policy")
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::patch().to(patch)),
            "GET, HEAD, PUT, PATCH",
        ))
        .service(only(
            web::resource("/v1/admin/tenant")
                .route(reading().to(get_tenant))
                .route(web::patch().to(patch_tenant)),
            "GET, HEAD, PATCH",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(get, put, patch, get_tenant, patch_tenant))]
pub struct Doc;

/// A policy, as in a bundle.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Policy)]
struct PolicyBody {
    /// Web origins whose pages may call the user API.
    #[schema(nullable = false, example = json!(["https://app.acme.example"]))]
    allowed_origins: Option<Vec<String>>,
    /// The IANA time zone in which `time.*` is read; UTC unless set.
    #[schema(nullable = false, example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Settings that a persona gets where it says nothing.
    #[schema(value_type = Option<Object>, nullable = false)]
    defaults: Option<Value>,
    /// Settings that every persona gets, whatever it or a user says.
    #[schema(value_type = Option<Object>, nullable = false)]
    locks: Option<Value>,
    /// Preferences beyond the standard ones, by name.
    #[schema(value_type = Option<Object>, nullable = false)]
    preferences: Option<Value>,
    /// Days that a session's inputs are kept for replays; 30 unless set.
    #[schema(nullable = false, minimum = 0, maximum = 3650)]
    retain_inputs_days: Option<u16>,
    /// How many others must approve a version before it can be released; 0 unless set.
    #[schema(nullable = false, minimum = 0, maximum = 5)]
    required_approvals: Option<u8>,
    /// Whether and how the catalogue follows Anam's lists.
    #[schema(nullable = false)]
    catalogue_sync: Option<CatalogueSyncBody>,
}

/// How the catalogue follows Anam's lists.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueSyncPolicy)]
struct CatalogueSyncBody {
    /// Whether the lists are read on schedule; `true` unless set.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// Hours between two readings; 24 unless set.
    #[schema(nullable = false, minimum = 1, maximum = 720)]
    every_hours: Option<u16>,
    /// Whether users may choose what Anam lists anew before an admin has allowed it.
    #[schema(nullable = false)]
    allow_new: Option<bool>,
}

/// The tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
struct TenantBody {
    /// Its id.
    id: Uuid,
    /// Its name in addresses and bundles, which stays.
    #[schema(example = "acme")]
    slug: String,
    /// Its name for people; templates say it as `tenant.name`.
    #[schema(example = "Acme Inc.")]
    name: String,
}

impl From<&TenantRow> for TenantBody {
    fn from(row: &TenantRow) -> Self {
        Self {
            id: row.id.0,
            slug: row.slug.clone(),
            name: row.name.clone(),
        }
    }
}

/// What the tenant is called from now on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantChange)]
struct TenantChangeBody {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// The policy, with what has its usual value. `catalogueSync` is there only where it is set.
#[utoipa::path(
    get, path = "/v1/admin/policy", tag = "Admin: policy", operation_id = "getPolicy", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses(
        (status = 200, description = "The policy", body = PolicyBody, headers(("ETag" = String, description = "Its state"))),
        Reading,
    )
)]
async fn get(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    Ok(shown(&policy::tenant(&mut tx).await?).into())
}

/// Replaces the policy. Refused where something live would no longer be sound under it.
#[utoipa::path(
    put, path = "/v1/admin/policy", tag = "Admin: policy", operation_id = "putPolicy", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = PolicyBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The policy", body = PolicyBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn put(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = body::read_object(&request, payload, limits.0, super::JSON).await?;
    write(&may, &request, &gateway, move |_| sent).await
}

/// Changes members of the policy: a JSON merge patch (RFC 7396), where null takes a member away.
#[utoipa::path(
    patch, path = "/v1/admin/policy", tag = "Admin: policy", operation_id = "patchPolicy", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = Object, content_type = "application/merge-patch+json", example = json!({"requiredApprovals": 1, "timeZone": null})),
    responses(
        (status = 200, description = "The policy", body = PolicyBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn patch(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = body::read_object(&request, payload, limits.0, super::MERGE_PATCH).await?;
    write(&may, &request, &gateway, move |before| merged(before, sent)).await
}

/// The tenant.
#[utoipa::path(
    get, path = "/v1/admin/tenant", tag = "Admin: policy", operation_id = "getTenant", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses(
        (status = 200, description = "The tenant", body = TenantBody, headers(("ETag" = String, description = "Its state"))),
        Reading,
    )
)]
async fn get_tenant(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    Ok(tenant_shown(&policy::tenant(&mut tx).await?))
}

/// Changes the tenant's name for people.
#[utoipa::path(
    patch, path = "/v1/admin/tenant", tag = "Admin: policy", operation_id = "patchTenant", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = TenantChangeBody, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The tenant", body = TenantBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn patch_tenant(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = body::read_object(&request, payload, limits.0, super::MERGE_PATCH).await?;
    let mut members = Members::new(sent);
    let name = members.required("name", line(200)).unwrap_or_default();
    checked(members.finish())?;
    let mut change = Change::begin(&gateway, &may).await?;
    change.lock_authoring().await?;
    let before = policy::tenant(&mut change.tx).await?;
    tenant_validator(&before).require(&request, || json!(TenantBody::from(&before)))?;
    let row = policy::rename(&mut change, &before, &name).await?;
    change.commit().await?;
    Ok(tenant_shown(&row))
}

async fn write(
    may: &May<Own>,
    request: &HttpRequest,
    gateway: &web::Data<Gateway>,
    wish: impl FnOnce(&Map<String, Value>) -> Map<String, Value> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let (admin, conditions) = (Admin::clone(may), Conditions::from(request));
    work(gateway, may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        change.lock_authoring().await?;
        let before = policy::tenant(&mut change.tx).await?;
        validator(&before).require(conditions, || Value::Object(whole(&before)))?;
        let wanted = wish(&before.policy);
        let row = policy::replace(&mut change, &before, &wanted).await?;
        change.commit().await?;
        Ok(shown(&row))
    })
    .await
}

/// The policy with what has its usual value; as it is stored where it can't be read.
fn whole(row: &TenantRow) -> Map<String, Value> {
    match Policy::parse(&row.policy) {
        Ok(policy) => order::of_policy(policy.to_whole_document()),
        Err(_unreadable) => row.policy.clone(),
    }
}

fn validator(row: &TenantRow) -> Validator {
    Validator::new(1, json!(row.policy).to_string().as_bytes())
}

fn tenant_validator(row: &TenantRow) -> Validator {
    Validator::new(1, row.name.as_bytes())
}

fn shown(row: &TenantRow) -> Ready {
    Ready::ok(&whole(row)).etag(Some(validator(row).etag().to_owned()))
}

fn tenant_shown(row: &TenantRow) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, tenant_validator(row).etag()))
        .json(TenantBody::from(row))
}
