//! The admin API: one file a resource, and in each its routes and its part of the `OpenAPI` document.

pub mod amend;
pub mod api_keys;
pub mod audit;
pub mod bundle;
pub mod catalogue;
pub mod catalogue_syncs;
pub mod comparison;
pub mod documents;
pub mod drafts;
mod filters;
pub mod impact;
pub mod issuers;
pub mod me;
pub mod people;
pub mod policy;
pub mod preview;
mod prompt;
pub mod provider_keys;
pub mod refusals;
pub mod releases;
pub mod replays;
pub mod sample_users;
pub mod secrets;
pub mod sessions;
pub mod sign_in;
pub mod sso;
pub mod subjects;
pub mod users;
pub mod validation;
pub mod versions;

use actix_web::HttpRequest;
use actix_web::web::{self, ServiceConfig};
use serde_json::{Map, Value};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;

use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::store::documents::DocumentKind;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::body::{self, AdminBodyLimits};
use crate::web::operation::Operations;

/// The admin API's routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(versions::routes)
        .configure(releases::routes)
        .configure(sample_users::routes)
        .configure(preview::routes)
        .configure(impact::routes)
        .configure(validation::routes)
        .configure(comparison::routes)
        .configure(sessions::routes)
        .configure(replays::routes)
        .configure(audit::routes)
        .configure(catalogue::routes)
        .configure(catalogue_syncs::routes)
        .configure(bundle::routes);
}

/// What admins can do, resource by resource.
pub fn operations() -> Vec<Operations> {
    vec![
        me::operations(),
        sign_in::operations(),
        people::operations(),
        api_keys::operations(),
        sso::operations(),
        sso::browser::operations(),
        documents::operations(),
        drafts::operations(),
        refusals::operations(),
        subjects::operations(),
        issuers::operations(),
        provider_keys::operations(),
        secrets::operations(),
        users::operations(),
        policy::operations(),
    ]
}

/// The admin API's part of the `OpenAPI` document, resource by resource.
pub fn descriptions() -> Vec<Description> {
    let parts: &[fn() -> Description] = &[
        versions::Doc::openapi,
        releases::Doc::openapi,
        sample_users::Doc::openapi,
        preview::Doc::openapi,
        impact::Doc::openapi,
        validation::Doc::openapi,
        comparison::Doc::openapi,
        sessions::Doc::openapi,
        replays::Doc::openapi,
        audit::Doc::openapi,
        catalogue::Doc::openapi,
        bundle::Doc::openapi,
        catalogue_syncs::Doc::openapi,
    ];
    parts.iter().map(|part| part()).collect()
}

const JSON: &[&str] = &["application/json"];

/// The body of an admin's request, a JSON object; an empty body is an empty object.
pub(super) async fn read_members(
    request: &HttpRequest,
    payload: web::Payload,
    limits: AdminBodyLimits,
) -> Result<Map<String, Value>, Problem> {
    body::read_members(request, payload, limits.0, JSON).await
}

/// A path member that is a document's kind and key: what has neither form is at no address.
fn named(kind: &str, key: &str) -> Result<(DocumentKind, Key), Refusal> {
    match (DocumentKind::named(kind), Key::parse(key)) {
        (Some(kind), Ok(key)) => Ok((kind, key)),
        _ => Err(Refusal::NotFound),
    }
}

/// A path member that is an id.
pub(super) fn id<T: From<uuid::Uuid>>(text: &str) -> Result<T, Refusal> {
    uuid::Uuid::try_parse(text)
        .map(T::from)
        .map_err(|_no_id| Refusal::NotFound)
}

/// A path member that is a version's number.
fn number(text: &str) -> Result<i32, Refusal> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or(Refusal::NotFound)
}

/// Faults of a body as a refusal.
pub(super) fn checked(faults: Result<(), Vec<Fault>>) -> Result<(), Refusal> {
    faults.map_err(Refusal::Invalid)
}
