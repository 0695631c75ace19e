//! `/v1/operator`: what whoever runs the installation does. Not a tenant's business, so no tenant's role opens it.

mod audit;
mod issuer_pairs;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi as Description;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::admin::people::PageQuery;
use super::admin::{checked, id, read_members};
use super::answers::{Acting, Creating, Listing, Reading};
use super::{only, reading};
use crate::domain::email::Email;
use crate::domain::ids::TenantId;
use crate::domain::members::{Members, line, object};
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::tenants::TenantListing;
use crate::web::Problem;
use crate::web::body::AdminBodyLimits;
use crate::web::page::{Page, PageBody, query};
use crate::web::people::Operator;

/// Cursors of lists that belong to no tenant are marked with this.
const NO_TENANT: TenantId = TenantId(Uuid::nil());

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/operator/tenants")
                .route(reading().to(list_tenants))
                .route(web::post().to(create_tenant)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/operator/tenants/{slug:[^/:]+}:suspend")
                .route(web::post().to(suspend)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/operator/tenants/{slug:[^/:]+}:resume")
                .route(web::post().to(resume)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/operator/shared-issuers")
                .route(reading().to(list_issuers))
                .route(web::post().to(add_issuer)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/operator/shared-issuers/{sharedIssuer:[^/:]+}")
                .route(web::delete().to(remove_issuer)),
            "DELETE",
        ))
        .configure(issuer_pairs::routes)
        .configure(audit::routes);
}

#[derive(OpenApi)]
#[openapi(paths(
    list_tenants,
    create_tenant,
    suspend,
    resume,
    list_issuers,
    add_issuer,
    remove_issuer
))]
struct Doc;

/// Its part of the document.
pub fn document() -> Description {
    let mut document = Doc::openapi();
    document.merge(issuer_pairs::Doc::openapi());
    document.merge(audit::Doc::openapi());
    document
}

/// A tenant as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperatorTenant)]
struct OperatedTenantBody {
    /// Its id.
    id: Uuid,
    /// Its name in URLs and bundles.
    #[schema(example = "demo")]
    slug: String,
    /// Its name for people.
    #[schema(example = "Demo Inc.")]
    name: String,
    /// Whether it is served.
    active: bool,
    /// Since when it is there.
    created_at: DateTime<Utc>,
}

impl From<TenantListing> for OperatedTenantBody {
    fn from(row: TenantListing) -> Self {
        Self {
            id: row.id.0,
            slug: row.slug,
            name: row.name,
            active: row.active,
            created_at: row.created_at,
        }
    }
}

/// A tenant to make.
#[derive(Debug, Serialize, ToSchema)]
struct NewTenant {
    /// Its name in URLs and bundles; it stays for ever.
    #[schema(example = "acme", pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    slug: String,
    /// Its name for people; the slug unless set.
    #[schema(
        nullable = false,
        example = "Acme Ltd.",
        min_length = 1,
        max_length = 200
    )]
    name: Option<String>,
    /// Who is invited as its first owner.
    #[schema(nullable = false, example = "ann@acme.example")]
    owner: Option<String>,
}

/// A tenant was made.
#[derive(Debug, Serialize, ToSchema)]
struct MadeTenant {
    /// Its id.
    id: Uuid,
    /// Its name in URLs and bundles.
    #[schema(example = "acme")]
    slug: String,
    /// The invitation of the first owner, where one was named: shown this once, good for seven days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "pgi_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE"
    )]
    invitation: Option<String>,
}

/// An issuer that many tenants share.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SharedIssuer {
    /// Its id.
    id: Uuid,
    /// The members that an issuer has in a bundle.
    #[schema(value_type = Object)]
    config: Map<String, Value>,
    /// The claim that names the tenant.
    #[schema(example = "org")]
    tenant_claim: String,
}

/// An issuer to register.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewSharedIssuer {
    /// The members that an issuer has in a bundle: issuer, audiences, keys, ...
    #[schema(value_type = Object, example = json!({ "issuer": "https://login.example.com", "audiences": ["app"], "keys": { "discovery": true } }))]
    config: Map<String, Value>,
    /// The claim that holds the tenant's name in URLs, or its id: a name, or a JSON pointer such as /org/slug.
    #[schema(example = "org")]
    tenant_claim: String,
}

/// An issuer was registered.
#[derive(Debug, Serialize, ToSchema)]
struct MadeIssuer {
    /// Its id.
    id: Uuid,
}

