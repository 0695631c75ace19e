use serde_json::json;

use super::*;
use crate::domain::catalogue::{Catalogue, CatalogueEntry};
use crate::domain::finding::{Blocks, Severity};
use crate::domain::ids::TenantId;
use crate::domain::persona::parse_snippet;
use crate::domain::policy::Policy;
use crate::domain::snapshot::LivePersona;

const AVATAR: &str = "30fa96d0-26c4-4e55-94a0-517025942e18";
const OLD_AVATAR: &str = "00000000-26c4-4e55-94a0-517025942e18";
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

/// A tenant with the persona `guide`, the context `support` and two versions of the snippet `tone`.
struct Tenant {
    snapshot: Snapshot,
    snippets: BTreeMap<(Key, i32), Arc<Template>>,
    live_snippets: BTreeMap<Key, i32>,
    facts: BTreeSet<String>,
    secrets: BTreeSet<Key>,
    retired: BTreeSet<(CatalogueKind, String)>,
    unreadable: BTreeSet<Key>,
    samples: BTreeMap<Key, SampleUser>,
}

fn tenant() -> Tenant {
    let policy = object(json!({ "preferences": { "experience": { "values": ["new", "old"] } } }));
    let policy = Policy::parse(&policy).unwrap();
    let mut catalogue = Catalogue::default();
    for (kind, id, attributes) in [
        (
            CatalogueKind::Avatar,
            AVATAR,
            json!({ "availableVersions": ["cara-3"] }),
        ),
        (
            CatalogueKind::Voice,
            VOICE,
            json!({ "provider": "CARTESIA" }),
        ),
        (CatalogueKind::Llm, LLM, json!({})),
    ] {
        let entry = json!({ "id": id, "name": id, "attributes": attributes });
        catalogue.push(
            kind,
            serde_json::from_value::<CatalogueEntry>(entry).unwrap(),
        );
    }
    let mut tenant = Tenant {
        snapshot: Snapshot {
            tenant: TenantId(uuid::Uuid::nil()),
            slug: "demo".into(),
            revision: 1,
            policy,
            catalogue,
            personas: BTreeMap::new(),
            contexts: BTreeMap::new(),
            aliases: BTreeMap::new(),
            rollouts: crate::domain::snapshot::Rollouts::default(),
            next_change: None,
            tenant_words: json!({}),
        },
        snippets: BTreeMap::new(),
        live_snippets: [(key("tone"), 2)].into(),
        facts: ["name".to_owned(), "plan".to_owned()].into(),
        secrets: [key("crm-token")].into(),
        retired: [(CatalogueKind::Avatar, OLD_AVATAR.to_owned())].into(),
        unreadable: BTreeSet::new(),
        samples: BTreeMap::new(),
    };
    for (number, text) in [(1, "Be kind."), (2, "Be kind about {{ metadata.mood }}.")] {
        let template = parse_snippet(&object(json!({ "text": text }))).unwrap();
        tenant
            .snippets
            .insert((key("tone"), number), Arc::new(template));
    }
    tenant.put_persona(
        "guide",
        &sound(json!({ "systemPrompt": "Ticket {{ metadata.ticket }}." })),
    );
    tenant.put_context(
        "support",
        json!({
            "aliases": ["help"],
            "metadata": {
                "properties": {
                    "ticket": { "type": "string", "maxLength": 20 },
                    "id": { "type": "integer" },
                    "items": { "type": "array", "maxItems": 3, "items": { "type": "string", "maxLength": 10 } },
                },
                "required": ["id"],
            },
            "default": "guide",
        }),
    );
    tenant
}

impl Tenant {
    fn put_persona(&mut self, name: &str, document: &Map<String, Value>) {
        let persona = persona::Persona::parse(document).unwrap();
        let live = LivePersona::new(
            &key(name),
            1,
            String::new(),
            persona,
            &self.snapshot.policy,
            Vec::new(),
        );
        self.snapshot.personas.insert(key(name), live);
    }

