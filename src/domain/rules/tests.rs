use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, json};

use super::*;
use crate::domain::caller::Facts;
use crate::domain::preferences::Preferences;
use crate::domain::request::Metadata;

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
            "scores": [5.0, 1_546_130_668_394_913_822_i64], "app": "2.10.0", "paid": 1_795_509_000,
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

    fn attributes(&self) -> Attributes<'_> {
        Attributes {
            user: &self.user,
            preferences: &self.preferences,
            metadata: &self.metadata,
            now: self.now,
            time_zone: self.time_zone,
        }
    }

    fn tried(&self, clause: &Value) -> Result<RuleTried, TooMuch> {
        let rule = rule(clause);
        assert_eq!(rule.check(), [], "{clause}");
        let attributes = self.attributes();
        rule.try_on(&mut Lookup::new(&attributes), &mut Effort::default())
    }

    fn holds(&self, clause: &Value) -> bool {
        self.tried(clause).unwrap().failed_clause.is_none()
    }
}

fn rule(clause: &Value) -> Rule {
    serde_json::from_value(json!({ "name": "r", "when": [clause], "then": { "persona": "p" } }))
        .unwrap()
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
        ("user.scores", "contains", json!([5]), true),
        ("user.scores", "contains", json!(["5"]), false),
        (
            "user.scores",
            "contains",
            json!([1_546_130_668_394_913_822_i64]),
            true,
        ),
        (
            "user.scores",
            "contains",
            json!([1_546_130_668_394_913_823_i64]),
            false,
        ),
        ("user.scores", "not_contains", json!([5]), false),
        ("metadata.ticket.tags", "contains", json!([7]), true),
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
fn texts_are_read_as_the_clause_says() {
    let mut world = World::new();
    world.metadata = json!({
        "city": "Straße", "tags": ["Bug", "URGENT"], "at": "2026-11-24T23:30:00Z", "word": "ΟΔΟΣ",
    })
    .as_object()
    .cloned()
    .unwrap()
    .into();
    for (attribute, operator, read_as, value, expected) in [
        ("user.plan", "equals", "caseless", "ENTERPRISE", true),
        ("user.plan", "not_equals", "caseless", "Enterprise", false),
        ("user.plan", "starts_with", "caseless", "ENT", true),
        ("user.plan", "contains", "caseless", "PRISE", true),
        ("metadata.city", "equals", "caseless", "STRASSE", true),
        ("metadata.word", "equals", "caseless", "οδος", true),
        ("metadata.tags", "contains", "caseless", "bug", true),
        ("metadata.tags", "not_contains", "caseless", "urgent", false),
        ("user.app", "at_least", "version", "2.9", true),
        ("user.app", "equals", "version", "2.10", true),
        ("user.app", "less_than", "version", "2.10.0-rc.1", false),
        ("user.plan", "at_least", "version", "0", false),
        ("user.since", "less_than", "date", "2025-03-02", true),
        ("user.paid", "at_least", "date", "2026-11-24", true),
        ("user.paid", "less_than", "date", "2026-11-25", true),
        ("metadata.at", "equals", "date", "2026-11-24", true),
        (
            "metadata.at",
            "less_than",
            "date",
            "2026-11-24T23:30:01Z",
            true,
        ),
        (
            "metadata.at",
            "at_least",
            "date",
            "2026-11-25T00:30:00+01:00",
            true,
        ),
        ("user.plan", "not_equals", "date", "2026-11-24", true),
    ] {
        let clause = json!({ "attribute": attribute, "operator": operator, "as": read_as, "values": [value] });
        assert_eq!(world.holds(&clause), expected, "{clause}");
    }
    // A moment has the day of the tenant's time zone.
    world.time_zone = "Asia/Tokyo".parse().unwrap();
    let clause = json!({ "attribute": "metadata.at", "operator": "equals", "as": "date", "values": ["2026-11-25"] });
    assert!(world.holds(&clause));
}

#[test]
fn a_window_may_go_across_midnight() {
    let mut world = World::new();
    for (hour, minute, values, expected) in [
        (21, 59, json!([22, 6]), false),
        (22, 0, json!([22, 6]), true),
        (5, 59, json!([22, 6]), true),
        (6, 0, json!([22, 6]), false),
        (12, 0, json!([9, 17]), true),
        (17, 0, json!([9, 17]), false),
        (23, 59, json!([20, 24]), true),
        (0, 0, json!([20, 24]), false),
        (0, 0, json!([24, 6]), true),
        (12, 0, json!([24, 6]), false),
        (22, 29, json!(["22:30", "06:15"]), false),
        (22, 30, json!(["22:30", "06:15"]), true),
        (6, 14, json!(["22:30", "06:15"]), true),
        (6, 15, json!(["22:30", "06:15"]), false),
        (23, 59, json!(["22:30", "24:00"]), true),
        (0, 0, json!(["22:30", "24:00"]), false),
    ] {
        world.now = format!("2026-11-24T{hour:02}:{minute:02}:59Z")
            .parse()
            .unwrap();
        let name = if values[0].is_string() {
            "time.time"
        } else {
            "time.hour"
        };
        let clause = json!({ "attribute": name, "operator": "between", "values": values });
        assert_eq!(world.holds(&clause), expected, "{hour}:{minute} {clause}");
    }
}

#[test]
fn what_could_not_be_compared_is_remarked_whether_the_clause_holds_or_not() {
    let world = World::new();
    let clause = |attribute: &str, operator: &str, values: Value| json!({ "attribute": attribute, "operator": operator, "values": values });
    for (clause, expected) in [
        (
            clause("user.seats", "at_least", json!(["25"])),
            Some("a number was compared with a text"),
        ),
        (
            clause("user.plan", "equals", json!([5])),
            Some("a text was compared with a number"),
        ),
        (
            clause("user.plan", "not_equals", json!([5])),
            Some("a text was compared with a number"),
        ),
        (
            clause("user.beta", "equals", json!(["true"])),
            Some("true or false was compared with a text"),
        ),
        (
            clause("user.roles", "equals", json!(["admin"])),
            Some("a list was compared with a text: `contains` looks into lists"),
        ),
        (
            clause("user.roles", "contains", json!([5])),
            Some("a list of texts was searched for a number"),
        ),
        (
            clause("user.scores", "not_contains", json!(["5"])),
            Some("a list of numbers was searched for a text"),
        ),
        (
            clause("user.absent", "not_contains", json!(["x"])),
            Some("it is absent"),
        ),
        (clause("user.plan", "equals", json!([5, "gold"])), None),
        (clause("user.plan", "equals", json!(["gold"])), None),
        (clause("user.absent", "is_absent", json!(null)), None),
        (
            json!({ "attribute": "user.plan", "operator": "at_least", "as": "version", "values": ["2.0"] }),
            Some("it is no version"),
        ),
        (
            json!({ "attribute": "user.plan", "operator": "at_least", "as": "date", "values": ["2026-11-24"] }),
            Some("it is no date"),
        ),
    ] {
        let mut clause = clause;
        if clause["values"].is_null() {
            clause.as_object_mut().unwrap().remove("values");
        }
        let tried = world.tried(&clause).unwrap();
        assert_eq!(
            tried.remarks.get(&0).map(String::as_str),
            expected,
            "{clause}"
        );
    }
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
fn a_clause_takes_what_it_can_compare() {
    for (clause, expected) in [
        (
            json!({ "attribute": "user.plan", "operator": "between", "values": [1, 5] }),
            "/when/0/operator",
        ),
        (
            json!({ "attribute": "time.hour", "operator": "between", "values": [22] }),
            "/when/0/values",
        ),
        (
            json!({ "attribute": "time.hour", "operator": "between", "values": [6, 6] }),
            "/when/0/values",
        ),
        (
            json!({ "attribute": "time.hour", "operator": "between", "values": [22, 25] }),
            "/when/0/values",
        ),
        (
            json!({ "attribute": "time.time", "operator": "between", "values": ["22:00", "6:00"] }),
            "/when/0/values",
        ),
        (
            json!({ "attribute": "user.plan", "operator": "at_least", "as": "caseless", "values": ["a"] }),
            "/when/0/as",
        ),
        (
            json!({ "attribute": "user.plan", "operator": "contains", "as": "version", "values": ["1.0"] }),
            "/when/0/as",
        ),
        (
            json!({ "attribute": "user.plan", "operator": "at_least", "as": "version", "values": ["one"] }),
            "/when/0/values",
        ),
        (
            json!({ "attribute": "user.plan", "operator": "at_least", "as": "version", "values": [2.1] }),
            "/when/0/values",
        ),
        (
            json!({ "attribute": "user.plan", "operator": "at_least", "as": "date", "values": ["24.11.2026"] }),
            "/when/0/values",
        ),
    ] {
        let faults = rule(&clause).check();
        assert_eq!(faults.len(), 1, "{clause}");
        assert_eq!(faults[0].pointer, expected, "{clause}");
    }
}

#[test]
fn rules_read_as_much_as_they_may_and_no_more() {
    let mut world = World::new();
    let tried = |world: &World, values: usize| {
        let values: Vec<String> = (0..values).map(|at| format!("never {at}")).collect();
        let clause =
            json!({ "attribute": "metadata.said", "operator": "contains", "values": values });
        let tried = world.tried(&clause)?;
        Ok(tried.failed_clause)
    };
    let said = |said: Value| Map::from_iter([("said".to_owned(), said)]).into();
    world.metadata = said(json!("x".repeat(2_000)));
    assert_eq!(tried(&world, 200), Ok(Some(0)));
    world.metadata = said(json!("x".repeat(64_000)));
    assert_eq!(tried(&world, 60), Ok(Some(0)));
    assert_eq!(tried(&world, 200), Err(TooMuch));
    world.metadata = said(json!(vec![1; 32_000]));
    assert_eq!(tried(&world, 200), Err(TooMuch));
}

#[test]
fn a_value_is_what_it_is_however_many_attributes_are_looked_at_and_in_whatever_order() {
    let mut metadata = Map::new();
    for n in 0..40 {
        metadata.insert(format!("m{n}"), n.into());
    }
    let world = World {
        metadata: metadata.into(),
        ..World::new()
    };
    let attributes = world.attributes();
    let clause = |n: usize| json!({ "attribute": format!("metadata.m{n}"), "operator": "equals", "values": [n] });
    let order: Vec<Value> = (0..400).map(|n| clause(n * 7 % 40)).collect();
    for chunk in order.chunks(50) {
        for shares in [false, true] {
            let mut rule =
                Rule::parse(&json!({ "name": "r", "when": chunk, "then": { "persona": "p" } }))
                    .unwrap();
            if shares {
                share_attributes(rule.when.iter_mut());
            }
            let tried = rule.try_on(&mut Lookup::new(&attributes), &mut Effort::default());
            assert_eq!(tried.unwrap().failed_clause, None);
        }
    }
}
