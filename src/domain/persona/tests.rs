use serde_json::json;

use super::*;

fn faults(document: &Value) -> Vec<String> {
    let faults = Persona::parse(document.as_object().unwrap()).unwrap_err();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn a_persona_needs_a_name_and_a_prompt_and_nothing_else() {
    let least = json!({ "name": "P", "systemPrompt": "Be kind." });
    let persona = Persona::parse(least.as_object().unwrap()).unwrap();
    assert!(persona.greeting.is_none() && persona.overridable.is_empty());
    assert_eq!(faults(&json!({})), ["/name", "/systemPrompt"]);
}

#[test]
fn every_fault_of_a_persona_is_told_at_once() {
    let mut found = faults(&json!({
        "name": 7,
        "systemPrompt": "{{ secrets.key }} {{ snippets.rules }}",
        "initialMessage": "{% set x = 1 %}",
        "avatarId": "Cara",
        "overridable": ["avatarId", "tools", 7],
        "snippets": { "rules": 0, "Bad Key": 1 },
        "personality": "old",
    }));
    found.sort_unstable();
    found.dedup();
    assert_eq!(
        found,
        [
            "/avatarId",
            "/initialMessage",
            "/name",
            "/overridable/1",
            "/overridable/2",
            "/personality",
            "/snippets/Bad Key",
            "/snippets/rules",
            "/systemPrompt",
        ]
    );
}

#[test]
fn a_fault_of_a_template_tells_programs_what_and_where_it_is() {
    let code_and_values = |document: Value| {
        let parse = match document.get("text") {
            Some(_) => |document| parse_snippet(document).map(drop),
            None => |document| Persona::parse(document).map(drop),
        };
        let faults = parse(document.as_object().unwrap()).unwrap_err();
        let wrong = faults.into_iter().next().unwrap().wrong;
        let values: BTreeMap<&str, String> = wrong.values().into_iter().collect();
        (wrong.code(), json!(values))
    };
    for (source, code, values) in [
        (
            "a\n b {% if user.plan %}x",
            "unclosed",
            json!({ "name": "{% if %}", "end": "{% endif %}", "line": "2", "column": "4" }),
        ),
        (
            "{{ user.plan",
            "unclosed",
            json!({ "name": "{{", "end": "}}", "line": "1", "column": "1" }),
        ),
        (
            "a {{#unless user.plan}}x",
            "foreign",
            json!({
                "name": "{{#unless}}", "instead": "{% if not user.plan %} ... {% endif %}",
                "line": "1", "column": "3",
            }),
        ),
        (
            "{{ user.plan || 'x' }}",
            "foreign",
            json!({ "name": "||", "instead": "or", "line": "1", "column": "1" }),
        ),
        (
            "{{ user.plan | default: 'x' }}",
            "foreign",
            json!({ "name": "default:", "instead": "default('x')", "line": "1", "column": "1" }),
        ),
        (
            "{{ “a” }}",
            "quote",
            json!({ "name": "“", "line": "1", "column": "4" }),
        ),
        (
            "{{\u{a0}user.plan }}",
            "unseen",
            json!({ "name": "U+00A0", "line": "1", "column": "3" }),
        ),
        (
            "a\u{200b}b",
            "unseen",
            json!({ "name": "U+200B", "line": "1", "column": "2" }),
        ),
        (
            "a ⟦b",
            "kept",
            json!({ "name": "⟦", "line": "1", "column": "3" }),
        ),
    ] {
        let expected = (code, values);
        assert_eq!(
            code_and_values(json!({ "text": source })),
            expected,
            "{source}"
        );
        let persona = json!({ "name": "P", "systemPrompt": source });
        assert_eq!(code_and_values(persona), expected, "{source}");
    }
    let (code, values) = code_and_values(json!({ "text": "{{ user. }}" }));
    assert_eq!((code, values["line"].as_str()), ("unreadable", Some("1")));
}

#[test]
fn a_snippet_that_the_prompt_includes_must_be_pinned() {
    let document = |pins: Value| json!({ "name": "P", "systemPrompt": "{{ snippets.rules }}", "snippets": pins });
    assert_eq!(faults(&document(json!({}))), ["/snippets"]);
    let pinned = document(json!({ "rules": 3 }));
    let persona = Persona::parse(pinned.as_object().unwrap()).unwrap();
    assert_eq!(persona.snippets.values().copied().collect::<Vec<_>>(), [3]);
}

#[test]
fn a_snippet_has_a_text_and_nothing_else() {
    let parse = |document: Value| parse_snippet(document.as_object().unwrap());
    assert!(parse(json!({ "text": "Hello {{ user.name }}." })).is_ok());
    for bad in [
        json!({}),
        json!({ "text": 7 }),
        json!({ "text": "a", "more": 1 }),
        json!({ "text": "{{ snippets.other }}" }),
    ] {
        assert!(parse(bad.clone()).is_err(), "{bad}");
    }
}
