//! `/v1/admin/refusals`: whose tokens and pages were refused, and why. Callers are not told; the tenant's admins are.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::api::answers::Listing;
use crate::api::{only, reading};
use crate::gateway::Gateway;
use crate::refusals::Why;
use crate::store::refusals::{RefusalPlace, RefusalRow};
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::page::{Page, PageBody, query};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(only(
        web::resource("/v1/admin/refusals").route(reading().to(list)),
        "GET, HEAD",
    ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list))]
pub struct Doc;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// For this reason only.
    #[param(nullable = false, max_length = 40, example = "wrong_audience")]
    reason: Option<String>,
    /// Items of a page, 50 unless set.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// Refusals that are the same one, seen several times. What it says of the token was not verified: anybody can send one that
/// claims to be your users'.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefusalItem {
    /// Its stable name.
    #[schema(example = "wrong_audience")]
    reason: String,
    /// What it means.
    #[schema(example = "aud names none of this issuer's audiences")]
    meaning: String,
    /// What to do about it.
    advice: &'static str,
    /// The token's `iss`.
    #[schema(example = "https://login.example.com")]
    issuer: Option<String>,
    /// The token's `aud`; several with commas between.
    #[schema(example = "another-app")]
    audience: Option<String>,
    /// The `kid` in the token's header.
    kid: Option<String>,
    /// The page's origin, where that was refused.
    #[schema(example = "https://app.example.com")]
    origin: Option<String>,
    /// Whether this counts further ones of the reason, which are not told apart: the newest 20 are.
    others: bool,
    /// How often.
    count: i64,
    /// The first time.
    first_at: DateTime<Utc>,
    /// The last time.
    last_at: DateTime<Utc>,
    /// The `X-Request-Id` of the last time; null of the others.
    request_id: Option<Uuid>,
}

impl From<RefusalRow> for RefusalItem {
    fn from(row: RefusalRow) -> Self {
        let text = |text: String| (!text.is_empty()).then_some(text);
        let why = Why::named(&row.reason);
        Self {
            meaning: why.map_or_else(|| row.reason.clone(), Why::meaning),
            advice: why.map_or("", Why::advice),
            reason: row.reason,
            issuer: text(row.issuer),
            audience: text(row.audience),
            kid: text(row.kid),
            origin: text(row.origin),
            others: row.fingerprint.is_empty(),
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            request_id: row.request.map(|id| id.0),
        }
    }
}

/// Tokens and pages that were refused at the tenant's door in the last 30 days, by reason and by what they claimed, the newest
/// first. This instance's are told at once, those of others within seconds.
#[utoipa::path(
    get, path = "/v1/admin/refusals", tag = "Admin: access", operation_id = "listRefusals", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(ListQuery),
    responses(
        (status = 200, description = "A page of refusals", body = PageBody<RefusalItem>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn list(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: ListQuery = query(&request)?;
    let keys = &gateway.keys;
    let page = Page::read(
        &request,
        keys,
        may.tenant,
        asked.limit,
        asked.cursor.as_deref(),
    )?;
    let reason = match asked.reason.as_deref() {
        None => None,
        Some(name) => Some(Why::named(name).ok_or_else(|| {
            Refusal::fault(
                "/reason",
                "must be the name of a reason, such as wrong_audience",
            )
        })?),
    };
    gateway.refusals.flush().await;
    let after = page.after.as_deref().and_then(place);
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx
        .refusals(reason.map(Why::as_label), after, page.rows())
        .await?;
    tx.commit().await?;
    Ok(page.answer(&request, keys, rows, position, RefusalItem::from))
}

fn position(row: &RefusalRow) -> String {
    let micros = row.last_at.timestamp_micros();
    format!("{micros} {} {}", row.reason, hex::encode(&row.fingerprint))
}

/// Where a row stands, as a cursor keeps it.
fn place(position: &str) -> Option<RefusalPlace> {
    let mut parts = position.split(' ');
    let at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    Some((
        at,
        parts.next()?.to_owned(),
        hex::decode(parts.next()?).ok()?,
    ))
}
