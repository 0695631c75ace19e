use super::*;

fn parse(document: &Value) -> Result<Context, Vec<Fault>> {
    Context::parse(document.as_object().unwrap())
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
