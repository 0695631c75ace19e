use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, json};

use super::*;
use crate::domain::catalogue::Catalogue;
use crate::domain::context::Context;
use crate::domain::decide::{Moment, decide};
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::kept_test;
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::domain::request::MintRequest;
use crate::domain::sample_user::SampleUser;
use crate::domain::snapshot::{LiveContext, LivePersona, Rollouts, Snapshot};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("{value} is no object")
    };
    members
}

fn read(test: &Value) -> KeptTest {
    kept_test::parse(&object(json!({ "tests": [test] })))
        .unwrap()
        .remove(0)
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
        aliases: BTreeMap::new(),
        catalogue: Catalogue::default(),
        rollouts: Rollouts::default(),
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
