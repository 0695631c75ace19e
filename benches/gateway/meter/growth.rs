//! What a session token costs when there is ten times as much of everything: tenants, users, versions, sessions.

use std::fmt;
use std::ops::Range;

use anyhow::ensure;
use serde::Serialize;

use super::bundle::TENANTS;
use super::kind::Kind;
use super::options::Options;
use super::progress;
use super::rounds::{Row, measure, warm_up};
use super::servers::Ground;
use super::statistics::Median;

/// What grows, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum What {
    /// With an issuer each, beside the three that are asked.
    Tenants,
    /// With preferences, in each of the three.
    Users,
    /// Of each document of the three, that were live once.
    Versions,
    /// In the ledger, of the three, with their outcomes.
    Sessions,
}

const ALL: [What; 4] = [What::Tenants, What::Users, What::Versions, What::Sessions];

/// How much there is of everything at first, for as many users with preferences as a tenant has.
fn at_first(what: What, users: u32) -> u32 {
    match what {
        What::Tenants => (users / 100).max(1),
        What::Users => users,
        What::Versions => 10,
        What::Sessions => users.saturating_mul(3),
    }
}

/// The figures of one size.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Size {
    /// What there is ten times as much of, beside what the sizes before have; nothing at first.
    grown: Option<What>,
    /// How much there is of it now; at first, how many users a tenant has.
    count: u32,
    rows: Vec<Row>,
    idle_mib: Vec<f64>,
    peak_mib: Vec<f64>,
    ready_after_s: Vec<f64>,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Size>> {
    let ground = Ground::prepare(options).await?;
    for what in ALL {
        let first = at_first(what, options.users);
        // The users are there already.
        if what != What::Users {
            fill(&ground, what, 0..first).await?;
        }
    }
    let mut sizes = vec![size(options, &ground, None, options.users).await?];
    for what in ALL {
        let first = at_first(what, options.users);
        let count = first.saturating_mul(10);
        fill(&ground, what, first..count).await?;
        sizes.push(size(options, &ground, Some(what), count).await?);
    }
    ground.stop().await?;
    Ok(sizes)
}

/// Adds to what is there, as much as the range is long.
async fn fill(ground: &Ground, what: What, numbers: Range<u32>) -> anyhow::Result<()> {
    progress(format_args!("{what}: {}", numbers.end));
    let series = format!("generate_series({}, {}) n", numbers.start, numbers.end - 1);
    let asked = format!("t.slug in ('{}')", TENANTS.join("', '"));
    let statements = match what {
        What::Tenants => format!(
            r#"insert into tenant (id, slug, name, policy) select gen_random_uuid(), 'many-' || n, 'Many', '{{}}' from {series};
               insert into issuer (tenant_id, config)
                   select id, jsonb_build_object('issuer', 'https://id.example', 'audiences', jsonb_build_array('persona-gateway/' || slug),
                                                 'keys', '{{"discovery": true}}'::jsonb)
                   from tenant t where slug like 'many-%' and not exists (select from issuer i where i.tenant_id = t.id)"#
        ),
        What::Users => format!(
            r#"insert into preference (tenant_id, subject, choices)
                   select t.id, 'user-' || lpad(n::text, 5, '0'), '{{"languageCode": "de"}}' from tenant t, {series} where {asked}"#
        ),
        What::Versions => format!(
            "insert into document_version (tenant_id, document_id, number, content)
                 select v.tenant_id, v.document_id, n + 2, v.content
                 from document_version v join tenant t on t.id = v.tenant_id, {series} where v.number = 1 and {asked};
             insert into release (tenant_id, document_id, version_id, live_from)
                 select tenant_id, document_id, id, now() - number * interval '1 day' from document_version v
                 where number > 1 and not exists (select from release r where r.version_id = v.id)"
        ),
        What::Sessions => format!(
            "insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
                 select t.id, gen_random_uuid(), now() - n * interval '1 second', t.id, 'user-' || lpad((n % 10000)::text, 5, '0'), 'support',
                        'support-guide', 1, sha256(n::text::bytea), '{{}}'
                 from tenant t, {series} where {asked};
             insert into session_outcome (tenant_id, session_id, at, outcome)
                 select s.tenant_id, s.id, s.at, 'issued' from session s
                 where not exists (select from session_outcome o where o.session_id = s.id and o.at = s.at and o.tenant_id = s.tenant_id)"
        ),
    };
    ground.fill(statements).await
}

/// Measures a gateway that is started anew, as often as there are rounds.
async fn size(
    options: &Options,
    ground: &Ground,
    grown: Option<What>,
    count: u32,
) -> anyhow::Result<Size> {
    let mut size = Size {
        grown,
        count,
        rows: Vec::new(),
        idle_mib: Vec::new(),
        peak_mib: Vec::new(),
        ready_after_s: Vec::new(),
    };
    for round in 1..=options.rounds() {
        let server = ground.start(Kind::Gateway).await?;
        size.ready_after_s.push(server.ready_after.as_secs_f64());
        size.idle_mib
            .extend(server.memory()?.map(|(now, _most)| now));
        ground.set_delay(0).await?;
        // What was filled in is swept, and the users are met.
        warm_up(options, &server).await?;
        for cell in &options.cells {
            ground.set_delay(cell.anam_ms).await?;
            let (row, outcome) = measure(options, ground, &server, *cell, round).await?;
            let faults = outcome.faults();
            ensure!(faults.is_none(), "{cell}: {}", faults.unwrap_or_default());
            size.rows.push(row);
        }
        size.peak_mib
            .extend(server.memory()?.map(|(_now, most)| most));
        if let Some(process) = server.process {
            process.stop().await?;
        }
    }
    Ok(size)
}

/// What there is at first, by a tenant's users.
struct AtFirst(u32);

impl fmt::Display for AtFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, what) in ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {what}", at_first(what, self.0))?;
        }
        Ok(())
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenants => "tenants that nobody asks",
            Self::Users => "users with preferences",
            Self::Versions => "versions of each document",
            Self::Sessions => "sessions in the ledger",
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |figures: &[f64]| match Median::of(figures.iter().copied()) {
            Some(median) => median.to_string(),
            None => "-".to_owned(),
        };
        let mut cells = Vec::new();
        for row in &self.rows {
            if !cells.contains(&row.cell) {
                cells.push(row.cell);
            }
        }
        for cell in cells {
            let over = |figure: fn(&Row) -> Option<f64>| {
                let rows = self.rows.iter().filter(|row| row.cell == cell);
                let figures: Vec<f64> = rows.filter_map(figure).collect();
                median(&figures)
            };
            match self.grown {
                None => write!(f, "| {} | {cell} ", AtFirst(self.count))?,
                Some(grown) => write!(f, "| {} {grown} | {cell} ", self.count)?,
            }
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} |",
                over(|row| row.server_us),
                over(|row| row.postgres_us),
                over(|row| Some(row.p99_ms)),
                median(&self.idle_mib),
                median(&self.peak_mib),
                median(&self.ready_after_s),
            )?;
        }
        Ok(())
    }
}
