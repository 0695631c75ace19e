use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("{value} is no object")
    };
    members
}

fn merged(base: Value, theirs: Value, ours: Value) -> Result<Value, Vec<Conflict>> {
    merged_maps(&object(base), &object(theirs), &object(ours)).map(Value::Object)
}

fn settled(
    base: Value,
    theirs: Value,
    ours: Value,
    choices: &[(&str, Side)],
) -> Result<Value, Unmerged> {
    let choices = choices.iter().map(|(at, side)| ((*at).to_owned(), *side));
    let (base, theirs, ours) = (object(base), object(theirs), object(ours));
    merge(&base, &theirs, &ours, &choices.collect()).map(Value::Object)
}

#[test]
fn a_choice_says_whose_value_stays_at_its_place_and_below_and_the_longest_counts() {
    let base = json!({ "a": 1, "deep": { "x": 1, "y": 1 }, "gone": 1 });
    let theirs = json!({ "a": 2, "deep": { "x": 2, "y": 2 } });
    let ours = json!({ "a": 3, "deep": { "x": 3, "y": 3 }, "gone": 5 });
    let settled =
        |choices: &[(&str, Side)]| settled(base.clone(), theirs.clone(), ours.clone(), choices);
    assert_eq!(settled(&[("", Side::Ours)]), Ok(ours.clone()));
    assert_eq!(settled(&[("", Side::Theirs)]), Ok(theirs.clone()));
    assert_eq!(
        settled(&[
            ("/a", Side::Ours),
            ("/deep", Side::Theirs),
            ("/deep/y", Side::Ours),
            ("/gone", Side::Theirs)
        ]),
        Ok(json!({ "a": 3, "deep": { "x": 2, "y": 3 } }))
    );
    let Err(Unmerged::Conflicts(left)) = settled(&[("/deep", Side::Ours)]) else {
        panic!("two members are open")
    };
    let places: Vec<&str> = left.iter().map(|one| one.pointer.as_str()).collect();
    assert_eq!(places, ["/a", "/gone"]);
}

#[test]
fn a_choice_where_there_is_nothing_to_choose_is_told() {
    let base = json!({ "a": 1, "list": [1] });
    let theirs = json!({ "a": 2, "list": [1] });
    let ours = json!({ "a": 3, "list": [2] });
    let choices = [
        ("/a", Side::Ours),
        ("/ab", Side::Ours),
        ("/list", Side::Theirs),
    ];
    assert_eq!(
        settled(base, theirs, ours, &choices),
        Err(Unmerged::NoConflictAt(vec![
            "/ab".to_owned(),
            "/list".to_owned()
        ]))
    );
}

#[test]
fn changes_of_different_fields_come_together() {
    let base = json!({ "name": "A", "llmId": "x", "voice": { "speed": 1, "style": 1 }, "old": 1 });
    let theirs =
        json!({ "name": "B", "llmId": "x", "voice": { "speed": 2, "style": 1 }, "old": 1 });
    let ours =
        json!({ "name": "A", "llmId": "y", "voice": { "speed": 1, "style": 3 }, "new": [1] });
    assert_eq!(
        merged(base, theirs, ours),
        Ok(json!({ "name": "B", "llmId": "y", "voice": { "speed": 2, "style": 3 }, "new": [1] }))
    );
}

#[test]
fn the_same_change_on_both_sides_is_no_conflict() {
    let base = json!({ "a": 1, "gone": 1 });
    let both = json!({ "a": 2, "b": [1, 2] });
    assert_eq!(merged(base, both.clone(), both.clone()), Ok(both));
}

#[test]
fn every_conflict_is_told_with_all_three_values() {
    let base = json!({ "a": 1, "list": [1], "deep": { "x~": 1, "y": 1 }, "gone": 1 });
    let theirs = json!({ "a": 2, "list": [1, 2], "deep": { "x~": 2, "y": 1 } });
    let ours = json!({ "a": 3, "list": [0, 1], "deep": { "x~": 3, "y": 2 }, "gone": 5 });
    let conflicts = merged(base, theirs, ours).unwrap_err();
    let places: Vec<&str> = conflicts
        .iter()
        .map(|conflict| conflict.pointer.as_str())
        .collect();
    assert_eq!(places, ["/a", "/list", "/deep/x~0", "/gone"]);
    assert_eq!(
        serde_json::to_value(&conflicts[3]).unwrap(),
        json!({ "pointer": "/gone", "base": 1, "ours": 5 })
    );
}

#[test]
fn two_objects_that_both_added_are_not_mixed() {
    let conflicts = merged(
        json!({}),
        json!({ "default": { "persona": "a" } }),
        json!({ "default": { "split": [] } }),
    );
    assert_eq!(conflicts.unwrap_err()[0].pointer, "/default");
}

