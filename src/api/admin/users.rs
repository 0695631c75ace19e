//! `/v1/admin/users/{subject}/preferences` and `/v1/admin/preferences:import`: users' choices, looked after by admins.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use crate::api::answers::{Changing, Creating, ReadingOne};
use crate::api::openapi::{Preferences, PreferencesPatch};
use crate::api::preferences::validator;
use crate::api::{only, reading};
use crate::domain::caller::Subject;
use crate::domain::request::BodyFault;
use crate::gateway::Gateway;
use crate::store::preferences::StoredPreferences;
use crate::tenants::change::Change;
use crate::tenants::preferences::Change as Wish;
use crate::tenants::preferences::by_admin::{self, Import, ImportReport};
use crate::tenants::preferences::import::{Line, Lines};
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Edit, May, View};
use crate::web::body::{self, AdminBodyLimits};
use crate::web::page::query;
use crate::web::problem::FaultBody;
use crate::web::{Problem, path};

const NDJSON: &[&str] = &["application/x-ndjson", "application/jsonl"];
/// Where the subject stands in the address.
const SUBJECT: usize = 3;
/// Bytes of an import that are taken at once.
const IMPORTED_AT_ONCE: usize = 128 * 1024;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/users/{subject}/preferences")
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::patch().to(patch))
                .route(web::delete().to(erase)),
            "GET, HEAD, PUT, PATCH, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/preferences:import").route(web::post().to(import)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(get, put, patch, erase, import))]
pub struct Doc;

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreferencesImport)]
struct ImportBody {
    /// Lines whose choices are new.
    imported: u64,
    /// Good lines that changed nothing.
    unchanged: u64,
    /// Lines that failed; all others were applied.
    failed_lines: u64,
    /// The first hundred of those that failed.
    failed: Vec<FailedLineBody>,
    /// Whether nothing was written, since this was a dry run.
    dry_run: bool,
}

/// A line that was left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailedLine)]
struct FailedLineBody {
    /// Its number, from 1.
    #[schema(example = 17)]
    line: u64,
    /// Why; pointers are into the line.
    errors: Vec<FaultBody>,
}

impl ImportBody {
    fn new(report: ImportReport, dry_run: bool) -> Self {
        let failed = report.faults.into_iter().map(|failed| FailedLineBody {
            line: failed.line,
            errors: failed.errors.iter().map(FaultBody::from).collect(),
        });
        Self {
            imported: report.imported,
            unchanged: report.unchanged,
            failed_lines: report.failed,
            failed: failed.collect(),
            dry_run,
        }
    }
}

/// How to import.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImportQuery {
    /// `true`: says what an import would do, and writes nothing.
    #[serde(default)]
    dry_run: bool,
}

/// The subject in the address: percent-encoded, slashes too. What can't be the `sub` of a token is at no address.
fn subject(request: &HttpRequest) -> Result<Subject, Refusal> {
    let text = path::text(request, SUBJECT)?;
    Subject::parse(&text).ok_or(Refusal::NotFound)
}

/// A user's choices; `{}` where they made none.
#[utoipa::path(
    get, path = "/v1/admin/users/{subject}/preferences", tag = "Admin: users", operation_id = "getUserPreferences", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("subject" = String, Path, description = "The `sub` of the user's JWTs, percent-encoded, slashes too", example = "auth0%7C123")),
    responses(
        (status = 200, description = "The choices", body = Preferences, headers(("ETag" = String, description = "Version of the choices"))),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let subject = subject(&request)?;
    let mut tx = gateway.database.tenant(may.tenant).await?;
    Ok(shown(&tx.preferences(&subject).await?))
}

/// Replaces all of a user's choices.
#[utoipa::path(
    put, path = "/v1/admin/users/{subject}/preferences", tag = "Admin: users", operation_id = "putUserPreferences", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("subject" = String, Path, description = "The `sub` of the user's JWTs, percent-encoded, slashes too"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = Preferences, content_type = "application/json"),
    responses(
        (status = 200, description = "The choices as they are now", body = Preferences, headers(("ETag" = String, description = "Version of the choices"))),
        Changing,
    )
)]
async fn put(
    may: May<Edit>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let subject = subject(&request)?;
    let sent = body::read_object(&request, payload, limits.0, super::JSON).await?;
    let written = write(&may, &request, &gateway, &subject, Wish::Replace(sent)).await?;
    Ok(shown(&written))
}

