//! Two opinions on one schema: ours and the crate `jsonschema`'s.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate;
use crate::domain::request::normal;
use crate::domain::schema::{read, run};

fn ours(schema: &Value, value: &Value) -> Option<bool> {
    let read = read::read(schema, read::Purpose::Write).ok()?;
    run::check(&read.program, &normal(value.clone())).ok()
}

fn theirs(schema: &Value, value: &Value) -> Option<bool> {
    let options = jsonschema::options()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .should_validate_formats(false);
    Some(options.build(schema).ok()?.is_valid(value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn both_say_the_same(schema in generate::schema(), values in prop::collection::vec(generate::value(), 1..12)) {
        for value in values {
            if let (Some(ours), Some(theirs)) = (ours(&schema, &value), theirs(&schema, &value)) {
                prop_assert_eq!(ours, theirs, "{} of {}", value, schema);
            }
        }
    }

    #[test]
    fn what_is_told_is_told_where_a_value_does_not_fit(schema in generate::schema(), value in generate::value()) {
        if let Ok(read) = read::read(&schema, read::Purpose::Write)
            && let Ok(fits) = run::check(&read.program, &normal(value.clone()))
        {
            let faults = run::list_faults(&read.program, &normal(value));
            prop_assert_eq!(fits, faults.is_empty(), "{:?}", faults);
            prop_assert!(faults.len() <= run::MAX_TOLD);
        }
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn each_keyword_says_what_the_specification_says() {
    let cases = [
        (
            json!({ "type": "integer" }),
            json!([1, -3, 1.0]),
            json!([1.5, "1", null]),
        ),
        (
            json!({ "type": ["string", "null"] }),
            json!(["", null]),
            json!([1, []]),
        ),
        (
            json!({ "const": { "a": [1] } }),
            json!([{ "a": [1.0] }]),
            json!([{ "a": [2] }, {}]),
        ),
        (
            json!({ "enum": [1, "x", [true]] }),
            json!([1, 1.0, "x", [true]]),
            json!([2, [1], true]),
        ),
        (
            json!({ "minimum": 1, "exclusiveMaximum": 2.5 }),
            json!([1, 2.4, "x"]),
            json!([0.9, 2.5]),
        ),
        (
            json!({ "exclusiveMinimum": 1, "maximum": 3 }),
            json!([1.1, 3]),
            json!([1, 3.1]),
        ),
        (
            json!({ "multipleOf": 0.01 }),
            json!([0.07, 1, 19.99, 0]),
            json!([0.075]),
        ),
        (
            json!({ "multipleOf": 3 }),
            json!([0, -6, 9e10]),
            json!([1, 3.5]),
        ),
        (
            json!({ "minLength": 2, "maxLength": 3 }),
            json!(["äö", "abc", 7]),
            json!(["ä", "abcd"]),
        ),
        (
            json!({ "pattern": "^\\d+\\w\\s?$" }),
            json!(["12a ", "1b"]),
            json!(["٣a", "a"]),
        ),
        (json!({ "pattern": "b" }), json!(["abc"]), json!(["ac"])),
        (
            json!({ "minItems": 1, "maxItems": 2 }),
            json!([[1], [1, 2], "x"]),
            json!([[], [1, 2, 3]]),
        ),
        (
            json!({ "uniqueItems": true }),
            json!([[1, "1", [1]], []]),
            json!([[1, 1.0], [{ "a": 1, "b": 2 }, { "b": 2, "a": 1 }]]),
        ),
        (
            json!({ "prefixItems": [{ "type": "string" }], "items": { "type": "number" } }),
            json!([["a", 1], [], ["a"]]),
            json!([[1], ["a", "b"]]),
        ),
        (
            json!({ "contains": { "const": 1 } }),
            json!([[2, 1]]),
            json!([[], [2]]),
        ),
        (
            json!({ "contains": { "const": 1 }, "minContains": 2, "maxContains": 3 }),
            json!([[1, 1], [1, 1, 1]]),
            json!([[1], [1, 1, 1, 1]]),
        ),
        (
            json!({ "contains": { "const": 1 }, "minContains": 0 }),
            json!([[], [2]]),
            json!([]),
        ),
        (
            json!({ "minProperties": 1, "maxProperties": 2 }),
            json!([{ "a": 1 }]),
            json!([{}, { "a": 1, "b": 1, "c": 1 }]),
        ),
        (
            json!({ "required": ["a"] }),
            json!([{ "a": null }, 1]),
            json!([{}]),
        ),
        (
            json!({ "dependentRequired": { "a": ["b"] } }),
            json!([{ "b": 1 }, { "a": 1, "b": 1 }]),
            json!([{ "a": 1 }]),
        ),
        (
            json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
            json!([{}, { "a": 1, "b": 1 }]),
            json!([{ "a": 1 }]),
        ),
        (
            json!({ "propertyNames": { "maxLength": 2 } }),
            json!([{ "ab": 1 }, {}]),
            json!([{ "abc": 1 }]),
        ),
        (
            json!({ "properties": { "a": { "type": "string" } }, "patternProperties": { "^x": { "type": "number" } }, "additionalProperties": false }),
            json!([{ "a": "", "x1": 1 }]),
            json!([{ "a": 1 }, { "x1": "" }, { "b": 1 }]),
        ),
        (
            json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }),
            json!([1, 2]),
            json!([0, 3]),
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "minimum": 3 }] }),
            json!(["", 3, null]),
            json!([2]),
        ),
        (
            json!({ "oneOf": [{ "multipleOf": 2 }, { "multipleOf": 3 }] }),
            json!([2, 9]),
            json!([6, 1]),
        ),
        (
            json!({ "not": { "type": "string" } }),
            json!([1]),
            json!([""]),
        ),
        (
            json!({ "if": { "type": "string" }, "then": { "minLength": 1 }, "else": { "type": "number" } }),
            json!(["a", 1]),
            json!(["", null]),
        ),
        (
            json!({ "$ref": "#/$defs/a%20b", "$defs": { "a b": { "type": "string" } } }),
            json!([""]),
            json!([1]),
        ),
        (
            json!({ "$ref": "#here", "$defs": { "x": { "$anchor": "here", "type": "string" } } }),
            json!([""]),
            json!([1]),
        ),
        (
            json!({ "type": "object", "additionalProperties": { "$dynamicRef": "#t" }, "$dynamicAnchor": "t" }),
            json!([{ "a": { "b": {} } }]),
            json!([{ "a": { "b": 1 } }]),
        ),
        (
            json!({ "allOf": [{ "properties": { "a": true } }], "unevaluatedProperties": false }),
            json!([{ "a": 1 }, {}]),
            json!([{ "b": 1 }]),
        ),
        (
            json!({ "anyOf": [{ "properties": { "a": { "const": 1 } }, "required": ["a"] }, { "properties": { "b": true } }], "unevaluatedProperties": false }),
            json!([{ "a": 1, "b": 1 }, { "b": 2 }]),
            json!([{ "a": 2 }, { "a": 1, "c": 1 }]),
        ),
        (
            json!({ "prefixItems": [true], "contains": { "const": 7 }, "unevaluatedItems": { "type": "string" } }),
            json!([[1, 7, "x"]]),
            json!([[1, 7, 8]]),
        ),
        (
            json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": [{ "type": "string" }], "additionalItems": false, "dependencies": { "a": ["b"], "c": { "required": ["d"] } } }),
            json!([["x"], [], { "a": 1, "b": 1 }]),
            json!([[1], ["x", 2], { "a": 1 }, { "c": 1 }]),
        ),
        (
            json!({ "$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveAnchor": true, "items": { "$recursiveRef": "#" }, "type": ["array", "null"] }),
            json!([[[null]], null]),
            json!([[[1]], 1]),
        ),
        (
            json!({ "oneOf": [
                { "type": "object", "required": ["kind"], "properties": { "kind": { "const": "a" }, "x": { "type": "string" } } },
                { "$ref": "#/$defs/b" },
            ], "$defs": { "b": { "type": "object", "required": ["kind", "y"], "properties": { "kind": { "enum": ["b", "c"] } } } }, "unevaluatedProperties": false }),
            json!([{ "kind": "a", "x": "" }, { "kind": "a" }]),
            json!([1, {}, { "kind": 1 }, { "kind": "d" }, { "kind": "a", "x": 1 }, { "kind": "b" }, { "kind": "c", "y": 1 }]),
        ),
        (
            json!({ "anyOf": [
                { "type": "object", "required": ["kind"], "properties": { "kind": { "const": "a" } } },
                { "type": "object", "required": ["kind"], "properties": { "kind": { "enum": ["a", "b"] } } },
            ] }),
            json!([{ "kind": "a" }, { "kind": "b" }]),
            json!([{ "kind": "c" }]),
        ),
        (json!(true), json!([1, {}]), json!([])),
        (
            json!({ "properties": { "a": false } }),
            json!([{}]),
            json!([{ "a": 1 }]),
        ),
    ];
    for (schema, good, bad) in cases {
        for (values, expected) in [(good, true), (bad, false)] {
            for value in values.as_array().unwrap() {
                assert_eq!(ours(&schema, value), Some(expected), "{value} of {schema}");
                assert_eq!(
                    theirs(&schema, value),
                    Some(expected),
                    "{value} of {schema}, as they see it"
                );
            }
        }
    }
}
