use serde_json::json;

use super::*;

fn parse(document: &Value) -> Result<Policy, Vec<Fault>> {
    Policy::parse(document.as_object().unwrap())
}

#[test]
fn what_is_written_reads_back_the_same_and_defaults_are_left_out() {
    let document = json!({
        "defaults": { "languageCode": "en" },
        "locks": { "sessionOptions": { "sessionReplay": { "enableSessionReplay": false } } },
        "allowedOrigins": ["https://app.example.com", "http://localhost:*"],
        "timeZone": "Europe/Berlin",
        "preferences": { "level": { "values": ["low", "high"] } },
        "retainInputsDays": 0,
        "requiredApprovals": 2,
        "requireSecondFactor": true,
        "catalogueSync": { "everyHours": 6, "allowNew": true },
        "quotas": { "user": { "sessionsPerDay": 20 } },
        "limits": { "atOnce": 5 },
    });
    let policy = parse(&document).unwrap();
    assert_eq!(Value::Object(policy.to_document()), document);
    assert_eq!(policy.time_zone, Tz::Europe__Berlin);
    let empty = parse(&json!({})).unwrap();
    assert_eq!(empty, Policy::default());
    assert_eq!(empty.retain_inputs_days, 30);
    assert_eq!(Value::Object(empty.to_document()), json!({}));
    let usual = json!({ "catalogueSync": {} });
    let policy = parse(&usual).unwrap();
    assert_eq!(Value::Object(policy.to_document()), usual);
    assert_eq!(policy.catalogue_sync, Some(CatalogueSync::default()));
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = parse(&json!({
        "defaults": { "languageCode": "english", "nope": 1 },
        "locks": 7,
        "allowedOrigins": ["https://app.example.com/", "*", "https://*.example.com", 7],
        "timeZone": "Berlin",
        "preferences": { "avatarId": { "maxLength": 1 }, "x": {} },
        "retainInputsDays": 3651,
        "requiredApprovals": 6,
        "requireSecondFactor": 1,
        "catalogueSync": { "enabled": "yes", "everyHours": 0, "allowOld": true },
        "quotas": { "tenant": { "sessionsPerDay": 0 } },
        "limits": { "perMinute": 0 },
        "other": true,
    }))
    .unwrap_err();
    let mut places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "/allowedOrigins/0",
            "/allowedOrigins/1",
            "/allowedOrigins/2",
            "/allowedOrigins/3",
            "/catalogueSync/allowOld",
            "/catalogueSync/enabled",
            "/catalogueSync/everyHours",
            "/defaults/languageCode",
            "/defaults/nope",
            "/limits/perMinute",
            "/locks",
            "/other",
            "/preferences/avatarId",
            "/preferences/x",
            "/quotas/tenant/sessionsPerDay",
            "/requireSecondFactor",
            "/requiredApprovals",
            "/retainInputsDays",
            "/timeZone",
        ]
    );
}

#[test]
fn an_origin_matches_itself_and_a_loopback_host_any_port() {
    for (allowed, origin, expected) in [
        ("https://app.example.com", "https://app.example.com", true),
        (
            "https://app.example.com",
            "https://app.example.com:444",
            false,
        ),
        (
            "https://app.example.com",
            "https://app.example.com.evil.example",
            false,
        ),
        ("https://app.example.com", "http://app.example.com", false),
        ("https://app.example.com", "null", false),
        ("http://localhost:*", "http://localhost:5173", true),
        ("http://localhost:*", "http://localhost", true),
        ("http://localhost:*", "http://localhost:5173/x", false),
        ("http://localhost:*", "http://localhost:a", false),
        ("http://localhost:*", "http://localhost.evil.example", false),
        (
            "http://localhost:*",
            "http://localhost:80@evil.example",
            false,
        ),
        ("http://localhost:*", "https://localhost:5173", false),
        ("http://127.0.0.1:*", "http://127.0.0.1:5173", true),
        ("http://127.0.0.1:*", "http://127.0.0.10:5173", false),
    ] {
        let allowed = Origin::parse(allowed).unwrap();
        assert_eq!(
            allowed.matches(origin),
            expected,
            "{allowed:?} and {origin}"
        );
    }
    for bad in [
        "*",
        "null",
        "",
        "app.example.com",
        "https://*",
        "file:///",
        "https://a.example/x",
        "https://localhost:*",
    ] {
        assert_eq!(Origin::parse(bad), None, "{bad}");
    }
}
