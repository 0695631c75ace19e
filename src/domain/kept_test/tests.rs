use serde_json::json;

use super::*;
use crate::domain::caller::Subject;
use crate::domain::context::Context;
use crate::domain::persona::Persona;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("{value} is no object")
    };
    members
}

fn read(test: &Value) -> KeptTest {
    parse(&object(json!({ "tests": [test] })))
        .unwrap()
        .remove(0)
}

fn places(tests: &Value) -> Vec<String> {
    let faults = parse(&object(json!({ "tests": tests }))).unwrap_err();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn a_test_is_read_with_all_its_members() {
    let test = read(&json!({
        "name": "gold customers",
        "user": { "subject": "ann", "facts": { "plan": "gold" }, "preferences": { "tone": "warm" } },
        "context": "support",
        "metadata": { "ticket": "T-1" },
        "at": "2026-11-24T10:00:00+01:00",
        "expect": { "persona": "expert", "fields": { "/avatarId": "x" }, "promptContains": ["a"],
                    "promptLacks": ["b"], "promptMaxChars": 4000 },
    }));
    assert_eq!(test.at.unwrap().to_rfc3339(), "2026-11-24T09:00:00+00:00");
    assert!(matches!(test.user, TestUser::Typed(user) if user.subject == Subject::parse("ann")));
    assert_eq!(test.expect.prompt_max_chars, Some(4000));
    assert_eq!(parse(&Map::new()), Ok(Vec::new()));
}

#[test]
fn a_test_of_a_context_asks_for_that_context_unless_it_names_another() {
    let own = Key::parse("support").unwrap();
    let test = |context: Value| {
        read(&json!({ "name": "t", "context": context, "expect": { "promptLacks": ["x"] } }))
    };
    let request = test(json!("sales")).request(Some(&own));
    assert_eq!(request.context.as_deref(), Some("sales"));
    let silent = read(&json!({ "name": "t", "expect": { "promptLacks": ["x"] } }));
    assert_eq!(
        silent.request(Some(&own)).context.as_deref(),
        Some("support")
    );
    assert_eq!(silent.request(None).context, None);
}

#[test]
fn every_fault_of_the_tests_is_told_at_once() {
    let found = places(&json!([
        { "name": "a", "expect": { "persona": "x" } },
        { "name": "a", "expect": { "persona": "x" } },
        { "name": "two\nlines", "user": { "sample": "x", "facts": {} }, "context": "", "metadata": [],
          "at": "yesterday", "expect": {}, "more": 1 },
        { "user": { "sample": "No Key" }, "expect": { "persona": "No Key", "fields": { "avatarId": 1, "/a~2": 1 },
          "promptContains": [""], "promptLacks": "x", "promptMaxChars": 0, "size": 1 } },
        7,
    ]));
    assert_eq!(
        found,
        [
            "/tests/1/name",
            "/tests/2/name",
            "/tests/2/user",
            "/tests/2/context",
            "/tests/2/metadata",
            "/tests/2/at",
            "/tests/2/expect",
            "/tests/2/more",
            "/tests/3/user/sample",
            "/tests/3/expect/persona",
            "/tests/3/expect/fields/avatarId",
            "/tests/3/expect/fields/~1a~02",
            "/tests/3/expect/promptContains/0",
            "/tests/3/expect/promptLacks",
            "/tests/3/expect/promptMaxChars",
            "/tests/3/expect/size",
            "/tests/3/name",
            "/tests/4",
        ]
    );
}

#[test]
fn fifty_tests_and_64_kb_are_the_limit() {
    let test =
        |index: usize| json!({ "name": format!("t{index}"), "expect": { "promptLacks": ["x"] } });
    let many = |count| Value::from((0..count).map(test).collect::<Vec<_>>());
    assert!(parse(&object(json!({ "tests": many(50) }))).is_ok());
    assert_eq!(places(&many(51)), ["/tests"]);
    let large = json!([{ "name": "t", "metadata": { "x": "y".repeat(70_000) }, "expect": { "promptLacks": ["x"] } }]);
    assert_eq!(places(&large), ["/tests"]);
}

#[test]
fn documents_of_every_kind_may_hold_tests_and_broken_ones_are_told() {
    let bad = json!([{ "name": "t", "expect": {} }]);
    let good = json!([{ "name": "t", "expect": { "promptMaxChars": 9 } }]);
    let persona =
        |tests: Value| object(json!({ "name": "P", "systemPrompt": "Hi.", "tests": tests }));
    let context = |tests: Value| object(json!({ "default": "p", "tests": tests }));
    let snippet = |tests: Value| object(json!({ "text": "Hi.", "tests": tests }));
    assert!(Persona::parse(&persona(good.clone())).is_ok());
    assert!(Context::parse(&context(good.clone())).is_ok());
    assert!(crate::domain::persona::parse_snippet(&snippet(good)).is_ok());
    let pointer = |faults: Vec<Fault>| faults[0].pointer.clone();
    assert_eq!(
        pointer(Persona::parse(&persona(bad.clone())).unwrap_err()),
        "/tests/0/expect"
    );
    assert_eq!(
        pointer(Context::parse(&context(bad.clone())).unwrap_err()),
        "/tests/0/expect"
    );
    let snippet = crate::domain::persona::parse_snippet(&snippet(bad));
    assert_eq!(pointer(snippet.unwrap_err()), "/tests/0/expect");
}
