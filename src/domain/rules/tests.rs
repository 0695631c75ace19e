use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::*;

struct World {
    user: Facts,
    preferences: Preferences,
    metadata: Metadata,
    now: DateTime<Utc>,
    time_zone: Tz,
}

impl World {
    fn new() -> Self {
        let members = |value: Value| value.as_object().cloned().unwrap();
        let user: BTreeMap<String, Fact> = serde_json::from_value(json!({
            "plan": "enterprise", "seats": 25, "beta": true, "roles": ["admin", "billing"], "since": "2025-03-01",
        }))
        .unwrap();
        Self {
            user,
            preferences: Preferences::from_stored(members(json!({ "tone": "dry", "level": 3 }))),
            metadata: members(json!({
                "priority": "high",
                "ticket": { "age": 4.5, "tags": ["bug", 7, "urgent"], "open": false, "none": null },
            }))
            .into(),
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            time_zone: Tz::UTC,
        }
    }

    fn holds(&self, clause: &Value) -> bool {
        let rule: Rule = serde_json::from_value(json!({
            "name": "r", "when": [clause], "then": { "persona": "p" },
        }))
        .unwrap();
        assert_eq!(rule.check(), [], "{clause}");
        let attributes = Attributes {
            user: &self.user,
            preferences: &self.preferences,
            metadata: &self.metadata,
            now: self.now,
            time_zone: self.time_zone,
        };
        rule.first_failed(&attributes, &mut Effort::default()) == Ok(None)
    }
}

#[test]
fn each_operator_compares_as_its_name_says() {
    let world = World::new();
    for (attribute, operator, values, expected) in [
        ("user.plan", "equals", json!(["enterprise"]), true),
        ("user.plan", "equals", json!(["pro", "enterprise"]), true),
        ("user.plan", "equals", json!(["Enterprise"]), false),
        ("user.seats", "equals", json!([25.0]), true),
        ("user.seats", "equals", json!(["25"]), false),
        ("user.beta", "equals", json!([true]), true),
        ("user.beta", "equals", json!(["true"]), false),
        ("user.absent", "equals", json!(["x"]), false),
        ("user.plan", "not_equals", json!(["pro"]), true),
        (
            "user.plan",
            "not_equals",
            json!(["pro", "enterprise"]),
            false,
        ),
        ("user.absent", "not_equals", json!(["x"]), true),
        ("user.roles", "contains", json!(["billing"]), true),
        ("user.roles", "contains", json!(["bill"]), false),
        ("user.plan", "contains", json!(["price", "prise"]), true),
        ("user.seats", "contains", json!([25]), false),
        ("user.roles", "not_contains", json!(["owner"]), true),
        (
            "user.roles",
            "not_contains",
            json!(["owner", "admin"]),
            false,
        ),
        ("user.absent", "not_contains", json!(["x"]), true),
        ("user.plan", "starts_with", json!(["ent"]), true),
        ("user.plan", "starts_with", json!(["prise"]), false),
        ("user.plan", "ends_with", json!(["prise"]), true),
        ("user.seats", "at_least", json!([25]), true),
        ("user.seats", "at_least", json!([25.5]), false),
        ("user.seats", "at_most", json!([25]), true),
        ("user.seats", "more_than", json!([25]), false),
        ("user.seats", "more_than", json!([24.9]), true),
        ("user.seats", "less_than", json!([25]), false),
        ("user.seats", "less_than", json!(["26"]), false),
        ("user.since", "less_than", json!(["2025-10-01"]), true),
        ("user.since", "at_least", json!(["2025-03-01"]), true),
        ("user.absent", "at_most", json!([1]), false),
        ("user.plan", "is_present", json!([]), true),
        ("user.absent", "is_present", json!([]), false),
        ("user.absent", "is_absent", json!([]), true),
        ("preferences.tone", "equals", json!(["dry"]), true),
        ("preferences.level", "more_than", json!([2]), true),
        (
            "metadata.priority",
            "equals",
            json!(["high", "urgent"]),
            true,
        ),
        ("metadata.ticket.age", "more_than", json!([4]), true),
        ("metadata.ticket.tags", "contains", json!(["urgent"]), true),
        ("metadata.ticket.open", "equals", json!([false]), true),
        ("metadata.ticket.none", "is_absent", json!([]), true),
        ("metadata.ticket", "is_absent", json!([]), true),
        ("metadata.ticket.age.deeper", "is_absent", json!([]), true),
    ] {
        let mut clause = json!({ "attribute": attribute, "operator": operator });
        if values != json!([]) {
            clause["values"] = values;
        }
        assert_eq!(world.holds(&clause), expected, "{clause}");
    }
}

