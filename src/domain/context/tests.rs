use super::*;

fn parse(document: &Value) -> Result<Context, Vec<Fault>> {
    Context::parse(document.as_object().unwrap())
}

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
            let schema = json!({ "properties": { "a": { "items": [{ name: reference }] } } });
            let faults = MetadataSchema::compile(schema).expect_err(reference);
            assert_eq!(faults[0].pointer, format!("/properties/a/items/0/{name}"));
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
            r#"must be one of: "low", "normal", "high", "urgent""#
        )])
    );
}

#[test]
fn a_default_is_a_key_a_persona_or_a_split() {
    for default in [
        json!("p"),
        json!({ "persona": "p" }),
        json!({ "split": [{ "persona": "p", "weight": 1 }, { "persona": "q", "weight": 3 }] }),
    ] {
        assert!(parse(&json!({ "default": default })).is_ok(), "{default}");
    }
}

#[test]
fn every_fault_of_a_context_is_told_at_once() {
    let faults = parse(&json!({
        "description": "x".repeat(501),
        "aliases": ["Good", 7, "fine"],
        "rules": [{ "name": "", "when": [], "then": { "persona": "p" } }, { "name": "r" }],
        "metadata": { "type": "strange" },
        "other": 1,
    }))
    .unwrap_err();
    let places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    for place in [
        "/description",
        "/aliases/0",
        "/aliases/1",
        "/rules/0/name",
        "/rules/1",
        "/metadata",
        "/other",
        "/default",
    ] {
        assert!(
            places.iter().any(|at| at.starts_with(place)),
            "{place} in {places:?}"
        );
    }
    assert!(!places.contains(&"/aliases/2"));
}
