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

mod clauses;
mod layers;

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

fn finding_lines(examination: &Examination) -> Vec<String> {
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
                wrong: _,
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
    finding_lines(&persona(&key("guide"), &sound(members), &tenant().around()))
}

fn of_context(document: Value) -> Vec<String> {
    finding_lines(&context(
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
    assert_eq!(finding_lines(&examination), [""; 0]);
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
            "E /colour is unknown",
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
fn what_may_be_absent_is_named_as_the_template_names_it() {
    let document = sound(json!({
        "systemPrompt": "{% for x in metadata.items %}{{ x }}{{ x.first }}{% endfor %}{{ metadata[\"ticket\"] }}{{ metadata.items[0] }}",
    }));
    let advice: Vec<String> = persona(&key("guide"), &document, &tenant().around())
        .findings
        .into_iter()
        .filter(|finding| finding.message.contains("prints nothing"))
        .map(|finding| finding.advice)
        .collect();
    let of = |said: &str| {
        format!(
            "Write {{{{ {said}|default(\"...\") }}}}, or put the sentence under {{% if {said} %}}"
        )
    };
    // An item of a loop is there.
    assert_eq!(
        advice,
        [of("metadata[\"ticket\"]"), of("metadata.items[0]")]
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
    let lines = of_persona(json!({
        "systemPrompt": "{% for a in metadata.list %}{% for b in a %}Item {{ loop.index }} of it.{% endfor %}{% endfor %}",
    }));
    assert_eq!(
        lines[0],
        "W /systemPrompt can come out with up to 370000 characters (1120000 bytes); over 32000 characters or 65536 bytes the user gets no session"
    );
    assert_eq!(
        lines[1],
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
fn a_range_that_ends_below_its_beginning_is_an_error_at_its_place() {
    let lines = of_context(json!({
        "default": "guide",
        "metadata": { "type": "object", "minProperties": 3, "maxProperties": 2, "properties": {
            "step": { "type": "integer", "minimum": 5, "maximum": 1 },
            "same": { "type": "integer", "minimum": 5, "maximum": 5 },
            "open": { "type": "number", "minimum": 5, "exclusiveMaximum": 5 },
            "list": { "type": "array", "items": { "type": "string", "minLength": 4, "maxLength": 3 } },
        } },
    }));
    let empty: Vec<&str> = lines
        .iter()
        .filter(|line| line.starts_with('E') && line.contains("lets nothing in"))
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(
        empty,
        [
            "/metadata/minProperties",
            "/metadata/properties/list/items/minLength",
            "/metadata/properties/open/minimum",
            "/metadata/properties/step/minimum",
        ],
        "{lines:?}"
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
    let lines = of_persona(
        json!({ "systemPrompt": "{# later #}", "name": "{{ '' }}", "initialMessage": " " }),
    );
    let empty = |place: &str| {
        lines
            .iter()
            .any(|lines| lines.starts_with(&format!("{place} comes out empty")))
    };
    assert!(empty("E /systemPrompt") && empty("E /name"), "{lines:?}");
    assert!(empty("W /initialMessage"), "{lines:?}");
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
        finding_lines(&context(&key("support"), &document, &around.around())),
        [
            "R /aliases/1 `sales` is the key of another context",
            "R /aliases/2 `buy` means the context `sales` already",
            "W /aliases/0 is the context's own key",
            "W /metadata/properties/unseen `metadata.unseen` is used by no rule and no persona of this context",
            "W /rules/0/then/split/0/weight is 0: no user gets `guide`",
            "W /rules/0/when/1/attribute `metadata.nope` can never be sent: the metadata of this context does not allow it",
            "W /rules/0/when/2/attribute `user.age` is given by no issuer of the tenant",
            "W /rules/0/when/3/attribute `preferences.nope` is no preference of the tenant",
        ]
    );
    let gone = object(
        json!({ "default": { "split": [{ "persona": "gone", "weight": 1 }, { "persona": "guide", "weight": 1 }] } }),
    );
    assert_eq!(
        finding_lines(&context(&key("buy"), &gone, &around.around())),
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
    let lookup = |path: &str| schema::lookup(&schema, &path.split('.').collect::<Vec<_>>());
    assert!(matches!(
        lookup("orders.*.id"),
        schema::PathLookup::Declared { certain: false, .. }
    ));
    assert!(matches!(
        lookup("b"),
        schema::PathLookup::Declared { certain: false, .. }
    ));
    assert_eq!(lookup("again.x"), schema::PathLookup::Open);
    assert_eq!(lookup("orders.*.name"), schema::PathLookup::Open);
}

#[test]
fn a_snippet_is_looked_at_without_its_metadata() {
    let around = tenant();
    let lookup = |document: Value| finding_lines(&snippet(&object(document), &around.around()));
    assert_eq!(
        lookup(json!({ "text": "{{ metadata.x }} {{ user.age|default(1) }}\n{{ time.nope }}" })),
        [
            "E /text:2:4 `time.nope` is never there",
            "W /text:1:21 `user.age` is given by no issuer of the tenant",
        ]
    );
    assert_eq!(
        lookup(json!({ "text": "{{ nope }}", "more": 1 })),
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
    let place = schema::lookup(&schema, &path);
    assert!(
        matches!(place, schema::PathLookup::Declared { .. }),
        "{place:?}"
    );
    let place = schema::lookup(&schema, &[&path[..], &["other"]].concat());
    assert_eq!(place, schema::PathLookup::Open);
}
