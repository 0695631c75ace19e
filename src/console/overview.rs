//! Everything at a glance: what is live, what was asked for, what fails and why, and what waits for somebody.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Api, Refused};
use super::choices::{DocumentLine, documents};
use super::frame::{Frame, page};
use super::visit::{Answer, Signed};
use super::writing::address;

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    contexts: Vec<Context>,
    counts: Counts,
    days: Vec<Day>,
    /// The height of the plot's highest bar, in sessions.
    most: i64,
    today: i64,
    failed: i64,
    failures: Vec<(String, i64)>,
    personas: Vec<(String, i64)>,
    refusals: Vec<Refusal>,
    waiting: Vec<DocumentLine>,
    scheduled: Vec<Scheduled>,
    retired: Vec<Retired>,
    is_new: bool,
}

/// A context and who answers in it.
#[derive(Debug)]
struct Context {
    key: String,
    live: Option<i32>,
    default: String,
    rules: usize,
    sessions: i64,
}

/// What was counted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    since: String,
    sessions: i64,
    test_calls: i64,
    complete: bool,
    anam_ms_p50: Option<f64>,
    anam_ms_p95: Option<f64>,
    #[serde(rename = "counts")]
    of: Vec<Count>,
}

#[derive(Debug, Deserialize)]
struct Count {
    day: String,
    context: String,
    persona: String,
    outcome: String,
    code: Option<String>,
    sessions: i64,
}

/// A day of the plot.
#[derive(Debug, Default)]
struct Day {
    date: String,
    good: i64,
    bad: i64,
}

/// Tokens or pages that are refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    meaning: String,
    #[serde(default)]
    count: i64,
}

/// A release to come.
#[derive(Debug)]
struct Scheduled {
    kind: String,
    key: String,
    version: i32,
    from: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    version: i32,
    live_from: chrono::DateTime<chrono::Utc>,
    cancelled_by: Option<String>,
    way: String,
}

/// What Anam no longer lists.
#[derive(Debug, Deserialize)]
struct Retired {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

/// The first page.
pub async fn show(signed: Signed) -> Answer {
    let api = &signed.api;
    if signed.account.tenant.is_none() {
        return Ok(super::visit::see("/console/operator/tenants"));
    }
    let counts: Counts = api.get("/v1/admin/session-counts").await?;
    let refusals: Page<Refusal> = api.get("/v1/admin/refusals?limit=5").await?;
    let all = documents(api).await?;
    let contexts = contexts(api, &all, &counts).await?;
    let days = days(&counts, &signed);
    let is_new = counts.sessions == 0 && contexts.iter().all(|context| context.live.is_none());
    let retired: Map<String, Value> = api.get("/v1/admin/catalogue").await?;
    let retired = retired.get("retired").cloned().unwrap_or_default();
    let today = days.last().map_or(0, |day| day.good + day.bad);
    Ok(page(&Overview {
        frame: Frame::new(&signed, signed.texts.say("overview")),
        contexts,
        most: days
            .iter()
            .map(|day| day.good + day.bad)
            .max()
            .unwrap_or(0)
            .max(1),
        days,
        today,
        failed: sum(&counts, |count| is_bad(count).then(String::new))
            .first()
            .map_or(0, |all| all.1),
        failures: sum(&counts, |count| {
            is_bad(count).then(|| count.code.clone().unwrap_or_else(|| count.outcome.clone()))
        }),
        personas: sum(&counts, |count| Some(count.persona.clone())),
        refusals: refusals.items,
        scheduled: scheduled(&signed, &all).await?,
        waiting: all.into_iter().filter(|one| one.drafts > 0).collect(),
        retired: serde_json::from_value(retired).unwrap_or_default(),
        counts,
        is_new,
    }))
}

fn is_bad(count: &Count) -> bool {
    matches!(count.outcome.as_str(), "failed" | "unknown")
}

/// Sessions by what `of` says of them, most first.
fn sum(counts: &Counts, of: impl Fn(&Count) -> Option<String>) -> Vec<(String, i64)> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for count in &counts.of {
        if let Some(name) = of(count) {
            *sums.entry(name).or_default() += count.sessions;
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sessions)| -sessions);
    sums
}

/// The last days, also those without a session.
fn days(counts: &Counts, signed: &Signed) -> Vec<Day> {
    let today = signed.now.date_naive();
    let days = (0..7)
        .rev()
        .filter_map(|back| today.checked_sub_days(chrono::Days::new(back)));
    days.map(|date| {
        let mut day = Day {
            date: date.to_string(),
            ..Day::default()
        };
        for count in counts.of.iter().filter(|count| count.day == day.date) {
            if is_bad(count) {
                day.bad += count.sessions;
            } else {
                day.good += count.sessions;
            }
        }
        day
    })
    .collect()
}

async fn contexts(
    api: &Api,
    all: &[DocumentLine],
    counts: &Counts,
) -> Result<Vec<Context>, Refused> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(default)]
        content: Map<String, Value>,
    }
    let sessions = sum(counts, |count| Some(count.context.clone()));
    let mut contexts = Vec::new();
    let listed = all
        .iter()
        .filter(|one| one.kind == "context" && one.archived_at.is_none());
    // More than anybody sees at a glance are in the list of contexts.
    for one in listed.take(20) {
        let document: Document = api.get(&address("context", &one.key)).await?;
        let default = document.content.get("default").and_then(Value::as_str);
        let rules = document.content.get("rules").and_then(Value::as_array);
        let asked = sessions.iter().find(|(key, _)| *key == one.key);
        contexts.push(Context {
            key: one.key.clone(),
            live: one.live_version,
            default: default.unwrap_or_default().to_owned(),
            rules: rules.map_or(0, Vec::len),
            sessions: asked.map_or(0, |(_, sessions)| *sessions),
        });
    }
    Ok(contexts)
}

/// Releases to come, of the documents that have several versions.
async fn scheduled(signed: &Signed, all: &[DocumentLine]) -> Result<Vec<Scheduled>, Refused> {
    let mut scheduled = Vec::new();
    let candidates = all
        .iter()
        .filter(|one| one.latest_version != one.live_version);
    for one in candidates.take(20) {
        let path = format!("{}/releases?limit=5", address(&one.kind, &one.key));
        let releases: Page<Release> = signed.api.get(&path).await?;
        let ahead = releases.items.into_iter().filter(|release| {
            release.way == "release"
                && release.cancelled_by.is_none()
                && release.live_from > signed.now
        });
        scheduled.extend(ahead.map(|release| Scheduled {
            kind: one.kind.clone(),
            key: one.key.clone(),
            version: release.version,
            from: release.live_from.to_rfc3339(),
        }));
    }
    Ok(scheduled)
}

impl Day {
    /// Month and day.
    fn short(&self) -> &str {
        self.date.get(5..).unwrap_or_default()
    }
}

impl Overview {
    /// Where a bar begins and how high it is, of a hundred.
    fn height(&self, sessions: i64) -> i64 {
        (sessions * 100 / self.most).max(i64::from(sessions > 0))
    }

    fn milliseconds(value: Option<&f64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0} ms"))
    }
}
