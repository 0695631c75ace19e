//! `/v1/admin/drafts`: what is being written.

use actix_web::http::header::ETAG;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::versions::VersionBody;
use super::{MERGE_PATCH, checked, id, named, read_members};
use crate::api::answers::{Changing, Creating, ReadingOne};
use crate::api::{only, reading};
use crate::authoring::export::order;
use crate::authoring::{documents, drafts, rebase, seal};
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::ids::DraftId;
use crate::domain::members::{Members, block, number, object};
use crate::domain::merge::{Choices, Side};
use crate::domain::merge_patch::merged;
use crate::gateway::Gateway;
use crate::store::drafts::DraftRow;
use crate::tenants::change::Change;
use crate::web::Problem;
use crate::web::admin::{Edit, May, View};
use crate::web::body::{self, AdminBodyLimits};
use crate::web::etag::{Conditions, Validator};
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::once::{Created, once};
use crate::web::page::PageBody;
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}/drafts")
                .route(reading().to(list))
                .route(web::post().to(open)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/drafts/{draft:[^/:]+}")
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::patch().to(patch))
                .route(web::delete().to(delete)),
            "GET, HEAD, PUT, PATCH, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/drafts/{draft:[^/:]+}:rebase")
                .route(web::post().to(rebase_it)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/drafts/{draft:[^/:]+}:seal").route(web::post().to(seal_it)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, open, get, put, patch, delete, rebase_it, seal_it))]
pub struct Doc;

/// A draft.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DraftBody {
    /// The draft.
    id: Uuid,
    /// Its document's kind.
    #[schema(example = "persona")]
    kind: &'static str,
    /// Its document's key.
    #[schema(example = "support-agent")]
    key: String,
    /// The version that it builds on; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    base_version: Option<i32>,
    /// What it is about.
    title: String,
    /// What would be sealed.
    #[schema(value_type = Object)]
    content: Map<String, Value>,
    /// Who opened it.
    author: String,
    /// Everybody who wrote in it: none of them can approve what is sealed from it.
    contributors: Vec<String>,
    /// When it was opened.
    created_at: DateTime<Utc>,
    /// When it was last written.
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<DraftRow> for DraftBody {
    fn from(row: DraftRow) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind.as_str(),
            key: row.key,
            base_version: row.base_version,
            title: row.title,
            content: order::of_document(row.kind, row.content),
            author: row.author,
            contributors: row.contributors,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl DraftBody {
    fn validator(&self) -> Validator {
        Validator::new(self.revision, self.id.as_bytes())
    }

    /// Its state, for `If-Match`.
    pub(super) fn etag(&self) -> String {
        self.validator().etag().to_owned()
    }
}

/// Where a draft is.
pub(super) fn location(draft: &DraftBody) -> String {
    format!("/v1/admin/drafts/{}", draft.id)
}

/// A draft to open.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewDraft {
    /// The version to build on; the newest unless set.
    #[schema(nullable = false, minimum = 1)]
    from: Option<i32>,
    /// What it is about.
    #[schema(nullable = false, max_length = 200)]
    title: Option<String>,
    /// Its content; that of the version unless set.
    #[schema(value_type = Option<Object>, nullable = false)]
    content: Option<Value>,
}

/// What a draft says from now on.
#[derive(Debug, Serialize, ToSchema)]
struct DraftChange {
    /// What it is about; stays unless set.
    #[schema(nullable = false, max_length = 200)]
    title: Option<String>,
    /// All of its content.
    #[schema(value_type = Object)]
    content: Value,
}

/// What changes in a draft: a JSON merge patch.
#[derive(Debug, Serialize, ToSchema)]
struct DraftPatch {
    /// What it is about; stays unless set.
    #[schema(nullable = false, max_length = 200)]
    title: Option<String>,
    /// What changes in its content; null takes a member away, and the rest stays.
    #[schema(value_type = Option<Object>, nullable = false, example = json!({ "systemPrompt": "Be kind." }))]
    content: Option<Value>,
}

/// Whose values stay where both sides changed the same.
#[derive(Debug, Serialize, ToSchema)]
struct Rebase {
    /// By JSON pointer, `ours` (the draft's) or `theirs` (what was sealed meanwhile): at that place and below. The longest pointer counts;
    /// the empty one speaks of everything.
    #[schema(value_type = Option<Object>, nullable = false, example = json!({ "/systemPrompt": "ours" }))]
    keep: Option<Value>,
}

/// Why a draft is sealed.
#[derive(Debug, Serialize, ToSchema)]
struct Sealing {
    /// What changed and why, for those who review and for those who come later.
    #[schema(
        nullable = false,
        max_length = 2000,
        example = "Say the refund rule in one sentence"
    )]
    message: Option<String>,
}

