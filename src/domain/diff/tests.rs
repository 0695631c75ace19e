use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("{value} is no object")
    };
    members
}

fn change_lines(before: Value, after: Value) -> Vec<(ChangeKind, String)> {
    let changes = diff(&object(before), &object(after)).unwrap();
    changes
        .into_iter()
        .map(|change| (change.change, change.pointer))
        .collect()
}

#[test]
fn each_changed_member_is_told_with_its_place() {
    let before = json!({ "name": "A", "llmId": "x", "voice": { "speed": 1, "a/b": 1 } });
    let after = json!({ "voice": { "a/b": 2, "speed": 1 }, "name": "B", "avatarId": "y" });
    assert_eq!(
        change_lines(before, after),
        [
            (ChangeKind::Change, "/name".into()),
            (ChangeKind::Remove, "/llmId".into()),
            (ChangeKind::Change, "/voice/a~1b".into()),
            (ChangeKind::Add, "/avatarId".into()),
        ]
    );
}

#[test]
fn a_rule_put_in_front_is_one_addition() {
    let before = json!({ "rules": [{ "name": "a", "when": [] }, { "name": "b" }] });
    let after =
        json!({ "rules": [{ "name": "new" }, { "when": [], "name": "a" }, { "name": "b" }] });
    assert_eq!(
        change_lines(before, after),
        [(ChangeKind::Add, "/rules/0".to_owned())]
    );
}

#[test]
fn a_changed_item_is_looked_into() {
    let before = json!({ "rules": [{ "name": "a", "then": 1 }, { "name": "b" }] });
    let after = json!({ "rules": [{ "name": "a", "then": 2 }, { "name": "b" }] });
    assert_eq!(
        change_lines(before, after),
        [(ChangeKind::Change, "/rules/0/then".to_owned())]
    );
}

#[test]
fn a_text_of_several_lines_is_told_line_by_line() {
    let before = object(json!({ "systemPrompt": "Be kind.\nBe brief.\n", "name": "A" }));
    let after = object(json!({ "systemPrompt": "Be kind.\nBe clear.\n", "name": "B" }));
    let changes = diff(&before, &after).unwrap();
    assert_eq!(
        changes[0].text.as_deref(),
        Some("@@ -1,2 +1,2 @@\n Be kind.\n-Be brief.\n+Be clear.\n")
    );
    assert_eq!(changes[1].text, None);
}

#[test]
fn a_document_beyond_256_kb_is_not_compared() {
    let large = object(json!({ "text": "x".repeat(MAX_BYTES) }));
    assert_eq!(diff(&large, &Map::new()), Err(TooLarge));
}

#[test]
fn texts_with_nothing_in_common_are_compared_too() {
    let text = |sign: char| {
        let lines = (0..MAX_COMPARED / 2).map(|number| format!("{sign}{}", number * 7919 % 10_007));
        lines.collect::<Vec<_>>().join("\n")
    };
    // Without the bounds on the search this takes minutes.
    let unified = lines(&text('a'), &text('b')).unwrap();
    assert_eq!(unified.lines().count(), MAX_COMPARED + 1);
}

#[test]
fn lists_with_too_much_that_differs_are_shown_whole() {
    let list = |sign: i32| Value::from((1..15_000).map(|number| sign * number).collect::<Vec<_>>());
    let changes = diff(
        &object(json!({ "l": list(1) })),
        &object(json!({ "l": list(-1) })),
    )
    .unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].pointer, "/l");
    assert_eq!(changes[0].after, Some(list(-1)));
    // What is alike at both ends does not count.
    let mut longer = list(1).as_array().cloned().unwrap();
    longer.insert(7_000, json!("new"));
    let changes = diff(
        &object(json!({ "l": list(1) })),
        &object(json!({ "l": longer })),
    )
    .unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].pointer.as_str(), changes[0].change),
        ("/l/7000", ChangeKind::Add)
    );
}

fn documents() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_i32).prop_map(Value::from),
        "[ab\n]{0,4}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c~/]{1,2}", inner, 0..4)
                .prop_map(|members| json!(members)),
        ]
    });
    prop::collection::btree_map("[a-d]", value, 0..5).prop_map(|members| object(json!(members)))
}

proptest! {
    #[test]
    fn a_document_does_not_differ_from_itself(document in documents()) {
        prop_assert_eq!(diff(&document, &document), Ok(Vec::new()));
    }

    #[test]
    fn every_change_shows_what_stood_and_what_stands_there(before in documents(), after in documents()) {
        let (old, new) = (Value::Object(before.clone()), Value::Object(after.clone()));
        let changes = diff(&before, &after).unwrap();
        prop_assert_eq!(changes.is_empty(), old == new);
        for change in changes {
            if change.change == ChangeKind::Remove {
                prop_assert_eq!(old.pointer(&change.pointer), change.before.as_ref());
            } else {
                prop_assert_eq!(new.pointer(&change.pointer), change.after.as_ref());
            }
        }
    }
}
