use super::*;
use crate::domain::catalogue::CatalogueEntry;
use crate::domain::policy::Policy;

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn tenant() -> (Policy, Catalogue) {
    let policy = Policy::parse(&members(&json!({ "preferences": {
        "level": { "values": ["low", "high"] },
        "nick": { "maxLength": 3 },
        "captions": { "type": "boolean" },
        "pace": { "minimum": 0.5, "maximum": 2 },
    } })))
    .unwrap();
    let mut catalogue = Catalogue::default();
    for id in ["a", "b"] {
        let entry = json!({ "id": id, "name": id });
        catalogue.push(
            CatalogueKind::Avatar,
            serde_json::from_value::<CatalogueEntry>(entry).unwrap(),
        );
    }
    (policy, catalogue)
}

#[test]
fn every_kind_of_preference_takes_what_it_should_and_reads_back_the_same() {
    let (policy, catalogue) = tenant();
    let choices = json!({
        "avatarId": "b", "displayName": "Åsa 🦀", "tone": "dry", "systemPrompt": "Two\nlines.",
        "level": "high", "nick": "bob", "captions": true, "pace": 2,
    });
    let parsed =
        Preferences::parse(&members(&choices), &policy.preference_fields, &catalogue).unwrap();
    assert_eq!(Value::Object(parsed.to_document()), choices);
    assert_eq!(Preferences::from_stored(parsed.to_document()), parsed);
}

#[test]
fn every_wrong_choice_is_told_with_what_it_may_be() {
    let (policy, catalogue) = tenant();
    let long = "x".repeat(4_001);
    for (field, value, said) in [
        ("avatarId", json!("c"), "must be one of: a, b"),
        ("avatarId", json!(["a"]), "must be one of: a, b"),
        ("voiceId", json!("a"), "the catalogue has none"),
        ("level", json!("LOW"), "must be one of: low, high"),
        ("nick", json!("bobs"), "1 to 3 characters"),
        (
            "nick",
            json!("a\u{202E}"),
            "it holds U+202E MARK OF WRITING DIRECTION at character 2",
        ),
        ("nick", json!(""), "1 to 3 characters"),
        ("captions", json!("yes"), "must be true or false"),
        ("pace", json!(2.01), "must be a number from 0.5 to 2"),
        ("pace", json!("1"), "must be a number from 0.5 to 2"),
        ("systemPrompt", json!(long), "1 to 4000 characters"),
        ("displayName", json!("a\nb"), "must be one line"),
        (
            "other",
            json!(1),
            "is unknown; preferences are avatarId, voiceId",
        ),
    ] {
        let choice = Map::from_iter([(field.to_owned(), value.clone())]);
        let faults =
            Preferences::parse(&choice, &policy.preference_fields, &catalogue).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].pointer, format!("/{field}"));
        assert!(
            faults[0].message.contains(said),
            "{value}: {}",
            faults[0].message
        );
    }
}

#[test]
fn what_is_stored_in_a_shape_that_no_preference_has_is_dropped() {
    let stored = json!({ "tone": "dry", "nested": { "a": 1 }, "mixed": [1, "a"], "nothing": null });
    let read = Preferences::from_stored(members(&stored));
    assert_eq!(Value::Object(read.to_document()), json!({ "tone": "dry" }));
}

#[test]
fn a_definition_of_a_preference_reads_back_the_same_or_is_refused() {
    for good in [
        json!({ "values": ["a", "b c"] }),
        json!({ "maxLength": 500 }),
        json!({ "type": "boolean" }),
        json!({ "minimum": -1, "maximum": 1 }),
    ] {
        let field = PreferenceField::parse("field", &good).unwrap();
        assert_eq!(field.to_document(), good);
    }
    for bad in [
        json!({}),
        json!({ "values": [] }),
        json!({ "values": ["a\nb"] }),
        json!({ "maxLength": 0 }),
        json!({ "maxLength": 501 }),
        json!({ "type": "string" }),
        json!({ "minimum": 2, "maximum": 1 }),
        json!({ "minimum": 1 }),
        json!({ "values": ["a"], "maxLength": 1 }),
        json!("text"),
    ] {
        assert!(PreferenceField::parse("field", &bad).is_err(), "{bad}");
    }
    for name in ["", "1a", "a-b", "a.b", "ä", &"a".repeat(65)] {
        assert!(
            PreferenceField::parse(name, &json!({ "type": "boolean" })).is_err(),
            "{name}"
        );
    }
}
