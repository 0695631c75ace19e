use serde_json::{Map, Value, json};

use super::*;
use crate::console::contexts::moves;
use crate::console::contexts::schema::FieldForm;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

/// The fields as the page has them and a browser sends them.
fn fields(model: &Model) -> Vec<(String, String)> {
    let mut fields = vec![
        (
            "was".to_owned(),
            Value::Object(model.was.clone()).to_string(),
        ),
        ("description".to_owned(), model.description.clone()),
        ("aliases".to_owned(), model.aliases.clone()),
    ];
    let mut put = |name: String, value: &str| fields.push((name, value.to_owned()));
    let target = |put: &mut dyn FnMut(String, &str), id: &str, target: &TargetForm| {
        if target.is_plain {
            put(format!("{id}.plain"), "1");
        }
        match &target.raw {
            Some(raw) => put(format!("{id}.raw"), raw),
            None if target.arms.is_empty() => put(format!("{id}.persona"), &target.persona),
            None => {
                for (at, arm) in target.arms.iter().enumerate() {
                    put(format!("{id}.a{at}.persona"), &arm.persona);
                    put(format!("{id}.a{at}.weight"), &arm.weight);
                }
            }
        }
    };
    target(&mut put, "d", &model.default);
    for (at, rule) in model.rules.iter().enumerate() {
        put(format!("r{at}.open"), "");
        if let Some(raw) = &rule.raw {
            put(format!("r{at}.raw"), raw);
            continue;
        }
        put(format!("r{at}.name"), &rule.name);
        target(&mut put, &format!("r{at}.t"), &rule.then);
        for (index, clause) in rule.clauses.iter().enumerate() {
            let id = format!("r{at}.c{index}");
            put(format!("{id}.was"), &clause.was);
            if let Some(raw) = &clause.raw {
                put(format!("{id}.raw"), raw);
                continue;
            }
            put(format!("{id}.attribute"), &clause.attribute);
            put(format!("{id}.operator"), &clause.operator);
            put(format!("{id}.reading"), clause.reading.name());
            for value in &clause.values {
                put(format!("{id}.v"), value);
            }
            put(format!("{id}.v"), "");
        }
    }
    let schema = &model.schema;
    let text = schema.shown_text();
    put(
        "schema.state".to_owned(),
        &crate::console::contexts::schema::state(&text),
    );
    put("schema.text".to_owned(), &text);
    if schema.text.is_some() {
        put("schema.only-text".to_owned(), "1");
    } else {
        put("schema.rest".to_owned(), &schema.rest.to_string());
        if schema.is_open {
            put("schema.open".to_owned(), "1");
        }
        for (at, field) in schema.fields.iter().enumerate() {
            let id = format!("f{at}");
            put(format!("{id}.schema"), &field.was.to_string());
            put(format!("{id}.name"), &field.name);
            put(format!("{id}.kind"), &field.kind);
            put(format!("{id}.values"), &field.values);
            put(format!("{id}.max"), &field.max_length);
            put(format!("{id}.from"), &field.minimum);
            put(format!("{id}.to"), &field.maximum);
            put(format!("{id}.sample"), &field.sample);
            if field.is_required {
                put(format!("{id}.required"), "1");
            }
        }
    }
    fields
}

fn sent(model: &Model) -> Model {
    let fields = fields(model);
    Model::read(&Fields::new(
        fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    ))
}

/// The content after a page was shown and sent.
fn round(content: &Value) -> Value {
    let model = sent(&Model::of(&object(content.clone())));
    Value::Object(model.content().0)
}

fn demo() -> Map<String, Value> {
    let text = include_str!("../../../dev/demo.yaml");
    let bundle = crate::authoring::yaml::Source::parse(text).unwrap().value;
    object(bundle["contexts"].clone())
}

#[test]
fn every_context_of_the_demo_comes_back_as_it_was() {
    let contexts = demo();
    assert!(contexts.len() >= 4);
    for (key, content) in contexts {
        let model = Model::of(&object(content.clone()));
        assert_eq!(round(&content), content, "{key}");
        assert_eq!(model.schema.text, None, "{key} has a table");
        assert!(
            model.rules.iter().all(|rule| rule.raw.is_none()),
            "{key} has fields"
        );
        assert_eq!(model.content().1, [], "{key}");
    }
}

