//! What two tenants' users wait while a third's flood the gateway: of one that asks for little, and of one that asks for a good deal.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::bundle::{self, SITUATIONS, TENANTS};
use super::kind::Kind;
use super::load::{Load, Outcome, Requests};
use super::options::{Cell, Options};
use super::progress;
use super::rounds::put_on;
use super::servers::Ground;
use super::statistics::percentile;
use super::users::{asking, requests, sending};

/// How a tenant's users come whom nothing should disturb.
const CALM: (u16, u32) = (8, 50);
/// And how those of a tenant that has more of them.
const BUSY: (u16, u32) = (128, 600);
/// Which tenant is calm, which one floods, and which one is busy.
const TENANT: [usize; 3] = [0, 1, 2];

/// One flood.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flood {
    round: u32,
    /// What the flood asks for.
    what: &'static str,
    /// Of the flood.
    cell: Cell,
    per_second: f64,
    /// Statuses other than 200 that the flood got.
    refused: BTreeMap<u16, u64>,
    before: Others,
    meanwhile: Others,
}

/// What others got.
#[derive(Debug, Serialize)]
struct Others {
    calm: Waited,
    busy: Waited,
}

impl Others {
    async fn measure(calm: &Load, busy: &Load) -> anyhow::Result<Self> {
        let (calm, busy) = tokio::try_join!(put_on(calm.clone()), put_on(busy.clone()))?;
        let [calm, busy] = [&calm, &busy].map(Waited::of);
        Ok(Self { calm, busy })
    }
}

/// What one tenant's users got.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waited {
    p50_ms: f64,
    p99_ms: f64,
    refused: u64,
}

