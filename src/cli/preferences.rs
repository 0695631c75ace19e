//! `preferences import`: many users' choices at once.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::database;
use crate::domain::caller::Subject;
use crate::domain::catalogue::Catalogue;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::tenants::preferences::import::{self, BATCH, MAX_LINE};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Bad lines that are printed before the import gives up.
const MAX_BAD_LINES: usize = 50;

/// Users' preferences.
#[derive(Debug, clap::Subcommand)]
pub enum PreferencesCommand {
    /// Imports preferences of many users from NDJSON: one `{"subject": "...", "preferences": {...}}` a line.
    ///
    /// The file is read twice: first every line is checked against the tenant's catalogue and policy, and nothing is
    /// written unless all are good; then it is written in batches. Running it again after a broken run is safe. Tells how many
    /// lines changed a user's choices, and how many changed nothing.
    Import(ImportArgs),
}

/// What to import.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The file.
    file: PathBuf,
    /// The tenant, by its name in URLs.
    #[arg(long)]
    tenant: String,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Imports.
pub async fn run(command: PreferencesCommand) -> anyhow::Result<ExitCode> {
    let PreferencesCommand::Import(args) = command;
    let local = database::open().await?;
    let mut platform = local.database.platform().await?;
    let tenant = platform.tenant_by_slug(&args.tenant).await?;
    platform.commit().await?;
    let Some(tenant) = tenant else {
        bail!("there is no tenant `{}`", args.tenant)
    };
    let mut tx = local.database.tenant(tenant).await?;
    let row = tx.tenant_row().await?.context("the tenant is gone")?;
    let catalogue = tx.catalogue().await?;
    tx.commit().await?;
    let Ok(policy) = Policy::parse(&row.policy) else {
        bail!("the tenant's policy can't be read: correct it first")
    };

    let mut bad = 0;
    let checked = each_line(&args.file, "checking", |number, line| {
        if let Err(why) = parse(line, &policy, &catalogue) {
            bad += 1;
            writeln!(std::io::stderr(), "{}:{number}: {why}", args.file.display())?;
        }
        if bad >= MAX_BAD_LINES {
            bail!("too many bad lines: gave up at line {number}");
        }
        Ok(())
    });
    checked?;
    if bad > 0 {
        writeln!(std::io::stderr(), "Nothing was imported.")?;
        return Ok(ExitCode::from(2));
    }

    let (rows, mut batches) = tokio::sync::mpsc::channel::<Vec<(Subject, Preferences)>>(2);
    let file = args.file.clone();
    let reader = tokio::task::spawn_blocking(move || -> anyhow::Result<u64> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut count = 0;
        each_line(&file, "importing", |number, line| {
            let row = parse(line, &policy, &catalogue);
            batch.push(row.map_err(|why| {
                anyhow::anyhow!(
                    "{}:{number}: {why} (the file changed meanwhile)",
                    file.display()
                )
            })?);
            count += 1;
            if batch.len() == BATCH {
                rows.blocking_send(std::mem::take(&mut batch))?;
            }
            Ok(())
        })?;
        rows.blocking_send(batch)?;
        Ok(count)
    });
    let mut changed = 0;
    while let Some(batch) = batches.recv().await {
        let mut change = local.change(&args.tenant).await?;
        changed += import::write(&mut change, &batch).await?;
        if !args.dry_run {
            change.commit().await?;
        }
    }
    let unchanged = reader.await??.saturating_sub(changed);
    super::say(format_args!(
        "Preferences of users of {}: {changed} changed, {unchanged} unchanged.",
        args.tenant
    ))?;
    if args.dry_run {
        super::say("(dry run: nothing was changed)")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Calls `take` with the number and the bytes of each line that is not empty, under a progress bar.
fn each_line(
    file: &PathBuf,
    verb: &'static str,
    mut take: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let opened = File::open(file).with_context(|| format!("{} can't be read", file.display()))?;
    let bar = ProgressBar::new(opened.metadata()?.len()).with_message(verb);
    bar.set_style(
        ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes}, {eta} left")?
            .progress_chars("=> "),
    );
    let mut reader = BufReader::with_capacity(256 * 1024, bar.wrap_read(opened));
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        number += 1;
        if line.len() > MAX_LINE {
            bail!("{}:{number}: the line is longer than 64 kB", file.display());
        }
        let text = import::bare(&line);
        if !text.is_empty() {
            take(number, text)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn parse(
    line: &[u8],
    policy: &Policy,
    catalogue: &Catalogue,
) -> Result<(Subject, Preferences), String> {
    import::parse(line, policy, catalogue).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        faults.join("; ")
    })
}
