//! `/diff`: what a draft or a version changes, member by member, and line by line in texts.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::{id, named, number};
use crate::api::answers::Listing;
use crate::api::{only, reading};
use crate::authoring::compare::{Against, other_side};
use crate::authoring::{documents, drafts};
use crate::domain::diff::{self, ChangeKind};
use crate::domain::key::Key;
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::page::query;
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/drafts/{draft:[^/:]+}/diff").route(reading().to(of_draft)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}/versions/{number:[^/:]+}/diff")
                .route(reading().to(of_version)),
            "GET, HEAD",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(of_draft, of_version))]
pub struct Doc;

/// What differs.
#[derive(Debug, Serialize, ToSchema)]
struct Comparison {
    /// Each place, in the order of the earlier document.
    changes: Vec<ChangeBody>,
}

/// One place where two documents differ.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeBody {
    /// RFC 6901 pointer into the later document, or into the earlier one where something was removed.
    #[schema(example = "/systemPrompt")]
    pointer: String,
    /// `add`, `remove` or `change`.
    #[schema(example = "change")]
    change: &'static str,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
    /// The change line by line as a unified diff, where it is a text of several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
}

impl From<diff::Change> for ChangeBody {
    fn from(change: diff::Change) -> Self {
        Self {
            pointer: change.pointer,
            change: match change.change {
                ChangeKind::Add => "add",
                ChangeKind::Remove => "remove",
                ChangeKind::Change => "change",
            },
            before: change.before,
            after: change.after,
            text: change.text,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiffQuery {
    /// `base` (unless set), `live`, `latest` or a version's number.
    #[param(nullable = false, pattern = "^(base|live|latest|[1-9][0-9]{0,8})$")]
    against: Option<String>,
}

fn against(request: &HttpRequest) -> Result<Against, Problem> {
    let asked: DiffQuery = query(request)?;
    match asked.against {
        None => Ok(Against::Base),
        Some(text) => Against::parse(&text).ok_or_else(|| {
            Refusal::fault(
                "/against",
                "must be base, live, latest or a version's number",
            )
            .into()
        }),
    }
}

/// What a draft changes.
#[utoipa::path(
    get, path = "/v1/admin/drafts/{draft}/diff", tag = "Admin: drafts", operation_id = "diffDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(("draft" = String, Path, description = "Its id"), DiffQuery),
    responses((status = 200, description = "Each change", body = Comparison), Listing)
)]
async fn of_draft(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let against = against(&request)?;
    let (tenant, draft) = (may.tenant, id(&path)?);
    work(&gateway, &may, async move |gateway| {
        let serving = gateway.sources.serving(&gateway.database, tenant).await?;
        let mut tx = gateway.database.tenant(tenant).await?;
        let draft = drafts::find(&mut tx, draft).await?;
        let key = Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?;
        let document = documents::find(&mut tx, draft.kind, &key).await?;
        let live = serving.served(draft.kind, key.as_str()).version;
        let before = other_side(&mut tx, &document, live, draft.base_version, against).await?;
        tx.commit().await?;
        answer(&before, &draft.content)
    })
    .await
}

/// What a version changes.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}/versions/{number}/diff", tag = "Admin: versions", operation_id = "diffVersion",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("number" = String, Path, description = "The version's number"), DiffQuery),
    responses((status = 200, description = "Each change", body = Comparison), Listing)
)]
async fn of_version(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let against = against(&request)?;
    let (kind, key) = named(&path.0, &path.1)?;
    let (tenant, number) = (may.tenant, number(&path.2)?);
    work(&gateway, &may, async move |gateway| {
        let serving = gateway.sources.serving(&gateway.database, tenant).await?;
        let mut tx = gateway.database.tenant(tenant).await?;
        let document = documents::find(&mut tx, kind, &key).await?;
        let version = tx.version(document.id, number).await?;
        let version = version.ok_or(Refusal::NotFound)?;
        let live = serving.served(kind, key.as_str()).version;
        let before = other_side(&mut tx, &document, live, version.base_version, against).await?;
        tx.commit().await?;
        answer(&before, &version.content)
    })
    .await
}

fn answer(before: &Map<String, Value>, after: &Map<String, Value>) -> Result<Ready, Problem> {
    let changes =
        diff::diff(before, after).map_err(|too_large| Refusal::fault("", too_large.to_string()))?;
    Ok(Ready::ok(&Comparison {
        changes: changes.into_iter().map(ChangeBody::from).collect(),
    }))
}