impl Waited {
    fn of(outcome: &Outcome) -> Self {
        let at = |of_hundred| {
            percentile(&outcome.latencies, of_hundred).map_or(f64::NAN, |us| f64::from(us) / 1000.0)
        };
        Self {
            p50_ms: at(50),
            p99_ms: at(99),
            refused: outcome
                .refused
                .values()
                .map(|(count, _)| count)
                .sum::<u64>()
                + outcome.broken,
        }
    }
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Flood>> {
    let ground = Ground::prepare(options).await?;
    let server = ground.start(Kind::Gateway).await?;
    let (on, duration) = (server.at, options.duration());
    // The flood is there first, and last.
    let lead = duration.min(Duration::from_millis(500));
    let floods = floods(&ground).await?;
    let [calm, flooding, busy] = TENANT;
    let coming = |tenant, (connections, rate)| Load {
        on,
        requests: ground.requests_of(tenant),
        connections,
        rate: Some(rate),
        duration,
    };
    let (calm, busy) = (coming(calm, CALM), coming(busy, BUSY));
    let flood = Load {
        on,
        requests: ground.requests_of(flooding),
        connections: 64,
        rate: None,
        duration: options.warmup(),
    };
    ground.set_delay(0).await?;
    tokio::try_join!(Others::measure(&calm, &busy), put_on(flood.clone()))?;
    // As what PostgreSQL does by itself where it runs for longer.
    ground.analyze().await?;
    let mut measured = Vec::new();
    for round in 1..=options.rounds() {
        for (number, cell) in options.cells.iter().enumerate() {
            ground.set_delay(cell.anam_ms).await?;
            // All but tokens have nothing to do with how long Anam takes.
            let most = if number == 0 { floods.len() } else { 1 };
            for (what, requests) in floods.iter().take(most) {
                progress(format_args!("round {round}: {what}, {cell}"));
                let before = Others::measure(&calm, &busy).await?;
                let flood = Load {
                    requests: Arc::clone(requests),
                    connections: cell.connections,
                    rate: cell.rate,
                    duration: duration + lead * 2,
                    ..flood.clone()
                };
                let meanwhile = async {
                    tokio::time::sleep(lead).await;
                    Others::measure(&calm, &busy).await
                };
                let (outcome, meanwhile) = tokio::try_join!(put_on(flood), meanwhile)?;
                let refused = outcome.refused.iter();
                measured.push(Flood {
                    round,
                    what,
                    cell: *cell,
                    per_second: f64::from(u32::try_from(outcome.answered())?)
                        / outcome.elapsed.as_secs_f64(),
                    refused: refused
                        .map(|(status, (count, _))| (*status, *count))
                        .collect(),
                    before,
                    meanwhile,
                });
            }
        }
    }
    if let Some(process) = server.process {
        process.stop().await?;
    }
    ground.stop().await?;
    Ok(measured)
}

/// What a tenant can flood with: the costliest routes of its users and of its admins. Tokens come first.
async fn floods(ground: &Ground) -> anyhow::Result<Vec<(&'static str, Arc<Requests>)>> {
    let ([_, flooding, _], [_, tenant, _], [situation, ..]) = (TENANT, TENANTS, &SITUATIONS);
    let key = ground.owner_key(tenant).await?;
    let users = ground.tokens_of(flooding);
    let one_user = users.first().context("a token")?;
    let options = users.iter().map(|user| asking("/v1/me/options", user));
    let forged: Vec<String> = users.iter().map(|token| forged(token)).collect();
    let patch = json!({ "languageCode": "de" });
    let chosen = users
        .iter()
        .map(|user| sending("PATCH", "/v1/me/preferences", user, &patch));

    let name = format!("{}-guide", situation.key);
    let mut persona = bundle::persona(tenant, situation);
    if let Some(members) = persona.as_object_mut() {
        members.insert("name".to_owned(), "Another guide".into());
    }
    let changed = json!([{ "kind": "persona", "key": name, "content": persona }]);
    let preview = json!({ "use": changed, "context": situation.key, "against": "live" });
    let impact = json!({ "use": changed, "sessions": 2_000 });
    let bundle = json!({ "tenant": tenant, "personas": { name: persona } });
    let plan = json!({ "bundle": bundle, "dryRun": true });

    let one = |request: Vec<u8>| Requests::new(vec![request]);
    let post = |path: &str, body: &Value| one(sending("POST", path, &key, body));
    let get = |path: &str| one(asking(path, &key));
    Ok(vec![
        ("tokens", ground.requests_of(flooding)),
        ("forged JWTs", requests("/v1/session-token", &forged)),
        ("preferences, written", Requests::new(chosen.collect())),
        ("options", Requests::new(options.collect())),
        (
            "options of one user, who asks too often",
            one(asking("/v1/me/options", one_user)),
        ),
        (
            "pages for strangers",
            one(asking("/console/sign-in", "nobody")),
        ),
        ("previews", post("/v1/admin/preview", &preview)),
        (
            "impact on 2,000 sessions",
            post("/v1/admin/impact", &impact),
        ),
        ("bundles, planned", post("/v1/admin/bundle:apply", &plan)),
        ("bundles, exported", get("/v1/admin/bundle")),
        ("100 sessions", get("/v1/admin/sessions?limit=100")),
        (
            "sessions that are not there",
            get("/v1/admin/sessions?context=none&limit=100"),
        ),
        ("100 of the audit trail", get("/v1/admin/audit?limit=100")),
        ("documents", get("/v1/admin/documents")),
    ])
}

/// With a signature that is none, which only looking at it shows.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    // Of the last character, some bits must be zero.
    let mut other: String = signature.chars().rev().skip(1).collect();
    other.extend(signature.chars().last());
    format!("{signed}.{other}")
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: u64 = self.refused.values().sum();
        write!(
            f,
            "| {}, {} | {:.0}, {refused} |",
            self.what, self.cell, self.per_second
        )?;
        for (before, meanwhile) in [
            (&self.before.calm, &self.meanwhile.calm),
            (&self.before.busy, &self.meanwhile.busy),
        ] {
            write!(
                f,
                " {:.1} / {:.1} | {:.1} / {:.1} | {:.1} | {} |",
                before.p50_ms,
                before.p99_ms,
                meanwhile.p50_ms,
                meanwhile.p99_ms,
                meanwhile.p99_ms / before.p99_ms,
                meanwhile.refused,
            )?;
        }
        writeln!(f)
    }
}
