//! Every layer is looked at, whatever is wrong with another; and what nobody, or not everybody, can get.

use super::*;

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
            "systemPrompt": "{{ user.naem }\n{{ user.emial or '' }}{% if %}{% endif %}", "initialMessage": "Hi {{ user.plna|default('x') }}", "avatarId": OLD_AVATAR,
            "maxSessionLengthSeconds": 0, "snippets": { "tone": 9 }, "tests": [{ "name": "t" }],
        })),
        [
            "E /avatarId was retired from the tenant's catalogue of avatars",
            "E /maxSessionLengthSeconds must be 1 to 86400",
            "E /snippets/tone the snippet `tone` has no version 9",
            "E /systemPrompt:1:1 {{ is never closed",
            "E /systemPrompt:2:29 unexpected end of block",
            "E /tests/0/expect is missing",
            "W /initialMessage:1:7 `user.plna` is given by no issuer of the tenant",
            "W /systemPrompt:2:4 `user.emial` is given by no issuer of the tenant",
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
    let lines = of_persona(json!({ "systemPrompt": long }));
    assert!(
        lines.len() == 1 && lines[0].starts_with("E /systemPrompt:1:4 this takes more work"),
        "{lines:?}"
    );

    let lines = of_persona(json!({ "systemPrompt": " {% if 1 > 2 %}x{% endif %}\n" }));
    assert_eq!(lines, ["E /systemPrompt comes out empty for every user"]);
    let lines =
        of_persona(json!({ "systemPrompt": "{% if user.plan and not user.plan %}x{% endif %} " }));
    assert_eq!(
        lines,
        ["W /systemPrompt comes out empty for every user that was tried"]
    );
    let lines = of_persona(json!({ "systemPrompt": "{% if user.plan %}Be kind.{% endif %}" }));
    assert_eq!(
        lines,
        ["W /systemPrompt comes out empty for a user of whom nothing is known"]
    );
    let lines = of_persona(
        json!({ "systemPrompt": "", "llmId": "CUSTOMER_CLIENT_V1", "name": "{{ user.name|default('') }}", "initialMessage": "{{ '' }}" }),
    );
    assert_eq!(
        lines,
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
    let lines = finding_lines(&context(&key("place"), &document, &around.around()));
    let at_default =
        "R /default gives the persona `endless`, with which no session here can begin: ";
    assert!(lines[0].starts_with(at_default), "{lines:?}");
    assert_eq!(
        lines[1..2],
        [
            "R /rules/0/then gives the persona `incomplete`, which has no avatarId, llmId: no session would begin",
        ]
    );
}
