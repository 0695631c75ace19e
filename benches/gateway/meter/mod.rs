//! The benchmark: what it starts, measures and prints. `main.rs` runs it; `tests/bench/` runs a small one.

pub(crate) mod accounts;
mod bare_proxy;
mod bundle;
mod check;
mod database;
mod express;
mod goals;
mod growth;
mod http;
mod kind;
mod load;
mod memory;
mod micro;
mod neighbours;
mod options;
mod process;
mod report;
pub(crate) mod roles;
mod rounds;
mod servers;
mod stand_in;
pub(crate) mod statistics;
mod tables;
mod users;

use std::io::Write as _;

use anyhow::bail;

use self::options::Only;
use self::report::Report;

pub(crate) use self::options::Options;

/// Measures, until it is done or somebody stops it; then everything that it started is stopped.
pub(crate) fn run(options: &Options) -> anyhow::Result<Report> {
    if cfg!(debug_assertions) {
        progress("built without optimisation: these figures say nothing");
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = measured(options) => report,
            stopped = stop_signal() => stopped.and_then(|()| bail!("stopped")),
        }
    });
    // A load that is under way ends by itself; nobody waits for it.
    runtime.shutdown_background();
    report
}

async fn measured(options: &Options) -> anyhow::Result<Report> {
    let micro = match options.only {
        Some(Only::Servers | Only::Neighbours | Only::Growth | Only::Memory) => None,
        _ => Some(tokio::task::spawn_blocking(micro::run).await??),
    };
    let rounds = match options.only {
        Some(Only::Micro | Only::Neighbours | Only::Growth | Only::Memory) => None,
        _ => Some(rounds::run(options).await?),
    };
    let neighbours = match options.only {
        Some(Only::Neighbours) => Some(neighbours::run(options).await?),
        _ => None,
    };
    let growth = match options.only {
        Some(Only::Growth) => Some(growth::run(options).await?),
        _ => None,
    };
    let held = match options.only {
        Some(Only::Memory) => Some(memory::run(options).await?),
        _ => None,
    };
    Ok(Report {
        rounds,
        parts: micro,
        neighbours,
        growth,
        held,
        ..Report::new(options)
    })
}

async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A line for whoever waits.
pub(crate) fn progress(line: impl std::fmt::Display) {
    // Without a terminal to write to, nobody waits.
    drop(writeln!(std::io::stderr(), "{line}"));
}