/// Things by name; what each says stands behind an equals sign.
fn rules(written: &str) -> Value {
    let things = written.split_whitespace().map(|thing| {
        let (name, says) = thing.split_once('=').unwrap_or((thing, ""));
        json!({ "name": name, "says": says })
    });
    json!({ "rules": things.collect::<Vec<_>>() })
}

fn merged_rules(base: &str, theirs: &str, ours: &str) -> Result<Value, Vec<String>> {
    merged(rules(base), rules(theirs), rules(ours)).map_err(|conflicts| {
        let places = conflicts.into_iter().map(|conflict| conflict.pointer);
        places.collect()
    })
}

#[test]
fn two_who_change_different_rules_do_not_meet() {
    for (base, theirs, ours, both) in [
        ("a b c", "a=1 b c", "a b c=2", "a=1 b c=2"),
        ("a b c", "a=1 b", "a b=2 c", "a=1 b=2"),
        ("a b", "a x b", "a b y", "a x b y"),
        ("a", "x a", "y a", "y x a"),
        // An order, and something else.
        ("a b c", "c a b", "a b=2 c", "c a b=2"),
        ("a b c", "a=1 b c", "b c a", "b c a=1"),
        ("a b c", "c a b", "a x b c", "c a x b"),
        ("a b c d", "b a c d", "a b d c", "b a d c"),
        ("a b c", "b a c", "b a=1 c", "b a=1 c"),
        // A rule that is called by what it says has another name after its change.
        ("a b c", "a b2=1 c", "a=2 b c", "a=2 b2=1 c"),
        ("a b c", "b2=1 c a", "a b c=2", "b2=1 c=2 a"),
        ("a b", "b", "a b c", "b c"),
    ] {
        assert_eq!(
            merged_rules(base, theirs, ours),
            Ok(rules(both)),
            "{base} | {theirs} | {ours}"
        );
    }
    let added = merged(json!({}), rules("a"), rules("b"));
    assert_eq!(added, Ok(rules("b a")));
    let dropped = merged(rules("a"), json!({}), rules("a b"));
    assert_eq!(dropped, Ok(rules("b")));
    assert_eq!(
        merged(rules("a"), json!({}), json!({ "rules": [] }))
            .unwrap_err()
            .len(),
        1
    );
}

#[test]
fn who_changes_the_same_rule_is_asked() {
    for (base, theirs, ours, places) in [
        ("a b", "a=1 b", "a=2 b", vec!["/rules/a"]),
        ("a b", "b", "a=2 b", vec!["/rules/a"]),
        ("a b", "a b x=1", "a b x=2", vec!["/rules/x"]),
        ("a b", "a1=1 b", "a2=2 b", vec!["/rules/a"]),
        ("a b", "a1=1 b", "b a2=2", vec!["/rules/a"]),
        ("a b c", "b a c", "a c b", vec!["/rules"]),
        ("a b c", "b a=1 c", "a=2 c b", vec!["/rules", "/rules/a"]),
    ] {
        let asked = merged_rules(base, theirs, ours);
        assert_eq!(asked.unwrap_err(), places, "{base} | {theirs} | {ours}");
    }
    let (base, theirs, ours) = (rules("a b c"), rules("b a=1 c"), rules("a=2 c b"));
    let conflicts = merged(base.clone(), theirs.clone(), ours.clone()).unwrap_err();
    assert_eq!(conflicts[0].theirs, Some(json!(["b", "a", "c"])));
    assert_eq!(conflicts[1].ours, Some(json!({ "name": "a", "says": "2" })));
    let choices = [("/rules", Side::Ours), ("/rules/a", Side::Theirs)];
    assert_eq!(settled(base, theirs, ours, &choices), Ok(rules("a=1 c b")));
}

#[test]
fn lists_whose_things_have_no_name_of_their_own_are_taken_whole() {
    for (base, theirs, ours) in [
        (json!(["a"]), json!(["a", "b"]), json!(["c", "a"])),
        (
            rules("a")["rules"].clone(),
            rules("a a")["rules"].clone(),
            rules("b")["rules"].clone(),
        ),
        (
            json!([{ "name": 1 }]),
            json!([]),
            rules("b")["rules"].clone(),
        ),
    ] {
        let list = |value: Value| json!({ "list": value });
        let conflicts = merged(list(base), list(theirs), list(ours)).unwrap_err();
        assert_eq!(conflicts[0].pointer, "/list");
    }
}

fn orders() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, Vec<usize>)> {
    let order = || Just((0..6).collect::<Vec<usize>>()).prop_shuffle();
    (order(), order(), order())
}

