//! `/v1/operator/issuer-pairs`: whose the tokens of an issuer for an audience are, where nobody can prove it.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::NO_TENANT;
use crate::api::admin::{checked, read_members};
use crate::api::answers::{Creating, Listing};
use crate::api::{only, reading};
use crate::domain::issuer::IssuerConfig;
use crate::domain::members::{Members, line};
use crate::gateway::Gateway;
use crate::store::pairs::{ClaimedBy, PairListing};
use crate::tenants::operators::Pair;
use crate::web::Problem;
use crate::web::body::AdminBodyLimits;
use crate::web::page::{Page, PageBody, query};
use crate::web::people::Operator;

/// Their routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/operator/issuer-pairs").route(reading().to(list)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/operator/issuer-pairs:assign").route(web::post().to(assign)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/operator/issuer-pairs:withdraw").route(web::post().to(withdraw)),
            "POST",
        ));
}

/// Their part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, assign, withdraw))]
pub(super) struct Doc;

/// Which are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PairQuery {
    /// Only those that nobody has proven; false unless set.
    pending: Option<bool>,
    /// Items of a page at most, 1 to 100; 50 unless set.
    limit: Option<i64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// A tenant's issuer and one of its audiences.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerPair)]
struct PairBody {
    /// The tenant's name in URLs.
    #[schema(example = "acme")]
    tenant: String,
    /// The tenant's issuer.
    issuer_id: Uuid,
    /// The `iss` of the tokens.
    #[schema(example = "https://login.acme.example/")]
    issuer: String,
    /// Their `aud`.
    #[schema(example = "acme-app")]
    audience: String,
    /// `claimed` or `pending`.
    #[schema(example = "pending")]
    state: &'static str,
    /// What gave it to the tenant: `audience`, `token`, `operator` or `earlier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_by: Option<&'static str>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claimed_at: Option<DateTime<Utc>>,
}

impl From<PairListing> for PairBody {
    fn from(row: PairListing) -> Self {
        Self {
            tenant: row.tenant,
            issuer_id: row.issuer_id.0,
            issuer: row.issuer,
            audience: row.audience,
            state: if row.claimed_at.is_some() {
                "claimed"
            } else {
                "pending"
            },
            claimed_by: row.claimed_by.map(ClaimedBy::as_str),
            claimed_at: row.claimed_at,
        }
    }
}

/// Which pair of which tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NamedIssuerPair)]
struct NamedPair {
    /// The tenant's name in URLs.
    #[schema(example = "acme")]
    tenant: String,
    /// The `iss` of the tokens.
    #[schema(example = "https://login.acme.example/")]
    issuer: String,
    /// Their `aud`.
    #[schema(example = "acme-app")]
    audience: String,
}

/// Pairs of issuer and audience of all tenants, by tenant. Several tenants may have the same one pending; one alone can have it claimed.
#[utoipa::path(
    get, path = "/v1/operator/issuer-pairs", tag = "Operator", operation_id = "listIssuerPairs", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))), params(PairQuery),
    responses((status = 200, description = "A page", body = PageBody<PairBody>, headers(("Link" = String, description = "The next page"))), Listing)
)]
async fn list(
    _operator: Operator,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: PairQuery = query(&request)?;
    let keys = &gateway.keys;
    let cursor = asked.cursor.as_deref();
    let page = Page::read(&request, keys, NO_TENANT, asked.limit, cursor)?;
    let mut tx = gateway.database.platform().await?;
    let pending = asked.pending == Some(true);
    let rows = tx
        .pairs_page(pending, page.after.as_deref(), page.rows())
        .await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| row.position.clone(),
        PairBody::from,
    ))
}

/// Gives a pair to a tenant that has it pending: its tokens are taken from now on.
#[utoipa::path(
    post, path = "/v1/operator/issuer-pairs:assign", tag = "Operator", operation_id = "assignIssuerPair", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    request_body(content = NamedPair, content_type = "application/json"),
    responses((status = 204, description = "It is the tenant's"), Creating)
)]
async fn assign(
    operator: Operator,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let pair = read(&request, payload, **limits).await?;
    let label = operator.label();
    operator.acting(&gateway, &label).assign_pair(&pair).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a pair from a tenant: its tokens are refused until somebody proves whose they are, or an operator assigns them.
#[utoipa::path(
    post, path = "/v1/operator/issuer-pairs:withdraw", tag = "Operator", operation_id = "withdrawIssuerPair", security(("adminKey" = [])),
    extensions(("x-permission" = json!("operator"))),
    request_body(content = NamedPair, content_type = "application/json"),
    responses((status = 204, description = "It is pending"), Creating)
)]
async fn withdraw(
    operator: Operator,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let pair = read(&request, payload, **limits).await?;
    let label = operator.label();
    operator
        .acting(&gateway, &label)
        .withdraw_pair(&pair)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    limits: AdminBodyLimits,
) -> Result<Pair, Problem> {
    let mut members = Members::new(read_members(request, payload, limits).await?);
    let most = IssuerConfig::MAX_NAME_CHARS;
    let pair = Pair {
        tenant: members.required("tenant", line(63)).unwrap_or_default(),
        issuer: members.required("issuer", line(most)).unwrap_or_default(),
        audience: members.required("audience", line(most)).unwrap_or_default(),
    };
    checked(members.finish())?;
    Ok(pair)
}
