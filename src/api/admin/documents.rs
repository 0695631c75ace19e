//! `/v1/admin/documents`: personas, contexts and snippets as wholes.

use actix_web::http::header::ETAG;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::drafts::{DraftBody, location};
use super::{amend, checked, named, read_members};
use crate::api::answers::{Acting, Changing, Creating, Listing, ReadingOne};
use crate::api::{only, reading};
use crate::authoring::documents;
use crate::authoring::export::order;
use crate::domain::ids::TenantId;
use crate::domain::key::Key;
use crate::domain::members::{Members, block, number, object};
use crate::gateway::Gateway;
use crate::sources::Serving;
use crate::sources::load::{PassedOver, Served, all_served};
use crate::store::documents::{DocumentFilter, DocumentKind, DocumentRow};
use crate::store::tenant_tx::TenantTx;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Edit, May, Publish, View};
use crate::web::body::AdminBodyLimits;
use crate::web::etag::{Conditions, Validator};
use crate::web::once::{Created, once};
use crate::web::page::{Page, PageBody, query};
use crate::web::problem::{FaultBody, Problem};
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/documents")
                .route(reading().to(list))
                .route(web::post().to(create)),
            "GET, HEAD, POST",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}")
                .route(reading().to(get))
                .route(web::patch().to(amend::amend))
                .route(web::delete().to(delete)),
            "GET, HEAD, PATCH, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}:duplicate")
                .route(web::post().to(duplicate)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}:rename")
                .route(web::post().to(rename)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}:archive")
                .route(web::post().to(archive)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/documents/{kind}/{key:[^/:]+}:restore")
                .route(web::post().to(restore)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, create, get, delete, duplicate, rename, archive, restore))]
pub struct Doc;

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentBody {
    /// `persona`, `context` or `snippet`.
    #[schema(example = "persona")]
    kind: &'static str,
    /// Its name within the kind.
    #[schema(example = "support-agent")]
    key: String,
    /// The version that is live, which mints get; of a snippet, the one that personas pin when they are sealed. Absent where none is,
    /// and of archived documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    live_version: Option<i32>,
    /// The version that a share of the users gets instead. Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rollout: Option<RolloutBody>,
    /// Versions that were released later and can't be served, the newest first. Absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    passed_over: Vec<PassedOverBody>,
    /// What the live version says; `PATCH` changes it. Absent in lists, and where nothing is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    content: Option<Map<String, Value>>,
    /// Why no document of the tenant is served. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    not_served: Option<String>,
    /// The newest sealed version; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 4)]
    latest_version: Option<i32>,
    /// How many drafts there are.
    drafts: i64,
    /// When it was taken out of use; absent while it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    archived_at: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// A version that a share of the users gets.
#[derive(Debug, Serialize, ToSchema)]
struct RolloutBody {
    /// The version.
    #[schema(example = 6)]
    version: i32,
    /// How many of a hundred users.
    #[schema(example = 20)]
    percent: u8,
}

/// A released version that is not served.
#[derive(Debug, Serialize, ToSchema)]
struct PassedOverBody {
    /// The version.
    #[schema(example = 5)]
    version: i32,
    /// Why.
    reasons: Vec<FaultBody>,
}

impl From<PassedOver> for PassedOverBody {
    fn from(passed_over: PassedOver) -> Self {
        Self {
            version: passed_over.version,
            reasons: passed_over.faults.iter().map(FaultBody::from).collect(),
        }
    }
}

impl DocumentBody {
    fn new(row: DocumentRow, serving: &Serving) -> Self {
        let served = serving.served(row.kind, &row.key);
        Self {
            not_served: serving.refusal().map(ToOwned::to_owned),
            ..Self::served(row, served)
        }
    }

    pub(super) fn served(row: DocumentRow, served: Served) -> Self {
        let passed_over = served.passed_over.into_iter();
        Self {
            kind: row.kind.as_str(),
            key: row.key,
            live_version: served.version,
            rollout: served
                .rollout
                .map(|(version, percent)| RolloutBody { version, percent }),
            passed_over: passed_over.map(PassedOverBody::from).collect(),
            content: None,
            not_served: None,
            latest_version: row.latest_version,
            drafts: row.drafts,
            archived_at: row.archived_at,
            created_at: row.created_at,
        }
    }
}

/// A new document with its first draft.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewDocument {
    /// `persona`, `context` or `snippet`.
    #[schema(example = "snippet", pattern = "^(persona|context|snippet)$")]
    kind: String,
    /// Its name within the kind.
    #[schema(example = "house-rules", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    key: String,
    /// What the draft is about.
    #[schema(nullable = false, max_length = 200)]
    title: Option<String>,
    /// The draft's content; may have faults still.
    #[schema(value_type = Option<Object>, nullable = false, example = json!({ "text": "Be kind." }))]
    content: Option<Value>,
}