fn documents() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3_i32).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members)),
        ]
    });
    prop::collection::btree_map("[a-d]", value, 0..5).prop_map(|members| object(json!(members)))
}

fn turned(conflicts: Vec<Conflict>) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut turned: Vec<_> = conflicts
        .into_iter()
        .map(|conflict| (conflict.pointer, conflict.theirs, conflict.ours))
        .collect();
    turned.sort_by(|a, b| a.0.cmp(&b.0));
    turned
}

fn merged_maps(
    base: &Map<String, Value>,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Conflict>> {
    match merge(base, theirs, ours, &Choices::new()) {
        Err(Unmerged::Conflicts(conflicts)) => Err(conflicts),
        other => Ok(other.unwrap()),
    }
}

proptest! {
    #[test]
    fn every_two_rules_that_somebody_turned_round_are_turned_round((base, theirs, ours) in orders()) {
        let written = |order: &[usize]| {
            let names: Vec<String> = order.iter().map(|number| format!("r{number}")).collect();
            rules(&names.join(" "))
        };
        if let Ok(both) = merged(written(&base), written(&theirs), written(&ours)) {
            let both: Vec<usize> = both["rules"].as_array().unwrap().iter()
                .map(|rule| rule["name"].as_str().unwrap().trim_start_matches('r').parse().unwrap())
                .collect();
            prop_assert_eq!(both.len(), 6);
            let before = |order: &[usize], a, b| order.iter().position(|n| *n == a) < order.iter().position(|n| *n == b);
            for (a, b) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))).filter(|(a, b)| a != b) {
                for side in [&theirs, &ours] {
                    if before(side, a, b) != before(&base, a, b) {
                        prop_assert_eq!(before(&both, a, b), before(side, a, b));
                    }
                }
            }
        }
    }

    #[test]
    fn one_sides_changes_alone_are_taken_as_they_are(base in documents(), side in documents()) {
        prop_assert_eq!(merged_maps(&base, &base, &side), Ok(side.clone()));
        prop_assert_eq!(merged_maps(&base, &side, &base), Ok(side.clone()));
        prop_assert_eq!(merged_maps(&base, &side, &side), Ok(side));
    }

    #[test]
    fn it_does_not_matter_who_comes_first(base in documents(), one in documents(), two in documents()) {
        match (merged_maps(&base, &one, &two), merged_maps(&base, &two, &one)) {
            (Ok(a), Ok(b)) => prop_assert_eq!(a, b),
            (Err(a), Err(b)) => {
                let straight: Vec<_> = turned(b);
                let swapped: Vec<_> = turned(a).into_iter().map(|(at, theirs, ours)| (at, ours, theirs)).collect();
                prop_assert_eq!(straight, swapped);
            }
            (a, b) => prop_assert!(false, "{a:?} but {b:?}"),
        }
    }

    #[test]
    fn members_that_only_one_side_touched_never_conflict(base in documents(), ours in documents(), theirs in documents()) {
        // Ours touches a and b, theirs c and d.
        let keep = |document: &Map<String, Value>, names: [&str; 2]| -> Map<String, Value> {
            let own = document.iter().filter(|(name, _)| names.contains(&name.as_str()));
            let rest = base.iter().filter(|(name, _)| !names.contains(&name.as_str()));
            own.chain(rest).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let (ours, theirs) = (keep(&ours, ["a", "b"]), keep(&theirs, ["c", "d"]));
        let merged = merged_maps(&base, &theirs, &ours);
        prop_assert!(merged.is_ok());
        let merged = merged.unwrap();
        for name in ["a", "b"] {
            prop_assert_eq!(merged.get(name), ours.get(name));
        }
        for name in ["c", "d"] {
            prop_assert_eq!(merged.get(name), theirs.get(name));
        }
    }

    #[test]
    fn a_conflict_is_where_both_differ_from_the_base_and_from_each_other(
        base in documents(), ours in documents(), theirs in documents()
    ) {
        let (b, t, o) = (Value::Object(base.clone()), Value::Object(theirs.clone()), Value::Object(ours.clone()));
        if let Err(conflicts) = merged_maps(&base, &theirs, &ours) {
            for conflict in conflicts {
                prop_assert_eq!(b.pointer(&conflict.pointer), conflict.base.as_ref());
                prop_assert_eq!(t.pointer(&conflict.pointer), conflict.theirs.as_ref());
                prop_assert_eq!(o.pointer(&conflict.pointer), conflict.ours.as_ref());
                prop_assert_ne!(&conflict.ours, &conflict.theirs);
                prop_assert_ne!(&conflict.ours, &conflict.base);
                prop_assert_ne!(&conflict.theirs, &conflict.base);
            }
        }
    }
}
