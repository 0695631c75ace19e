//! `/v1/admin/documents/{kind}/{key}/versions`: what was sealed, and what others say of it.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::{checked, named, number, read_members};
use crate::api::answers::{Creating, Listing, ReadingOne};
use crate::api::{only, reading};
use crate::authoring::export::order;
use crate::authoring::review::{self, Standing};
use crate::authoring::{documents, review::standing};
use crate::domain::members::{Members, block};
use crate::gateway::Gateway;
use crate::store::documents::DocumentKind;
use crate::store::reviews::ReviewRow;
use crate::store::versions::SealedVersion;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{Edit, May, View};
use crate::web::body::AdminBodyLimits;
use crate::web::once::{Created, once};
use crate::web::page::{Page, PageBody, query};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}/versions")
                .route(reading().to(list)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}/versions/{number:[^/:]+}")
                .route(reading().to(get)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource(
                "/v1/admin/documents/{kind}/{key:[^/:]+}/versions/{number:[^/:]+}/reviews",
            )
            .route(reading().to(reviews))
            .route(web::post().to(add_review)),
            "GET, HEAD, POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, get, reviews, add_review))]
pub struct Doc;

/// A sealed version: it never changes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionBody {
    /// Its document's kind.
    #[schema(example = "persona")]
    kind: &'static str,
    /// Its document's key.
    #[schema(example = "support-agent")]
    key: String,
    /// Counts from 1 within the document.
    #[schema(example = 4)]
    pub(super) number: i32,
    /// The version that its draft was based on; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    base_version: Option<i32>,
    /// What was sealed.
    #[schema(value_type = Object)]
    content: Map<String, Value>,
    /// SHA-256 of the content, hex.
    hash: String,
    /// Who sealed it.
    author: String,
    /// Everybody who wrote in it.
    contributors: Vec<String>,
    /// What changed and why.
    message: String,
    /// When it was sealed.
    created_at: DateTime<Utc>,
}

impl VersionBody {
    pub(super) fn new(kind: DocumentKind, key: &str, version: SealedVersion) -> Self {
        Self {
            kind: kind.as_str(),
            key: key.to_owned(),
            number: version.number,
            base_version: version.base_version,
            content: order::of_document(kind, version.content),
            hash: hex::encode(version.hash),
            author: version.author,
            contributors: version.contributors,
            message: version.message,
            created_at: version.created_at,
        }
    }
}

/// What somebody said of a version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReviewBody {
    /// Who.
    #[schema(example = "person:kim@example.com")]
    reviewer: String,
    /// `approve` or `reject`.
    #[schema(example = "approve")]
    verdict: &'static str,
    /// Why.
    comment: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl From<ReviewRow> for ReviewBody {
    fn from(row: ReviewRow) -> Self {
        Self {
            reviewer: row.reviewer,
            verdict: if row.approves { "approve" } else { "reject" },
            comment: row.comment,
            created_at: row.created_at,
        }
    }
}

/// How a version stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Reviews {
    /// Every review, oldest first.
    items: Vec<ReviewBody>,
    /// How many people who did not write in it must approve it before it is released.
    required: u8,
    /// Who approves; of one person's reviews the last one counts.
    approved_by: Vec<String>,
    /// Who objects.
    rejected_by: Vec<String>,
    /// Whether the reviews let it be released.
    met: bool,
}

/// A review.
#[derive(Debug, Serialize, ToSchema)]
struct NewReview {
    /// `approve` or `reject`.
    #[schema(example = "approve", pattern = "^(approve|reject)$")]
    verdict: String,
    /// Why.
    #[schema(nullable = false, max_length = 2000)]
    comment: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Items of a page, 50 unless set.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    pub(super) limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    #[param(nullable = false)]
    pub(super) cursor: Option<String>,
}

/// A document's versions, newest first.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}/versions", tag = "Admin: versions", operation_id = "listVersions", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"), PageQuery),
    responses(
        (status = 200, description = "A page of versions", body = PageBody<VersionBody>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn list(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let asked: PageQuery = query(&request)?;
    let keys = &gateway.keys;
    let page = Page::read(
        &request,
        keys,
        may.tenant,
        asked.limit,
        asked.cursor.as_deref(),
    )?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let document = documents::find(&mut tx, kind, &key).await?;
    let below = page.after.as_deref().and_then(|number| number.parse().ok());
    let rows = tx.versions(document.id, below, page.rows()).await?;
    let view = |row| VersionBody::new(kind, key.as_str(), row);
    Ok(page.answer(&request, keys, rows, |row| row.number.to_string(), view))
}

/// One version.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}/versions/{number}", tag = "Admin: versions", operation_id = "getVersion",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("number" = String, Path, description = "The version's number")),
    responses((status = 200, description = "The version", body = VersionBody), ReadingOne)
)]
async fn get(
    may: May<View>,
    path: web::Path<(String, String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let document = documents::find(&mut tx, kind, &key).await?;
    let version = tx.version(document.id, number(&path.2)?).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(VersionBody::new(kind, key.as_str(), version)))
}

/// What others say of a version, and whether that is enough for a release.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}/versions/{number}/reviews", tag = "Admin: versions", operation_id = "listReviews",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("number" = String, Path, description = "The version's number")),
    responses(
        (status = 200, description = "The reviews", body = Reviews),
        (status = 409, description = "`conflict`"),
        ReadingOne,
    )
)]
async fn reviews(
    may: May<View>,
    path: web::Path<(String, String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let document = documents::find(&mut tx, kind, &key).await?;
    let version = tx.version(document.id, number(&path.2)?).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let rows = tx.reviews(document.id, version.id).await?;
    let stands: Standing = standing(&mut tx, document.id, &version).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Reviews {
            items: rows.into_iter().map(ReviewBody::from).collect(),
            met: stands.is_met(),
            required: stands.required,
            approved_by: stands.approved_by,
            rejected_by: stands.rejected_by,
        }))
}

/// Approves or rejects a version. Only people review, and none what they wrote themselves.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}/versions/{number}/reviews", tag = "Admin: versions", operation_id = "reviewVersion",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("number" = String, Path, description = "The version's number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = NewReview, content_type = "application/json"),
    responses((status = 200, description = "The review", body = ReviewBody), Creating)
)]
async fn add_review(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let number = number(&path.2)?;
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let approves = members.required("verdict", |value| match value.as_str() {
            Some("approve") => Ok(true),
            Some("reject") => Ok(false),
            _ => Err("must be approve or reject".into()),
        });
        let comment = members
            .optional("comment", block(2_000))
            .unwrap_or_default();
        checked(members.finish())?;
        let approves = approves.unwrap_or_default();
        let row = review::review(change, kind, &key, number, approves, &comment).await?;
        Ok(Created::done(&ReviewBody::from(row)))
    })
    .await
}