/// A version just sealed.
#[derive(Debug, Serialize, ToSchema)]
struct SealedBody {
    #[serde(flatten)]
    version: VersionBody,
    /// What was found in it: warnings, and what stands in the way of a release for now. `:validate` finds the same.
    findings: Vec<FindingBody>,
}

/// A document's drafts, oldest first.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}/drafts", tag = "Admin: drafts", operation_id = "listDrafts", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name")),
    responses(
        (status = 200, description = "All of them", body = PageBody<DraftBody>),
        ReadingOne,
    )
)]
async fn list(
    may: May<View>,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let tenant = may.tenant;
    // Any number of drafts, each with its content.
    work(&gateway, &may, async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let document = documents::find(&mut tx, kind, &key).await?;
        let rows = tx.drafts_of(document.id).await?;
        tx.commit().await?;
        Ok(Ready::ok(&PageBody {
            items: rows.into_iter().map(DraftBody::from).collect(),
            next: None,
        }))
    })
    .await
}

/// Opens a draft of a document.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}/drafts", tag = "Admin: drafts", operation_id = "openDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(
        ("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The document's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day"),
    ),
    request_body(content = NewDraft, content_type = "application/json"),
    responses(
        (status = 201, description = "The draft", body = DraftBody, headers(("Location" = String, description = "The draft"), ("ETag" = String, description = "Its state"))),
        Creating,
    )
)]
async fn open(
    may: May<Edit>,
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
        let from = members.optional("from", number(1, i32::MAX.into()));
        let title = members.optional("title", block(200)).unwrap_or_default();
        let content = members.optional("content", object);
        checked(members.finish())?;
        let from = from.and_then(|from| i32::try_from(from).ok());
        let draft = drafts::open(change, kind, &key, from, &title, content).await?;
        let body = DraftBody::from(draft);
        Ok(Created::at(location(&body), &body).etag(&body.etag()))
    })
    .await
}

/// One draft.
#[utoipa::path(
    get, path = "/v1/admin/drafts/{draft}", tag = "Admin: drafts", operation_id = "getDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(("draft" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The draft", body = DraftBody, headers(("ETag" = String, description = "Its state"))),
        (status = 304, description = "Nothing changed since"),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let body = DraftBody::from(drafts::find(&mut tx, id(&path)?).await?);
    if body.validator().is_known_to(&request) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, body.etag()))
            .finish());
    }
    Ok(shown(&body).into())
}

/// Writes a draft. What was read must still be so.
#[utoipa::path(
    put, path = "/v1/admin/drafts/{draft}", tag = "Admin: drafts", operation_id = "putDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("draft" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = DraftChange, content_type = "application/json"),
    responses(
        (status = 200, description = "The draft", body = DraftBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn put(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let (draft, conditions) = (id(&path)?, Conditions::from(&request));
    let admin = may.clone();
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        let draft = known(&mut change, conditions, draft).await?;
        let mut members = Members::new(sent);
        let title = members.optional("title", block(200));
        let content = members.required("content", object).unwrap_or_default();
        checked(members.finish())?;
        let draft = drafts::write(&mut change, draft, title, content).await?;
        change.commit().await?;
        Ok(shown(&draft.into()))
    })
    .await
}

/// Changes members of a draft: a JSON merge patch (RFC 7396), where null takes a member of the content away.
#[utoipa::path(
    patch, path = "/v1/admin/drafts/{draft}", tag = "Admin: drafts", operation_id = "patchDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("draft" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = DraftPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The draft", body = DraftBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn patch(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = body::read_object(&request, payload, limits.0, MERGE_PATCH).await?;
    let (draft, conditions) = (id(&path)?, Conditions::from(&request));
    let admin = may.clone();
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        let draft = known(&mut change, conditions, draft).await?;
        let mut members = Members::new(sent);
        let title = members.optional("title", block(200));
        let content = members.optional("content", object).unwrap_or_default();
        checked(members.finish())?;
        let content = merged(&draft.content, content);
        let draft = drafts::write(&mut change, draft, title, content).await?;
        change.commit().await?;
        Ok(shown(&draft.into()))
    })
    .await
}

