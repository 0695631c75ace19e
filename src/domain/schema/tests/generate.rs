//! Schemas of every keyword there is, and values that they may be about.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

const NAMES: [&str; 5] = ["a", "b", "ab", "x1", ""];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-4_i64..8).prop_map(Value::from),
        prop::sample::select(vec![0.5, 1.25, -2.5, 1e10]).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "ab", "x1", "äö", "12"]).prop_map(Value::from),
    ]
}

pub(super) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn keyword(
    name: &'static str,
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Map<String, Value>> {
    value
        .prop_map(move |value| Map::from_iter([(name.to_owned(), value)]))
        .boxed()
}

fn small() -> impl Strategy<Value = Value> {
    (0_u64..4).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(-1),
        json!(0),
        json!(1),
        json!(2),
        json!(0.5),
        json!(3.0),
    ])
}

fn names() -> impl Strategy<Value = Value> {
    prop::collection::btree_set(name(), 0..3)
        .prop_map(|names| names.into_iter().collect::<Vec<_>>().into())
}

fn pattern() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "^a",
        "b$",
        "^[a-z]+$",
        "\\d",
        "^\\w{1,2}$",
        ".",
        "^(a|x1)$",
        "ö",
    ])
    .prop_map(str::to_owned)
}

fn leaf() -> BoxedStrategy<Map<String, Value>> {
    let kinds = [
        "null", "boolean", "integer", "number", "string", "array", "object",
    ];
    let kind = prop::sample::select(kinds.to_vec());
    prop_oneof![
        4 => keyword("type", prop_oneof![
            kind.clone().prop_map(Value::from),
            prop::collection::btree_set(kind, 1..4).prop_map(|kinds| kinds.into_iter().collect::<Vec<_>>().into()),
        ]),
        1 => keyword("const", value()),
        1 => keyword("enum", prop::collection::vec(value(), 1..4).prop_map(Value::from)),
        1 => keyword("minimum", number()),
        1 => keyword("maximum", number()),
        1 => keyword("exclusiveMinimum", number()),
        1 => keyword("exclusiveMaximum", number()),
        1 => keyword("multipleOf", prop::sample::select(vec![json!(1), json!(2), json!(0.5), json!(3)])),
        1 => keyword("minLength", small()),
        1 => keyword("maxLength", small()),
        1 => keyword("pattern", pattern().prop_map(Value::from)),
        1 => keyword("minItems", small()),
        1 => keyword("maxItems", small()),
        1 => keyword("uniqueItems", any::<bool>().prop_map(Value::from)),
        1 => keyword("minProperties", small()),
        1 => keyword("maxProperties", small()),
        1 => keyword("required", names()),
        1 => keyword("dependentRequired", prop::collection::vec((name(), names()), 0..3)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))),
        3 => keyword("$ref", prop::sample::select(vec!["#", "#/$defs/s", "#/$defs/t", "#t"]).prop_map(Value::from)),
        1 => keyword("$dynamicRef", Just(json!("#t"))),
    ]
    .boxed()
}

fn object(members: Vec<Map<String, Value>>) -> Value {
    Value::Object(members.into_iter().flatten().collect())
}

/// A subschema of the schemas that `inner` makes.
#[expect(
    clippy::needless_pass_by_value,
    reason = "as prop_recursive hands it over"
)]
fn holding(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let one = || inner.clone();
    let list = || prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from);
    let named = || {
        prop::collection::vec((name(), inner.clone()), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let patterned = prop::collection::vec((pattern(), inner.clone()), 0..3)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    let part = prop_oneof![
        2 => leaf(),
        2 => keyword("properties", named()),
        1 => keyword("patternProperties", patterned),
        1 => keyword("additionalProperties", one()),
        1 => keyword("propertyNames", one()),
        1 => keyword("dependentSchemas", named()),
        1 => keyword("items", one()),
        1 => keyword("prefixItems", list()),
        1 => (one(), small(), small()).prop_map(|(item, least, most)| {
            object(vec![Map::from_iter([("contains".to_owned(), item), ("minContains".to_owned(), least), ("maxContains".to_owned(), most)])])
                .as_object().cloned().unwrap()
        }).boxed(),
        1 => keyword("contains", one()),
        1 => keyword("allOf", list()),
        1 => keyword("anyOf", list()),
        1 => keyword("oneOf", list()),
        1 => keyword("not", one()),
        1 => (one(), one(), one()).prop_map(|(condition, then, otherwise)| {
            Map::from_iter([("if".to_owned(), condition), ("then".to_owned(), then), ("else".to_owned(), otherwise)])
        }).boxed(),
        1 => keyword("unevaluatedProperties", one()),
        1 => keyword("unevaluatedItems", one()),
    ];
    prop_oneof![
        8 => prop::collection::vec(part, 0..4).prop_map(object),
        1 => any::<bool>().prop_map(Value::from),
    ]
    .boxed()
}

/// A whole schema with two definitions, which all of it may refer to.
pub(super) fn schema() -> impl Strategy<Value = Value> {
    let part = || {
        let leaves = prop::collection::vec(leaf(), 0..3).prop_map(object).boxed();
        leaves.prop_recursive(3, 24, 4, holding)
    };
    (part(), part(), part()).prop_map(|(root, s, t)| {
        let mut root = root.as_object().cloned().unwrap_or_default();
        let mut t = t.as_object().cloned().unwrap_or_default();
        t.insert("$dynamicAnchor".into(), json!("t"));
        root.insert("$defs".into(), json!({ "s": s, "t": t }));
        Value::Object(root)
    })
}