    fn put_context(&mut self, name: &str, document: Value) {
        let live = LiveContext {
            version: 1,
            hash: String::new(),
            context: context::Context::parse(&object(document)).unwrap(),
            words: json!({}),
        };
        self.snapshot.contexts.insert(key(name), live);
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings {
            snapshot: &self.snapshot,
            snippets: &self.snippets,
            live_snippets: &self.live_snippets,
            facts: Some(&self.facts),
            secrets: &self.secrets,
            retired: &self.retired,
            unreadable: &self.unreadable,
            samples: &self.samples,
            moment: "2026-11-24T09:00:00Z".parse().unwrap(),
        }
    }
}

/// A persona without findings, and these members over it.
fn sound(members: Value) -> Map<String, Value> {
    let mut document = object(json!({
        "name": "P", "systemPrompt": "Be kind.", "avatarId": AVATAR, "voiceId": VOICE, "llmId": LLM,
    }));
    document.extend(object(members));
    document
}

fn told(examination: &Examination) -> Vec<String> {
    let findings = examination.findings.iter();
    findings
        .map(|finding| {
            let Finding {
                severity,
                blocks,
                pointer,
                line,
                column,
                message,
                advice,
            } = finding;
            assert!(!advice.is_empty() && !message.is_empty());
            let place = line
                .zip(*column)
                .map_or_else(String::new, |(l, c)| format!(":{l}:{c}"));
            let severity = match (severity, blocks) {
                (Severity::Error, Some(Blocks::Seal)) => "E",
                (Severity::Error, Some(Blocks::Release)) => "R",
                (Severity::Warning, None) => "W",
                other => panic!("{other:?}"),
            };
            format!("{severity} {pointer}{place} {message}")
        })
        .collect()
}

fn of_persona(members: Value) -> Vec<String> {
    told(&persona(&key("guide"), &sound(members), &tenant().around()))
}

fn of_context(document: Value) -> Vec<String> {
    told(&context(
        &key("support"),
        &object(document),
        &tenant().around(),
    ))
}

#[test]
fn a_sound_persona_has_no_findings_and_a_size() {
    let document = sound(
        json!({ "systemPrompt": "Ticket {{ metadata.id }}, {{ user.name|default('you') }}." }),
    );
    let examination = persona(&key("guide"), &document, &tenant().around());
    assert_eq!(told(&examination), [""; 0]);
    let chars = examination.largest_prompt.unwrap().chars;
    assert!((40..700).contains(&chars), "{chars}");
}

#[test]
fn faults_of_templates_have_line_and_column_and_the_rest_are_told_too() {
    assert_eq!(
        of_persona(json!({
            "systemPrompt": "One.\n{% set a = 1 %}\n  {{ nope }}", "maxSessionLengthSeconds": 0, "colour": 1,
        })),
        [
            "E /colour unknown field `colour`",
            "E /maxSessionLengthSeconds must be 1 to 86400",
            "E /systemPrompt:2:4 {% set %} is not allowed",
            "E /systemPrompt:3:6 the name nope is not known",
        ]
    );
}

#[test]
fn values_that_nobody_gives_are_told_where_they_stand() {
    assert_eq!(
        of_persona(json!({
            "systemPrompt": "{{ tenant.nmae }} {{ metadata.tickte }}\n{{ user.age|default(1) }} {{ preferences.exp or 1 }} {{ time.hour.x }}",
        })),
        [
            "E /systemPrompt:1:4 `tenant.nmae` is never there",
            "E /systemPrompt:2:57 `time.hour.x` is never there",
            "W /systemPrompt:1:22 `metadata.tickte` is declared by no context that gives this persona: support",
            "W /systemPrompt:2:4 `user.age` is given by no issuer of the tenant",
            "W /systemPrompt:2:30 `preferences.exp` is no preference of the tenant",
        ]
    );
}

#[test]
fn a_value_that_may_be_absent_wants_a_guard() {
    assert_eq!(
        of_persona(json!({
            "systemPrompt": "{{ user.name }} {{ metadata.ticket }} {{ metadata.id }} {{ preferences.tone|upper }} {{ user.name }}\n{% if user.plan %}{{ user.plan }}{% endif %}",
        })),
        [
            "W /systemPrompt comes out empty for a user of whom nothing is known",
            "W /systemPrompt:1:4 `user.name` prints nothing where it is absent",
            "W /systemPrompt:1:20 `metadata.ticket` prints nothing where it is absent",
            "W /systemPrompt:1:60 `preferences.tone` prints nothing where it is absent",
        ]
    );
}

