//! `master-key`: changing the key that seals the secrets in the database.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::database;
use crate::clock::Clock;
use crate::tenants::master_keys::Reseal;

/// The key that seals secrets in the database. For operators.
///
/// To change it: (1) set `GATEWAY_MASTER_KEY` to `1:OLDKEY,2:NEWKEY` and restart every instance, so that each can open what the
/// others will seal; with one instance, skip this. (2) Set it to `2:NEWKEY,1:OLDKEY` and restart every instance: the first key
/// seals. (3) `persona-gateway master-key reseal`. (4) Once it says that key 1 may go, set `GATEWAY_MASTER_KEY` to `2:NEWKEY`.
#[derive(Debug, clap::Subcommand)]
pub enum MasterKeyCommand {
    /// Seals all secrets again with the first key of `GATEWAY_MASTER_KEY`, and says which keys may go. May be stopped and
    /// begun again at any time, while the service runs.
    Reseal,
}

pub async fn run(command: MasterKeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        MasterKeyCommand::Reseal => reseal().await,
    }
}

async fn reseal() -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let (clock, actor) = (Clock::system(), database::actor());
    let bar = ProgressBar::new(0).with_message("sealing again");
    bar.set_style(
        ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} tenants, {eta} left")?
            .progress_chars("=> "),
    );
    let reseal = Reseal {
        database: &local.database,
        keys: &local.keys,
        clock: &clock,
        actor: &actor,
    };
    let resealed = reseal
        .run(|done, all| {
            bar.set_length(u64::try_from(all).unwrap_or_default());
            bar.set_position(u64::try_from(done).unwrap_or_default());
        })
        .await?;
    bar.finish_and_clear();
    let active = local.keys.active()?;
    let done = resealed.done;
    super::say(format_args!(
        "Sealed {done} secrets again with master key {active}."
    ))?;
    for (table, row, error) in &resealed.unopened {
        super::say(format_args!("Not opened: {table} {row}: {error}"))?;
    }
    if !resealed.unopened.is_empty() {
        super::say(
            "No key may go yet. Add the key that these were sealed with, or set those secrets again.",
        )?;
        return Ok(ExitCode::FAILURE);
    }
    for id in resealed.may_go {
        super::say(format_args!(
            "Master key {id} may go, once every instance runs with key {active} first."
        ))?;
        if let Some(key) = local.keys.verifying_key(id)? {
            super::say(format_args!(
                "  Checkpoints of audit trails that it signed verify with --public-key {}",
                key.to_hex()
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
