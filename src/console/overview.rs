//! Everything at a glance: what is live, what was asked for, what fails and why, and what waits for somebody.

use std::collections::BTreeMap;

use askama::Template;
use futures_util::join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Api, Refused};
use super::choices::{DocumentLine, documents};
use super::frame::{Frame, page};
use super::parts::{Listed, Quota, Quotas};
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
    /// Failures by context, persona and code, most first.
    failing: Vec<Failing>,
    personas: Vec<(String, i64)>,
    refusals: Vec<Refusal>,
    waiting: Vec<DocumentLine>,
    scheduled: Vec<Scheduled>,
    reviews: Vec<Review>,
    retired: Vec<Retired>,
    quotas: Vec<Quota>,
    places: Places,
    is_new: bool,
}

/// Conversations that go on.
#[derive(Debug, Deserialize)]
struct Places {
    counted: bool,
    taken: u32,
    waiting: u32,
    most: Option<u32>,
}

/// A context and who answers in it.
#[derive(Debug)]
struct Context {
    key: String,
    live: Option<i32>,
    /// Personas that answer where no rule holds: one, or those of a split.
    answering: Vec<String>,
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
    mint_ms_p50: Option<f64>,
    mint_ms_p95: Option<f64>,
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

/// Sessions that failed in the same way.
#[derive(Debug)]
struct Failing {
    context: String,
    persona: String,
    code: String,
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

/// A version that waits for approvals.
#[derive(Debug)]
struct Review {
    kind: String,
    key: String,
    version: i32,
    given: usize,
    required: usize,
}

/// What is still to come of a document.
#[derive(Debug, Default)]
struct Ahead {
    scheduled: Vec<Scheduled>,
    review: Option<Review>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reviews {
    required: usize,
    #[serde(default)]
    approved_by: Vec<String>,
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

/// Documents that are asked about at a time: a page takes no more than its share of the API.
const AT_ONCE: usize = 6;

/// The first page.
pub async fn show(signed: Signed) -> Answer {
    let api = &signed.api;
    if signed.account.tenant.is_none() {
        return Ok(super::visit::see("/console/operator/tenants"));
    }
    let (counts, refusals, all, catalogue, quotas, places) = join!(
        api.get::<Counts>("/v1/admin/session-counts"),
        api.get::<Listed<Refusal>>("/v1/admin/refusals?limit=5"),
        documents(api),
        api.get::<Map<String, Value>>("/v1/admin/catalogue"),
        api.get::<Quotas>("/v1/admin/quotas"),
        api.get::<Places>("/v1/admin/places"),
    );
    let (counts, all) = (counts?, all?);
    let (contexts, ahead) = join!(contexts(api, &all, &counts), ahead(&signed, &all));
    let (contexts, ahead) = (contexts?, ahead?);
    let days = days(&counts, &signed);
    let is_new = counts.sessions == 0 && contexts.iter().all(|context| context.live.is_none());
    let retired = catalogue?.remove("retired").unwrap_or_default();
    let today = days.last().map_or(0, |day| day.good + day.bad);
    let most = days.iter().map(|day| day.good + day.bad).max();
    let (scheduled, reviews): (Vec<_>, Vec<_>) = ahead
        .into_iter()
        .map(|ahead| (ahead.scheduled, ahead.review))
        .unzip();
    Ok(page(&Overview {
        frame: Frame::new(&signed, signed.texts.say("overview")),
        contexts,
        most: most.unwrap_or(0).max(1),
        days,
        today,
        failed: counts
            .of
            .iter()
            .filter(|count| is_bad(count))
            .map(|count| count.sessions)
            .sum(),
        failures: sum(&counts, |count| is_bad(count).then(|| code_of(count))),
        failing: failing(&counts),
        personas: sum(&counts, |count| Some(count.persona.clone())),
        refusals: refusals?.items,
        scheduled: scheduled.into_iter().flatten().collect(),
        reviews: reviews.into_iter().flatten().collect(),
        waiting: all.into_iter().filter(|one| one.drafts > 0).collect(),
        retired: serde_json::from_value(retired).unwrap_or_default(),
        quotas: quotas?.quotas,
        places: places?,
        counts,
        is_new,
    }))
}

/// The problem code of a failure, or how it ended without one.
fn code_of(count: &Count) -> String {
    count.code.clone().unwrap_or_else(|| count.outcome.clone())
}

/// The most frequent failures, by where they happen.
fn failing(counts: &Counts) -> Vec<Failing> {
    let mut sums: BTreeMap<(&str, &str, String), i64> = BTreeMap::new();
    for count in counts.of.iter().filter(|count| is_bad(count)) {
        let place = (
            count.context.as_str(),
            count.persona.as_str(),
            code_of(count),
        );
        *sums.entry(place).or_default() += count.sessions;
    }
    let mut failing: Vec<_> = sums
        .into_iter()
        .map(|((context, persona, code), sessions)| Failing {
            context: context.to_owned(),
            persona: persona.to_owned(),
            code,
            sessions,
        })
        .collect();
    failing.sort_by_key(|failing| -failing.sessions);
    failing.truncate(10);
    failing
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
    let sessions = &sum(counts, |count| Some(count.context.clone()));
    // More than anybody sees at a glance are in the list of contexts.
    let listed = all
        .iter()
        .filter(|one| one.kind == "context" && one.archived_at.is_none())
        .take(20);
    let asked = stream::iter(listed).map(async |one| {
        let document: Document = api.get(&address("context", &one.key)).await?;
        let rules = document.content.get("rules").and_then(Value::as_array);
        let asked = sessions.iter().find(|(key, _)| *key == one.key);
        Ok(Context {
            key: one.key.clone(),
            live: one.live_version,
            answering: answering(document.content.get("default")),
            rules: rules.map_or(0, Vec::len),
            sessions: asked.map_or(0, |(_, sessions)| *sessions),
        })
    });
    asked.buffered(AT_ONCE).try_collect().await
}

/// The personas of a target as documents have it: a key, `{persona}`, or the arms of `{split}`.
fn answering(target: Option<&Value>) -> Vec<String> {
    let within = |name| target.and_then(|target| target.get(name));
    let arms = within("split").and_then(Value::as_array);
    let arms = arms.into_iter().flatten().map(|arm| &arm["persona"]);
    let personas = target.into_iter().chain(within("persona")).chain(arms);
    personas
        .filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect()
}

/// Releases to come, and versions that wait for approvals, of the documents whose newest version is not live.
async fn ahead(signed: &Signed, all: &[DocumentLine]) -> Result<Vec<Ahead>, Refused> {
    let candidates = all
        .iter()
        .filter(|one| one.latest_version != one.live_version && one.archived_at.is_none())
        .take(20);
    let asked = stream::iter(candidates).map(async |one| {
        let address = address(&one.kind, &one.key);
        let releases = format!("{address}/releases?limit=5");
        let newest = one.latest_version.unwrap_or_default();
        let reviews = format!("{address}/versions/{newest}/reviews");
        let (releases, reviews) = join!(
            signed.api.get::<Listed<Release>>(&releases),
            signed.api.get::<Reviews>(&reviews),
        );
        let ahead = releases?.items.into_iter().filter(|release| {
            release.way == "release"
                && release.cancelled_by.is_none()
                && release.live_from > signed.now
        });
        let scheduled = ahead.map(|release| Scheduled {
            kind: one.kind.clone(),
            key: one.key.clone(),
            version: release.version,
            from: release.live_from.to_rfc3339(),
        });
        let reviews = reviews?;
        let given = reviews.approved_by.len();
        Ok(Ahead {
            scheduled: scheduled.collect(),
            review: (given < reviews.required).then(|| Review {
                kind: one.kind.clone(),
                key: one.key.clone(),
                version: newest,
                given,
                required: reviews.required,
            }),
        })
    });
    asked.buffered(AT_ONCE).try_collect().await
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

    /// The name of the text for a failure's code.
    fn problem(code: &str) -> String {
        format!("problem-{code}")
    }

    /// How many of the approvals are there.
    fn approvals(review: &Review) -> String {
        format!("{}/{}", review.given, review.required)
    }

    fn milliseconds(value: Option<&f64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0} ms"))
    }
}
