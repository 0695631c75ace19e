//! What a schema could cost is judged before it is written, and no metadata costs more.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::generate;
use crate::domain::json::MAX_DEPTH;
use crate::domain::request::{Metadata, normal};
use crate::domain::schema::{MetadataSchema, PatternBudget, cost, read, run};

/// Values that repeat what is dear, wide and deep, up to the largest there can be.
fn hostile(seed: &Value) -> Vec<Value> {
    let room = cost::MAX_BYTES;
    let fill = |item: &Value| {
        let each = item.to_string().len() + 1;
        Value::from(vec![item.clone(); (room - 2) / each])
    };
    let members = |item: &Value| {
        let each = item.to_string().len() + 9;
        let names = (0..(room - 2) / each).map(|at| (format!("{at:05}"), item.clone()));
        Value::Object(names.collect())
    };
    let nest =
        |wrap: &dyn Fn(Value) -> Value| (1..MAX_DEPTH).fold(seed.clone(), |inner, _| wrap(inner));
    let deep_lists = nest(&|inner| json!([inner]));
    let deep_objects = nest(&|inner| json!({ "a": inner }));
    let forked = (1..9).fold(
        seed.clone(),
        |inner, _| json!({ "a": inner, "b": inner, "x1": inner }),
    );
    let mut values = vec![
        fill(seed),
        fill(&json!(1)),
        fill(&json!("")),
        fill(&json!({})),
        fill(&json!([])),
        fill(&json!({ "a": seed })),
        fill(&json!([seed, 1, "x1"])),
        members(seed),
        members(&json!("")),
        json!({ "a": fill(seed), "b": fill(&json!([1])) }),
        Value::from("a".repeat(room - 2)),
        json!({ "a": "ö".repeat(room / 2 - 10) }),
        json!({ "a".repeat(room - 10): 1 }),
        fill(&deep_lists),
        members(&deep_objects),
        deep_lists,
        deep_objects,
        forked,
    ];
    values.retain(|value| value.to_string().len() <= room);
    values.into_iter().map(normal).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_metadata_costs_more_than_the_bound(schema in generate::schema(), seed in generate::value()) {
        if let Ok(read) = read::read(&schema, read::Purpose::Write)
            && cost::judge(&read.program, &read.places).is_empty()
        {
            let bound = cost::bound(&read.program);
            prop_assert!(bound <= run::BUDGET);
            for value in hostile(&seed) {
                let (fits, spent) = run::metered(&read.program, &value);
                prop_assert!(fits.is_ok(), "{schema}");
                prop_assert!(spent <= bound, "{spent} of {bound} for {schema}");
            }
        }
    }
}

/// The pointer and the message of the one fault of a schema that costs too much.
fn refused(schema: &Value) -> (String, String) {
    let faults = MetadataSchema::compile(schema.clone()).expect_err(&schema.to_string());
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0].pointer.clone(), faults[0].message.clone())
}

/// A schema whose metadata branches again at each level.
fn branching() -> Value {
    json!({
        "$defs": { "t": { "type": "object", "additionalProperties": { "anyOf": [
            { "$ref": "#/$defs/t" }, { "$ref": "#/$defs/t" }, { "$ref": "#/$defs/t" },
        ] } } },
        "$ref": "#/$defs/t",
    })
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({ "z": 1 }), |inner, _| json!({ "d": inner }))
}

#[test]
fn alternatives_that_multiply_level_by_level_are_refused_where_they_stand() {
    let (at, message) = refused(&branching());
    assert_eq!(at, "/$defs/t/additionalProperties");
    assert_eq!(
        message,
        "could take over 1000 times the work that a check may take, with metadata of 64 kB; let each alternative require \
         a tag with a const of its own, so that one is looked at, or put them into one type with optional properties"
    );
}

#[test]
fn a_schema_that_was_sealed_before_it_was_judged_is_served_within_the_budget() {
    let schema =
        MetadataSchema::compile_sealed(branching(), &mut PatternBudget::default()).unwrap();
    let small = nested(2).as_object().cloned().unwrap();
    assert_eq!(schema.check(&small.into()).unwrap_err().len(), 1);
    let plain: Metadata = Map::new().into();
    assert_eq!(schema.check(&plain), Ok(()));
    let deep = nested(28).as_object().cloned().unwrap();
    let faults = schema.check(&deep.into()).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].message.starts_with("takes too long to check"),
        "{faults:?}"
    );
}

#[test]
fn a_pattern_that_was_sealed_before_it_was_sized_refuses_what_it_would_have_to_judge() {
    let huge = json!({ "properties": { "a": { "pattern": "^(\\p{L}{1,200}-?){1,20}$" } } });
    let (at, message) = refused(&huge);
    assert_eq!(at, "/properties/a/pattern");
    assert!(message.contains("needs too much memory"), "{message}");
    let schema = MetadataSchema::compile_sealed(huge, &mut PatternBudget::default()).unwrap();
    assert_eq!(schema.check(&Metadata::default()), Ok(()));
    let metadata = Map::from_iter([("a".to_owned(), json!("x"))]).into();
    assert_eq!(schema.check(&metadata).unwrap_err().len(), 1);
}