#[test]
fn what_no_field_shows_stays() {
    let contents = [
        json!({}),
        json!({ "default": "a" }),
        json!({ "default": { "persona": "a" }, "description": "", "aliases": [], "rules": [], "metadata": {} }),
        json!({ "default": 7, "description": 8, "aliases": "x", "rules": {}, "metadata": "no", "more": { "a": [1, 2.50] }, "tests": [{ "name": "t" }] }),
        json!({ "aliases": ["a b", "c"], "default": { "split": "no" } }),
        json!({ "default": { "split": [{ "persona": "a", "weight": 9 }, { "persona": "b", "weight": 1 }] } }),
        json!({ "default": { "split": [{ "persona": "a", "weight": 9, "more": 1 }] } }),
        json!({ "rules": [
            { "name": "all", "when": [], "then": { "persona": "a" } },
            { "name": "all", "when": [], "then": { "persona": "a" }, "more": true },
            { "name": " spaces ", "when": [], "then": { "persona": "a" } },
            { "when": [] },
            7,
            { "name": "of all kinds", "when": [
                { "attribute": "user.plan", "operator": "equals", "values": ["a", "b, c"] },
                { "attribute": "user.plan", "operator": "equals", "as": "caseless", "values": ["A"] },
                { "attribute": "user.seats", "operator": "at_least", "values": [1_546_130_668_394_913_822_u64, 1.50] },
                { "attribute": "user.new", "operator": "equals", "values": [true, false] },
                { "attribute": "user.mixed", "operator": "equals", "values": [true, "x", 7] },
                { "attribute": "user.spaced", "operator": "equals", "values": [" x", "", "a\nb"] },
                { "attribute": "user.twice", "operator": "equals", "values": ["x", "x"] },
                { "attribute": "user.version", "operator": "less_than", "as": "version", "values": ["2.10"] },
                { "attribute": "user.x", "operator": "is_present" },
                { "attribute": "user.x", "operator": "is_present", "values": [] },
                { "attribute": "user.x", "operator": "is_absent", "as": "date" },
                { "attribute": "time.hour", "operator": "between", "values": [22, 6] },
                { "attribute": "nonsense", "operator": "resembles", "values": [] },
                { "attribute": "user.x", "operator": "equals", "values": [] },
                "no clause",
            ], "then": { "split": [{ "persona": "a", "weight": 0 }, { "persona": "b", "weight": 3 }] } },
        ] }),
        json!({ "metadata": { "type": "object", "required": ["b", "a"], "$schema": "x", "properties": {
            "a": { "type": "string", "enum": ["x", "y z"], "maxLength": 9, "pattern": "^x", "examples": ["x"] },
            "b": { "type": "integer", "minimum": 1, "maximum": 9.5, "enum": [1, 2] },
            "c": { "type": "object", "properties": { "d": { "type": "string" } } },
            "d": { "type": ["string", "null"] },
            "e": { "enum": ["a,b"], "type": "string", "examples": ["a", "b"] },
            "f": { "type": "array", "items": { "type": "string" }, "maxItems": 3 },
            "g": { "type": "boolean", "default": false },
            "h": true,
            "i/j~k": { "$ref": "#/properties/a" },
        } } }),
        json!({ "metadata": { "type": "object", "required": ["elsewhere"], "properties": {} } }),
        json!({ "metadata": { "type": "object", "properties": { "a": {} }, "additionalProperties": { "type": "string" } } }),
        json!({ "metadata": { "type": "object", "additionalProperties": true } }),
        json!({ "metadata": { "anyOf": [{ "required": ["a"] }], "properties": 7 } }),
    ];
    for content in contents {
        assert_eq!(round(&content), content);
    }
}

