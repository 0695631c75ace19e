use serde_json::{Map, json};

use super::*;
use crate::domain::wrong::Wrong;

#[test]
fn a_schema_that_points_outside_itself_is_refused_and_nothing_is_fetched() {
    for reference in [
        "http://127.0.0.1:1/schema.json",
        "https://evil.example/schema.json",
        "file:///etc/passwd",
        "other.json",
        "",
    ] {
        for name in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let schema = json!({ "properties": { "a": { "prefixItems": [{ name: reference }] } } });
            let faults = MetadataSchema::compile(schema).expect_err(reference);
            assert_eq!(
                faults[0].pointer,
                format!("/properties/a/prefixItems/0/{name}")
            );
        }
    }
    let inside = json!({ "$defs": { "id": { "type": "string" } }, "properties": { "a": { "$ref": "#/$defs/id" } } });
    assert!(MetadataSchema::compile(inside).is_ok());
}

#[test]
fn a_pattern_takes_linear_time_whatever_the_text() {
    let schema = json!({ "properties": { "a": { "type": "string", "pattern": "^(a+)+$" } } });
    let schema = MetadataSchema::compile(schema).unwrap();
    let text = "a".repeat(50_000) + "!";
    let metadata: Metadata = Map::from_iter([("a".to_owned(), Value::from(text))]).into();
    assert_eq!(schema.check(&metadata).unwrap_err()[0].pointer, "/a");
    // What only a backtracking engine could match is refused when the context is saved.
    for pattern in ["(a)\\1", "(?=a)b", "(?<!a)b"] {
        let schema = json!({ "properties": { "a": { "pattern": pattern } } });
        assert!(MetadataSchema::compile(schema).is_err(), "{pattern}");
    }
}

#[test]
fn a_value_of_another_type_is_said_for_programs_in_the_words_of_json_schema() {
    for (kinds, wrong) in [
        (json!("integer"), Wrong::Whole),
        (json!("number"), Wrong::Number),
        (
            json!(["boolean", "integer"]),
            Wrong::Types("integer, boolean".to_owned()),
        ),
        (
            json!(["null", "number"]),
            Wrong::Types("number, null".to_owned()),
        ),
    ] {
        let schema = json!({ "properties": { "a": { "type": kinds } } });
        let schema = MetadataSchema::compile(schema).unwrap();
        let metadata = Map::from_iter([("a".to_owned(), json!("text"))]).into();
        let faults = schema.check(&metadata).unwrap_err();
        assert_eq!(*faults[0].wrong, wrong, "{kinds}");
    }
}

#[test]
fn a_fault_names_the_place_and_not_the_value() {
    let schema = json!({ "type": "object", "properties": { "a": {
        "enum": ["x", "y"] }, "b": { "type": "integer" }, "c": { "maxLength": 3 }, "d": { "const": 1 },
        "e": { "format": "email" }, "f": { "pattern": "^x$" }, "g": { "maximum": 5 },
        "h": { "uniqueItems": true }, "i": { "oneOf": [{ "type": "null" }, { "const": "z" }] },
    } });
    let schema = MetadataSchema::compile(schema).unwrap();
    let secret = "hunter2";
    let metadata = json!({
        "a": secret, "b": secret, "c": secret, "d": secret, "f": secret, "g": 8_642_097,
        "h": [secret, secret], "i": secret,
    });
    let metadata: Metadata = metadata.as_object().cloned().unwrap().into();
    let faults = schema.check(&metadata).unwrap_err();
    let mut places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/a", "/b", "/c", "/d", "/f", "/g", "/h", "/i"]);
    for fault in &faults {
        assert!(
            !fault.message.contains(secret) && !fault.message.contains("8642097"),
            "{fault}"
        );
    }
}

#[test]
fn a_value_outside_a_list_is_told_the_whole_list() {
    let schema =
        json!({ "properties": { "priority": { "enum": ["low", "normal", "high", "urgent"] } } });
    let schema = MetadataSchema::compile(schema).unwrap();
    let metadata = Metadata::from(Map::from_iter([("priority".to_owned(), json!("sky"))]));
    assert_eq!(
        schema.check(&metadata),
        Err(vec![Fault::new(
            "/priority",
            Wrong::OneOf(r#""low", "normal", "high", "urgent""#.to_owned())
        )])
    );
}

#[test]
fn a_pattern_means_what_ecmascript_means() {
    let fits = |pattern: &str, text: &str| {
        let schema = json!({ "properties": { "a": { "pattern": pattern } } });
        let metadata = Map::from_iter([("a".to_owned(), json!(text))]).into();
        let schema = MetadataSchema::compile(schema).unwrap();
        schema.check(&metadata).is_ok()
    };
    assert!(fits(r"^\d$", "3") && !fits(r"^\d$", "\u{663}"));
    // A word is ASCII, so that one ends before the sharp s.
    assert!(fits(r"a\b\u00df", "a\u{df}") && !fits(r"a\Bb", "a b"));
    assert!(!fits("^.$", "\u{2028}"));
}

#[test]
fn a_schema_says_what_is_wrong_with_it_everywhere_at_once() {
    let schema = json!({
        "type": "strange", "properties": { "a": { "minLength": -1, "pattern": "(" }, "b": 7 },
        "required": "a", "enum": [], "items": [true], "allOf": [], "multipleOf": 0, "minimum": "1",
        "$defs": { "x": { "$id": "https://example.test/x", "uniqueItems": 1 }, "y": { "$ref": "#/$defs/z" } },
        "propertyNames": { "$anchor": "" },
    });
    let faults = MetadataSchema::compile(schema).unwrap_err();
    let mut places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    places.sort_unstable();
    let expected = [
        "/$defs/x/$id",
        "/$defs/x/uniqueItems",
        "/$defs/y/$ref",
        "/allOf",
        "/enum",
        "/items",
        "/minimum",
        "/multipleOf",
        "/properties/a/minLength",
        "/properties/a/pattern",
        "/properties/b",
        "/propertyNames/$anchor",
        "/required",
        "/type",
    ];
    assert_eq!(places, expected);
    let older = json!({ "$schema": "http://json-schema.org/draft-04/schema#" });
    let faults = MetadataSchema::compile(older).unwrap_err();
    assert_eq!(faults[0].pointer, "/$schema");
}

#[test]
fn twenty_faults_of_metadata_are_told_and_no_more() {
    let schema = json!({ "additionalProperties": { "type": "integer" }, "required": ["z"] });
    let schema = MetadataSchema::compile(schema).unwrap();
    let members = (0..30).map(|at| (format!("m{at:02}"), json!("x")));
    let faults = schema
        .check(&members.collect::<Map<_, _>>().into())
        .unwrap_err();
    assert_eq!(faults.len(), 20);
    assert_eq!(faults[0], Fault::new("/z", Wrong::Missing));
    assert_eq!(faults[1], Fault::new("/m00", Wrong::Whole));
}

mod against_jsonschema;
mod costs;
mod generate;
mod honest;