#[test]
fn pins_are_compared_with_what_was_sealed_and_what_is_live() {
    let with_pin = |number: i32| json!({ "systemPrompt": "{{ snippets.tone }}", "snippets": { "tone": number } });
    assert_eq!(
        of_persona(with_pin(1)),
        ["W /snippets/tone pins version 1 of the snippet `tone`; version 2 is live"]
    );
    assert_eq!(
        of_persona(with_pin(2)),
        [
            "W /snippets/tone `metadata.mood` is declared by no context that gives this persona: support"
        ]
    );
    assert_eq!(
        of_persona(with_pin(3)),
        ["E /snippets/tone the snippet `tone` has no version 3"]
    );
}

#[test]
fn ids_are_looked_up_in_the_catalogue_and_among_what_was_retired() {
    assert_eq!(
        of_persona(json!({ "avatarId": OLD_AVATAR, "voiceId": LLM })),
        [
            "E /avatarId was retired from the tenant's catalogue of avatars",
            "E /voiceId is not in the tenant's catalogue of voices",
        ]
    );
    assert_eq!(
        of_persona(json!({ "avatarModel": "cara-4", "voiceGenerationOptions": { "stability": 0.5 }, "zeroDataRetention": true })),
        [
            format!("E /avatarModel {AVATAR} can't be rendered by cara-4"),
            "W /llmId is not known to take part in zero data retention, which the persona wants".into(),
            "W /voiceGenerationOptions do not suit the voice, which is of CARTESIA: they are left out".into(),
            "W /voiceId is not known to take part in zero data retention, which the persona wants".into(),
        ]
    );
}

#[test]
fn a_persona_that_lacks_what_anam_needs_must_not_be_given_to_anybody() {
    let document =
        object(json!({ "name": "P", "systemPrompt": "Hi.", "avatarId": AVATAR, "voiceId": VOICE }));
    let around = tenant();
    let given = persona(&key("guide"), &document, &around.around());
    let alone = persona(&key("other"), &document, &around.around());
    assert!(given.has_errors() && !alone.has_errors());
    assert_eq!(alone.findings[0].pointer, "/llmId");
}

#[test]
fn a_prompt_that_may_pass_the_cap_is_told_with_its_size() {
    let told = of_persona(json!({
        "systemPrompt": "{% for a in metadata.list %}{% for b in a %}Item {{ loop.index }} of it.{% endfor %}{% endfor %}",
    }));
    assert_eq!(
        told[0],
        "W /systemPrompt can come out with up to 370000 characters (1120000 bytes); over 32000 characters or 65536 bytes the user gets no session"
    );
    assert_eq!(
        told[1],
        "W /systemPrompt comes out empty for every user that was tried"
    );
    let bounded = format!(
        "{{% for a in metadata.items %}}{}{{% endfor %}}",
        "x".repeat(4_000)
    );
    assert_eq!(
        of_persona(json!({ "systemPrompt": bounded })),
        ["W /systemPrompt comes out empty for a user of whom nothing is known"]
    );
}

#[test]
fn a_text_that_can_never_be_said_is_an_error_at_its_place() {
    let bomb = format!(
        "'{}'|replace('a', '{}')",
        "a".repeat(7_000),
        "b".repeat(7_000)
    );
    let always = of_persona(json!({ "systemPrompt": format!("Hello.\n{{{{ {bomb} }}}}") }));
    assert!(
        always[0].starts_with("E /systemPrompt:2:4 this takes more work"),
        "{always:?}"
    );
    let some = format!("Hello.{{% if user.plan %}}{{{{ {bomb} }}}}{{% endif %}}");
    let some = of_persona(json!({ "systemPrompt": some }));
    assert!(
        some[0].starts_with("E /systemPrompt:1:28 this takes more work"),
        "{some:?}"
    );
    let part = format!(
        "{{% if '{}'|replace('a', '{}')|upper == user.plan %}}{{% endif %}}",
        "a".repeat(500),
        "b".repeat(500)
    );
    let together = of_persona(json!({ "systemPrompt": format!("Hi.{}", part.repeat(2)) }));
    assert!(
        together[0].starts_with("E /systemPrompt takes more work"),
        "{together:?}"
    );
}

