//! Changes at every place of a bundle: what the schema refuses, the parser refuses.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::judges::{against, fits, full, reads};

/// The pointers of every place in a value.
pub(crate) fn places(value: &Value) -> Vec<String> {
    fn walk(at: &str, value: &Value, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let step = name.replace('~', "~0").replace('/', "~1");
                    walk(&format!("{at}/{step}"), member, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(&format!("{at}/{index}"), item, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

/// Values of every type.
fn intruders() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(-1),
        json!(0),
        json!(1),
        json!(0.65),
        json!(1_000_000_000),
        json!(""),
        json!("nope"),
        json!("UPPER and spaces"),
        json!([]),
        json!([1]),
        json!(["x"]),
        json!(["x", "y"]),
        json!([false]),
        json!(["x", [], { "persona": "guide" }]),
        json!(["user.plan", "equals", ["pro"]]),
        json!(["guide", 1]),
        json!({}),
        json!({ "nope": 1 }),
    ]
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    Add,
    Rename,
}

fn changes() -> Vec<Change> {
    let replacements = intruders().into_iter().map(Change::Replace);
    replacements
        .chain([Change::Remove, Change::Add, Change::Rename])
        .collect()
}

fn changed(bundle: &Value, place: &str, change: &Change) -> Option<Value> {
    let mut mutant = bundle.clone();
    match change {
        Change::Replace(value) => *mutant.pointer_mut(place)? = value.clone(),
        Change::Add => {
            mutant
                .pointer_mut(place)?
                .as_object_mut()?
                .insert("nope".into(), json!(1));
        }
        Change::Remove | Change::Rename => {
            let (parent, name) = place.rsplit_once('/')?;
            let name = name.replace("~1", "/").replace("~0", "~");
            let parent = mutant.pointer_mut(parent)?;
            let taken = match parent {
                Value::Object(members) => members.remove(&name)?,
                Value::Array(items) => items.remove(name.parse().ok()?),
                _ => return None,
            };
            if matches!(change, Change::Rename) {
                parent.as_object_mut()?.insert(format!("{name}X"), taken);
            }
        }
    }
    Some(mutant)
}

/// Why the parser may refuse what the schema takes, by what its faults say.
pub(crate) const BEYOND_A_SCHEMA: [(&str, &str); 10] = [
    (
        "pins no version of the snippet",
        "what a template prints is not seen by a schema",
    ),
    (
        "must be a URL",
        "the grammar of URLs is not a pattern that people could read",
    ),
    ("must start with https://", "the same"),
    ("is an alias of", "uniqueness over several members"),
    ("is the key of a context", "uniqueness over several members"),
    (
        "two of them accept tokens",
        "uniqueness over several members",
    ),
    ("is in this list twice", "uniqueness by one member"),
    (
        "must be a time such as",
        "a format is for people, and asserts nothing",
    ),
    (
        "must be {\"values\": [...]}",
        "minimum and maximum compare with each other; invisible characters",
    ),
    (
        "must be a whole number",
        "1.0 is an integer to JSON Schema, and not to the parser",
    ),
];

fn is_beyond_a_schema(bundle: &Value) -> bool {
    let faults = persona_gateway::authoring::bundle::Bundle::parse(bundle).unwrap_err();
    faults.iter().all(|fault| {
        BEYOND_A_SCHEMA
            .iter()
            .any(|(part, _)| fault.message.contains(part))
    })
}

#[test]
fn each_single_change_is_judged_alike() {
    let full = full();
    let (mut seen, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for place in places(&full) {
        for change in changes() {
            let Some(mutant) = changed(&full, &place, &change) else {
                continue;
            };
            seen += 1;
            match (fits(&mutant), reads(&mutant)) {
                (true, true) => {}
                (false, false) => refused += 1,
                (true, false) if is_beyond_a_schema(&mutant) => refused += 1,
                (true, false) => wrong.push(format!(
                    "only the parser refuses {change:?} at {place}: {:?}",
                    persona_gateway::authoring::bundle::Bundle::parse(&mutant).unwrap_err()
                )),
                (false, true) => wrong.push(format!(
                    "only the schema refuses {change:?} at {place}: {:?}",
                    against(&mutant)
                )),
            }
        }
    }
    assert!(
        seen > 3_000 && refused > 2_000,
        "{seen} changes, {refused} refused"
    );
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_the_schema_refuses_the_parser_refuses(
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4)
    ) {
        let mut bundle = full();
        for (place, change) in steps {
            let places = places(&bundle);
            let changes = changes();
            let at: &String = place.get(&places);
            if let Some(mutant) = changed(&bundle, at, change.get(&changes)) {
                bundle = mutant;
            }
        }
        if !fits(&bundle) {
            prop_assert!(!reads(&bundle), "{:?}", against(&bundle));
        }
    }
}
