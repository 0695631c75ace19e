//! What to measure, as the command line says it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::kind::Kind;

const ABOUT: &str = "What a session token costs: the gateway beside a bare proxy and an Express server, in one run.

Everything is started here and listens on this machine only: a durable PostgreSQL, a stand-in for Anam, issuers, the servers, the load. \
Within a round each cell is measured on all servers, one after the other, so that they meet the same machine. The figure to trust is CPU a \
request; on a machine that others use, requests a second and p99 say little. docs/PERFORMANCE.md says how to read the tables.";

/// Measures the gateway.
#[derive(Debug, clap::Parser)]
#[command(name = "just bench", about = ABOUT, disable_version_flag = true)]
pub(crate) struct Options {
    /// About a minute: one round of two seconds a cell.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often everything is measured; the tables show medians and ranges.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds that a cell is measured.
    #[arg(long, default_value_t = 4.0, value_parser = seconds)]
    secs: f64,
    /// Seconds of load for each server before a round is measured.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    warmup: f64,
    /// Which servers. `direct` asks Anam's stand-in without any: what others add is measured from it.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "direct,bare-proxy,gateway,express"
    )]
    pub(crate) servers: Vec<Kind>,
    /// Which cells, each as MS:CONNECTIONS or MS:CONNECTIONS@RATE. MS is how long Anam takes; RATE is requests a second that
    /// come whether earlier ones are answered or not, otherwise each connection sends its next one when it has its answer.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0:64,0:256,50:64,50:256,50:64@300"
    )]
    pub(crate) cells: Vec<Cell>,
    /// Users with preferences in each of the three tenants.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..100_000))]
    pub(crate) users: u32,
    /// Only the micro-benchmarks, or only the servers; or, instead, what two tenants' users wait while a third's flood the gateway
    /// (`neighbours`), what a token costs with ten times as much of everything (`growth`), or what a thousand tenants and ten thousand
    /// idle connections take of memory (`memory`).
    #[arg(long)]
    pub(crate) only: Option<Only>,
    /// Write every figure of every round to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Put the tables into this Markdown file, between its lines `<!-- bench -->` and `<!-- end of bench -->`.
    #[arg(long, value_name = "FILE")]
    pub(crate) doc: Option<PathBuf>,
    /// Where PostgreSQL keeps its data meanwhile: on a disk, or commits cost nothing. Unless set: below `target`, or, as root, in
    /// /var/lib/persona-gateway.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(if self.quick { 2.0 } else { self.secs })
    }

    pub(crate) fn warmup(&self) -> Duration {
        Duration::from_secs_f64(if self.quick { 1.5 } else { self.warmup })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Only {
    Micro,
    Servers,
    Neighbours,
    Growth,
    Memory,
}

/// One condition that all servers are measured under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// How long Anam takes, in milliseconds.
    pub(crate) anam_ms: u16,
    pub(crate) connections: u16,
    /// Requests a second; none where each connection sends its next request when it has its answer.
    pub(crate) rate: Option<u32>,
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not MS:CONNECTIONS or MS:CONNECTIONS@RATE, such as 50:64@300");
        let (cell, rate) = match text.split_once('@') {
            Some((cell, rate)) => (cell, Some(rate)),
            None => (text, None),
        };
        let (anam_ms, connections) = cell.split_once(':').ok_or_else(wrong)?;
        let cell = Self {
            anam_ms: anam_ms.parse().ok().ok_or_else(wrong)?,
            connections: connections.parse().ok().ok_or_else(wrong)?,
            rate: rate
                .map(|rate| rate.parse().ok().ok_or_else(wrong))
                .transpose()?,
        };
        if cell.connections == 0 || cell.rate == Some(0) {
            return Err(wrong());
        }
        Ok(cell)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Anam at {} ms, {} connections",
            self.anam_ms, self.connections
        )?;
        match self.rate {
            Some(rate) => write!(f, ", {rate} requests a second"),
            None => Ok(()),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("takes 0.1 to 600 seconds".to_owned()),
    }
}