#[test]
fn a_text_that_is_always_empty_is_told() {
    let told = of_persona(
        json!({ "systemPrompt": "{# later #}", "name": "{{ '' }}", "initialMessage": " " }),
    );
    let empty = |place: &str| {
        told.iter()
            .any(|told| told.starts_with(&format!("{place} comes out empty")))
    };
    assert!(empty("E /systemPrompt") && empty("E /name"), "{told:?}");
    assert!(empty("W /initialMessage"), "{told:?}");
}

#[test]
fn a_sound_context_has_no_findings() {
    assert_eq!(
        of_context(json!({
            "metadata": { "properties": { "ticket": {} } },
            "rules": [{ "name": "gold", "when": [{ "attribute": "user.plan", "operator": "equals", "values": ["gold"] }],
                        "then": { "persona": "guide" } }],
            "default": "guide",
        })),
        [""; 0]
    );
}

#[test]
fn rules_that_an_earlier_one_covers_are_never_reached() {
    let clause = |attribute: &str, operator: &str, values: Value| json!({ "attribute": attribute, "operator": operator, "values": values });
    let plan = |values: Value| clause("user.plan", "equals", values);
    let rule = |name: &str, when: Value| json!({ "name": name, "when": when, "then": { "persona": "guide" } });
    assert_eq!(
        of_context(json!({
            "rules": [
                rule("a", json!([plan(json!(["gold", "silver"]))])),
                rule("within", json!([clause("user.name", "starts_with", json!(["A"])), plan(json!(["gold"]))])),
                rule("beyond", json!([plan(json!(["gold", "lead"]))])),
                rule("not", json!([clause("user.plan", "not_equals", json!(["x"]))])),
                rule("nor", json!([clause("user.plan", "not_equals", json!(["x", "y"]))])),
                rule("present", json!([{ "attribute": "user.name", "operator": "is_present" }])),
                rule("named", json!([clause("user.name", "equals", json!(["Ann"]))])),
                rule("all", json!([])),
                rule("last", json!([clause("time.hour", "at_least", json!([8]))])),
            ],
            "default": "guide",
        })),
        [
            "W /default is never used: rule 8 holds for everybody",
            "W /rules/1 is never reached: rule 1 (`a`) holds wherever this one does",
            "W /rules/4 is never reached: rule 4 (`not`) holds wherever this one does",
            "W /rules/6 is never reached: rule 6 (`present`) holds wherever this one does",
            "W /rules/8 is never reached: rule 8 (`all`) holds wherever this one does",
        ]
    );
}

#[test]
fn what_a_context_names_must_be_there() {
    let mut around = tenant();
    around.put_context("sales", json!({ "aliases": ["buy"], "default": "guide" }));
    let document = object(json!({
        "aliases": ["support", "sales", "buy", "free"],
        "metadata": { "properties": { "seen": {}, "unseen": {} }, "additionalProperties": false },
        "rules": [
            { "name": "a", "when": [
                { "attribute": "metadata.seen", "operator": "is_present" },
                { "attribute": "metadata.nope", "operator": "is_present" },
                { "attribute": "user.age", "operator": "is_present" },
                { "attribute": "preferences.nope", "operator": "is_present" },
              ], "then": { "split": [{ "persona": "guide", "weight": 0 }, { "persona": "guide", "weight": 2 }] } },
        ],
        "default": "guide",
    }));
    assert_eq!(
        told(&context(&key("support"), &document, &around.around())),
        [
            "R /aliases/1 `sales` is the key of another context",
            "R /aliases/2 `buy` means the context `sales` already",
            "W /aliases/0 is the context's own key",
            "W /metadata/properties/unseen `metadata.unseen` is used by no rule and no persona of this context",
            "W /rules/0/then/split/0/weight is 0: nobody gets `guide`",
            "W /rules/0/when/1/attribute `metadata.nope` can never be sent: the metadata of this context does not allow it",
            "W /rules/0/when/2/attribute `user.age` is given by no issuer of the tenant",
            "W /rules/0/when/3/attribute `preferences.nope` is no preference of the tenant",
        ]
    );
    let gone = object(
        json!({ "default": { "split": [{ "persona": "gone", "weight": 1 }, { "persona": "guide", "weight": 1 }] } }),
    );
    assert_eq!(
        told(&context(&key("buy"), &gone, &around.around())),
        [
            "R  the key `buy` is an alias of the context `sales`",
            "R /default gives the persona `gone`, which is not live",
        ]
    );
}