/// Throws a draft away.
#[utoipa::path(
    delete, path = "/v1/admin/drafts/{draft}", tag = "Admin: drafts", operation_id = "discardDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("draft" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses(
        (status = 204, description = "Gone"),
        Changing,
    )
)]
async fn delete(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    let draft = known(&mut change, &request, id(&path)?).await?;
    drafts::discard(&mut change, &draft).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Brings a draft up to the newest version, field by field. Where both changed the same member, `keep` says whose value stays;
/// nothing is written while it leaves any open, and `conflicts` lists those.
#[utoipa::path(
    post, path = "/v1/admin/drafts/{draft}:rebase", tag = "Admin: drafts", operation_id = "rebaseDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("draft" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    request_body(content = Rebase, content_type = "application/json"),
    responses(
        (status = 200, description = "The draft", body = DraftBody, headers(("ETag" = String, description = "Its state"))),
        Changing,
    )
)]
async fn rebase_it(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let (draft, conditions) = (id(&path)?, Conditions::from(&request));
    let admin = may.clone();
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        let draft = known(&mut change, conditions, draft).await?;
        let mut members = Members::new(sent);
        let keep = members.nested("keep", choices).unwrap_or_default();
        checked(members.finish())?;
        let draft = rebase::rebase(&mut change, draft, &keep).await?;
        change.commit().await?;
        Ok(shown(&draft.into()))
    })
    .await
}

/// Seals a draft: it becomes the document's next version, and is gone as a draft.
#[utoipa::path(
    post, path = "/v1/admin/drafts/{draft}:seal", tag = "Admin: drafts", operation_id = "sealDraft", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("draft" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = Sealing, content_type = "application/json"),
    responses(
        (status = 201, description = "The version", body = SealedBody, headers(("Location" = String, description = "The version"))),
        Changing,
    )
)]
async fn seal_it(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let (draft, conditions) = (id(&path)?, Conditions::from(&request));
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let draft = known(change, conditions, draft).await?;
        let mut members = Members::new(sent);
        let message = members
            .optional("message", block(2_000))
            .unwrap_or_default();
        checked(members.finish())?;
        let sealed = seal::seal(change, &draft, &message).await?;
        let address = format!(
            "/v1/admin/documents/{}/{}/versions/{}",
            draft.kind.as_str(),
            draft.key,
            sealed.version.number
        );
        let body = SealedBody {
            version: VersionBody::new(draft.kind, &draft.key, sealed.version),
            findings: finding_bodies(sealed.findings),
        };
        Ok(Created::at(address, &body))
    })
    .await
}

/// `ours` and `theirs` by pointer.
fn choices(value: Value) -> Result<Choices, Vec<Fault>> {
    let Value::Object(members) = value else {
        let form = "must be an object such as {\"/systemPrompt\": \"ours\"}";
        return Err(vec![Fault::new("", form)]);
    };
    let mut faults = Faults::new();
    let mut choices = Choices::new();
    for (pointer, side) in members {
        match side.as_str().and_then(Side::named) {
            Some(side) => {
                choices.insert(pointer, side);
            }
            None => faults.add(step(&pointer), "must be ours or theirs"),
        }
    }
    faults.into_result(choices)
}

/// The draft, provided that the caller has seen it as it is.
async fn known(
    change: &mut Change,
    sent: impl Into<Conditions>,
    draft: DraftId,
) -> Result<DraftRow, Problem> {
    let draft = drafts::find(&mut change.tx, draft).await?;
    let body = DraftBody::from(draft.clone());
    body.validator()
        .require(sent, || serde_json::to_value(&body).unwrap_or_default())?;
    Ok(draft)
}

fn shown(body: &DraftBody) -> Ready {
    Ready::ok(body).etag(Some(body.etag()))
}
