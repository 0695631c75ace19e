//! `/v1/admin/secrets`: what webhook tools send along, such as a token for a CRM. A secret goes in and is never shown again.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::catalogue::PlaceBody;
use super::{checked, read_members};
use crate::api::answers::{Changing, Creating, Reading, ReadingOne};
use crate::api::{only, reading};
use crate::domain::key::Key;
use crate::domain::members::Members;
use crate::gateway::Gateway;
use crate::store::secrets::SecretRow;
use crate::tenants::catalogue::usage::Place;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::secrets::{self, SecretText, Set};
use crate::web::Problem;
use crate::web::admin::{May, Own, View};
use crate::web::body::AdminBodyLimits;
use crate::web::etag::Validator;
use crate::web::page::PageBody;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/secrets").route(reading().to(list)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/secrets/{name:[^/:]+}")
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

/// What may be told of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Secret)]
struct SecretBody {
    /// What tools call it: `${secret:crm-token}`.
    #[schema(example = "crm-token")]
    name: String,
    /// Its last four characters; empty for one of fewer than 16.
    #[schema(example = "9f3c")]
    last_four: String,
    /// When it was given the value that it has.
    set_at: DateTime<Utc>,
    /// By whom.
    #[schema(example = "person:ann@acme.example")]
    set_by: String,
    /// Where the policy, and personas that are live or scheduled, refer to it.
    used_by: Vec<PlaceBody>,
}

impl SecretBody {
    fn new(row: SecretRow, places: Option<Vec<Place>>) -> Self {
        let places = places.unwrap_or_default().into_iter();
        Self {
            name: row.name,
            last_four: row.last_four,
            set_at: row.set_at,
            set_by: row.set_by,
            used_by: places.map(PlaceBody::from).collect(),
        }
    }

    fn validator(&self) -> Validator {
        let content = json!([self.name, self.last_four, self.set_at]).to_string();
        Validator::new(1, content.as_bytes())
    }
}

/// What a secret is from now on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewSecret)]
struct ValueBody {
    /// The secret: printable ASCII characters, without a space at either end. Sealed, and never shown again.
    #[schema(min_length = 1, max_length = 2048, write_only)]
    value: String,
}

/// The tenant's secrets, by name.
#[utoipa::path(
    get, path = "/v1/admin/secrets", tag = "Admin: secrets", operation_id = "listSecrets", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses((status = 200, description = "All of them", body = PageBody<SecretBody>), Reading)
)]
async fn list(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    let rows = change.tx.secrets().await?;
    let mut used = secrets::usage(&mut change).await?;
    let body = |row: SecretRow| {
        let places = used.remove(row.name.as_str());
        SecretBody::new(row, places)
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PageBody {
            items: rows.into_iter().map(body).collect(),
            next: None,
        }))
}

/// What may be told of one secret.
#[utoipa::path(
    get, path = "/v1/admin/secrets/{name}", tag = "Admin: secrets", operation_id = "getSecret", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The secret, without its value", body = SecretBody, headers(("ETag" = String, description = "Its state"))),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let name = name(&path)?;
    let mut change = Change::begin(&gateway, &may).await?;
    let row = secrets::find(&mut change.tx, &name).await?;
    shown(HttpResponse::Ok(), &mut change, row).await
}

/// Sets a secret, new or not. Tools refer to it as `${secret:NAME}` in the values of headers and in the URL; the next mint sends the
/// new value.
#[utoipa::path(
    put, path = "/v1/admin/secrets/{name}", tag = "Admin: secrets", operation_id = "putSecret", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("name" = String, Path, description = "Its name: 1 to 64 characters of a-z, 0-9, '-' and '_', a letter or digit first")),
    request_body(content = ValueBody, content_type = "application/json"),
    responses(
        (status = 200, description = "It has this value now", body = SecretBody, headers(("ETag" = String, description = "Its state"))),
        (status = 201, description = "It is new", body = SecretBody, headers(("ETag" = String, description = "Its state"))),
        Creating,
    )
)]
async fn put(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let value = members.required("value", secret_text);
    checked(members.finish())?;
    let name = Key::parse(&path).map_err(|bad| Refusal::fault("", bad.to_string()))?;
    let value = value.ok_or_else(|| Refusal::Invalid(Vec::new()))?;
    let mut change = Change::begin(&gateway, &may).await?;
    let set = secrets::set(&mut change, &name, &value).await?;
    let (answer, row) = match set {
        Set::New(row) => (HttpResponse::Created(), row),
        Set::Changed(row) | Set::Same(row) => (HttpResponse::Ok(), row),
    };
    let answer = shown(answer, &mut change, row).await?;
    change.commit().await?;
    Ok(answer)
}

/// Forgets a secret that neither the policy nor a persona refers to which is live or scheduled.
#[utoipa::path(
    delete, path = "/v1/admin/secrets/{name}", tag = "Admin: secrets", operation_id = "deleteSecret", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("name" = String, Path, description = "Its name"), ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Gone"), Changing)
)]
async fn delete(
    may: May<Own>,
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let name = name(&path)?;
    let mut change = Change::begin(&gateway, &may).await?;
    change.lock_authoring().await?;
    let row = secrets::find(&mut change.tx, &name).await?;
    let body = SecretBody::new(row, None);
    body.validator().require(&request, || json!(body))?;
    secrets::delete(&mut change, &name).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A path member that is a name: what has not its form is at no address.
fn name(text: &str) -> Result<Key, Refusal> {
    Key::parse(text).map_err(|_no_name| Refusal::NotFound)
}

fn secret_text(value: Value) -> Result<SecretText, String> {
    match value {
        Value::String(text) => SecretText::parse(SecretString::from(text)),
        _ => Err("must be a text".into()),
    }
}

async fn shown(
    mut answer: actix_web::HttpResponseBuilder,
    change: &mut Change,
    row: SecretRow,
) -> Result<HttpResponse, Problem> {
    let mut used = secrets::usage(change).await?;
    let places = used.remove(row.name.as_str());
    let body = SecretBody::new(row, places);
    Ok(answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, body.validator().etag()))
        .json(body))
}
