//! `/v1/admin/documents/{kind}/{key}/releases`: what is live, was live, and will be.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::versions::PageQuery;
use super::{checked, id, named, read_members};
use crate::api::answers::{Acting, Creating, Listing};
use crate::api::{only, reading};
use crate::authoring::documents;
use crate::authoring::release::{self, Released, Wish};
use crate::domain::members::{Members, block, number};
use crate::gateway::Gateway;
use crate::store::releases::ReleaseRow;
use crate::web::Problem;
use crate::web::admin::{May, Publish, View};
use crate::web::body::AdminBodyLimits;
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::once::{Created, once};
use crate::web::page::{Page, PageBody, query};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}/releases")
                .route(reading().to(list))
                .route(web::post().to(create)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource(
                "/v1/admin/documents/{kind}/{key:[^/:]+}/releases/{release:[^/:]+}:cancel",
            )
            .route(web::post().to(cancel)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}:rollback")
                .route(web::post().to(roll_back)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, create, cancel, roll_back))]
pub struct Doc;

/// A release: this version is live from this moment, until a later release says otherwise; for everybody, or for a share of the users.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReleaseBody {
    /// The release.
    id: Uuid,
    /// The version's number; of a cancellation, the one that was to stay live when it was made.
    #[schema(example = 4)]
    version: i32,
    /// From when.
    live_from: DateTime<Utc>,
    /// How many of a hundred users get it, while the others get the version that was released to everybody before. Absent: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 20)]
    percent: Option<u8>,
    /// `release`, `rollback`, or `cancel` of a scheduled one.
    #[schema(example = "release")]
    way: &'static str,
    /// The release that a cancellation calls off. Absent otherwise, and in cancellations of earlier releases of the gateway, which
    /// call off what was scheduled for the same moment before them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancels: Option<Uuid>,
    /// The cancellation that called this release off: it counts no more. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancelled_by: Option<Uuid>,
    /// Who.
    actor: String,
    /// Why.
    note: String,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<ReleaseRow> for ReleaseBody {
    fn from(row: ReleaseRow) -> Self {
        Self {
            id: row.release.id.0,
            version: row.release.version,
            live_from: row.release.live_from,
            percent: row.release.percent,
            way: row.release.way.as_str(),
            cancels: row.release.cancels.map(|id| id.0),
            cancelled_by: row.cancelled_by.map(|id| id.0),
            actor: row.actor,
            note: row.note,
            created_at: row.created_at,
        }
    }
}

/// A release just made.
#[derive(Debug, Serialize, ToSchema)]
struct ReleasedBody {
    #[serde(flatten)]
    release: ReleaseBody,
    /// Warnings: what was found in the version. `:validate` finds the same.
    findings: Vec<FindingBody>,
}

impl From<Released> for ReleasedBody {
    fn from(released: Released) -> Self {
        Self {
            release: released.row.into(),
            findings: finding_bodies(released.findings),
        }
    }
}

/// What to release.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewRelease {
    /// The version's number.
    #[schema(minimum = 1, example = 4)]
    version: i32,
    /// From when; now unless set. At most a year ahead.
    #[schema(nullable = false)]
    live_from: Option<DateTime<Utc>>,
    /// To how many of a hundred users: a rollout beside the live version. A later release to more or fewer of them takes its place, and
    /// one to everybody, of whichever version, ends it. To everybody unless set.
    #[schema(nullable = false, minimum = 1, maximum = 99)]
    percent: Option<u8>,
    /// Why.
    #[schema(nullable = false, max_length = 500)]
    note: Option<String>,
}

/// Where to go back to.
#[derive(Debug, Serialize, ToSchema)]
struct Rollback {
    /// A version that was live before; the one before the live one unless set. While a version is rolled out to a share of the users: the
    /// live one, which ends that.
    #[schema(nullable = false, minimum = 1)]
    to: Option<i32>,
    /// Why.
    #[schema(nullable = false, max_length = 500)]
    note: Option<String>,
}

/// A document's releases, the newest first.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}/releases", tag = "Admin: releases", operation_id = "listReleases", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"), PageQuery),
    responses(
        (status = 200, description = "A page of releases", body = PageBody<ReleaseBody>, headers(("Link" = String, description = "The next page, rel=next"))),
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
    let before = page.after.as_deref().and_then(|seq| seq.parse().ok());
    let rows = tx.releases(document.id, before, page.rows()).await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| row.release.seq.to_string(),
        ReleaseBody::from,
    ))
}

/// Releases a version, now or at a time to come, to everybody or to a share of the users. Refused where anything live would break by it, now or then.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}/releases", tag = "Admin: releases", operation_id = "releaseVersion",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = NewRelease, content_type = "application/json"),
    responses((status = 200, description = "The release", body = ReleasedBody), Creating)
)]
async fn create(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let version = members.required("version", number(1, i32::MAX.into()));
        let percent = members.optional("percent", number(1, 99));
        let live_from = members.optional("liveFrom", |value| moment(&value));
        let note = members.optional("note", block(500)).unwrap_or_default();
        checked(members.finish())?;
        let version = version
            .and_then(|n| i32::try_from(n).ok())
            .unwrap_or_default();
        let wish = Wish {
            version,
            live_from,
            percent: percent.and_then(|n| u8::try_from(n).ok()),
            note: &note,
        };
        let row = release::release(change, kind, &key, wish).await?;
        Ok(Created::done(&ReleasedBody::from(row)))
    })
    .await
}

/// Calls a scheduled release off: it never takes effect, and what is live by then stays live.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}/releases/{release}:cancel", tag = "Admin: releases", operation_id = "cancelRelease",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("release" = String, Path, description = "The release's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    responses((status = 200, description = "The cancellation", body = ReleasedBody), Acting)
)]
async fn cancel(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let release = id(&path.2)?;
    once(&request, &gateway, &may, (), async move |change, ()| {
        let row = release::cancel(change, kind, &key, release).await?;
        Ok(Created::done(&ReleasedBody::from(row)))
    })
    .await
}

/// Goes back to what was live before, in one call.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}:rollback", tag = "Admin: releases", operation_id = "rollBack",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = Rollback, content_type = "application/json"),
    responses((status = 200, description = "The release", body = ReleasedBody), Creating)
)]
async fn roll_back(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let to = members.optional("to", number(1, i32::MAX.into()));
        let note = members.optional("note", block(500)).unwrap_or_default();
        checked(members.finish())?;
        let to = to.and_then(|to| i32::try_from(to).ok());
        let row = release::roll_back(change, kind, &key, to, &note).await?;
        Ok(Created::done(&ReleasedBody::from(row)))
    })
    .await
}

/// A moment in a body.
pub(super) fn moment(value: &Value) -> Result<DateTime<Utc>, String> {
    let moment = value.as_str().map(DateTime::parse_from_rfc3339);
    match moment {
        Some(Ok(moment)) => Ok(moment.to_utc()),
        _ => Err("must be a moment such as 2030-01-31T08:00:00Z".into()),
    }
}