/// What a hostile author may think of: refused, or within the budget with the worst metadata.
#[test]
fn whatever_a_schema_says_a_check_ends_within_the_budget() {
    let doubled = |keyword: &str| {
        let parts = (1..60).map(|at| {
            let next = json!({ "$ref": format!("#/$defs/{}", at + 1) });
            (at.to_string(), json!({ keyword: [next.clone(), next] }))
        });
        let mut defs: Map<String, Value> = parts.collect();
        defs.insert("60".into(), json!({ "type": "string" }));
        json!({ "$defs": defs, "additionalProperties": { "$ref": "#/$defs/1" } })
    };
    let chain = |length: usize| {
        let mut defs: Map<String, Value> = (1..length)
            .map(|at| {
                (
                    at.to_string(),
                    json!({ "$ref": format!("#/$defs/{}", at + 1) }),
                )
            })
            .collect();
        defs.insert(length.to_string(), json!(true));
        json!({ "$defs": defs, "$ref": "#/$defs/1" })
    };
    let objects: Vec<Value> = (0..1_000).map(|at| json!({ "k": at, "v": "x" })).collect();
    let recursive = |part: Value| json!({ "$defs": { "t": part }, "$ref": "#/$defs/t" });
    let again = || json!({ "$ref": "#/$defs/t" });
    let names: Vec<String> = (0..2_000).map(|at| format!("{at:05}")).collect();
    let wants: Map<String, Value> = names
        .iter()
        .take(60)
        .map(|name| (name.clone(), json!(names[..60])))
        .collect();
    let schemas = [
        branching(),
        doubled("allOf"),
        doubled("anyOf"),
        doubled("oneOf"),
        chain(100),
        chain(1_000),
        json!({ "$ref": "#" }),
        json!({ "anyOf": [{ "$ref": "#" }] }),
        json!({ "not": { "allOf": [{ "$ref": "#" }] } }),
        recursive(json!({ "if": again(), "then": true })),
        recursive(json!({ "additionalProperties": { "not": { "not": again() } } })),
        recursive(
            json!({ "additionalProperties": { "if": again(), "then": again(), "else": again() } }),
        ),
        recursive(json!({ "additionalProperties": { "oneOf": [again(), again()] } })),
        recursive(
            json!({ "properties": { "d": again() }, "patternProperties": { "^d": again(), "d$": again() } }),
        ),
        recursive(
            json!({ "properties": { "d": again() }, "unevaluatedProperties": false, "allOf": [{ "properties": { "d": again() } }] }),
        ),
        recursive(
            json!({ "items": again(), "contains": again(), "additionalProperties": again() }),
        ),
        recursive(
            json!({ "dependentSchemas": { "d": { "additionalProperties": again() } }, "additionalProperties": again() }),
        ),
        recursive(json!({ "propertyNames": again(), "additionalProperties": again() })),
        recursive(
            json!({ "uniqueItems": true, "items": again(), "additionalProperties": again() }),
        ),
        json!({ "$defs": { "a": { "additionalProperties": { "anyOf": [{ "$ref": "#/$defs/b" }, { "$ref": "#/$defs/b" }] } },
            "b": { "additionalProperties": { "anyOf": [{ "$ref": "#/$defs/a" }, { "$ref": "#/$defs/a" }] } } }, "$ref": "#/$defs/a" }),
        json!({ "$dynamicAnchor": "t", "additionalProperties": { "anyOf": [{ "$dynamicRef": "#t" }, { "$dynamicRef": "#t" }] } }),
        json!({ "$schema": "https://json-schema.org/draft/2019-09/schema", "additionalProperties": { "anyOf": [{ "$recursiveRef": "#" }, { "$recursiveRef": "#" }] } }),
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "additionalProperties": { "dependencies": { "d": { "$ref": "#" }, "z": { "$ref": "#" } } } }),
        json!({ "additionalProperties": { "items": { "enum": objects } } }),
        json!({ "additionalProperties": { "items": { "anyOf": [{ "const": objects }, { "const": 1 }] } } }),
        json!({ "additionalProperties": { "required": names } }),
        json!({ "additionalProperties": { "dependentRequired": wants } }),
        json!({ "additionalProperties": { "allOf": vec![json!({ "pattern": "^[a-z]*$" }); 200] } }),
        json!({ "additionalProperties": { "allOf": vec![json!({ "multipleOf": 0.001 }); 50], "items": { "multipleOf": 1e-18 } } }),
        json!({ "patternProperties": names.iter().take(200).map(|name| (format!("0|{name}"), json!(true))).collect::<Map<_, _>>() }),
        json!({ "additionalProperties": { "items": { "anyOf": vec![json!({ "type": "string" }); 100] } } }),
    ];
    let mut worst = hostile(&json!({ "d": 1, "z": [1, "a"] }));
    worst.retain(|value| {
        value.to_string().len() < 2_000
            || value.as_object().is_some_and(|members| members.len() > 10)
    });
    worst.push(json!({ "d": vec![json!({ "k": 1, "v": "x" }); 3_000], "z": vec![1; 8_000] }));
    worst.push(nested(28));
    let mut accepted = 0;
    for schema in schemas {
        let sealed = read::read(&schema, read::Purpose::Serve(usize::MAX)).unwrap();
        let bound = if cost::judge(&sealed.program, &sealed.places).is_empty() {
            accepted += 1;
            cost::bound(&sealed.program)
        } else {
            run::BUDGET
        };
        for value in &worst {
            let (_, spent) = run::metered(&sealed.program, value);
            assert!(spent <= bound, "{spent} of {bound}: {schema}");
        }
        assert!(run::list_faults(&sealed.program, &nested(28)).len() <= run::MAX_TOLD);
    }
    assert!(accepted >= 5, "{accepted}");
}