#[test]
fn schemas_are_read_through_references_and_choices() {
    let schema = json!({
        "$defs": { "order": { "properties": { "id": { "type": "string" } }, "required": ["id"] }, "loop": { "$ref": "#/$defs/loop" } },
        "properties": { "orders": { "type": "array", "items": { "$ref": "#/$defs/order" } }, "again": { "$ref": "#/$defs/loop" } },
        "anyOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }],
    });
    let look = |path: &str| schema::look(&schema, &path.split('.').collect::<Vec<_>>());
    assert!(matches!(
        look("orders.*.id"),
        schema::Place::Declared { certain: false, .. }
    ));
    assert!(matches!(
        look("b"),
        schema::Place::Declared { certain: false, .. }
    ));
    assert_eq!(look("again.x"), schema::Place::Open);
    assert_eq!(look("orders.*.name"), schema::Place::Open);
}

#[test]
fn a_snippet_is_looked_at_without_its_metadata() {
    let around = tenant();
    let look = |document: Value| told(&snippet(&object(document), &around.around()));
    assert_eq!(
        look(json!({ "text": "{{ metadata.x }} {{ user.age|default(1) }}\n{{ time.nope }}" })),
        [
            "E /text:2:4 `time.nope` is never there",
            "W /text:1:21 `user.age` is given by no issuer of the tenant",
        ]
    );
    assert_eq!(
        look(json!({ "text": "{{ nope }}", "more": 1 })),
        [
            "E /more is unknown",
            "E /text:1:4 the name nope is not known"
        ]
    );
}

#[test]
fn a_schema_is_looked_into_once_however_many_ways_lead_to_a_part() {
    let again = json!({ "$ref": "#/$defs/t" });
    let parts = json!([again, again, again]);
    let schema = json!({
        "$defs": { "t": { "allOf": parts, "anyOf": parts, "properties": { "d": { "allOf": parts } } } },
        "allOf": parts,
    });
    let path = ["d"; 40];
    let place = schema::look(&schema, &path);
    assert!(matches!(place, schema::Place::Declared { .. }), "{place:?}");
    let place = schema::look(&schema, &[&path[..], &["other"]].concat());
    assert_eq!(place, schema::Place::Open);
}

fn when(clauses: &Value) -> Value {
    json!({
        "metadata": {
            "properties": {
                "priority": { "enum": ["low", "high"] },
                "count": { "type": "integer", "minimum": 1, "maximum": 5 },
                "tags": { "$ref": "#/$defs/tags" },
                "free": {},
            },
            "required": ["priority"],
            "$defs": { "tags": { "type": "array", "items": { "type": "string" } } },
        },
        "rules": [{ "name": "a", "when": clauses, "then": { "persona": "guide" } }],
        "default": "guide",
    })
}

/// Findings about the clauses of a single rule.
fn of_clauses(clauses: &[(&str, &str, Value)]) -> Vec<String> {
    let clauses: Vec<Value> = clauses
        .iter()
        .map(|(attribute, operator, values)| {
            let mut clause = json!({ "attribute": attribute, "operator": operator });
            if !values.is_null() {
                clause["values"] = values.clone();
            }
            clause
        })
        .collect();
    let told = of_context(when(&json!(clauses)));
    told.into_iter()
        .filter(|text| text.starts_with("W /rules/0/"))
        .collect()
}

