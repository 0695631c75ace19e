//! `:validate`: everything found in a draft or a version, and what a release of it would say.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{id, named, number};
use crate::api::answers::Acting;
use crate::api::only;
use crate::authoring::drafts;
use crate::authoring::rehearse::{self, Rehearsal};
use crate::gateway::Gateway;
use crate::tenants::change::Change;
use crate::web::Problem;
use crate::web::admin::{Edit, May, View};
use crate::web::finding::{FindingBody, finding_bodies};
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
    /// Whether nothing stands in the way of a release.
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

/// The size of a text.
#[derive(Debug, Serialize, ToSchema)]
struct PromptSize {
    /// In characters.
    chars: usize,
    /// In UTF-8 bytes.
    bytes: usize,
}

/// Everything found in a draft: places, lines, advice; its tests run; and what a release of it would break. Sealing, releasing and
/// applying a bundle find the same.
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
        // Never committed: it is as if it had not been.
        let mut change = Change::begin(gateway, &admin).await?;
        let draft = drafts::find(&mut change.tx, draft).await?;
        Ok(answer(rehearse::of_draft(&mut change, &draft).await?))
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
    let (admin, number) = (may.clone(), number(&path.2)?);
    work(&gateway, &may, async move |gateway| {
        // Never committed: it is as if it had not been.
        let mut change = Change::begin(gateway, &admin).await?;
        let rehearsal = rehearse::of_version(&mut change, kind, &key, number).await?;
        Ok(answer(rehearsal))
    })
    .await
}

fn answer(rehearsal: Rehearsal) -> Ready {
    let Rehearsal { found, would_break } = rehearsal;
    let body = Validation {
        ok: !found.has_errors() && would_break.is_empty(),
        would_break: would_break.iter().map(FaultBody::from).collect(),
        largest_prompt: found.largest_prompt.map(|size| PromptSize {
            chars: size.chars,
            bytes: size.bytes,
        }),
        findings: finding_bodies(found.findings),
    };
    Ready::ok(&body)
}
