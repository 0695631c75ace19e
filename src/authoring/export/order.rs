//! The order in which people write the members of a bundle: that of the JSON Schema. The database keeps none.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::authoring::schema::schema;
use crate::domain::document::DocumentKind;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// Keywords of the JSON Schemas that bundles hold, the first ones first; the others follow.
const KEYWORDS: [&str; 11] = [
    "$schema",
    "$ref",
    "title",
    "description",
    "type",
    "const",
    "enum",
    "format",
    "pattern",
    "additionalProperties",
    "required",
];
/// Keywords whose members are named by whoever wrote them.
const NAMING: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];
/// Keywords that hold values, not schemas.
const VALUES: [&str; 5] = ["const", "enum", "default", "examples", "required"];

/// A document's content with its members in order.
pub fn of_document(kind: DocumentKind, content: Map<String, Value>) -> Map<String, Value> {
    let form = SCHEMA.get("$defs").and_then(|all| all.get(kind.as_str()));
    members(content, form.unwrap_or(&Value::Null))
}

/// A policy with its members in order.
pub fn of_policy(policy: Map<String, Value>) -> Map<String, Value> {
    let form = SCHEMA.get("$defs").and_then(|all| all.get("policy"));
    members(policy, form.unwrap_or(&Value::Null))
}

fn members(unordered: Map<String, Value>, form: &Value) -> Map<String, Value> {
    match ordered(Value::Object(unordered), form) {
        Value::Object(members) => members,
        // An object stays one.
        _ => Map::new(),
    }
}

/// The bundle with its members in order. What has no order of its own keeps the one that it has.
pub(super) fn in_order(bundle: Value) -> Value {
    ordered(bundle, &SCHEMA)
}

fn ordered(value: Value, schema: &Value) -> Value {
    let schema = form(&value, resolved(schema));
    match value {
        Value::Array(items) => match schema.get("items") {
            Some(of_items) => items
                .into_iter()
                .map(|item| ordered(item, of_items))
                .collect(),
            None => Value::Array(items),
        },
        Value::Object(mut members) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let mut all = Map::with_capacity(members.len());
            for (name, schema) in properties.into_iter().flatten() {
                if let Some(value) = members.shift_remove(name) {
                    let value = if is_schema(name, schema) {
                        within(value)
                    } else {
                        ordered(value, schema)
                    };
                    all.insert(name.clone(), value);
                }
            }
            let others = schema.get("additionalProperties").unwrap_or(&Value::Null);
            for (name, value) in members {
                all.insert(name, ordered(value, others));
            }
            Value::Object(all)
        }
        scalar => scalar,
    }
}

/// Whether a member of a bundle is itself a JSON Schema: of metadata, or of a tool's parameters.
fn is_schema(name: &str, schema: &Value) -> bool {
    name == "parameters" || schema.get("$ref") == Some(&Value::from("#/$defs/metadataSchema"))
}

/// What a `$ref` of the schema stands for.
fn resolved(schema: &Value) -> &Value {
    let name = schema.get("$ref").and_then(Value::as_str);
    name.and_then(|name| SCHEMA.pointer(name.strip_prefix('#')?))
        .unwrap_or(schema)
}

/// Of several forms, the one that has all of the value's members.
fn form<'s>(value: &Value, schema: &'s Value) -> &'s Value {
    let (Some(forms), Value::Object(members)) =
        (schema.get("oneOf").and_then(Value::as_array), value)
    else {
        return schema;
    };
    let suits = |form: &&Value| {
        let properties = form.get("properties").and_then(Value::as_object);
        properties.is_some_and(|properties| {
            members.iter().all(|(name, value)| {
                let property = properties.get(name);
                property.is_some_and(|it| it.get("const").is_none_or(|only| only == value))
            })
        })
    };
    let mut forms = forms.iter().map(resolved);
    forms.find(suits).unwrap_or(schema)
}

fn keywords_first(mut schema: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::with_capacity(schema.len());
    for keyword in KEYWORDS {
        if let Some(value) = schema.shift_remove(keyword) {
            all.insert(keyword.to_owned(), value);
        }
    }
    all.extend(schema);
    all.into_iter()
        .map(|(keyword, value)| {
            let value = match value {
                value if VALUES.contains(&keyword.as_str()) => value,
                Value::Object(named) if NAMING.contains(&keyword.as_str()) => named
                    .into_iter()
                    .map(|(name, schema)| (name, within(schema)))
                    .collect(),
                value => within(value),
            };
            (keyword, value)
        })
        .collect()
}

/// A schema, or several, inside of one.
fn within(value: Value) -> Value {
    match value {
        Value::Object(schema) => Value::Object(keywords_first(schema)),
        Value::Array(items) => items.into_iter().map(within).collect(),
        scalar => scalar,
    }
}