#[test]
fn a_clause_that_no_value_fits_is_found() {
    for (clause, expected) in [
        (
            ("time.hour", "at_least", json!(["22"])),
            "W /rules/0/when/0 can never hold: `time.hour` is a whole number from 0 to 23",
        ),
        (
            ("time.hour", "more_than", json!([23])),
            "W /rules/0/when/0 can never hold: `time.hour` is a whole number from 0 to 23",
        ),
        (
            ("time.weekday", "equals", json!(["Monday"])),
            "W /rules/0/when/0 can never hold: `time.weekday` is one of \"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\", \"saturday\", \"sunday\"",
        ),
        (
            ("time.date", "equals", json!(["tomorrow"])),
            "W /rules/0/when/0 can never hold: `time.date` is a text such as 2026-11-24",
        ),
        (
            ("time.hour", "is_absent", json!(null)),
            "W /rules/0/when/0 can never hold: `time.hour` is a whole number from 0 to 23",
        ),
        (
            ("metadata.priority", "equals", json!(["hihg"])),
            "W /rules/0/when/0 can never hold: `metadata.priority` is one of \"low\", \"high\"",
        ),
        (
            ("metadata.priority", "is_absent", json!(null)),
            "W /rules/0/when/0 can never hold: `metadata.priority` is one of \"low\", \"high\"",
        ),
        (
            ("metadata.count", "less_than", json!([1])),
            "W /rules/0/when/0 can never hold: `metadata.count` is a whole number from 1 to 5",
        ),
        (
            ("metadata.count", "equals", json!([2.5])),
            "W /rules/0/when/0 can never hold: `metadata.count` is a whole number from 1 to 5",
        ),
        (
            ("metadata.tags", "equals", json!(["a"])),
            "W /rules/0/when/0 can never hold: `metadata.tags` is a list",
        ),
        (
            ("preferences.experience", "equals", json!(["newer"])),
            "W /rules/0/when/0 can never hold: `preferences.experience` is one of \"new\", \"old\"",
        ),
        (
            ("metadata.priority", "equals", json!(["low", "hihg"])),
            "W /rules/0/when/0/values/1 never fits: `metadata.priority` is one of \"low\", \"high\"",
        ),
        (
            ("metadata.priority", "not_equals", json!(["hihg"])),
            "W /rules/0/when/0/values/0 never fits: `metadata.priority` is one of \"low\", \"high\"",
        ),
    ] {
        assert_eq!(
            of_clauses(std::slice::from_ref(&clause)),
            [expected],
            "{clause:?}"
        );
    }
}

#[test]
fn a_clause_that_some_value_fits_is_not() {
    for clause in [
        ("time.hour", "at_least", json!([22])),
        ("time.hour", "less_than", json!([0.5])),
        ("time.date", "at_least", json!(["2026-12"])),
        ("time.time", "starts_with", json!(["09:"])),
        ("metadata.count", "more_than", json!([4])),
        ("metadata.count", "is_absent", json!(null)),
        ("metadata.tags", "contains", json!(["a"])),
        ("metadata.tags", "not_contains", json!(["a"])),
        ("metadata.free", "equals", json!(["a", 1, true])),
        ("user.plan", "equals", json!(["gold", 3])),
        ("preferences.experience", "contains", json!(["ew"])),
        ("preferences.displayName", "ends_with", json!(["x"])),
    ] {
        assert_eq!(
            of_clauses(std::slice::from_ref(&clause)),
            [""; 0],
            "{clause:?}"
        );
    }
}

