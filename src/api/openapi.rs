//! The `OpenAPI` 3.1 document, generated from the handlers.

mod preferences;

use std::collections::BTreeMap;

pub use self::preferences::{Preferences, PreferencesPatch};

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, RefOr, Required};
use utoipa::{Modify, OpenApi, ToResponse};

use crate::web::codes::Code;
use crate::web::operation::describe;
use crate::web::problem::ProblemBody;

macro_rules! problems {
    ($($name:ident: $description:literal;)+) => {$(
        #[doc = $description]
        #[derive(Debug, ToResponse)]
        #[response(description = $description, content_type = "application/problem+json")]
        #[expect(dead_code, reason = "documentation only")]
        pub struct $name(#[to_schema] ProblemBody);
    )+};
}

problems! {
    MalformedRequest: "Not well-formed: `malformed_request`";
    Unauthenticated: "No usable token: `unauthenticated`, one body for all reasons";
    Forbidden: "`origin_not_allowed` or `tenant_suspended`";
    Refused: "Refused for the reason that the status names";
    Invalid: "Well-formed, but wrong: `invalid_request`, `context_unknown`, `metadata_invalid` or `preference_invalid`; `errors` says where";
    TooMany: "`rate_limited`, or all of Anam's sessions are taken; see Retry-After";
    Failed: "Not the request's fault; `code` says whose";
    NoAdmin: "No usable admin credential: `unauthenticated`; of a sign-in `sign_in_failed`, one body for all reasons";
    AdminForbidden: "`forbidden`: the role is too low, `detail` says which is needed; or `tenant_suspended`";
    Absent: "`not_found`: no such thing in this tenant";
    Conflicting: "`already_exists`, `conflict`, `in_use`, `merge_conflict` or `approval_missing`; `detail` says what to do";
    Expired: "`inputs_expired`: what a replay needs is not kept any more";
    Stale: "`precondition_failed`: `current` is what it is now";
    AdminInvalid: "Well-formed, but wrong: `invalid_request`, `document_invalid` or `idempotency_key_reused`; `errors` says where";
}

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut Description) {
        let admin = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key (`pgk_...`) or the token of a sign-in (`pgs_...`). The operation's `x-permission` says which role it needs.",
            ))
            .build();
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "The logged-in user's own JWT, from one of the tenant's registered issuers; or an opaque token, with the header `Persona-Gateway-Tenant`.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("userJwt", SecurityScheme::Http(scheme));
        components.add_security_scheme("adminKey", SecurityScheme::Http(admin));
    }
}

/// What goes with an opaque token, at each operation for users.
struct Opaque;

impl Modify for Opaque {
    fn modify(&self, document: &mut Description) {
        let header = ParameterBuilder::new()
            .name("Persona-Gateway-Tenant")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "With an opaque token: the tenant whose issuer is asked about it, by its name in URLs or its id. Not looked at with a JWT.",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        let of_users = SecurityRequirement::new("userJwt", <[&str; 0]>::default());
        for item in document.paths.paths.values_mut() {
            let operations = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.patch,
                &mut item.delete,
            ];
            for operation in operations.into_iter().flatten() {
                let security = operation.security.as_ref();
                if security.is_some_and(|needed| needed.contains(&of_users)) {
                    let parameters = operation.parameters.get_or_insert_default();
                    parameters.push(RefOr::T(header.clone()));
                }
            }
        }
    }
}

/// Adds the admin API.
struct Admin;

impl Modify for Admin {
    fn modify(&self, document: &mut Description) {
        for part in admin_parts() {
            document.merge(part);
        }
    }
}

/// What the admin API's resources say of themselves.
fn admin_parts() -> Vec<Description> {
    let mut parts = super::admin::descriptions();
    parts.push(super::operator::document());
    parts
}

/// Lists every code with its status and meaning. Not as an enumeration: later versions may add codes, and a client
/// should not break over one.
struct Codes;

impl Modify for Codes {
    fn modify(&self, document: &mut Description) {
        let list = Code::ALL.iter().map(|code| {
            let (name, status, meaning) = (code.as_str(), code.status().as_u16(), code.meaning());
            format!("- `{name}` ({status}):{meaning}\n")
        });
        let text = format!(
            "The stable code that programs should look at; more may come.\n\n{}",
            list.collect::<String>()
        );
        let body = document
            .components
            .as_mut()
            .and_then(|components| components.schemas.get_mut("ProblemBody"));
        if let Some(RefOr::T(Schema::Object(body))) = body
            && let Some(RefOr::T(Schema::Object(code))) = body.properties.get_mut("code")
        {
            code.description = Some(text);
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Persona gateway",
        description = "Gives each logged-in user of a SaaS product the right AI persona: JWT in, personalised Anam session token out."
    ),
    paths(
        super::session_token::mint,
        super::dropin::mint,
        super::preferences::get,
        super::preferences::put,
        super::preferences::patch,
        super::preferences::delete,
        super::options::get,
        super::contexts::list,
        get,
    ),
    components(responses(MalformedRequest, Unauthenticated, Forbidden, Refused, Invalid, TooMany, Failed, NoAdmin,
        AdminForbidden, Absent, Conflicting, Expired, Stale, AdminInvalid)),
    modifiers(&Opaque, &Admin, &Credentials, &Codes),
)]
struct Document;

/// The document as JSON text, indented.
pub fn document() -> String {
    let mut described = describe::Document::default();
    for resource in super::operations() {
        resource.describe(&mut described);
    }
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let mut schemas: BTreeMap<String, Value> = described.schemas.into_inner();
    if let Some(others) = document.pointer_mut("/components/schemas") {
        schemas.extend(taken(others));
        *others = serde_json::json!(schemas);
    }
    let mut paths = described.paths;
    if let Some(others) = document.pointer_mut("/paths") {
        for (path, operations) in taken(others) {
            if let Value::Object(operations) = operations {
                paths.entry(path).or_default().extend(operations);
            }
        }
        *others = serde_json::json!(paths);
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The members of an object, which is left empty.
fn taken(object: &mut Value) -> Map<String, Value> {
    match object.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// This document.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "Meta", operation_id = "getOpenApi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub async fn get() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(document())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merging keeps one of two schemas of the same name, and says nothing.
    #[test]
    fn no_two_resources_give_one_name_to_different_schemas() {
        let mut seen = BTreeMap::new();
        for part in admin_parts() {
            for (name, schema) in part.components.unwrap_or_default().schemas {
                let text = serde_json::to_string(&schema).unwrap();
                let known = seen.entry(name.clone()).or_insert_with(|| text.clone());
                assert_eq!(*known, text, "the schema {name}");
            }
        }
        assert!(seen.len() > 40);
    }
}
