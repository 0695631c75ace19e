//! What a tenant's users wait while another tenant's flood the gateway.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::load::{Load, Outcome};
use super::options::{Cell, Options};
use super::progress;
use super::rounds::put_on;
use super::servers::{Ground, Kind};
use super::statistics::percentile;

/// How a tenant's users come whom nothing should disturb.
const CALM: (u16, u32) = (8, 50);

/// One flood.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flood {
    round: u32,
    /// Of the flood.
    cell: Cell,
    per_second: f64,
    /// Statuses other than 200 that the flood got.
    refused: BTreeMap<u16, u64>,
    before: Calm,
    meanwhile: Calm,
}

/// What the calm users got.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Calm {
    p50_ms: f64,
    p99_ms: f64,
    refused: u64,
}

impl Calm {
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
    let calm = Load {
        on,
        requests: ground.requests_of(0),
        connections: CALM.0,
        rate: Some(CALM.1),
        duration,
    };
    let flood = Load {
        on,
        requests: ground.requests_of(1),
        connections: 64,
        rate: None,
        duration: options.warmup(),
    };
    ground.set_delay(0).await?;
    tokio::try_join!(put_on(calm.clone()), put_on(flood.clone()))?;
    let mut floods = Vec::new();
    for round in 1..=options.rounds() {
        for cell in &options.cells {
            progress(format_args!("round {round}: {cell}"));
            ground.set_delay(cell.anam_ms).await?;
            let before = put_on(calm.clone()).await?;
            let flood = Load {
                connections: cell.connections,
                rate: cell.rate,
                duration: duration + Duration::from_secs(1),
                ..flood.clone()
            };
            let calm = calm.clone();
            let meanwhile = async {
                // The flood is there first.
                tokio::time::sleep(Duration::from_millis(500)).await;
                put_on(calm).await
            };
            let (outcome, meanwhile) = tokio::try_join!(put_on(flood), meanwhile)?;
            let refused = outcome.refused.iter();
            floods.push(Flood {
                round,
                cell: *cell,
                per_second: f64::from(u32::try_from(outcome.answered())?)
                    / outcome.elapsed.as_secs_f64(),
                refused: refused
                    .map(|(status, (count, _))| (*status, *count))
                    .collect(),
                before: Calm::of(&before),
                meanwhile: Calm::of(&meanwhile),
            });
        }
    }
    if let Some(process) = server.process {
        process.stop().await?;
    }
    ground.stop().await?;
    Ok(floods)
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, meanwhile) = (&self.before, &self.meanwhile);
        let refused: u64 = self.refused.values().sum();
        writeln!(
            f,
            "| {} | {:.0}, {refused} | {:.1} / {:.1} | {:.1} / {:.1} | {:.1} | {} |",
            self.cell,
            self.per_second,
            before.p50_ms,
            before.p99_ms,
            meanwhile.p50_ms,
            meanwhile.p99_ms,
            meanwhile.p99_ms / before.p99_ms,
            meanwhile.refused,
        )
    }
}