#[test]
fn clauses_that_contradict_each_other_are_found() {
    let plan = |operator: &'static str, values: Value| ("user.plan", operator, values);
    for (clauses, fits) in [
        (
            [plan("equals", json!(["a"])), plan("equals", json!(["b"]))],
            false,
        ),
        (
            [
                plan("equals", json!(["a", "b"])),
                plan("equals", json!(["b"])),
            ],
            true,
        ),
        (
            [
                plan("equals", json!(["a"])),
                plan("not_equals", json!(["a"])),
            ],
            false,
        ),
        (
            [plan("is_absent", json!(null)), plan("equals", json!(["a"]))],
            false,
        ),
        (
            [plan("at_least", json!([5])), plan("less_than", json!([5]))],
            false,
        ),
        (
            [plan("at_least", json!([5])), plan("at_most", json!([5]))],
            true,
        ),
        (
            [
                plan("more_than", json!(["b"])),
                plan("less_than", json!(["a"])),
            ],
            false,
        ),
        (
            [
                plan("more_than", json!(["a"])),
                plan("less_than", json!(["b"])),
            ],
            true,
        ),
        (
            [
                plan("at_least", json!([5])),
                plan("starts_with", json!(["5"])),
            ],
            false,
        ),
        (
            [
                plan("starts_with", json!(["a"])),
                plan("starts_with", json!(["b", "ab"])),
            ],
            true,
        ),
        (
            [
                plan("starts_with", json!(["a"])),
                plan("starts_with", json!(["b", "cab"])),
            ],
            false,
        ),
        (
            [
                plan("contains", json!(["a"])),
                plan("not_contains", json!(["a"])),
            ],
            false,
        ),
        (
            [
                plan("contains", json!(["a"])),
                plan("not_contains", json!(["b"])),
            ],
            true,
        ),
    ] {
        let expected: &[&str] = if fits {
            &[]
        } else {
            &[
                "W /rules/0/when can never hold: clauses 1 and 2 contradict each other on `user.plan`",
            ]
        };
        assert_eq!(of_clauses(&clauses), expected, "{clauses:?}");
    }
}

#[test]
fn a_rule_behind_one_that_always_holds_is_never_reached() {
    let rule = |name: &str, hour: Value| {
        json!({ "name": name, "when": [{ "attribute": "time.hour", "operator": "at_least", "values": [hour] }],
                "then": { "persona": "guide" } })
    };
    let rules = [
        rule("late", json!(20)),
        rule("later", json!(22)),
        rule("ever", json!(0)),
        rule("last", json!(1)),
    ];
    assert_eq!(
        of_context(json!({ "rules": rules, "default": "guide" })),
        [
            "W /default is never used: rule 3 holds for everybody",
            "W /rules/1 is never reached: rule 1 (`late`) holds wherever this one does",
            "W /rules/3 is never reached: rule 3 (`ever`) holds wherever this one does",
        ]
    );
}

