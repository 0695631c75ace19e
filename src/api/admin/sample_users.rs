//! `/v1/admin/sample-users`: users whom admins made up, to preview documents and to test them with.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::read_members;
use super::versions::PageQuery;
use crate::api::answers::{Changing, Listing, ReadingOne};
use crate::api::{only, reading};
use crate::authoring::sample_users;
use crate::domain::fault::Faults;
use crate::domain::key::Key;
use crate::domain::members::block;
use crate::domain::sample_user::SampleUser;
use crate::gateway::Gateway;
use crate::store::sample_users::SampleUserRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{Edit, May, View};
use crate::web::body::AdminBodyLimits;
use crate::web::etag::Validator;
use crate::web::page::{Page, PageBody, query};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/sample-users").route(reading().to(list)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/sample-users/{key:[^/:]+}")
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::delete().to(delete)),
            "GET, HEAD, PUT, DELETE",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, get, put, delete))]
pub struct Doc;

/// A made-up user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SampleUserBody {
    /// Its name, for previews and tests.
    #[schema(example = "gold-customer")]
    key: String,
    /// Who it is, for people.
    #[schema(example = "A customer on the gold plan who calls for the first time")]
    description: String,
    /// The token's `sub`: it decides the arm of a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false, example = "sample-1")]
    subject: Option<Value>,
    /// What the token's claims would tell.
    #[schema(value_type = Object, example = json!({ "plan": "gold", "name": "Ann" }))]
    facts: Value,
    /// What the user has chosen.
    #[schema(value_type = Object, example = json!({ "tone": "brief" }))]
    preferences: Value,
    /// When it was last written.
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    version: i64,
}

/// What a made-up user is from now on.
#[derive(Debug, Serialize, ToSchema)]
struct SampleUserChange {
    /// Who it is, for people.
    #[schema(
        nullable = false,
        max_length = 200,
        example = "A customer on the gold plan"
    )]
    description: Option<String>,
    /// The token's `sub`.
    #[schema(nullable = false, max_length = 255, example = "sample-1")]
    subject: Option<String>,
    /// What the token's claims would tell: texts, numbers, flags and lists of these.
    #[schema(value_type = Object, required = false, nullable = false, example = json!({ "plan": "gold", "name": "Ann" }))]
    facts: Option<Value>,
    /// What the user has chosen.
    #[schema(value_type = Object, required = false, nullable = false, example = json!({ "tone": "brief" }))]
    preferences: Option<Value>,
}

impl From<SampleUserRow> for SampleUserBody {
    fn from(row: SampleUserRow) -> Self {
        let mut content = row.content;
        let mut object = |name: &str| {
            let members = content.remove(name);
            members.unwrap_or_else(|| Value::Object(Map::new()))
        };
        let (facts, preferences) = (object("facts"), object("preferences"));
        Self {
            key: row.key,
            description: row.description,
            subject: content.remove("subject"),
            facts,
            preferences,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl SampleUserBody {
    fn validator(&self) -> Validator {
        Validator::new(self.version, self.key.as_bytes())
    }
}

/// The made-up users, by key.
#[utoipa::path(
    get, path = "/v1/admin/sample-users", tag = "Admin: see before you leap", operation_id = "listSampleUsers",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))), params(PageQuery),
    responses(
        (status = 200, description = "A page of them", body = PageBody<SampleUserBody>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn list(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
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
    let rows = tx.sample_users(page.after.as_deref(), page.rows()).await?;
    Ok(page.answer(
        &request,
        keys,
        rows,
        |row| row.key.clone(),
        SampleUserBody::from,
    ))
}

/// One made-up user.
#[utoipa::path(
    get, path = "/v1/admin/sample-users/{key}", tag = "Admin: see before you leap", operation_id = "getSampleUser",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    params(("key" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The user", body = SampleUserBody, headers(("ETag" = String, description = "Its state"))),
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
    let body = SampleUserBody::from(sample_users::find(&mut tx, &key(&path)?).await?);
    if body.validator().is_known_to(&request) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, body.validator().etag()))
            .finish());
    }
    Ok(shown(HttpResponse::Ok(), &body))
}

/// Makes up a user, or changes one: with `If-None-Match: *` it must be new, with `If-Match` as it was read.
#[utoipa::path(
    put, path = "/v1/admin/sample-users/{key}", tag = "Admin: see before you leap", operation_id = "putSampleUser",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(
        ("key" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read, to change: 428 without, 412 with `current` if it changed since"),
        ("If-None-Match" = Option<String>, Header, description = "`*`, to make a new one"),
    ),
    request_body(content = SampleUserChange, content_type = "application/json", example = json!({
        "description": "A customer on the gold plan", "facts": { "name": "Ann", "plan": "gold" }, "preferences": { "tone": "brief" }
    })),
    responses(
        (status = 200, description = "The user, changed", body = SampleUserBody, headers(("ETag" = String, description = "Its state"))),
        (status = 201, description = "The user, new", body = SampleUserBody, headers(("ETag" = String, description = "Its state"))),
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
    let key = key(&path)?;
    let mut change = Change::begin(&gateway, &may).await?;
    change.lock_authoring().await?;
    let known = change.tx.sample_user(&key).await?;
    let is_new = known.is_none();
    let state = known.map(SampleUserBody::from);
    let current = || serde_json::to_value(&state).unwrap_or_default();
    let validator = state.as_ref().map_or_else(
        || Validator::new(0, key.as_str().as_bytes()),
        SampleUserBody::validator,
    );
    if request.headers().contains_key(IF_NONE_MATCH) {
        let checked = validator.check_write(&request);
        checked.map_err(|problem| problem.current(current()))?;
    } else {
        validator.require(&request, current)?;
    }
    let (description, user) = parse(sent)?;
    let row = sample_users::put(&mut change, &key, &description, &user).await?;
    change.commit().await?;
    let answer = if is_new {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(shown(answer, &row.into()))
}

/// Removes a made-up user, unless the test of a document that is live needs it.
#[utoipa::path(
    delete, path = "/v1/admin/sample-users/{key}", tag = "Admin: see before you leap", operation_id = "deleteSampleUser",
    security(("adminKey" = [])), extensions(("x-permission" = json!("edit"))),
    params(("key" = String, Path, description = "Its name"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
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
    let key = key(&path)?;
    let mut change = Change::begin(&gateway, &may).await?;
    change.lock_authoring().await?;
    let body = SampleUserBody::from(sample_users::find(&mut change.tx, &key).await?);
    body.validator()
        .require(&request, || serde_json::to_value(&body).unwrap_or_default())?;
    sample_users::delete(&mut change, &key).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A path member that is a key: what has not its form is at no address.
fn key(text: &str) -> Result<Key, Refusal> {
    Key::parse(text).map_err(|_no_key| Refusal::NotFound)
}

fn parse(mut members: Map<String, Value>) -> Result<(String, SampleUser), Refusal> {
    let mut faults = Faults::new();
    let description = match members.shift_remove("description").map(block(200)) {
        None => String::new(),
        Some(Ok(text)) => text,
        Some(Err(message)) => {
            faults.add("/description", message);
            String::new()
        }
    };
    let user = faults.take("", SampleUser::parse(&members));
    faults
        .into_result((description, user.unwrap_or_default()))
        .map_err(Refusal::Invalid)
}

fn shown(mut answer: actix_web::HttpResponseBuilder, body: &SampleUserBody) -> HttpResponse {
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, body.validator().etag()))
        .json(body)
}
