use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, json};
use uuid::Uuid;

use super::*;
use crate::domain::caller::{Fact, Subject};
use crate::domain::catalogue::{Catalogue, CatalogueEntry};
use crate::domain::context::Context;
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::persona::Persona;
use crate::domain::policy::Policy;

const AVATAR: &str = "30fa96d0-26c4-4e55-94a0-517025942e18";
const VOICE: &str = "6bfbe25a-979d-40f3-a92b-5394170af54b";
const LLM: &str = "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7";

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("{value} is no object")
    };
    members
}

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

/// A persona with everything that Anam needs, and these members over it.
fn persona(members: Value) -> Value {
    let mut document = object(json!({
        "name": "P", "systemPrompt": "Be kind.", "avatarId": AVATAR, "voiceId": VOICE, "llmId": LLM,
    }));
    document.extend(object(members));
    Value::Object(document)
}

fn snapshot(policy: Value, personas: Value, contexts: Value) -> Snapshot {
    let policy = Policy::parse(&object(policy)).unwrap();
    let mut catalogue = Catalogue::default();
    for (kind, id) in [
        (CatalogueKind::Avatar, AVATAR),
        (CatalogueKind::Voice, VOICE),
        (CatalogueKind::Llm, LLM),
        (CatalogueKind::Language, "de"),
    ] {
        let entry = json!({ "id": id, "name": id });
        catalogue.push(
            kind,
            serde_json::from_value::<CatalogueEntry>(entry).unwrap(),
        );
    }
    let live = |(name, document): (String, Value)| {
        let persona = Persona::parse(&object(document)).unwrap();
        let live = LivePersona::new(&key(&name), 1, "hash".into(), persona, &policy, Vec::new());
        (key(&name), live)
    };
    let personas = object(personas).into_iter().map(live).collect();
    let contexts: BTreeMap<Key, LiveContext> = object(contexts)
        .into_iter()
        .map(|(name, document)| {
            let live = LiveContext {
                version: 1,
                hash: "hash".into(),
                context: Context::parse(&object(document)).unwrap(),
                words: json!({ "key": name }),
            };
            (key(&name), live)
        })
        .collect();
    let aliases = contexts
        .iter()
        .flat_map(|(key, live)| {
            live.context
                .aliases
                .iter()
                .map(|alias| (alias.clone(), key.clone()))
        })
        .collect();
    Snapshot {
        tenant: TenantId(Uuid::from_u128(1)),
        revision: 1,
        policy,
        catalogue,
        personas,
        contexts,
        aliases,
        rollouts: crate::domain::snapshot::Rollouts::default(),
        next_change: None,
        tenant_words: json!({ "name": "Acme", "slug": "acme" }),
    }
}

fn caller(subject: &str) -> Caller {
    Caller {
        tenant: TenantId(Uuid::from_u128(1)),
        issuer: IssuerId(Uuid::nil()),
        subject: Subject::parse(subject).unwrap(),
        facts: BTreeMap::from([("plan".to_owned(), Fact::Text("pro".to_owned()))]),
        left_out: BTreeMap::new(),
    }
}

fn request(context: Option<&str>, metadata: Value) -> MintRequest {
    MintRequest {
        context: context.map(str::to_owned),
        metadata: object(metadata).into(),
    }
}

fn moment() -> Moment {
    Moment {
        now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        session: SessionId(Uuid::from_u128(7)),
    }
}

fn decided(
    snapshot: &Snapshot,
    subject: &str,
    context: Option<&str>,
) -> Result<Decision, Undecided> {
    let preferences = Preferences::default();
    let request = request(context, json!({}));
    decide(snapshot, &caller(subject), &preferences, &request, moment())
}