/// A copy of a document.
#[derive(Debug, Serialize, ToSchema)]
struct Duplicate {
    /// The copy's name within the kind.
    #[schema(example = "support-agent-fr", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    key: String,
    /// The version to copy. Unless set: the live one, else the newest, else the draft that was written last.
    #[schema(nullable = false, minimum = 1)]
    from: Option<i32>,
    /// What the draft is about.
    #[schema(nullable = false, max_length = 200)]
    title: Option<String>,
}

/// Another key.
#[derive(Debug, Serialize, ToSchema)]
struct Rename {
    /// The document's name from now on.
    #[schema(example = "house-rules", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    key: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only this kind.
    #[param(nullable = false, pattern = "^(persona|context|snippet)$")]
    kind: Option<String>,
    /// Only those whose key holds this text.
    #[param(nullable = false, max_length = 64)]
    holds: Option<String>,
    /// Archived ones too.
    #[param(nullable = false)]
    archived: Option<bool>,
    /// Items of a page, 50 unless set.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// The tenant's documents, by kind and key.
#[utoipa::path(
    get, path = "/v1/admin/documents", tag = "Admin: documents", operation_id = "listDocuments", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(ListQuery),
    responses(
        (status = 200, description = "A page of documents", body = PageBody<DocumentBody>, headers(("Link" = String, description = "The next page, rel=next"))),
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
    let kind = match asked.kind.as_deref() {
        None => None,
        Some(name) => Some(
            DocumentKind::named(name)
                .ok_or_else(|| Refusal::fault("/kind", "must be persona, context or snippet"))?,
        ),
    };
    let filter = DocumentFilter {
        kind,
        key: None,
        holds: asked.holds.as_deref(),
        archived: asked.archived.unwrap_or_default(),
        after: page.after.as_deref().and_then(|at| at.split_once('/')),
    };
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx.documents(&filter, page.rows()).await?;
    tx.commit().await?;
    let serving = gateway
        .sources
        .serving(&gateway.database, may.tenant)
        .await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| format!("{}/{}", row.kind.as_str(), row.key),
        |row| DocumentBody::new(row, &serving),
    ))
}

/// Makes a document with its first draft.
#[utoipa::path(
    post, path = "/v1/admin/documents", tag = "Admin: documents", operation_id = "createDocument", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = NewDocument, content_type = "application/json"),
    responses(
        (status = 201, description = "The first draft", body = DraftBody, headers(("Location" = String, description = "The draft"), ("ETag" = String, description = "Its state"))),
        Creating,
    )
)]
async fn create(
    may: May<Edit>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let mut members = Members::new(sent);
        let kind = members.required("kind", |value| {
            let kind = value.as_str().and_then(DocumentKind::named);
            kind.ok_or_else(|| "must be persona, context or snippet".into())
        });
        let key = members.required("key", |value| document_key(&value));
        let title = members.optional("title", block(200)).unwrap_or_default();
        let content = members.optional("content", object).unwrap_or_default();
        checked(members.finish())?;
        let (Some(kind), Some(key)) = (kind, key) else {
            return Err(Refusal::NotFound.into());
        };
        let draft = documents::create(change, kind, &key, &title, content).await?;
        let body = DraftBody::from(draft);
        Ok(Created::at(location(&body), &body).etag(&body.etag()))
    })
    .await
}

/// One document, with what is live of it.
#[utoipa::path(
    get, path = "/v1/admin/documents/{kind}/{key}", tag = "Admin: documents", operation_id = "getDocument", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The document", body = DocumentBody, headers(("ETag" = String, description = "Its state"))),
        (status = 304, description = "Nothing changed since"),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let (body, validator) = read(&gateway, may.tenant, kind, &key).await?;
    if validator.is_known_to(&request) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, validator.etag()))
            .finish());
    }
    Ok(shown(&body, &validator).into())
}

/// Deletes a document that was never released, with its drafts and versions. One that was released can be archived.
#[utoipa::path(
    delete, path = "/v1/admin/documents/{kind}/{key}", tag = "Admin: documents", operation_id = "deleteDocument", security(("adminKey" = [])),
    extensions(("x-permission" = json!("edit"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses(
        (status = 204, description = "Gone"),
        Changing,
    )
)]
async fn delete(
    may: May<Edit>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let mut change = Change::begin(&gateway, &may).await?;
    known(&mut change, &request, kind, &key).await?;
    documents::delete(&mut change, kind, &key).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a document out of another one: its first draft says what that one says.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}:duplicate", tag = "Admin: documents", operation_id = "duplicateDocument",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "The name of the one that is copied"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = Duplicate, content_type = "application/json"),
    responses(
        (status = 201, description = "The first draft of the new document", body = DraftBody, headers(("Location" = String, description = "The draft"), ("ETag" = String, description = "Its state"))),
        Creating,
    )
)]
async fn duplicate(
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
        let copy = members.required("key", |value| document_key(&value));
        let from = members.optional("from", number(1, i32::MAX.into()));
        let title = members.optional("title", block(200)).unwrap_or_default();
        checked(members.finish())?;
        let copy = copy.ok_or(Refusal::NotFound)?;
        let from = from.and_then(|from| i32::try_from(from).ok());
        let draft = documents::duplicate(change, kind, &key, &copy, from, &title).await?;
        let body = DraftBody::from(draft);
        Ok(Created::at(location(&body), &body).etag(&body.etag()))
    })
    .await
}

