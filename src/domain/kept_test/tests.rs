use serde_json::json;

use super::*;
use crate::domain::caller::Subject;
use crate::domain::context::Context;
use crate::domain::decide::{Decision, Moment, Undecided, decide};
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::persona::Persona;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::domain::snapshot::{LiveContext, LivePersona, Snapshot};

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

fn decided(plan: &str) -> Result<Decision, Undecided> {
    let policy = Policy::default();
    let persona = |name: &str, prompt: &str| {
        let document = object(json!({
            "name": name, "systemPrompt": prompt, "maxSessionLengthSeconds": 600,
            "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18",
            "voiceId": "6bfbe25a-979d-40f3-a92b-5394170af54b",
            "llmId": "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7",
        }));
        let key = Key::parse(name).unwrap();
        let persona = Persona::parse(&document).unwrap();
        let live = LivePersona::new(&key, 1, String::new(), persona, &policy, Vec::new());
        (key, live)
    };
    let context = Context::parse(&object(json!({
        "rules": [
            { "name": "gold", "when": [{ "attribute": "user.plan", "operator": "equals", "values": ["gold"] }],
              "then": { "persona": "expert" } },
        ],
        "default": "novice",
    })));
    let live = LiveContext {
        version: 1,
        hash: String::new(),
        context: context.unwrap(),
        words: json!({ "key": "default" }),
    };
    let snapshot = Snapshot {
        tenant: TenantId(uuid::Uuid::nil()),
        revision: 1,
        personas: [
            persona("expert", "You know all.\nSay it."),
            persona("novice", "You learn."),
        ]
        .into(),
        contexts: [(Key::parse("default").unwrap(), live)].into(),
        aliases: std::collections::BTreeMap::new(),
        catalogue: crate::domain::catalogue::Catalogue::default(),
        rollouts: crate::domain::snapshot::Rollouts::default(),
        next_change: None,
        tenant_words: json!({}),
        policy: policy.clone(),
    };
    let user = SampleUser::parse(&object(json!({ "facts": { "plan": plan } }))).unwrap();
    let moment = Moment {
        now: DateTime::UNIX_EPOCH,
        session: SessionId(uuid::Uuid::nil()),
    };
    let caller = user.caller(snapshot.tenant);
    decide(
        &snapshot,
        &caller,
        &Preferences::default(),
        &MintRequest::default(),
        moment,
    )
}

fn failures(expect: &Value, plan: &str) -> Vec<String> {
    let test = read(&json!({ "name": "t", "expect": expect }));
    test.failures(&decided(plan))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_test_that_holds_has_no_failures() {
    let expect = json!({
        "persona": "expert",
        "fields": { "/maxSessionLengthSeconds": 600.0, "/initialMessage": null,
                    "/sessionOptions/sessionReplay/enableSessionReplay": false },
        "promptContains": ["You know"], "promptLacks": ["learn"], "promptMaxChars": 21,
    });
    assert_eq!(failures(&expect, "gold"), [""; 0]);
}

#[test]
fn a_failure_says_what_came_instead_and_why() {
    let expect = json!({
        "persona": "novice",
        "fields": { "/maxSessionLengthSeconds": 60, "/languageCode": "de", "/initialMessage": "Hi" },
        "promptContains": ["learn"], "promptLacks": ["Say"], "promptMaxChars": 20,
    });
    assert_eq!(
        failures(&expect, "gold"),
        [
            "/expect/persona: expected the persona `novice`, got `expert` by rule 1 (`gold`) of the context `default`",
            "/expect/fields/~1maxSessionLengthSeconds: expected 60, got 600, which the persona says",
            "/expect/fields/~1languageCode: expected \"de\", got \"en\", the gateway's own default",
            "/expect/fields/~1initialMessage: expected \"Hi\", got nothing",
            "/expect/promptContains/0: the prompt lacks \"learn\"",
            "/expect/promptLacks/0: the prompt holds \"Say\" in line 2",
            "/expect/promptMaxChars: the prompt has 21 characters, 20 are allowed",
        ]
    );
    assert_eq!(
        failures(&json!({ "persona": "expert" }), "free"),
        [
            "/expect/persona: expected the persona `expert`, got `novice` by the default of the context `default`; rule 1 (`gold`) failed on user.plan"
        ]
    );
}

#[test]
fn a_decision_that_is_not_made_fails_the_test() {
    let test = read(&json!({ "name": "t", "expect": { "promptLacks": ["x"] } }));
    let undecided = Undecided::PersonaMissing(Key::parse("gone").unwrap());
    assert_eq!(
        test.failures(&Err(undecided))[0].message,
        "gets no persona: the persona `gone` has no live version"
    );
    let broken = Undecided::MetadataInvalid(vec![Fault::new("/ticket", Wrong::Missing)]);
    assert_eq!(test.failures(&Err(broken))[1].pointer, "/metadata/ticket");
}