#[test]
fn many_rules_with_many_values_are_looked_at_in_bounded_time() {
    let values: Vec<Value> = (0..200).map(|n| json!(format!("value-{n}"))).collect();
    let clause = json!({ "attribute": "user.plan", "operator": "not_equals", "values": values });
    let rules: Vec<Value> = (0..200)
        .map(|n| json!({ "name": format!("rule-{n}"), "when": vec![clause.clone(); 6], "then": { "persona": "guide" } }))
        .collect();
    let started = std::time::Instant::now();
    let told = of_context(json!({ "rules": rules, "default": "guide" }));
    assert!(told.iter().any(|text| text.contains("is never reached")));
    assert!(
        started.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn misspelt_names_are_recognised() {
    let document = sound(
        json!({ "systemPrompt": "{{ user.naem|default('x') }} {{ preferences.tnoe or '' }} {{ metadata.tikcet or '' }} {{ tenant.nmae }}" }),
    );
    let around = tenant();
    let advice: Vec<String> = persona(&key("guide"), &document, &around.around())
        .findings
        .into_iter()
        .map(|finding| finding.advice.split('?').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        advice,
        [
            "Did you mean `tenant.name`",
            "Did you mean `user.name`",
            "Did you mean `preferences.tone`",
            "Did you mean `metadata.ticket`",
        ]
    );
}

#[test]
fn every_layer_of_a_document_is_looked_at_whatever_is_wrong_with_another() {
    assert_eq!(
        of_persona(json!({
            "systemPrompt": "{{ user.naem }", "initialMessage": "Hi {{ user.plna|default('x') }}", "avatarId": OLD_AVATAR,
            "maxSessionLengthSeconds": 0, "snippets": { "tone": 9 }, "tests": [{ "name": "t" }],
        })),
        [
            "E /avatarId was retired from the tenant's catalogue of avatars",
            "E /maxSessionLengthSeconds must be 1 to 86400",
            "E /snippets/tone the snippet `tone` has no version 9",
            "E /systemPrompt:1:14 unexpected `}`, expected end of variable block",
            "E /tests/0/expect is missing",
            "W /initialMessage:1:7 `user.plna` is given by no issuer of the tenant",
        ]
    );
    assert_eq!(
        of_context(json!({
            "metadata": { "type": "nothing" }, "aliases": ["NO", "help"],
            "rules": [
                { "name": "a", "when": [{ "attribute": "nowhere", "operator": "equals" }, { "attribute": "user.x", "operator": "is" }], "then": {}, "more": 1 },
                { "name": "b", "when": [{ "attribute": "user.plna", "operator": "is_present" }, { "attribute": "time.hour", "operator": "equals", "values": [24] }],
                  "then": { "persona": "gone" } },
            ],
        })).len(),
        10
    );
}

#[test]
fn a_prompt_that_nobody_can_get_is_an_error_and_one_that_some_can_not_get_a_warning() {
    let long = format!(
        "{{{{ '{}'|replace('a', '{}') }}}}",
        "a".repeat(7_000),
        "b".repeat(7_000)
    );
    let told = of_persona(json!({ "systemPrompt": long }));
    assert!(
        told.len() == 1 && told[0].starts_with("E /systemPrompt:1:4 this takes more work"),
        "{told:?}"
    );

    let told = of_persona(json!({ "systemPrompt": " {% if 1 > 2 %}x{% endif %}\n" }));
    assert_eq!(told, ["E /systemPrompt comes out empty for every user"]);
    let told =
        of_persona(json!({ "systemPrompt": "{% if user.plan and not user.plan %}x{% endif %} " }));
    assert_eq!(
        told,
        ["W /systemPrompt comes out empty for every user that was tried"]
    );
    let told = of_persona(json!({ "systemPrompt": "{% if user.plan %}Be kind.{% endif %}" }));
    assert_eq!(
        told,
        ["W /systemPrompt comes out empty for a user of whom nothing is known"]
    );
    let told = of_persona(
        json!({ "systemPrompt": "", "llmId": "CUSTOMER_CLIENT_V1", "name": "{{ user.name|default('') }}", "initialMessage": "{{ '' }}" }),
    );
    assert_eq!(
        told,
        [
            "E /llmId is not in the tenant's catalogue of llms",
            "W /initialMessage comes out empty, whatever the values are",
            "W /name comes out empty for a user of whom nothing is known",
        ]
    );
    // Somebody whom the tenant knows gets it.
    let mut around = tenant();
    let gold = SampleUser::parse(&object(json!({ "facts": { "plan": "gold" } }))).unwrap();
    around.samples.insert(key("gold"), gold);
    let document =
        sound(json!({ "systemPrompt": "{% if user.plan == 'gold' %}Be kind.{% endif %}" }));
    let found = persona(&key("guide"), &document, &around.around());
    assert!(!found.has_errors(), "{found:?}");
}

#[test]
fn a_context_does_not_give_what_nobody_there_can_get() {
    let mut around = tenant();
    let mut incomplete = sound(json!({}));
    incomplete.remove("avatarId");
    incomplete.remove("llmId");
    around.put_persona("incomplete", &incomplete);
    let endless = format!(
        "{{{{ '{}'|replace('a', '{}') }}}}",
        "a".repeat(7_000),
        "b".repeat(7_000)
    );
    around.put_persona("endless", &sound(json!({ "systemPrompt": endless })));
    let document = object(
        json!({ "rules": [{ "name": "a", "when": [], "then": { "persona": "incomplete" } }], "default": "endless" }),
    );
    let told = told(&context(&key("place"), &document, &around.around()));
    let at_default =
        "R /default gives the persona `endless`, of which nobody here could get a session: ";
    assert!(told[0].starts_with(at_default), "{told:?}");
    assert_eq!(
        told[1..2],
        [
            "R /rules/0/then gives the persona `incomplete`, which has no avatarId, llmId: nobody would get a session",
        ]
    );
}
