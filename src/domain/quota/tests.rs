use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn quotas(document: &Value) -> Quotas {
    Quotas::parse(document.as_object().unwrap()).unwrap()
}

#[test]
fn what_is_written_reads_back_and_every_fault_is_told() {
    let document = json!({
        "tenant": { "sessionsPerDay": 100, "minutesPerMonth": 6_000 },
        "user": { "sessionsPerMonth": 1_000_000_000, "minutesPerDay": 1 },
    });
    let parsed = quotas(&document);
    assert_eq!(Value::Object(parsed.to_document()), document);
    assert!(parsed.limit_time());
    assert!(quotas(&json!({ "tenant": {}, "user": {} })).is_empty());
    let faults = Quotas::parse(
        json!({
            "tenant": { "sessionsPerDay": 0, "sessionsPerMonth": 1_000_000_001, "minutesPerDay": 1.5, "perYear": 1 },
            "user": 7, "group": {},
        })
        .as_object()
        .unwrap(),
    )
    .unwrap_err();
    let mut places: Vec<_> = faults.iter().map(|fault| &*fault.pointer).collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "/group",
            "/tenant/minutesPerDay",
            "/tenant/perYear",
            "/tenant/sessionsPerDay",
            "/tenant/sessionsPerMonth",
            "/user"
        ]
    );
}

#[test]
fn a_new_day_and_a_new_month_begin_at_midnight_in_utc_and_none_begins_twice() {
    let mut used = Use::none(at("2026-11-29T23:59:59Z"));
    used.add(60);
    used.go_on(at("2026-11-30T00:00:00Z"));
    assert_eq!((used.in_day.sessions, used.in_month.sessions), (0, 1));
    used.add(60);
    // An instance whose clock is behind counts in the day that has begun.
    used.go_on(at("2026-11-29T23:59:58Z"));
    used.add(60);
    assert_eq!((used.in_day.sessions, used.in_month.sessions), (2, 3));
    used.go_on(at("2026-12-01T00:00:00Z"));
    assert_eq!((used.in_day.sessions, used.in_month.sessions), (0, 0));
    assert_eq!(used.month, at("2026-12-01T00:00:00Z").date_naive());
}

#[test]
fn the_quota_that_is_reset_last_is_named_and_says_when() {
    let quotas =
        quotas(&json!({ "tenant": { "sessionsPerMonth": 1 }, "user": { "sessionsPerDay": 1 } }));
    let now = at("2026-12-31T10:00:00Z");
    let mut used = Use::none(now);
    used.add(0);
    let standing = Standing {
        tenant: Some(used),
        user: Some(used),
    };
    let Reached(left) = standing.judge(&quotas, now, 0).unwrap_err();
    assert_eq!(left.resets_at, at("2027-01-01T00:00:00Z"));
    let only_user = Standing {
        tenant: Some(Use::none(now)),
        user: Some(used),
    };
    let Reached(left) = only_user.judge(&quotas, now, 0).unwrap_err();
    assert_eq!(
        (left.scope, left.measure),
        (Scope::User, Measure::SessionsPerDay)
    );
    let tomorrow = at("2027-01-01T00:00:00Z");
    assert_eq!(standing.judge(&quotas, tomorrow, 0), Ok(()));
}

#[test]
fn a_session_needs_as_many_minutes_as_it_may_last() {
    let quotas = quotas(&json!({ "user": { "minutesPerDay": 10 } }));
    let now = at("2026-12-01T00:00:00Z");
    let mut used = Use::none(now);
    used.add(301);
    let standing = |user| Standing {
        tenant: None,
        user: Some(user),
    };
    assert!(standing(used).judge(&quotas, now, 300).is_err());
    assert!(standing(used).judge(&quotas, now, 299).is_ok());
    assert_eq!(standing(used).left(&quotas)[0].left, 4);
    used.give_back(
        now,
        Amount {
            sessions: 0,
            seconds: 241,
        },
    );
    assert_eq!(standing(used).left(&quotas)[0].left, 9);
    assert!(standing(used).judge(&quotas, now, 540).is_ok());
}

proptest! {
    #[test]
    fn what_is_left_and_what_was_counted_are_the_quota_and_never_more_is_counted(
        most in 1_u32..20, asked in proptest::collection::vec(0_i64..200_000, 0..60),
    ) {
        let quotas = Quotas { tenant: Quota { sessions_per_day: Some(most), ..Quota::default() }, user: Quota::default() };
        let start = at("2026-12-01T00:00:00Z");
        let mut used = Use::none(start);
        let mut by_day = std::collections::BTreeMap::<_, u32>::new();
        let mut times = asked;
        times.sort_unstable();
        for seconds in times {
            let now = start + chrono::TimeDelta::seconds(seconds);
            let standing = Standing { tenant: Some(used), user: None };
            let judged = standing.judge(&quotas, now, 0);
            used.go_on(now);
            let counted = by_day.entry(now.date_naive()).or_default();
            prop_assert_eq!(judged.is_err(), *counted == most);
            if judged.is_ok() {
                used.add(0);
                *counted += 1;
            }
            let left = used.left(Scope::Tenant, &quotas.tenant).next().unwrap().left;
            prop_assert_eq!(left, i64::from(most - *counted));
        }
    }
}