/// Tenants, by their name in URLs.
#[utoipa::path(
    get, path = "/v1/operator/tenants", tag = "Operator", operation_id = "listTenants", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))), params(PageQuery),
    responses((status = 200, description = "A page", body = PageBody<OperatedTenantBody>, headers(("Link" = String, description = "The next page"))), Listing)
)]
async fn list_tenants(
    _operator: Operator,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: PageQuery = query(&request)?;
    let page = Page::read(
        &request,
        &gateway.keys,
        NO_TENANT,
        asked.limit,
        asked.cursor.as_deref(),
    )?;
    let mut tx = gateway.database.platform().await?;
    let rows = tx.tenants_page(page.after.as_deref(), page.rows()).await?;
    Ok(page.answer(
        &request,
        &gateway.keys,
        rows,
        |row| row.slug.clone(),
        OperatedTenantBody::from,
    ))
}

/// Makes a tenant, and invites its first owner.
#[utoipa::path(
    post, path = "/v1/operator/tenants", tag = "Operator", operation_id = "createTenant", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    request_body(content = NewTenant, content_type = "application/json"),
    responses((status = 201, description = "Made", body = MadeTenant), Creating)
)]
async fn create_tenant(
    operator: Operator,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let slug = members.required("slug", line(63)).unwrap_or_default();
    let name = members.optional("name", line(200));
    let owner = members.optional("owner", |value| {
        let text = value.as_str().unwrap_or_default();
        Email::parse(text).map_err(|error| error.to_string())
    });
    checked(members.finish())?;
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    let made = acting
        .create_tenant(&slug, name.as_deref().unwrap_or(&slug))
        .await?;
    let invitation = match owner {
        None => None,
        Some(email) => Some(acting.invite(&slug, &email, Role::Owner).await?),
    };
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(MadeTenant {
            id: made.0,
            slug,
            invitation: invitation.map(|token| token.expose_secret().to_owned()),
        }))
}

/// Stops serving a tenant: its users and its admins are refused, and nothing of it is lost.
#[utoipa::path(
    post, path = "/v1/operator/tenants/{slug}:suspend", tag = "Operator", operation_id = "suspendTenant", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))), params(("slug" = String, Path, description = "The tenant's name in URLs")),
    responses((status = 204, description = "Suspended"), Acting)
)]
async fn suspend(
    operator: Operator,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    set_active(&operator, &gateway, &path, false).await
}

/// Serves a suspended tenant again.
#[utoipa::path(
    post, path = "/v1/operator/tenants/{slug}:resume", tag = "Operator", operation_id = "resumeTenant", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))), params(("slug" = String, Path, description = "The tenant's name in URLs")),
    responses((status = 204, description = "Served again"), Acting)
)]
async fn resume(
    operator: Operator,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    set_active(&operator, &gateway, &path, true).await
}

async fn set_active(
    operator: &Operator,
    gateway: &Gateway,
    slug: &str,
    active: bool,
) -> Result<HttpResponse, Problem> {
    let label = operator.label();
    operator
        .acting(gateway, &label)
        .set_active(slug, active)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The issuers that many tenants share.
#[utoipa::path(
    get, path = "/v1/operator/shared-issuers", tag = "Operator", operation_id = "listSharedIssuers", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    responses((status = 200, description = "All of them", body = PageBody<SharedIssuer>), Reading)
)]
async fn list_issuers(
    _operator: Operator,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.platform().await?;
    let issuers = tx.shared_issuers().await?.into_iter();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PageBody {
            items: issuers
                .map(|row| SharedIssuer {
                    id: row.id.0,
                    config: row.config,
                    tenant_claim: row.tenant_claim,
                })
                .collect(),
            next: None,
        }))
}

/// Registers an issuer whose tokens name their tenant in a claim. Register none whose claims a tenant can set.
#[utoipa::path(
    post, path = "/v1/operator/shared-issuers", tag = "Operator", operation_id = "addSharedIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    request_body(content = NewSharedIssuer, content_type = "application/json"),
    responses((status = 201, description = "Registered", body = MadeIssuer), Creating)
)]
async fn add_issuer(
    operator: Operator,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let config = members.required("config", object).unwrap_or_default();
    let claim = members
        .required("tenantClaim", line(200))
        .unwrap_or_default();
    checked(members.finish())?;
    let label = operator.label();
    let made = operator
        .acting(&gateway, &label)
        .add_shared_issuer(&config, &claim)
        .await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(MadeIssuer { id: made.0 }))
}

/// Takes a shared issuer out: its tokens are refused from now on.
#[utoipa::path(
    delete, path = "/v1/operator/shared-issuers/{sharedIssuer}", tag = "Operator", operation_id = "removeSharedIssuer", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))), params(("sharedIssuer" = String, Path, description = "Its id")),
    responses((status = 204, description = "Removed"), Acting)
)]
async fn remove_issuer(
    operator: Operator,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let label = operator.label();
    operator
        .acting(&gateway, &label)
        .remove_shared_issuer(id(&path)?)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