fn split(context: &str, weights: &[u32]) -> Snapshot {
    let names: Vec<String> = (0..weights.len()).map(|arm| format!("arm-{arm}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    split_over(context, &names, weights)
}

fn split_over(context: &str, names: &[&str], weights: &[u32]) -> Snapshot {
    let arms = names.iter().zip(weights);
    let arms: Vec<Value> = arms
        .map(|(name, weight)| json!({ "persona": name, "weight": weight }))
        .collect();
    let personas = names
        .iter()
        .map(|name| ((*name).to_owned(), persona(json!({}))));
    snapshot(
        json!({}),
        Value::Object(personas.collect()),
        json!({ context: { "default": { "split": arms } } }),
    )
}

#[test]
fn a_context_is_found_by_key_then_alias_then_default_and_the_trace_says_how() {
    let both = snapshot(
        json!({}),
        json!({ "p": persona(json!({})) }),
        json!({ "support": { "default": "p", "aliases": ["help"] }, "default": { "default": "p" } }),
    );
    for (asked, found, how) in [
        (Some("support"), "support", ContextFound::ByKey),
        (Some("help"), "support", ContextFound::ByAlias),
        (Some("default"), "default", ContextFound::ByKey),
        (Some("nowhere"), "default", ContextFound::Unknown),
        (Some("Support"), "default", ContextFound::Unknown),
        (None, "default", ContextFound::NotNamed),
    ] {
        let decision = decided(&both, "ann", asked).unwrap();
        assert_eq!(decision.context.as_str(), found, "{asked:?}");
        assert_eq!(decision.trace.context_found, how, "{asked:?}");
    }
    let one = snapshot(
        json!({}),
        json!({ "p": persona(json!({})) }),
        json!({ "support": { "default": "p" } }),
    );
    for asked in [Some("nowhere"), None] {
        let known = vec![key("support")];
        assert_eq!(
            decided(&one, "ann", asked).unwrap_err(),
            Undecided::ContextUnknown { known }
        );
    }
}

#[test]
fn the_first_rule_that_holds_decides_and_the_trace_stops_there() {
    let rule = |name: &str, plan: &str, persona: &str| {
        json!({ "name": name, "when": [
            { "attribute": "user.plan", "operator": "is_present" },
            { "attribute": "user.plan", "operator": "equals", "values": [plan] },
        ], "then": { "persona": persona } })
    };
    let rules = [
        rule("one", "free", "a"),
        rule("two", "pro", "b"),
        rule("three", "pro", "a"),
    ];
    let world = snapshot(
        json!({}),
        json!({ "a": persona(json!({})), "b": persona(json!({})) }),
        json!({ "default": { "default": "a", "rules": rules } }),
    );
    let decision = decided(&world, "ann", None).unwrap();
    assert_eq!(decision.persona, key("b"));
    let tried: Vec<_> = decision
        .trace
        .rules
        .iter()
        .map(|tried| {
            (
                tried.rule.as_str(),
                tried.failed_clause,
                tried.failed_attribute.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        tried,
        [("one", Some(1), Some("user.plan")), ("two", None, None)]
    );
}

#[test]
fn a_split_is_fair_over_many_users_and_each_keeps_their_arm() {
    let weights = [70, 20, 10, 0];
    let world = split("trial", &weights);
    let mut counts = [0_u32; 4];
    for user in 0..2_000 {
        let subject = format!("user-{user}");
        let drawn = decided(&world, &subject, Some("trial"))
            .unwrap()
            .trace
            .split
            .unwrap();
        let again = decided(&world, &subject, Some("trial"))
            .unwrap()
            .trace
            .split
            .unwrap();
        assert_eq!(drawn, again);
        assert_eq!(drawn.weights, 100);
        counts[drawn.arm] += 1;
    }
    for (count, weight) in counts.iter().zip(weights) {
        let expected = weight * 20;
        assert!(count.abs_diff(expected) <= 60, "{counts:?}");
    }
    assert_eq!(counts[3], 0, "no weight, no user");
}

#[test]
fn a_session_decided_again_keeps_the_arm_that_an_earlier_release_drew() {
    let world = split("trial", &[1, 1]);
    let first = decided(&world, "ann", Some("trial")).unwrap();
    let other = 1 - first.trace.split.as_ref().unwrap().arm;
    let mut recorded = serde_json::to_value(&first.trace).unwrap();
    recorded["split"] = json!({ "bucket": other, "weights": 2, "arm": other });
    recorded["persona"]["key"] = json!(format!("arm-{other}"));
    let recorded: Trace = serde_json::from_value(recorded).unwrap();
    let again = |world: &Snapshot| {
        let (caller, request) = (caller("ann"), request(Some("trial"), json!({})));
        let choices = Preferences::default();
        decide_again(
            world,
            &caller,
            &choices,
            &request,
            moment(),
            Some(&recorded),
        )
        .unwrap()
    };
    let decision = again(&world);
    assert_eq!(decision.persona.as_str(), format!("arm-{other}"));
    assert_eq!(decision.trace.split, recorded.split);
    // Where the arms are others by now, they are drawn.
    let renamed = split_over("trial", &["arm-a", "arm-b"], &[1, 1]);
    assert!(again(&renamed).trace.split.unwrap().bucket.is_none());
}

/// The persona `p` of the context `default` at version 1, with version 2 rolled out to this many of a hundred.
fn rolled_out(percent: u8) -> Snapshot {
    let mut world = snapshot(
        json!({}),
        json!({ "p": persona(json!({})) }),
        json!({ "default": { "default": "p" } }),
    );
    let new = Persona::parse(&object(persona(json!({ "name": "New" })))).unwrap();
    let version = LivePersona::new(&key("p"), 2, "new".into(), new, &world.policy, Vec::new());
    let rollout = Rollout { percent, version };
    world.rollouts.personas.insert(key("p"), rollout);
    world
}

#[test]
fn a_rollout_that_grows_keeps_those_who_are_in_and_reaches_its_share_of_the_users() {
    let worlds: Vec<Snapshot> = [1, 10, 20, 50, 99].into_iter().map(rolled_out).collect();
    let mut counts = [0_u32; 5];
    for user in 0..5_000 {
        let subject = format!("user-{user}");
        let mut was_in = false;
        for (index, world) in worlds.iter().enumerate() {
            let decision = decided(world, &subject, None).unwrap();
            let [drawn] = decision.trace.rollouts.as_slice() else {
                panic!("{:?}", decision.trace.rollouts)
            };
            let is_in = decision.version == 2;
            assert_eq!((drawn.included, drawn.version), (is_in, 2));
            assert_eq!(is_in, drawn.bucket < drawn.percent);
            assert_eq!(decision.config.name, if is_in { "New" } else { "P" });
            assert!(is_in || !was_in, "{subject} fell out");
            was_in = is_in;
            counts[index] += u32::from(is_in);
        }
    }
    // Of 5,000 independent users each share would lie within four standard deviations; these users are always the same.
    for (count, percent) in counts.iter().zip([1_u32, 10, 20, 50, 99]) {
        assert!(count.abs_diff(percent * 50) <= 142, "{counts:?}");
    }
}

#[test]
fn a_context_that_is_rolled_out_decides_for_those_who_are_in() {
    let mut world = snapshot(
        json!({}),
        json!({ "p": persona(json!({})), "q": persona(json!({})) }),
        json!({ "default": { "default": "p" } }),
    );
    let version = LiveContext {
        version: 2,
        hash: "new".into(),
        context: Context::parse(&object(json!({ "default": "q" }))).unwrap(),
        words: json!({}),
    };
    let rollout = Rollout {
        percent: 50,
        version,
    };
    world.rollouts.contexts.insert(key("default"), rollout);
    let mut seen = BTreeMap::new();
    for user in 0..200 {
        let decision = decided(&world, &format!("user-{user}"), None).unwrap();
        let drawn = &decision.trace.rollouts[0];
        assert_eq!(drawn.kind, "context");
        let got = (
            decision.persona.as_str().to_owned(),
            decision.trace.context.version,
        );
        *seen.entry((drawn.included, got)).or_insert(0) += 1;
    }
    let kinds: Vec<_> = seen.into_keys().collect();
    assert_eq!(
        kinds,
        [(false, ("p".to_owned(), 1)), (true, ("q".to_owned(), 2))]
    );
}

#[test]
fn two_splits_divide_users_independently() {
    let (one, two) = (split("one", &[1, 1]), split("two", &[1, 1]));
    let arm = |world: &Snapshot, context: &str, user: u32| {
        let decision = decided(world, &format!("user-{user}"), Some(context)).unwrap();
        decision.trace.split.unwrap().arm
    };
    let same = (0..1_000)
        .filter(|user| arm(&one, "one", *user) == arm(&two, "two", *user))
        .count();
    assert!(
        (430..570).contains(&same),
        "{same} of 1000 are on the same arm"
    );
}

#[test]
fn what_an_admin_must_mend_is_named() {
    let rules = json!({ "default": { "default": "gone" } });
    let gone = snapshot(json!({}), json!({}), rules);
    assert_eq!(
        decided(&gone, "ann", None).unwrap_err(),
        Undecided::PersonaMissing(key("gone"))
    );
    for missing in ["avatarId", "voiceId", "llmId"] {
        let mut document = object(persona(json!({})));
        document.remove(missing);
        let world = snapshot(
            json!({}),
            json!({ "p": document }),
            json!({ "default": { "default": "p" } }),
        );
        let persona = key("p");
        assert_eq!(
            decided(&world, "ann", None).unwrap_err(),
            Undecided::Incomplete { persona, missing }
        );
    }
}

#[test]
fn a_default_of_the_policy_makes_a_persona_complete() {
    let mut document = object(persona(json!({})));
    document.remove("llmId");
    let world = snapshot(
        json!({ "defaults": { "llmId": LLM } }),
        json!({ "p": document }),
        json!({ "default": { "default": "p" } }),
    );
    let decision = decided(&world, "ann", None).unwrap();
    assert_eq!(decision.config.settings.llm_id.as_deref(), Some(LLM));
    assert_eq!(decision.trace.fields["llmId"], Winner::Default);
}

/// The prompt without what is between marks, and without the sentence that explains them.
fn fixed_text(prompt: &str) -> String {
    let mut text = String::new();
    let mut rest = prompt;
    while let Some((before, after)) = rest.split_once('\u{27E6}') {
        text.push_str(before);
        rest = after.split_once('\u{27E7}').expect("each mark is closed").1;
    }
    text.push_str(rest);
    let fixed = text.split("Text between the marks").next();
    fixed.unwrap_or_default().trim_end().to_owned()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        r"[\[\]{}%#⟦⟧:a-f0-9 \n]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner).prop_map(Value::Object),
        ]
    })
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        "[abc]",
        "avatarId",
        "voiceId",
        "languageCode",
        "systemPrompt",
        "tone",
        ".{0,8}"
    ];
    prop::collection::vec((name, value), 0..6).prop_map(|members| members.into_iter().collect())
}

