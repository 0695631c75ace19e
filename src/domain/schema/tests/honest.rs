//! Schemas as people write them cost a small part of what a check may.

use serde_json::{Value, json};

use crate::domain::schema::{cost, read, run};

/// The part of the budget that a schema could take at most.
fn part(schema: &Value) -> f64 {
    let read = read::read(schema, read::Purpose::Write).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "both are small")]
    let part = cost::bound(&read.program) as f64 / run::BUDGET as f64;
    part
}

#[test]
#[expect(clippy::too_many_lines, reason = "whole schemas, side by side")]
fn schemas_as_people_write_them_are_far_from_the_limit() {
    let address = json!({
        "type": "object", "additionalProperties": false, "required": ["street", "city"],
        "properties": {
            "street": { "type": "string", "maxLength": 200 },
            "city": { "type": "string", "minLength": 1, "maxLength": 100 },
            "zip": { "type": "string", "pattern": "^[0-9]{5}(-[0-9]{4})?$" },
            "country": { "enum": ["DE", "AT", "CH", "FR", "US"] },
        },
    });
    let ticket = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "ticketId": { "type": "string", "pattern": "^T-[0-9]{1,8}$" },
            "priority": { "enum": ["low", "normal", "high", "urgent"] },
            "subject": { "type": "string", "maxLength": 500 },
            "seats": { "type": "integer", "minimum": 1, "maximum": 10_000 },
            "vip": { "type": "boolean" },
            "opened": { "type": "string", "format": "date-time" },
        },
    });
    let order = json!({
        "$defs": { "address": address, "money": { "type": "number", "minimum": 0, "multipleOf": 0.01 } },
        "type": "object", "required": ["lines"],
        "properties": {
            "customer": { "type": "string", "pattern": "^[\\p{L}\\p{M} .'-]+$", "maxLength": 100 },
            "email": { "type": "string", "pattern": "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", "maxLength": 254 },
            "billing": { "$ref": "#/$defs/address" },
            "shipping": { "$ref": "#/$defs/address" },
            "lines": { "type": "array", "minItems": 1, "maxItems": 200, "items": {
                "type": "object", "required": ["sku", "quantity"], "additionalProperties": false,
                "properties": {
                    "sku": { "type": "string", "pattern": "^[A-Z]{2,4}-[0-9]{3,10}$" },
                    "quantity": { "type": "integer", "minimum": 1 },
                    "price": { "$ref": "#/$defs/money" },
                    "tags": { "type": "array", "uniqueItems": true, "maxItems": 20, "items": { "type": "string", "maxLength": 30 } },
                    "options": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
                },
            } },
        },
    });
    let variant = |kind: &str, more: Value| json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "const": kind }, "detail": more, "note": { "type": "string" } } });
    let events = json!({
        "type": "object",
        "properties": { "events": { "type": "array", "items": { "oneOf": [
            variant("page", json!({ "type": "string", "format": "uri" })),
            variant("cart", json!({ "type": "array", "items": { "type": "string" } })),
            variant("search", json!({ "type": "string", "maxLength": 100 })),
            variant("purchase", json!({ "type": "object", "additionalProperties": { "type": "number" } })),
            variant("call", json!({ "type": "integer" })),
        ] } } },
    });
    let open_events = json!({
        "type": "object",
        "properties": { "events": { "type": "array", "items": { "anyOf": [
            variant("page", json!({ "type": "string" })),
            variant("cart", json!({ "type": "array", "items": { "type": "string" } })),
        ] } } },
    });
    let tree = json!({
        "$defs": { "node": {
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "maxLength": 100 },
                "children": { "type": "array", "items": { "$ref": "#/$defs/node" } },
            },
        } },
        "type": "object", "properties": { "menu": { "$ref": "#/$defs/node" } },
    });
    let form = json!({
        "type": "object",
        "properties": { "country": { "enum": ["US", "CA"] }, "state": { "type": "string" }, "province": { "type": "string" } },
        "if": { "properties": { "country": { "const": "US" } } },
        "then": { "required": ["state"] }, "else": { "required": ["province"] },
        "dependentRequired": { "state": ["country"] },
    });
    let words = json!({
        "type": "object", "propertyNames": { "pattern": "^[a-z]{2}(-[A-Z]{2})?$" },
        "patternProperties": { "^[a-z]{2}": { "type": "object", "additionalProperties": { "type": "string", "maxLength": 500 } } },
    });
    let seventh = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": { "person": { "type": "object", "properties": { "name": { "type": "string" }, "boss": { "$ref": "#/definitions/person" } } } },
        "type": "object", "properties": { "team": { "type": "array", "items": { "$ref": "#/definitions/person" } } },
    });
    let extended = json!({
        "$defs": { "base": { "type": "object", "properties": { "id": { "type": "integer" } }, "required": ["id"] } },
        "type": "object",
        "properties": { "things": { "type": "array", "maxItems": 100, "items": {
            "allOf": [{ "$ref": "#/$defs/base" }], "properties": { "label": { "type": "string" } }, "unevaluatedProperties": false,
        } } },
    });
    let anything = json!({ "type": "object" });
    let schemas = [
        ("ticket", ticket),
        ("order", order),
        ("events", events),
        ("open events", open_events),
        ("tree", tree),
        ("form", form),
        ("words", words),
        ("draft-07", seventh),
        ("extended", extended),
        ("anything", anything),
    ];
    let parts: Vec<(&str, f64)> = schemas
        .iter()
        .map(|(name, schema)| (*name, part(schema)))
        .collect();
    assert!(parts.iter().all(|(_, part)| *part < 0.8), "{parts:?}");
}
