//! Bundles that apply fit the schema.

use super::judges::{against, full, reads, yaml};

/// Repository-relative path and text of each bundle that is kept.
const KEPT: [(&str, &str); 2] = [
    (
        "examples/tenant.yaml",
        include_str!("../../examples/tenant.yaml"),
    ),
    ("src/dev/demo.yaml", include_str!("../../src/dev/demo.yaml")),
];

#[test]
fn the_schema_is_one_by_the_draft_that_it_names() {
    let schema = persona_gateway::authoring::schema::schema();
    jsonschema::meta::validate(&schema).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

#[test]
fn every_bundle_of_the_repository_fits() {
    for (path, text) in KEPT {
        assert_eq!(against(&yaml(text)), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_bundle_that_says_everything_fits_and_reads() {
    assert_eq!(against(&full()), Vec::<String>::new());
    assert!(reads(&full()));
}

#[test]
fn every_example_of_the_documentation_fits_and_reads() {
    let page = include_str!("../../docs/BUNDLES.md");
    let mut seen = 0;
    for block in page.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let bundle = yaml(&format!("tenant: acme\n{text}"));
        assert_eq!(against(&bundle), Vec::<String>::new(), "{text}");
        assert!(reads(&bundle), "{text}");
        seen += 1;
    }
    assert!(seen >= 7, "{seen} examples");
}

#[test]
fn every_member_tells_what_it_is() {
    fn walk(at: &str, node: &serde_json::Value, silent: &mut Vec<String>) {
        let Some(members) = node.as_object() else {
            return;
        };
        // Conditions repeat members only to say more about them.
        for (name, part) in members {
            match name.as_str() {
                "contains" | "if" | "then" | "else" | "allOf" | "anyOf" | "not" | "examples"
                | "default" => {}
                "properties" | "$defs" => {
                    for (member, schema) in part.as_object().unwrap() {
                        let told = schema.get("description").is_some()
                            || schema.get("$ref").is_some()
                            || schema.get("const").is_some();
                        if !told {
                            silent.push(format!("{at}/{member}"));
                        }
                        walk(&format!("{at}/{member}"), schema, silent);
                    }
                }
                "oneOf" => {
                    for form in part.as_array().unwrap() {
                        walk(at, form, silent);
                    }
                }
                _ => walk(at, part, silent),
            }
        }
    }
    let mut silent = Vec::new();
    walk(
        "",
        &persona_gateway::authoring::schema::schema(),
        &mut silent,
    );
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn the_examples_inside_the_schema_fit_it() {
    fn walk(root: &serde_json::Value, node: &serde_json::Value) {
        if let Some(members) = node.as_object() {
            if let Some(examples) = members.get("examples").and_then(|list| list.as_array())
                && (members.contains_key("type") || members.contains_key("oneOf"))
            {
                let mut alone = members.clone();
                alone.insert("$defs".into(), root["$defs"].clone());
                let schema = serde_json::Value::Object(alone);
                let validator = jsonschema::draft202012::new(&schema).unwrap();
                for example in examples {
                    assert!(validator.is_valid(example), "{example}: {node}");
                }
            }
            for part in members.values() {
                walk(root, part);
            }
        }
    }
    let schema = persona_gateway::authoring::schema::schema();
    walk(&schema, &schema);
}
