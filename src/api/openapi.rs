//! The `OpenAPI` 3.1 document, as the operations describe themselves.

mod preferences;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

pub use self::preferences::{Preferences, PreferencesPatch};
use crate::web::codes::Code;
use crate::web::input::Schemas;
use crate::web::operation::{Answer, Described, Document, Output, operations};
use crate::web::problem::ProblemBody;

operations! {
    "Meta";

    "/v1/openapi.json" {
        /// Returns this document.
        GET getOpenApi => get;
    }
}

/// Refusals that operations refer to, by name.
const REFUSALS: &[(&str, &str)] = &[
    (
        "MalformedRequest",
        "The request is malformed: `malformed_request`",
    ),
    (
        "Unauthenticated",
        "There is no valid token: `unauthenticated`, with the same body for all reasons",
    ),
    ("Forbidden", "`origin_not_allowed` or `tenant_suspended`"),
    ("Refused", "Refused; the status says why"),
    (
        "Invalid",
        "Well-formed, but invalid: `invalid_request`, `context_unknown`, `metadata_invalid` or `preference_invalid`; `errors` says where",
    ),
    (
        "TooMany",
        "`rate_limited`, or all sessions at Anam are in use; `Retry-After` says when to try again",
    ),
    ("Failed", "The request could not be served; `code` says why"),
    (
        "NoAdmin",
        "There is no valid admin credential: `unauthenticated`, or `sign_in_failed` for a sign-in, with the same body for all reasons",
    ),
    (
        "AdminForbidden",
        "`forbidden`: the role does not suffice, `detail` names the one that is needed; or `tenant_suspended`",
    ),
    (
        "Absent",
        "`not_found`: this tenant has nothing of that name or id",
    ),
    (
        "Conflicting",
        "`already_exists`, `conflict`, `in_use`, `merge_conflict` or `approval_missing`; `detail` says what to do",
    ),
    (
        "Expired",
        "`inputs_expired`: the inputs of the session are deleted",
    ),
    (
        "Stale",
        "`precondition_failed`: it has changed; `current` is its current state",
    ),
    (
        "AdminInvalid",
        "Well-formed, but invalid: `invalid_request`, `document_invalid` or `idempotency_key_reused`; `errors` says where",
    ),
];

/// Groups of operations, and what they are about.
const TAGS: &[(&str, &str)] = &[
    (
        "Sessions",
        "What a web page requests: session tokens and contexts",
    ),
    ("Preferences", "What a user may choose, and has chosen"),
    ("Admin: documents", "Personas, contexts and snippets"),
    ("Admin: drafts", "Content that is still being written"),
    ("Admin: versions", "Sealed content, and its reviews"),
    (
        "Admin: releases",
        "Which version is live, from when, and for which share of the users",
    ),
    (
        "Admin: preview and tests",
        "Sample users, previews, and the impact of a change",
    ),
    ("Admin: sessions", "Which persona users got, and why"),
    ("Admin: users", "Users' preferences and data"),
    (
        "Admin: catalogue",
        "What personas and users can choose from",
    ),
    (
        "Admin: policy",
        "Rules for all of a tenant's personas and users",
    ),
    ("Admin: issuers", "Issuers whose tokens are accepted"),
    ("Admin: provider keys", "API keys of Anam"),
    ("Admin: secrets", "Secrets that webhook tools refer to"),
    (
        "Admin: access",
        "People, API keys, sign-in, and refused users",
    ),
    ("Admin: audit", "Who changed what, and when"),
    ("Admin: bundles", "The whole tenant as one file"),
    (
        "Operator",
        "Tenants and shared issuers, for those who run the installation",
    ),
    ("Meta", "This document"),
];

/// The document as JSON text, indented.
pub fn document() -> String {
    let mut document = Document::default();
    for resource in super::operations() {
        resource.describe(&mut document);
    }
    let responses = refusals(&mut document.schemas);
    for name in document.schemas.clashes() {
        tracing::error!(name, "two schemas have this name, and one of them is lost");
    }
    let paths = document.paths;
    let mut schemas = document.schemas.into_inner();
    describe_codes(&mut schemas);
    let tags: Vec<Value> = TAGS
        .iter()
        .map(|(name, meaning)| json!({ "name": name, "description": meaning }))
        .collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Persona gateway",
            "description": "Gives each signed-in user of a SaaS product the right AI persona: a user's JWT in, a personalised Anam session token out.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": "/", "description": "The installation that serves this document" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "adminKey": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key (`pgk_...`) or the token of a sign-in (`pgs_...`). The operation's `x-permission` says which role it needs.",
                },
                "userJwt": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "The signed-in user's own JWT, from one of the tenant's registered issuers; or an opaque token, with the header `Persona-Gateway-Tenant`.",
                },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn refusals(schemas: &mut Schemas) -> Map<String, Value> {
    let body = schemas.output::<ProblemBody>();
    let response = |(name, meaning): &(&str, &str)| {
        let content = json!({ "application/problem+json": { "schema": body } });
        let response = json!({ "description": meaning, "content": content });
        ((*name).to_owned(), response)
    };
    REFUSALS.iter().map(response).collect()
}

/// Lists every code with its status and meaning. Not as an enumeration: later versions may add codes, and a client should not break over
/// one.
fn describe_codes(schemas: &mut BTreeMap<String, Value>) {
    let mut text = "The stable code that programs should look at; more may come.\n\n".to_owned();
    for code in Code::ALL {
        let (name, status, meaning) = (code.as_str(), code.status().as_u16(), code.meaning());
        text.extend(["- `", name, "` (", &status.to_string(), "):", meaning, "\n"]);
    }
    let body = schemas.get_mut("ProblemBody");
    let code = body.and_then(|body| body.pointer_mut("/properties/code"));
    if let Some(code) = code.and_then(Value::as_object_mut) {
        code.insert("description".to_owned(), text.into());
    }
}

/// This document, as an answer.
#[derive(Debug)]
struct OpenApiDocument(&'static str);

impl Output for OpenApiDocument {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((CACHE_CONTROL, "public, max-age=300"))
            .body(self.0)
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers(
            200,
            &json!({
                "description": "OpenAPI 3.1",
                "content": { "application/json": { "schema": { "type": "object" } } },
            }),
        );
    }
}

async fn get() -> Answer<OpenApiDocument> {
    // Anybody may ask for it, so it is put together once.
    static DOCUMENT: LazyLock<String> = LazyLock::new(document);
    Ok(OpenApiDocument(&DOCUMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_schemas_have_one_name() {
        let mut document = Document::default();
        for resource in crate::api::operations() {
            resource.describe(&mut document);
        }
        assert_eq!(document.schemas.clashes(), [""; 0]);
    }

    #[test]
    fn every_group_is_described_and_every_operation_is_in_one() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        for operations in document["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                let tag = operation["tags"][0].as_str().unwrap();
                assert!(TAGS.iter().any(|(name, _)| *name == tag), "{tag}");
            }
        }
    }
}