/// Gives a document that was never released another key. Drafts that name the old one are left as they are.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}:rename", tag = "Admin: documents", operation_id = "renameDocument",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "Its name"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day")),
    request_body(content = Rename, content_type = "application/json"),
    responses((status = 200, description = "The document under its new key", body = DocumentBody), Creating)
)]
async fn rename(
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
        let new = members.required("key", |value| document_key(&value));
        checked(members.finish())?;
        let new = new.ok_or(Refusal::NotFound)?;
        let row = documents::rename(change, kind, &key, &new).await?;
        // It was never released, so nothing of it is served.
        Ok(Created::done(&DocumentBody::served(row, Served::default())))
    })
    .await
}

/// Takes a document out of use, unless something live needs it. Nothing of it is lost.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}:archive", tag = "Admin: documents", operation_id = "archiveDocument",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The document, archived", body = DocumentBody),
        Acting,
    )
)]
async fn archive(
    may: May<Publish>,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let admin = may.clone();
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        let row = documents::archive(&mut change, kind, &key).await?;
        change.commit().await?;
        let (body, validator) = read(gateway, admin.tenant, row.kind, &key).await?;
        Ok(shown(&body, &validator))
    })
    .await
}

/// Brings a document back: what was live of it is live again.
#[utoipa::path(
    post, path = "/v1/admin/documents/{kind}/{key}:restore", tag = "Admin: documents", operation_id = "restoreDocument",
    security(("adminKey" = [])), extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The document, in use", body = DocumentBody),
        Acting,
    )
)]
async fn restore(
    may: May<Publish>,
    path: web::Path<(String, String)>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let admin = may.clone();
    work(&gateway, &may, async move |gateway| {
        let mut change = Change::begin(gateway, &admin).await?;
        let row = documents::restore(&mut change, kind, &key).await?;
        change.commit().await?;
        let (body, validator) = read(gateway, admin.tenant, row.kind, &key).await?;
        Ok(shown(&body, &validator))
    })
    .await
}

/// A document's key in a body.
fn document_key(value: &Value) -> Result<Key, String> {
    Key::parse(value.as_str().unwrap_or_default()).map_err(|bad| bad.to_string())
}

/// The document with what is live of it, and its state. The state is read first: what changes meanwhile makes it stale.
async fn read(
    gateway: &Gateway,
    tenant: TenantId,
    kind: DocumentKind,
    key: &Key,
) -> Result<(DocumentBody, Validator), Problem> {
    let mut tx = gateway.database.tenant(tenant).await?;
    let row = documents::find(&mut tx, kind, key).await?;
    let document = row.id;
    let now = tx.moment().await?;
    let validator = validator(&mut tx, &row, now).await?;
    tx.commit().await?;
    let serving = gateway.sources.serving(&gateway.database, tenant).await?;
    let mut body = DocumentBody::new(row, &serving);
    if let Some(number) = body.live_version {
        let mut tx = gateway.database.tenant(tenant).await?;
        let version = tx.version(document, number).await?;
        body.content = version.map(|row| order::of_document(kind, row.content));
        tx.commit().await?;
    }
    Ok((body, validator))
}

/// The state that changes of a document are based on.
pub(super) async fn validator(
    tx: &mut TenantTx,
    row: &DocumentRow,
    now: DateTime<Utc>,
) -> Result<Validator, Refusal> {
    let number = i64::from(row.latest_version.unwrap_or_default());
    Ok(Validator::new(
        number.saturating_add(1),
        &documents::state(tx, row, now).await?,
    ))
}

/// The document, provided that the caller has seen it as it is. The tenant's documents are locked from here on.
pub(super) async fn known(
    change: &mut Change,
    sent: impl Into<Conditions>,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Problem> {
    change.lock_authoring().await?;
    let row = documents::find(&mut change.tx, kind, key).await?;
    let validator = validator(&mut change.tx, &row, change.now).await?;
    let sent = sent.into();
    let mut current = Value::Null;
    if validator.check_write(sent.clone()).is_err() {
        let served = all_served(&mut change.tx, change.now).await?;
        let served = served.get(&(kind, key.clone())).cloned();
        let mut body = DocumentBody::served(row.clone(), served.unwrap_or_default());
        if let Some(number) = body.live_version {
            let version = change.tx.version(row.id, number).await?;
            body.content = version.map(|row| order::of_document(kind, row.content));
        }
        current = serde_json::to_value(&body).unwrap_or_default();
    }
    validator.require(sent, || current)?;
    Ok(row)
}

fn shown(body: &DocumentBody, validator: &Validator) -> Ready {
    Ready::ok(body).etag(Some(validator.etag().to_owned()))
}
