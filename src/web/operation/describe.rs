//! The `OpenAPI` 3.1 document, as operations describe themselves.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::address;
use crate::web::input::{Field, Schemas};

/// The document, to which operations are added.
#[derive(Debug, Default)]
pub struct Document {
    /// Paths, each with its operations by method.
    pub paths: BTreeMap<String, Map<String, Value>>,
    /// The schemas that operations refer to.
    pub schemas: Schemas,
}

impl Document {
    pub(super) fn add(
        &mut self,
        tag: &str,
        path: &str,
        method: &Method,
        id: &str,
        doc: &str,
        describe: fn(&mut Described<'_>),
    ) {
        let (path, names) = address::in_words(path);
        let mut operation = Described {
            schemas: &mut self.schemas,
            method: method.clone(),
            path_parameters: names.into_iter().rev().collect(),
            parameters: Vec::new(),
            body: None,
            responses: BTreeMap::new(),
            security: json!([]),
            permission: None,
            is_for_users: false,
            max_age: None,
        };
        describe(&mut operation);
        let entry = operation.entry(tag, id, doc);
        let method = method.as_str().to_ascii_lowercase();
        self.paths.entry(path).or_default().insert(method, entry);
    }
}

/// An operation that is being described.
#[derive(Debug)]
pub struct Described<'a> {
    /// Schemas to refer to.
    pub schemas: &'a mut Schemas,
    method: Method,
    /// Path parameters without a description yet, the next one last.
    path_parameters: Vec<String>,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: BTreeMap<u16, Value>,
    security: Value,
    permission: Option<&'static str>,
    is_for_users: bool,
    max_age: Option<i64>,
}

impl Described<'_> {
    /// Whether its method is safe (RFC 9110, section 9.2.1).
    pub fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// The operation is for admins who have this permission.
    pub fn for_admins(&mut self, permission: &'static str) {
        self.security = json!([{ "adminKey": [] }]);
        self.permission = Some(permission);
        self.may_refuse(401, "NoAdmin");
        self.may_refuse(403, "AdminForbidden");
        self.may_refuse(429, "TooMany");
        self.may_refuse(503, "Failed");
        if !self.is_read() && permission != "view" {
            self.may_refuse(409, "Conflicting");
        }
    }

    /// Whoever is signed in must have shown within so many seconds who they are.
    pub fn wants_recent(&mut self, seconds: i64) {
        self.max_age = Some(seconds);
    }

    /// The operation is for users.
    pub fn for_users(&mut self) {
        self.security = json!([{ "userJwt": [] }]);
        self.is_for_users = true;
        self.header(
            "Persona-Gateway-Tenant",
            "With an opaque token: the tenant whose issuer is asked about it, by its name in URLs or its id. Not looked at with a JWT.",
            &json!({ "type": "string" }),
            false,
        );
        self.may_refuse(401, "Unauthenticated");
        self.may_refuse(403, "Forbidden");
        self.may_refuse(429, "TooMany");
        self.may_refuse(503, "Failed");
    }

    /// Adds an error response: the one of this name in the document.
    pub fn may_refuse(&mut self, status: u16, response: &str) {
        let reference = format!("#/components/responses/{response}");
        self.responses
            .entry(status)
            .or_insert_with(|| json!({ "$ref": reference }));
    }

    /// Adds a response.
    pub fn answers(&mut self, status: u16, response: &Value) {
        self.responses.insert(status, response.clone());
    }

    /// Adds a JSON response with these headers.
    pub fn answers_with<T: ToSchema>(&mut self, status: u16, headers: &[(&str, &str)]) {
        let schema = self.schemas.output::<T>();
        let meaning = self.schemas.description(&schema).unwrap_or("Done");
        let mut response = Map::new();
        response.insert("description".to_owned(), meaning.into());
        if !headers.is_empty() {
            let headers: Map<String, Value> = headers
                .iter()
                .map(|(name, meaning)| {
                    let header = json!({ "description": meaning, "schema": { "type": "string" } });
                    ((*name).to_owned(), header)
                })
                .collect();
            response.insert("headers".to_owned(), headers.into());
        }
        let content = json!({ "application/json": { "schema": schema } });
        response.insert("content".to_owned(), content);
        self.answers(status, &response.into());
    }

    /// Describes the next parameter of the path.
    pub fn path_parameter(&mut self, meaning: &str, schema: &Value) {
        let name = self.path_parameters.pop().unwrap_or_default();
        self.parameters.push(json!({
            "name": name, "in": "path", "description": meaning, "required": true, "schema": schema,
        }));
    }

    /// Adds parameters of the query.
    pub fn query_parameters(&mut self, fields: Vec<Field>) {
        for field in fields {
            let mut schema = field.schema;
            let meaning = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"));
            self.parameters.push(json!({
                "name": field.name, "in": "query", "description": meaning, "required": field.required, "schema": schema,
            }));
        }
    }

    /// Adds a request header.
    pub fn header(&mut self, name: &str, meaning: &str, schema: &Value, required: bool) {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": meaning, "required": required, "schema": schema,
        }));
    }

    /// Adds the request body.
    pub fn body(&mut self, media_types: &[&str], schema: &Value, required: bool) {
        let content: Map<String, Value> = media_types
            .iter()
            .map(|media_type| ((*media_type).to_owned(), json!({ "schema": schema })))
            .collect();
        self.body = Some(json!({ "content": content, "required": required }));
        self.may_refuse(400, "MalformedRequest");
        self.may_refuse(408, "Refused");
        self.may_refuse(413, "Refused");
        self.may_refuse(415, "Refused");
        let invalid = if self.is_for_users {
            "Invalid"
        } else {
            "AdminInvalid"
        };
        self.may_refuse(422, invalid);
    }

    fn entry(self, tag: &str, id: &str, doc: &str) -> Value {
        let summary = doc
            .split_once(". ")
            .map_or(doc, |(first, _)| first)
            .trim_end_matches('.');
        let mut entry = Map::new();
        let mut insert = |name: &str, value: Value| entry.insert(name.to_owned(), value);
        insert("tags", json!([tag]));
        insert("summary", summary.into());
        insert("description", doc.into());
        insert("operationId", id.into());
        if !self.parameters.is_empty() {
            insert("parameters", self.parameters.into());
        }
        if let Some(body) = self.body {
            insert("requestBody", body);
        }
        let responses: Map<String, Value> = self
            .responses
            .into_iter()
            .map(|(status, response)| (status.to_string(), response))
            .collect();
        insert("responses", responses.into());
        insert("security", self.security);
        if let Some(permission) = self.permission {
            insert("x-permission", permission.into());
        }
        if let Some(seconds) = self.max_age {
            insert("x-max-age", seconds.into());
        }
        entry.into()
    }
}