#[test]
fn time_is_read_in_the_tenants_time_zone() {
    let mut world = World::new();
    for (now, zone, attribute, value) in [
        (
            "2026-11-24T23:30:00Z",
            "UTC",
            "time.weekday",
            json!("tuesday"),
        ),
        (
            "2026-11-24T23:30:00Z",
            "Asia/Tokyo",
            "time.weekday",
            json!("wednesday"),
        ),
        (
            "2026-11-24T23:30:00Z",
            "Asia/Tokyo",
            "time.date",
            json!("2026-11-25"),
        ),
        ("2026-11-24T23:30:00Z", "Asia/Tokyo", "time.hour", json!(8)),
        (
            "2026-11-24T02:05:00Z",
            "America/New_York",
            "time.weekday",
            json!("monday"),
        ),
        (
            "2026-11-24T02:05:00Z",
            "America/New_York",
            "time.time",
            json!("21:05"),
        ),
        // Both sides of the hour that Berlin skips, and of the one it has twice.
        (
            "2026-03-29T00:59:00Z",
            "Europe/Berlin",
            "time.time",
            json!("01:59"),
        ),
        (
            "2026-03-29T01:00:00Z",
            "Europe/Berlin",
            "time.time",
            json!("03:00"),
        ),
        (
            "2026-10-25T00:30:00Z",
            "Europe/Berlin",
            "time.hour",
            json!(2),
        ),
        (
            "2026-10-25T01:30:00Z",
            "Europe/Berlin",
            "time.hour",
            json!(2),
        ),
        (
            "2026-11-24T18:20:00Z",
            "Asia/Kathmandu",
            "time.time",
            json!("00:05"),
        ),
    ] {
        world.now = now.parse().unwrap();
        world.time_zone = zone.parse().unwrap();
        let clause = json!({ "attribute": attribute, "operator": "equals", "values": [value] });
        assert!(world.holds(&clause), "{now} in {zone}: {clause}");
    }
    world.now = "2026-11-24T08:30:00Z".parse().unwrap();
    world.time_zone = Tz::UTC;
    let from = json!({ "attribute": "time.time", "operator": "at_least", "values": ["08:30"] });
    let until = json!({ "attribute": "time.time", "operator": "less_than", "values": ["17:00"] });
    assert!(world.holds(&from) && world.holds(&until));
}

#[test]
fn an_attribute_names_one_value_of_a_known_root() {
    for good in [
        "user.plan",
        "preferences.tone",
        "metadata.a.b.c",
        "time.hour",
    ] {
        let attribute = Attribute::try_from(good.to_owned()).unwrap();
        assert_eq!(String::from(attribute), good, "reads back the same");
    }
    let long = format!("metadata.{}", "a".repeat(200));
    for bad in [
        "",
        "user",
        "user.",
        "user.a.b",
        "time.minute",
        "secrets.key",
        "metadata..a",
        &long,
    ] {
        assert!(Attribute::try_from(bad.to_owned()).is_err(), "{bad}");
    }
}

#[test]
fn a_rule_that_could_not_work_is_told_when_it_is_saved() {
    let check = |rule: Value| -> Vec<String> {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        rule.check()
            .into_iter()
            .map(|fault| fault.pointer)
            .collect()
    };
    let clause = |operator: &str, values: Value| json!({ "attribute": "user.plan", "operator": operator, "values": values });
    let rule =
        |clauses: Vec<Value>, then: Value| json!({ "name": "r", "when": clauses, "then": then });
    let one = json!({ "persona": "p" });
    for (clauses, then, expected) in [
        (
            vec![clause("equals", json!([]))],
            one.clone(),
            "/when/0/values",
        ),
        (
            vec![clause("is_present", json!(["x"]))],
            one.clone(),
            "/when/0/values",
        ),
        (
            vec![clause("equals", json!([["a"]]))],
            one.clone(),
            "/when/0/values",
        ),
        (
            vec![clause("starts_with", json!([1]))],
            one.clone(),
            "/when/0/values",
        ),
        (vec![clause("equals", json!(["x"])); 51], one, "/when"),
        (
            vec![],
            json!({ "split": [{ "persona": "p", "weight": 1 }] }),
            "/then/split",
        ),
        (
            vec![],
            json!({ "split": [{ "persona": "p", "weight": 0 }, { "persona": "q", "weight": 0 }] }),
            "/then/split",
        ),
        (
            vec![],
            json!({ "split": [{ "persona": "p", "weight": 10_001 }, { "persona": "q", "weight": 1 }] }),
            "/then/split",
        ),
    ] {
        assert_eq!(check(rule(clauses, then.clone())), [expected], "{then}");
    }
    let none: Map<String, Value> = Map::new();
    assert!(serde_json::from_value::<Rule>(Value::Object(none)).is_err());
}

#[test]
fn rules_read_as_much_as_they_may_and_no_more() {
    let mut world = World::new();
    let tried = |world: &World, values: usize| {
        let values: Vec<String> = (0..values).map(|at| format!("never {at}")).collect();
        let clause =
            json!({ "attribute": "metadata.said", "operator": "contains", "values": values });
        let rule: Rule = serde_json::from_value(
            json!({ "name": "r", "when": [clause], "then": { "persona": "p" } }),
        )
        .unwrap();
        rule.first_failed(
            &Attributes {
                user: &world.user,
                preferences: &world.preferences,
                metadata: &world.metadata,
                now: world.now,
                time_zone: world.time_zone,
            },
            &mut Effort::default(),
        )
    };
    let said = |said: Value| Map::from_iter([("said".to_owned(), said)]).into();
    world.metadata = said(json!("x".repeat(2_000)));
    assert_eq!(tried(&world, 200), Ok(Some(0)));
    world.metadata = said(json!("x".repeat(64_000)));
    assert_eq!(tried(&world, 50), Ok(Some(0)));
    assert_eq!(tried(&world, 200), Err(TooMuch));
    world.metadata = said(json!(vec![1; 32_000]));
    assert_eq!(tried(&world, 200), Err(TooMuch));
}