#[test]
fn a_rule_is_made_as_people_make_it() {
    let contexts = demo();
    let mut model = Model::of(&object(contexts["support"].clone()));
    assert_eq!(moves::act(&mut model, "rule-add").as_deref(), Some("r1.c0"));
    model.rules[1].clauses[0].attribute = "user.plan".to_owned();
    let mut model = sent(&model);
    let known = crate::console::contexts::known::known_attributes(
        &crate::console::contexts::known::Sources::default(),
        &model.schema,
    );
    moves::settle(&mut model, &known);
    model.rules[1].clauses[0].values = vec!["enterprise".to_owned()];
    moves::act(&mut model, "clause-add:1");
    model.rules[1].clauses[1].attribute = "time.weekday".to_owned();
    let mut model = sent(&model);
    moves::settle(&mut model, &known);
    model.rules[1].clauses[1].values = vec!["saturday".to_owned(), "sunday".to_owned()];
    model.rules[1].then.persona = "priority-support-agent".to_owned();
    model.rules[1].name = "weekends".to_owned();
    moves::act(&mut model, "rule-move:1:0");
    let (content, slips) = sent(&model).content();
    assert_eq!(slips, []);
    assert_eq!(
        content["rules"][0],
        json!({
            "name": "weekends",
            "when": [
                { "attribute": "user.plan", "operator": "equals", "values": ["enterprise"] },
                { "attribute": "time.weekday", "operator": "equals", "values": ["saturday", "sunday"] },
            ],
            "then": { "persona": "priority-support-agent" },
        })
    );
    assert_eq!(content["rules"][1], contexts["support"]["rules"][0]);
    crate::domain::context::Context::parse(&content).unwrap();
}

#[test]
fn what_is_missing_is_told_with_its_place() {
    let mut model = Model::default();
    moves::act(&mut model, "rule-add");
    moves::act(&mut model, "clause-add:0");
    model.rules[0].clauses[1].attribute = "user.seats".to_owned();
    model.rules[0].clauses[1].reading = crate::console::contexts::rule::Reading::Number;
    model.rules[0].clauses[1].values = vec!["many".to_owned()];
    model.schema.fields.push(FieldForm::empty());
    let slips = model.content().1;
    let told: Vec<(&str, &str)> = slips
        .iter()
        .map(|slip| (slip.pointer.as_str(), slip.text))
        .collect();
    assert_eq!(
        told,
        [
            ("/metadata/properties/", "cx-slip-field-name"),
            ("/rules/0/when/0", "cx-slip-attribute"),
            ("/rules/0/when/1", "cx-slip-number"),
            ("/rules/0/then", "cx-slip-persona"),
            ("/default", "cx-slip-persona"),
        ]
    );
}

#[test]
fn a_split_is_made_and_taken_back() {
    let mut model = Model::of(&object(json!({ "default": "a" })));
    moves::act(&mut model, "split:d");
    moves::act(&mut model, "arm-add:d");
    model.default.arms[1].persona = "b".to_owned();
    model.default.arms[2].persona = "c".to_owned();
    moves::act(&mut model, "arm-remove:d:0");
    let content = Value::Object(sent(&model).content().0);
    assert_eq!(
        content,
        json!({ "default": { "split": [{ "persona": "b", "weight": 50 }, { "persona": "c", "weight": 10 }] } })
    );
    moves::act(&mut model, "arm-remove:d:0");
    assert_eq!(
        Value::Object(sent(&model).content().0),
        json!({ "default": { "persona": "c" } })
    );
}

#[test]
fn the_schema_is_written_in_the_table_or_as_text() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "string", "pattern": "x" } }, "required": ["a"] });
    let mut model = Model::of(&object(json!({ "metadata": schema })));
    model.schema.fields[0].values = "low, high".to_owned();
    model.schema.fields[0].is_required = false;
    model.schema.is_open = false;
    let made = json!({ "type": "object", "properties": { "a": { "type": "string", "pattern": "x", "enum": ["low", "high"] } }, "additionalProperties": false });
    assert_eq!(
        Value::Object(sent(&model).content().0),
        json!({ "metadata": made })
    );

    let mut typed = fields(&model);
    let text = typed
        .iter_mut()
        .find(|(name, _)| name == "schema.text")
        .unwrap();
    text.1 = "{\"type\": \"object\"}".to_owned();
    let read = |typed: &[(String, String)]| {
        Model::read(&Fields::new(
            typed
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        ))
    };
    assert_eq!(
        Value::Object(read(&typed).content().0),
        json!({ "metadata": { "type": "object" } })
    );

    typed
        .iter_mut()
        .find(|(name, _)| name == "schema.text")
        .unwrap()
        .1 = "{".to_owned();
    let model = read(&typed);
    assert_eq!(model.schema.shown_text(), "{");
    assert_eq!(model.content().1[0].text, "cx-slip-json");
}
