//! `apply`: makes tenants as bundles say.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::database;
use crate::authoring::apply::{Applier, ApplyError, ApplyOptions};
use crate::authoring::bundle::Bundle;
use crate::authoring::yaml::Source;
use crate::clock::Clock;
use crate::domain::fault::Fault;

/// Makes tenants as bundles say: policy, issuers, catalogue, snippets, personas, contexts, provider key.
///
/// A bundle is YAML or JSON; `export` writes one. It is applied whole or not at all, and a second time changes nothing.
/// Sections that a bundle does not have are left as they are. Needs `DATABASE_URL` and `GATEWAY_MASTER_KEY`, as `serve` does.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    /// Bundles, one tenant each.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove documents and issuers that the bundle does not have, from the sections that it does have.
    #[arg(long)]
    prune: bool,
    /// Why, for the history.
    #[arg(long, short, default_value = "")]
    message: String,
}

/// Reads all bundles first, then applies them in order.
pub async fn run(args: ApplyArgs) -> anyhow::Result<ExitCode> {
    let mut bundles = Vec::new();
    let mut refused = false;
    for file in &args.files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} can't be read", file.display()))?;
        let read = Source::parse(&text).and_then(|source| match Bundle::parse(&source.value) {
            Ok(bundle) => Ok((source, bundle)),
            Err(faults) => {
                report(file, Some(&source), &faults).ok();
                Err(Vec::new())
            }
        });
        match read {
            Ok((source, bundle)) => bundles.push((file, source, bundle)),
            Err(faults) => {
                report(file, None, &faults)?;
                refused = true;
            }
        }
    }
    if refused {
        return refuse();
    }
    let local = database::open().await?;
    let clock = Clock::system();
    let applier = Applier {
        database: &local.database,
        clock: &clock,
        keys: &local.keys,
        find_secret: &database::find_secret,
    };
    let options = ApplyOptions {
        dry_run: args.dry_run,
        prune: args.prune,
        message: args.message,
        ..ApplyOptions::by(database::actor())
    };
    for (file, source, bundle) in &bundles {
        match applier.apply(bundle, &options).await {
            Ok(plan) => {
                write!(std::io::stdout(), "{plan}")?;
                if args.dry_run && !plan.steps.is_empty() {
                    super::say("  (dry run: nothing was changed)")?;
                }
            }
            Err(ApplyError::Faults(faults)) => {
                report(file, Some(source), &faults)?;
                return refuse();
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} was not applied", file.display()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse() -> anyhow::Result<ExitCode> {
    writeln!(std::io::stderr(), "Nothing of it was applied.")?;
    Ok(ExitCode::from(2))
}

/// One line a fault, in the form that editors jump to.
fn report(
    file: &std::path::Path,
    source: Option<&Source>,
    faults: &[Fault],
) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    for fault in faults {
        match source {
            Some(source) => writeln!(
                err,
                "{}:{}: {fault}",
                file.display(),
                source.line(&fault.pointer)
            )?,
            None => writeln!(err, "{}: {}", file.display(), fault.message)?,
        }
    }
    Ok(())
}
