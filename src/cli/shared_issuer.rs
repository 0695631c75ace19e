//! `shared-issuer`: issuers that many tenants share.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::database;
use crate::auth::problems_of_given_keys;
use crate::authoring::yaml::Source;
use crate::clock::Clock;
use crate::domain::ids::IssuerId;
use crate::domain::issuer::{ClaimPath, IssuerConfig};
use crate::tenants::refusal::Refusal;

/// Issuers that many tenants share, where a claim of the token names the tenant. For operators.
///
/// A tenant's own issuers are in its bundle. Only a shared issuer's tokens may name their tenant themselves, so register
/// none whose claims a tenant can set.
#[derive(Debug, clap::Subcommand)]
pub enum SharedIssuerCommand {
    /// Registers an issuer. The file has the members that an issuer has in a bundle: issuer, audiences, keys, ...
    Add(AddArgs),
    /// Lists the registered issuers.
    List,
    /// Takes an issuer out: its tokens are refused from then on.
    Remove(RemoveArgs),
}

/// What to register.
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// YAML or JSON.
    file: PathBuf,
    /// The claim that holds the tenant's name in URLs, or its id: a name such as `org`, or a JSON pointer such as /org/slug.
    #[arg(long)]
    tenant_claim: String,
}

/// What to take out.
#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// Its id, as `list` shows it.
    id: uuid::Uuid,
}

pub async fn run(command: SharedIssuerCommand) -> anyhow::Result<ExitCode> {
    match command {
        SharedIssuerCommand::Add(args) => add(args).await,
        SharedIssuerCommand::List => list().await,
        SharedIssuerCommand::Remove(args) => remove(args).await,
    }
}

async fn add(args: AddArgs) -> anyhow::Result<ExitCode> {
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("{} can't be read", args.file.display()))?;
    if ClaimPath::parse(&args.tenant_claim).is_err() {
        bail!("--tenant-claim must be a claim's name or a JSON pointer into the claims");
    }
    let source = match Source::read(&bytes) {
        Ok(source) => source,
        Err(broken) => {
            writeln!(std::io::stderr(), "{}:{broken}", args.file.display())?;
            return Ok(ExitCode::from(2));
        }
    };
    let config = IssuerConfig::parse(&source.value).and_then(|config| {
        let problems = problems_of_given_keys(&config, Clock::system().now());
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    });
    let config = match config {
        Ok(config) => config,
        Err(faults) => {
            for fault in faults {
                writeln!(
                    std::io::stderr(),
                    "{}:{}",
                    args.file.display(),
                    source.describe(&fault)
                )?;
            }
            return Ok(ExitCode::from(2));
        }
    };
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    let members = source.value.as_object().cloned().unwrap_or_default();
    let added = local
        .operator(&clock, &label)
        .add_shared_issuer(&members, &args.tenant_claim)
        .await;
    let id = added.map_err(|refusal| super::refused(&refusal))?;
    super::say(format_args!("Registered {} as {id}.", config.issuer()))?;
    Ok(ExitCode::SUCCESS)
}

async fn list() -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let mut tx = local.database.platform().await?;
    let issuers = tx.shared_issuers().await?;
    tx.commit().await?;
    for issuer in issuers {
        let url = issuer
            .config
            .get("issuer")
            .and_then(serde_json::Value::as_str);
        super::say(format_args!(
            "{}  {}  tenant from {}",
            issuer.id,
            url.unwrap_or_default(),
            issuer.tenant_claim
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(args: RemoveArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    match local
        .operator(&clock, &label)
        .remove_shared_issuer(IssuerId(args.id))
        .await
    {
        Err(Refusal::NotFound) => bail!("there is no shared issuer {}", args.id),
        removed => removed.map_err(|refusal| super::refused(&refusal))?,
    }
    super::say(format_args!("Removed {}.", args.id))?;
    Ok(ExitCode::SUCCESS)
}
