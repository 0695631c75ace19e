//! What is left of a user's own quotas, in headers. How much the others used is not told to users.
//!
//! `RateLimit-Policy` and `RateLimit` list every quota as draft-ietf-httpapi-ratelimit-headers-10 has it; `RateLimit-Limit`,
//! `RateLimit-Remaining` and `RateLimit-Reset`, which many clients know from earlier drafts, are those of the quota with the smallest part left.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use chrono::{DateTime, Utc};

use crate::domain::quota::{Left, Measure, Scope};

/// The names of all these headers, in small letters.
pub const HEADERS: [&str; 5] = [
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "ratelimit-policy",
    "ratelimit",
];

/// Adds the headers of the user's own quotas; none where there is none.
pub fn tell_left(answer: &mut HttpResponseBuilder, left: &[Left], now: DateTime<Utc>) {
    let left: Vec<&Left> = left
        .iter()
        .filter(|left| left.scope == Scope::User)
        .collect();
    let nearest = left
        .iter()
        .min_by_key(|left| left.left * 1_000_000 / i64::from(left.most.max(1)));
    let Some(nearest) = nearest else {
        return;
    };
    let seconds = |left: &Left| (left.resets_at - now).num_seconds().max(0);
    let policies = left.iter().map(|left| {
        let window = match left.measure {
            Measure::SessionsPerDay | Measure::MinutesPerDay => 86_400,
            Measure::SessionsPerMonth | Measure::MinutesPerMonth => month_before(left.resets_at),
        };
        let unit = match left.measure {
            Measure::SessionsPerDay | Measure::SessionsPerMonth => "",
            Measure::MinutesPerDay | Measure::MinutesPerMonth => ";qu=\"minutes\"",
        };
        format!(
            "\"{}\";q={}{unit};w={window}",
            name(left.measure),
            left.most
        )
    });
    let policies: Vec<String> = policies.collect();
    let lefts: Vec<String> = left
        .iter()
        .map(|left| {
            let name = name(left.measure);
            format!("\"{name}\";r={};t={}", left.left, seconds(left))
        })
        .collect();
    let values = [
        nearest.most.to_string(),
        nearest.left.to_string(),
        seconds(nearest).to_string(),
        policies.join(", "),
        lefts.join(", "),
    ];
    for (header, value) in HEADERS.into_iter().zip(values) {
        answer.insert_header((HeaderName::from_static(header), value));
    }
}

/// The length of the month that ends then, seconds.
fn month_before(end: DateTime<Utc>) -> i64 {
    let begin = end.checked_sub_months(chrono::Months::new(1));
    begin.map_or(0, |begin| (end - begin).num_seconds())
}

/// What a quota is called in headers.
fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::SessionsPerDay => "sessions-per-day",
        Measure::SessionsPerMonth => "sessions-per-month",
        Measure::MinutesPerDay => "minutes-per-day",
        Measure::MinutesPerMonth => "minutes-per-month",
    }
}