#[test]
fn a_stored_choice_beyond_the_limits_of_its_setting_is_passed_over() {
    let world = snapshot(
        json!({ "locks": { "skipGreeting": true } }),
        json!({ "p": persona(json!({})) }),
        json!({ "default": { "default": "p" } }),
    );
    let mut live = world.personas.into_values().next().unwrap();
    for name in ["maxSessionLengthSeconds", "skipGreeting"] {
        live.persona.overridable.push(name.to_owned());
    }
    let world = snapshot(json!({}), json!({}), json!({}));
    let merge = Merge::new(&live);
    for (name, value, reason) in [
        ("maxSessionLengthSeconds", json!(60), None),
        (
            "maxSessionLengthSeconds",
            json!(0),
            Some(PassedOverReason::OutOfRange),
        ),
        ("skipGreeting", json!(false), Some(PassedOverReason::Locked)),
        (
            "uninterruptibleGreeting",
            json!(true),
            Some(PassedOverReason::NotOverridable),
        ),
    ] {
        let setting = Settings::TABLE.iter().find(|one| one.name == name).unwrap();
        assert_eq!(
            merge.refusal(&world, setting, &value),
            reason,
            "{name}: {value}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_metadata_and_preferences_say_the_decision_is_the_same_twice_and_fixed_text_stays(
        metadata in members(any_json()),
        stored in members(any_json()),
        name in any::<String>(),
        subject in "[a-z|@.]{1,40}",
        context in prop::option::of("[a-z]{1,8}"),
    ) {
        let world = snapshot(
            json!({ "locks": { "maxSessionLengthSeconds": 60 } }),
            json!({ "p": persona(json!({
                "systemPrompt": "Head.\n<{{ metadata.a }}>\nMiddle.\n<{{ metadata.b.c }}><{{ preferences.tone }}>\nTail.",
                "initialMessage": "Hello {{ user.name }} and {{ metadata.a }}!",
                "overridable": ["avatarId", "languageCode"],
            })) }),
            json!({ "default": { "default": "p", "rules": [{
                "name": "any",
                "when": [{ "attribute": "metadata.a.b", "operator": "contains", "values": ["x", 1, true] }],
                "then": { "persona": "p" },
            }] } }),
        );
        let mut caller = caller(&subject);
        caller.facts.insert("name".into(), Fact::Text(name));
        let preferences = Preferences::from_stored(stored);
        let request = MintRequest { context, metadata: metadata.into() };
        let once = decide(&world, &caller, &preferences, &request, moment());
        let twice = decide(&world, &caller, &preferences, &request, moment());
        prop_assert_eq!(format!("{once:?}"), format!("{twice:?}"));

        let decision = once.unwrap();
        let fixed = fixed_text(&decision.config.system_prompt);
        for part in ["Head.\n<", ">\nMiddle.\n<", "><", ">\nTail."] {
            prop_assert_eq!(fixed.matches(part).count(), 1, "{}", fixed);
        }
        prop_assert!(fixed.starts_with("Head.\n<") && fixed.ends_with(">\nTail."));
        let greeting = decision.config.initial_message.unwrap();
        prop_assert!(greeting.starts_with("Hello") && greeting.ends_with('!'));
        let marked = greeting.contains(['\n', '\u{27E6}', '\u{27E7}']);
        prop_assert!(!marked, "{}", greeting);
        prop_assert_eq!(decision.config.settings.max_session_length_seconds, Some(60));
        prop_assert_eq!(decision.config.settings.avatar_id.as_deref(), Some(AVATAR));
        prop_assert!(decision.config.settings.language_code.is_some());
        prop_assert_eq!(decision.config.settings.check(), vec![]);
    }
}
