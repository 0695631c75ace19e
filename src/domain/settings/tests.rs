use serde_json::json;

use super::*;

const ID: &str = "90313ddc-4fc0-11f1-84b0-52bacf74fa75";

fn parse(document: &Value) -> Result<Settings, Vec<Fault>> {
    Settings::parse(document.as_object().unwrap())
}

#[test]
fn ids_are_uuids_of_any_version_and_llms_may_be_named() {
    for good in [
        json!({ "avatarId": ID, "voiceId": ID.to_uppercase(), "llmId": ID, "toolIds": [ID] }),
        json!({ "llmId": "CUSTOMER_CLIENT_V1" }),
    ] {
        assert!(parse(&good).is_ok(), "{good}");
    }
    for (bad, pointer) in [
        (json!({ "avatarId": "Cara" }), "/avatarId"),
        (json!({ "voiceId": "CUSTOMER_CLIENT_V1" }), "/voiceId"),
        (json!({ "llmId": "gpt-4o" }), "/llmId"),
        (json!({ "toolIds": [ID, "x"] }), "/toolIds/1"),
    ] {
        let faults = parse(&bad).unwrap_err();
        assert_eq!(faults.len(), 1, "{bad}");
        assert_eq!(faults[0].pointer, pointer);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_documented_limit_is_held_on_both_sides() {
    let nested = |path: &str, value: &Value| {
        path.split('.')
            .rev()
            .fold(value.clone(), |inner, name| json!({ name: inner }))
    };
    for (path, inside, outside) in [
        (
            "maxSessionLengthSeconds",
            vec![json!(1), json!(86_400)],
            vec![json!(0), json!(86_401), json!(1.5)],
        ),
        (
            "languageCode",
            vec![json!("en")],
            vec![json!("EN"), json!("eng"), json!("e")],
        ),
        (
            "voiceDetectionOptions.endOfSpeechSensitivity",
            vec![json!(0), json!(1)],
            vec![json!(-0.1), json!(1.1)],
        ),
        (
            "voiceDetectionOptions.silenceBeforeSkipTurnSeconds",
            vec![json!(0), json!(900)],
            vec![json!(900.5)],
        ),
        (
            "voiceDetectionOptions.silenceBeforeSessionEndSeconds",
            vec![json!(0), json!(7200)],
            vec![json!(7201)],
        ),
        (
            "voiceDetectionOptions.silenceBeforeAutoEndTurnSeconds",
            vec![json!(0.5), json!(10)],
            vec![json!(0.4), json!(10.1)],
        ),
        (
            "voiceDetectionOptions.speechEnhancementLevel",
            vec![json!(0), json!(1)],
            vec![json!(2)],
        ),
        (
            "voiceGenerationOptions.stability",
            vec![json!(0), json!(1)],
            vec![json!(1.01)],
        ),
        (
            "voiceGenerationOptions.speed",
            vec![json!(0.5), json!(2)],
            vec![json!(0.4), json!(2.1)],
        ),
        (
            "voiceGenerationOptions.volume",
            vec![json!(0.5), json!(2)],
            vec![json!(0.4), json!(2.1)],
        ),
        (
            "voiceGenerationOptions.emotion",
            vec![json!("calm")],
            vec![json!("Calm"), json!("bored")],
        ),
        (
            "directorNotes.presetStyle",
            vec![json!("warm")],
            vec![json!("cold")],
        ),
        (
            "directorNotes.customStylePrompt",
            vec![json!("x".repeat(2_000))],
            vec![json!("x".repeat(2_001))],
        ),
        (
            "directorNotes.expressivity",
            vec![json!(0), json!(1)],
            vec![json!(1.1)],
        ),
        (
            "avatarModel",
            vec![json!("cara-4-latest")],
            vec![json!("cara-2")],
        ),
        (
            "sessionOptions.videoQuality",
            vec![json!("auto")],
            vec![json!("low")],
        ),
        (
            "sessionOptions.region",
            vec![json!("us-east")],
            vec![json!("us")],
        ),
        (
            "skipGreeting",
            vec![json!(true)],
            vec![json!("true"), json!(null)],
        ),
    ] {
        for value in inside {
            let document = nested(path, &value);
            assert!(
                parse(&document).is_ok(),
                "{document}: {:?}",
                parse(&document)
            );
        }
        for value in outside {
            let document = nested(path, &value);
            let faults = parse(&document).expect_err(&document.to_string());
            let top = path.split('.').next().unwrap();
            assert!(
                faults
                    .iter()
                    .all(|fault| fault.pointer.starts_with(&format!("/{top}"))),
                "{faults:?}"
            );
        }
    }
}

#[test]
fn members_that_exclude_or_need_each_other_are_told() {
    for bad in [
        json!({ "directorNotes": { "presetStyle": "warm", "customStylePrompt": "x" } }),
        json!({ "directorNotes": { "presetStyle": "warm" }, "avatarModel": "cara-3" }),
        json!({ "voiceGenerationOptions": { "stability": 0.5, "volume": 1 } }),
        json!({ "voiceGenerationOptions": { "stability": 0.5, "speed": 1.5 } }),
        json!({ "voiceGenerationOptions": { "emotion": "calm", "speed": 2 } }),
        json!({ "sessionOptions": { "videoWidth": 720 } }),
        json!({ "sessionOptions": { "videoWidth": 720, "videoHeight": 480 }, "avatarModel": "cara-4" }),
        json!({ "sessionOptions": { "videoWidth": 1152, "videoHeight": 768 }, "avatarModel": "cara-3" }),
        json!({ "sessionOptions": { "videoWidth": 640, "videoHeight": 480 } }),
        json!({ "sessionOptions": { "regionPolicy": "strict" } }),
        json!({ "sessionOptions": { "sessionReplay": {} } }),
        json!({ "sessionOptions": { "egress": { "mode": "daily" } } }),
        json!({ "environment": { "livekitUrl": "wss://evil.example" } }),
        json!({ "enableAudioPassthrough": true }),
        json!({ "personaId": ID }),
        json!({ "brainType": "x" }),
    ] {
        assert!(parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn every_wrong_member_is_told_at_once() {
    let faults = parse(
        &json!({ "avatarId": 7, "voiceId": "x", "nope": 1, "skipGreeting": null, "languageCode": "en" }),
    );
    let faults = faults.unwrap_err();
    let mut places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/avatarId", "/nope", "/skipGreeting", "/voiceId"]);
}

#[test]
fn layers_merge_member_by_member_where_members_are_independent_and_whole_where_they_are_not() {
    let below = parse(&json!({
        "languageCode": "en",
        "voiceDetectionOptions": { "endOfSpeechSensitivity": 0.1, "speechEnhancementLevel": 0.2 },
        "voiceGenerationOptions": { "stability": 0.1, "style": 0.3 },
        "toolIds": [ID],
    }))
    .unwrap();
    let above = parse(&json!({
        "voiceDetectionOptions": { "endOfSpeechSensitivity": 0.9 },
        "voiceGenerationOptions": { "stability": 0.9 },
        "toolIds": [],
    }))
    .unwrap();
    let merged = below.overlaid(&above);
    assert_eq!(
        serde_json::to_value(&merged).unwrap(),
        json!({
            "languageCode": "en",
            "voiceDetectionOptions": { "endOfSpeechSensitivity": 0.9, "speechEnhancementLevel": 0.2 },
            "voiceGenerationOptions": { "stability": 0.9 },
            "toolIds": [],
        })
    );
    let mut winners = below.winners("below");
    winners.extend(above.winners("above"));
    let winners: Vec<(&str, &str)> = winners
        .iter()
        .map(|(at, who)| (at.as_str(), *who))
        .collect();
    assert_eq!(
        winners,
        [
            ("languageCode", "below"),
            ("toolIds", "above"),
            ("voiceDetectionOptions.endOfSpeechSensitivity", "above"),
            ("voiceDetectionOptions.speechEnhancementLevel", "below"),
            ("voiceGenerationOptions", "above"),
        ]
    );
}

#[test]
fn a_nested_object_tells_all_its_faults_in_the_authors_words() {
    let faults = parse(&json!({
        "voiceDetectionOptions": { "endOfSpeechSensitivity": "high", "sensitivity": 1 },
        "sessionOptions": { "videoQuality": "best", "sessionReplay": { "enableSessionReplay": "yes" } },
        "skipGreeting": "no",
        "voiceGenerationOptions": { "speed": "fast", "stability": 2, "emotion": null, "style": [1] },
        "directorNotes": [],
        "tools": [
            "end_call",
            { "type": "system", "name": "end_call" },
            { "type": "system", "name": "stop" },
            null,
            { "type": "client", "name": "open page", "parameter": {} },
        ],
        "toolIds": [5, ID, "x", true],
    }))
    .unwrap_err();
    let messages: Vec<(&str, &str)> = faults
        .iter()
        .map(|fault| (fault.pointer.as_str(), fault.message.as_str()))
        .collect();
    for (pointer, message) in [
        (
            "/voiceDetectionOptions/endOfSpeechSensitivity",
            "must be a number; it is a text",
        ),
        ("/voiceDetectionOptions/sensitivity", "is unknown; "),
        (
            "/sessionOptions/videoQuality",
            "must be one of high or auto",
        ),
        (
            "/sessionOptions/sessionReplay/enableSessionReplay",
            "must be true or false; it is a text",
        ),
        ("/skipGreeting", "must be true or false; it is a text"),
        (
            "/voiceGenerationOptions/speed",
            "must be a number; it is a text",
        ),
        ("/voiceGenerationOptions/stability", "must be 0 to 1"),
        (
            "/voiceGenerationOptions/emotion",
            "leave it out instead of null",
        ),
        (
            "/voiceGenerationOptions/style",
            "must be a number; it is a list",
        ),
        ("/directorNotes", "must be no list"),
        ("/tools/0", "must be an object; it is a text"),
        ("/tools/2/name", ""),
        ("/tools/3", "leave it out instead of null"),
        ("/tools/4/name", ""),
        (
            "/tools/4/parameter",
            "is unknown; did you mean parameters? Known are type, name",
        ),
        ("/toolIds/0", "must be a text in quotes; it is a number"),
        ("/toolIds/2", "must be the UUID"),
        (
            "/toolIds/3",
            "must be a text in quotes; it is true or false",
        ),
    ] {
        let found = messages
            .iter()
            .filter(|(at, _)| *at == pointer)
            .collect::<Vec<_>>();
        assert!(
            matches!(found.as_slice(), [(_, messages)] if messages.starts_with(message)),
            "{pointer}: {messages:?}"
        );
    }
    assert_eq!(messages.len(), 18, "{messages:#?}");
}

#[test]
fn names_of_earlier_days_get_their_successor() {
    for (name, expected) in [
        ("personality", "is unknown; it became systemPrompt"),
        (
            "brainType",
            "is unknown; it became llmId, a UUID that Anam's list of LLMs shows",
        ),
        (
            "fillerPhrases",
            "is unknown; Anam has no filler phrases any more: say in systemPrompt how to bridge a pause",
        ),
        ("skipgreeting", "is unknown; did you mean skipGreeting?"),
    ] {
        let faults = parse(&json!({ name: "x" })).unwrap_err();
        assert!(
            faults[0].message.starts_with(expected),
            "{name}: {faults:?}"
        );
        assert_eq!(faults[0].pointer, format!("/{name}"));
    }
}

#[test]
fn a_table_has_what_is_read_and_nothing_else() {
    use crate::domain::names::names_of;
    fn names(table: &[Setting]) -> Vec<&str> {
        table.iter().map(|setting| setting.name).collect()
    }
    assert_eq!(names(Settings::TABLE), names_of::<Settings>());
    assert_eq!(names(SessionOptions::TABLE), names_of::<SessionOptions>());
    assert_eq!(names(SessionReplay::TABLE), names_of::<SessionReplay>());
}

#[test]
fn a_setting_is_set_by_its_name_with_a_value_of_its_type_only() {
    let mut settings = Settings::default();
    assert!(settings.set("languageCode", json!("de")));
    for (name, value) in [
        ("languageCode", json!(7)),
        ("skipGreeting", json!("no")),
        ("greeting", json!("Hi")),
    ] {
        assert!(!settings.set(name, value), "{name}");
    }
    assert_eq!(settings, parse(&json!({ "languageCode": "de" })).unwrap());
    assert!(settings.has("languageCode") && !settings.has("skipGreeting"));
}

#[test]
fn the_gateway_says_what_anam_leaves_unclear_or_costly() {
    let said = Settings::fallback();
    assert_eq!(
        Value::Object(said.to_document()),
        json!({
            "languageCode": "en",
            "maxSessionLengthSeconds": 3_600,
            "voiceDetectionOptions": { "silenceBeforeSessionEndSeconds": 120 },
            "sessionOptions": { "sessionReplay": { "enableSessionReplay": false } },
        })
    );
    assert_eq!(said.check(), []);
}

#[test]
fn only_single_values_can_be_chosen_by_users() {
    fn nested(table: &[Setting]) -> impl Iterator<Item = &Setting> {
        table.iter().flat_map(|setting| match setting.form {
            Form::Group { members, .. } => members,
            _ => &[],
        })
    }
    for setting in Settings::TABLE {
        let is_single = !matches!(
            setting.form,
            Form::Group { .. } | Form::Ids(_) | Form::Tools
        );
        assert!(is_single || setting.choice.is_none(), "{}", setting.name);
    }
    assert!(nested(Settings::TABLE).all(|setting| setting.choice.is_none()));
}
