//! `export`: writes a tenant out as a bundle.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

use super::database;
use crate::authoring::export::export;
use crate::authoring::yaml;
use crate::clock::Clock;

/// Writes what is live for a tenant as a bundle that `apply` takes. Secrets stay where they are.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The tenant, by its name in URLs.
    tenant: String,
    /// JSON instead of YAML.
    #[arg(long)]
    json: bool,
}

/// Prints the bundle.
pub async fn run(args: ExportArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let mut platform = local.database.platform().await?;
    let tenant = platform.tenant_by_slug(&args.tenant).await?;
    platform.commit().await?;
    let Some(tenant) = tenant else {
        bail!("there is no tenant `{}`", args.tenant)
    };
    let mut tx = local.database.tenant(tenant).await?;
    let Some(bundle) = export(&mut tx, Clock::system().now()).await? else {
        bail!("there is no tenant `{}`", args.tenant)
    };
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&bundle)?)
    } else {
        yaml::write(&bundle)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
