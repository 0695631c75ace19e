//! Clauses and rules that can never hold, contradict each other, or are never reached.

use super::*;

fn when(clauses: &Value) -> Value {
    json!({
        "metadata": {
            "properties": {
                "priority": { "enum": ["low", "high"] },
                "count": { "type": "integer", "minimum": 1, "maximum": 5 },
                "tags": { "$ref": "#/$defs/tags" },
                "scores": { "type": "array", "items": { "type": "integer" } },
                "kind": { "anyOf": [{ "const": "bug" }, { "const": "wish" }] },
                "version": { "type": "string" },
                "free": {},
            },
            "required": ["priority"],
            "$defs": { "tags": { "type": "array", "items": { "type": "string" } } },
        },
        "rules": [{ "name": "a", "when": clauses, "then": { "persona": "guide" } }],
        "default": "guide",
    })
}

/// Warnings about the clauses of a single rule, with the advice.
fn advised(clauses: &Value) -> Vec<(String, String, String)> {
    let tenant = tenant();
    let document = object(when(clauses));
    let found = context(&key("support"), &document, &tenant.around());
    let found = found.findings.into_iter();
    found
        .filter(|finding| finding.pointer.starts_with("/rules/0/when"))
        .map(|finding| (finding.pointer, finding.message, finding.advice))
        .collect()
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
    let lines = of_context(when(&json!(clauses)));
    lines
        .into_iter()
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
            "W /rules/0/when/0 can never hold: `metadata.tags` is a list, of which each item is a text",
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
fn advice_says_what_was_probably_meant() {
    let clause = |attribute: &str, operator: &str, values: Value| json!([{ "attribute": attribute, "operator": operator, "values": values }]);
    for (clauses, place, expected) in [
        (
            clause("time.weekday", "equals", json!(["Monday"])),
            "",
            "Did you mean `monday`?",
        ),
        (
            clause("time.weekday", "equals", json!(["MONDAY"])),
            "",
            "Did you mean `monday`?",
        ),
        (
            clause("time.weekday", "equals", json!(["mon"])),
            "",
            "Did you mean `monday`?",
        ),
        (
            clause("time.weekday", "not_equals", json!(["Sat"])),
            "/values/0",
            "Did you mean `saturday`?",
        ),
        (
            clause("time.weekday", "equals", json!(["monday", "Tue"])),
            "/values/1",
            "Did you mean `tuesday`?",
        ),
        (
            clause("time.hour", "equals", json!([24])),
            "",
            "Midnight is the hour 0",
        ),
        (
            clause("time.hour", "less_than", json!([24])),
            "",
            "Midnight is the hour 0",
        ),
        (
            clause("time.hour", "at_least", json!(["22"])),
            "",
            "Write 22 without quotes",
        ),
        (
            clause("time.time", "at_least", json!(["9:30"])),
            "",
            "Write it as in 09:30",
        ),
        (
            clause("time.date", "at_least", json!(["2026-1-5"])),
            "",
            "Write it as in 2026-11-24",
        ),
        (
            clause("metadata.tags", "equals", json!(["a"])),
            "",
            "`contains` and `not_contains` look into lists",
        ),
        (
            clause("metadata.scores", "contains", json!(["5"])),
            "",
            "Write 5 without quotes",
        ),
        (
            clause("metadata.tags", "contains", json!([5])),
            "",
            "Write \"5\" in quotes",
        ),
        (
            clause("metadata.kind", "equals", json!(["bugs"])),
            "",
            "Did you mean `bug`?",
        ),
        (
            clause("metadata.priority", "equals", json!(["HIGH"])),
            "",
            "Did you mean `high`?",
        ),
        (
            clause("time.hour", "between", json!([0, 24])),
            "",
            "Compare it with what it can be",
        ),
    ] {
        let advised = advised(&clauses);
        let [(pointer, message, advice)] = advised.as_slice() else {
            panic!("{clauses}: {advised:?}");
        };
        assert!(pointer.ends_with(place), "{clauses}: {pointer}");
        assert!(
            advice.starts_with(expected),
            "{clauses}: {message}: {advice}"
        );
    }
}

#[test]
fn a_window_across_midnight_in_two_clauses_is_told_how_to_be_one() {
    let clauses = json!([
        { "attribute": "time.hour", "operator": "at_least", "values": [22] },
        { "attribute": "time.hour", "operator": "less_than", "values": [6] },
    ]);
    let place = "/rules/0/when".to_owned();
    let message = "can never hold: clauses 1 and 2 contradict each other on `time.hour`".to_owned();
    let advice = "For a window across midnight write one clause: operator between, values [22, 6]";
    assert_eq!(advised(&clauses), [(place, message, advice.to_owned())]);
}

#[test]
fn clauses_about_the_hour_and_the_time_are_looked_at_together() {
    let clause = |attribute: &str, operator: &str, values: Value| json!({ "attribute": attribute, "operator": operator, "values": values });
    for (clauses, fits) in [
        (
            [
                clause("time.hour", "at_least", json!([22])),
                clause("time.time", "less_than", json!(["06:00"])),
            ],
            false,
        ),
        (
            [
                clause("time.hour", "between", json!([22, 6])),
                clause("time.time", "less_than", json!(["06:00"])),
            ],
            true,
        ),
        (
            [
                clause("time.weekday", "equals", json!(["monday"])),
                clause("time.date", "equals", json!(["2026-11-24"])),
            ],
            false,
        ),
        (
            [
                clause("time.weekday", "equals", json!(["tuesday"])),
                clause("time.date", "equals", json!(["2026-11-24"])),
            ],
            true,
        ),
        (
            [
                clause("time.weekday", "equals", json!(["sunday"])),
                clause("time.date", "at_least", json!(["2026-11-24"])),
            ],
            true,
        ),
    ] {
        assert_eq!(advised(&json!(clauses)).is_empty(), fits, "{clauses:?}");
    }
}

#[test]
fn texts_read_as_something_are_judged_so() {
    let clause = |attribute: &str, operator: &str, read_as: &str, value: &str| json!({ "attribute": attribute, "operator": operator, "as": read_as, "values": [value] });
    for (clauses, fits) in [
        (
            vec![clause("time.weekday", "equals", "caseless", "Monday")],
            true,
        ),
        (
            vec![clause("metadata.priority", "equals", "caseless", "HIGH")],
            true,
        ),
        (
            vec![clause("metadata.priority", "equals", "caseless", "hihg")],
            false,
        ),
        (
            vec![clause("metadata.version", "at_least", "version", "2.10")],
            true,
        ),
        (
            vec![
                clause("metadata.version", "at_least", "version", "2.10"),
                clause("metadata.version", "less_than", "version", "2.9"),
            ],
            false,
        ),
        (
            vec![
                clause("metadata.version", "at_least", "version", "2.9"),
                clause("metadata.version", "less_than", "version", "2.10"),
            ],
            true,
        ),
        (
            vec![
                clause("time.date", "at_least", "date", "2026-12-01"),
                clause("time.date", "less_than", "date", "2026-11-01"),
            ],
            false,
        ),
        (
            vec![
                clause("user.plan", "equals", "caseless", "Gold"),
                clause("user.plan", "not_equals", "caseless", "GOLD"),
            ],
            false,
        ),
    ] {
        assert_eq!(advised(&json!(clauses)).is_empty(), fits, "{clauses:?}");
    }
}

#[test]
fn a_clause_that_some_value_fits_is_not() {
    for clause in [
        ("time.hour", "at_least", json!([22])),
        ("time.hour", "less_than", json!([0.5])),
        ("time.hour", "between", json!([22, 6])),
        ("time.time", "between", json!(["22:30", "06:00"])),
        ("metadata.scores", "contains", json!([5])),
        ("metadata.kind", "equals", json!(["wish"])),
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
            "W /rules/2/when/0 always holds: `time.hour` is a whole number from 0 to 23",
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
    // Without a bound this would take minutes.
    let lines = of_context(json!({ "rules": rules, "default": "guide" }));
    assert!(lines.iter().any(|text| text.contains("is never reached")));
}
