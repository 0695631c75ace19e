//! `/v1/admin/session-counts`: the last days at a glance.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::session_counts::{SessionCount, SessionCounts};
use crate::web::admin::View;
use crate::web::input::{WholeNumber, input};
use crate::web::operation::{Answer, Call, Json, Query, operations};

/// Sessions that are counted at most: the newest ones.
const MOST: i64 = 100_000;

/// Days that are counted where nobody says how many.
const DAYS: u32 = 7;

operations! {
    "Admin: sessions";

    "/v1/admin/session-counts" {
        /// Counts users' sessions of the last days by day (in UTC), context, persona and outcome: the newest 100,000 of them. Test calls
        /// are counted apart.
        GET countSessions => count;
    }
}

input! {
    /// Which days.
    struct CountedDays {
        /// How many days, with today; 7 unless set.
        days: Option<WholeNumber<u32, 1, 31>>,
    }
}

/// The sessions of the last days.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionCountsBody {
    /// From when they are counted.
    since: DateTime<Utc>,
    /// How many were counted.
    sessions: i64,
    /// Test calls of people who administer, which are none of them.
    test_calls: i64,
    /// False if there were more, which are not counted.
    complete: bool,
    /// How long the request took for half of those that got a token, milliseconds; null if none did.
    mint_ms_p50: Option<f64>,
    /// How long it took at most for 95 of a hundred, milliseconds.
    mint_ms_p95: Option<f64>,
    /// How long Anam took for half of them, milliseconds; null if it answered none.
    anam_ms_p50: Option<f64>,
    /// How long Anam took at most for 95 of a hundred, milliseconds.
    anam_ms_p95: Option<f64>,
    /// By day, and then by number.
    counts: Vec<SessionCountBody>,
}

/// Sessions that have these in common.
#[derive(Debug, Serialize, ToSchema)]
struct SessionCountBody {
    /// The day, in UTC.
    #[schema(value_type = String, format = Date, example = "2026-11-24")]
    day: NaiveDate,
    /// The key of the context that was used.
    #[schema(example = "support")]
    context: String,
    /// The key of the persona.
    #[schema(example = "support-agent")]
    persona: String,
    /// `issued`, `failed`, `unknown` (its instance died), or `pending` while there is no outcome.
    #[schema(example = "issued", pattern = "^(issued|failed|unknown|pending)$")]
    outcome: String,
    /// The problem code of failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "upstream_timeout")]
    code: Option<String>,
    /// How many.
    sessions: i64,
}

async fn count(call: Call<View>, asked: Query<CountedDays>) -> Answer<Json<SessionCountsBody>> {
    let today = call.gateway().clock.now().date_naive();
    let days = asked.0.days.map_or(DAYS, WholeNumber::get);
    let before = u64::from(days).saturating_sub(1);
    let first = today.checked_sub_days(Days::new(before)).unwrap_or(today);
    let since = first.and_time(NaiveTime::MIN).and_utc();
    let mut tx = call.read().await?;
    let counted = tx.count_sessions(since, MOST).await?;
    tx.commit().await?;
    Ok(Json::new(&SessionCountsBody::new(since, counted)))
}

impl SessionCountsBody {
    fn new(since: DateTime<Utc>, counted: SessionCounts) -> Self {
        Self {
            since,
            sessions: counted.sessions,
            test_calls: counted.test_calls,
            complete: counted.sessions < MOST,
            mint_ms_p50: counted.mint_ms_p50,
            mint_ms_p95: counted.mint_ms_p95,
            anam_ms_p50: counted.anam_ms_p50,
            anam_ms_p95: counted.anam_ms_p95,
            counts: counted
                .counts
                .into_iter()
                .map(SessionCountBody::from)
                .collect(),
        }
    }
}

impl From<SessionCount> for SessionCountBody {
    fn from(count: SessionCount) -> Self {
        Self {
            day: count.day,
            context: count.context,
            persona: count.persona,
            outcome: count.outcome.unwrap_or_else(|| "pending".to_owned()),
            code: count.code,
            sessions: count.sessions,
        }
    }
}
