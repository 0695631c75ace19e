//! What a session token costs: the gateway beside a bare proxy and beside an Express server, in one run. `just bench`;
//! docs/PERFORMANCE.md says how to read it.

mod meter;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use self::meter::Options;

fn main() -> ExitCode {
    let done = match meter::roles::play() {
        Some(played) => played,
        None => measure(&Options::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            meter::progress(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> anyhow::Result<()> {
    let report = meter::run(options)?;
    writeln!(std::io::stdout(), "{report}")?;
    if let Some(page) = &options.doc {
        put_into(page, &report.to_string())
            .with_context(|| format!("{} can't be changed", page.display()))?;
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{} can't be written", file.display()))?;
    }
    Ok(())
}

/// Replaces the tables of a page.
fn put_into(page: &Path, tables: &str) -> anyhow::Result<()> {
    const BEGIN: &str = "<!-- bench -->\n";
    const END: &str = "<!-- end of bench -->\n";
    let text = std::fs::read_to_string(page)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("it has no line <!-- bench -->")?;
    let (_, after) = rest
        .split_once(END)
        .context("it has no line <!-- end of bench -->")?;
    Ok(std::fs::write(
        page,
        format!("{before}{BEGIN}{tables}\n{END}{after}"),
    )?)
}