/// Changes some of a user's choices: a JSON merge patch (RFC 7396), where null takes a choice away.
#[utoipa::path(
    patch, path = "/v1/admin/users/{subject}/preferences", tag = "Admin: users", operation_id = "patchUserPreferences",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("subject" = String, Path, description = "The `sub` of the user's JWTs, percent-encoded, slashes too"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = PreferencesPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The choices as they are now", body = Preferences, headers(("ETag" = String, description = "Version of the choices"))),
        Changing,
    )
)]
async fn patch(
    may: May<Edit>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let subject = subject(&request)?;
    let sent = body::read_object(&request, payload, limits.0, super::MERGE_PATCH).await?;
    let written = write(&may, &request, &gateway, &subject, Wish::Merge(sent)).await?;
    Ok(shown(&written))
}

/// Forgets all of a user's choices.
#[utoipa::path(
    delete, path = "/v1/admin/users/{subject}/preferences", tag = "Admin: users", operation_id = "eraseUserPreferences",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("subject" = String, Path, description = "The `sub` of the user's JWTs, percent-encoded, slashes too"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Forgotten"), Changing)
)]
async fn erase(
    may: May<Edit>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let subject = subject(&request)?;
    write(&may, &request, &gateway, &subject, Wish::Clear).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Imports many users' choices from NDJSON, one `{"subject": "...", "preferences": {...}}` a line; files of any size. A line
/// that fails is told with its number, the others are applied, in batches. Sending the same again is safe.
#[utoipa::path(
    post, path = "/v1/admin/preferences:import", tag = "Admin: users", operation_id = "importPreferences", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("dryRun" = Option<bool>, Query, description = "`true`: says what an import would do, and writes nothing")),
    request_body(content = String, content_type = "application/x-ndjson", description = "One JSON object a line, at most 64 kB each",
        example = json!("{\"subject\": \"auth0|123\", \"preferences\": {\"languageCode\": \"de\"}}\n")),
    responses((status = 200, description = "What was done, line by line", body = ImportBody), Creating)
)]
async fn import(
    may: May<Edit>,
    request: HttpRequest,
    mut payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let asked: ImportQuery = query(&request)?;
    body::check_media_type(&request, NDJSON)?;
    let gateway = gateway.into_inner();
    let mut import = Import::begin(gateway.clone(), may.clone(), asked.dry_run).await?;
    let mut lines = Lines::default();
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    // As long as something comes, it may take its time: the file may have any size.
    while let Some(piece) = tokio::time::timeout(limits.0.timeout, payload.next())
        .await
        .map_err(|_elapsed| BodyFault::TimedOut)?
    {
        let piece = piece.map_err(|_broken| BodyFault::BrokeOff)?;
        bytes += piece.len();
        waiting.extend(lines.push(&piece));
        if bytes >= IMPORTED_AT_ONCE {
            import = take(&gateway, import, std::mem::take(&mut waiting)).await?;
            bytes = 0;
        }
    }
    waiting.extend(lines.finish());
    let import = take(&gateway, import, waiting).await?;
    let finished = gateway.work(may.tenant, async move || import.finish().await);
    let report = finished.await??;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ImportBody::new(report, asked.dry_run)))
}

/// Lets a work thread take some lines.
async fn take(gateway: &Gateway, mut import: Import, lines: Vec<Line>) -> Result<Import, Problem> {
    let taken = gateway.work(import.tenant(), async move || {
        for line in lines {
            import.take(line).await?;
        }
        Ok::<_, Refusal>(import)
    });
    Ok(taken.await??)
}

async fn write(
    may: &May<Edit>,
    request: &HttpRequest,
    gateway: &Gateway,
    subject: &Subject,
    wish: Wish,
) -> Result<StoredPreferences, Problem> {
    let mut change = Change::begin(gateway, may).await?;
    let stored = change.tx.lock_preferences(subject).await?;
    validator(&stored).require(request, || Value::Object(stored.preferences.to_document()))?;
    let written = by_admin::write(&mut change, subject, stored, wish).await?;
    change.commit().await?;
    Ok(written)
}

fn shown(stored: &StoredPreferences) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, validator(stored).etag()))
        .json(stored.preferences.to_document())
}
