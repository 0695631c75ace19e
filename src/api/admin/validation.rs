//! `:validate`: everything found in a draft or a version, and what a release of it would say.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{id, named, number};
use crate::api::answers::Acting;
use crate::api::only;
use crate::authoring::{documents, drafts, examine, rehearse};
use crate::domain::examine::Examination;
use crate::domain::fault::Fault;
use crate::domain::finding::{Finding, Severity};
use crate::domain::key::Key;
use crate::gateway::Gateway;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{Edit, May, View};
use crate::web::problem::FaultBody;
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/drafts/{draft:[^/:]+}:validate")
                .route(web::post().to(validate_draft)),
            "POST",
        ))
        .service(only(
            web::resource(
                "/v1/admin/documents/{kind}/{key:[^/:]+}/versions/{number:[^/:]+}:validate",
            )
            .route(web::post().to(validate_version)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(validate_draft, validate_version))]
pub struct Doc;

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Validation {
    /// Whether nothing must be mended.
    ok: bool,
    /// What was found in the document, errors first, then by place.
    findings: Vec<FindingBody>,
    /// What would break elsewhere, or at a later time, if it were released now.
    would_break: Vec<FaultBody>,
    /// The largest prompt that the persona can give, whatever users send; absent of other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    largest_prompt: Option<PromptSize>,
}

/// One thing found in a document.
#[derive(Debug, Serialize, ToSchema)]
struct FindingBody {
    /// `error`: must be mended before it is sealed or released. `warning`: should be looked at.
    #[schema(example = "warning")]
    severity: &'static str,
    /// RFC 6901 pointer into the content.
    #[schema(example = "/systemPrompt")]
    pointer: String,
    /// Line inside the text at the place, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    line: Option<usize>,
    /// Column in characters, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 12)]
    column: Option<usize>,
    /// What was found.
    message: String,
    /// What to do about it.
    advice: String,
}

/// The size of a text.
#[derive(Debug, Serialize, ToSchema)]
struct PromptSize {
    /// In characters.
    chars: usize,
    /// In UTF-8 bytes.
    bytes: usize,
}

impl From<Finding> for FindingBody {
    fn from(finding: Finding) -> Self {
        Self {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            pointer: finding.pointer,
            line: finding.line,
            column: finding.column,
            message: finding.message,
            advice: finding.advice,
        }
    }
}

/// Everything found in a draft: places, lines, advice; its tests run; and what a release of it would break.
#[utoipa::path(
    post, path = "/v1/admin/drafts/{draft}:validate", tag = "Admin: drafts", operation_id = "validateDraft",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("draft" = String, Path, description = "Its id")),
    responses((status = 200, description = "What was found", body = Validation), Acting)
)]
async fn validate_draft(
    may: May<Edit>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (admin, draft) = (may.clone(), id(&path)?);
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        let draft = drafts::find(&mut change.tx, draft).await?;
        let key = Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?;
        let now = change.tx.moment().await?;
        let found = examine::examine(&mut change.tx, now, draft.kind, &key, &draft.content).await?;
        // Never committed: it is as if it had not been.
        let would_break = if found.has_errors() {
            Vec::new()
        } else {
            rehearse::rehearse(&mut change, &draft).await?
        };
        Ok(answer(found, &would_break))
    })
    .await
}

/// The same of a sealed version, against what is live today.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}/versions/{number}:validate", tag = "Admin: versions", operation_id = "validateVersion",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("number" = String, Path, description = "The version's number")),
    responses((status = 200, description = "What was found", body = Validation), Acting)
)]
async fn validate_version(
    may: May<View>,
    path: web::Path<(String, String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let (tenant, number) = (may.tenant, number(&path.2)?);
    work(&gateway, &may, async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let now = tx.moment().await?;
        let document = documents::find(&mut tx, kind, &key).await?;
        let version = tx.version(document.id, number).await?;
        let version = version.ok_or(Refusal::NotFound)?;
        let found = examine::examine(&mut tx, now, kind, &key, &version.content).await?;
        Ok(answer(found, &[]))
    })
    .await
}

fn answer(found: Examination, would_break: &[Fault]) -> Ready {
    let body = Validation {
        ok: !found.has_errors() && would_break.is_empty(),
        would_break: would_break.iter().map(FaultBody::from).collect(),
        largest_prompt: found.largest_prompt.map(|size| PromptSize {
            chars: size.chars,
            bytes: size.bytes,
        }),
        findings: found.findings.into_iter().map(FindingBody::from).collect(),
    };
    Ready::ok(&body)
}
