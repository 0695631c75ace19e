//! `export`: writes a tenant out as a bundle.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::Value;

use super::database;
use super::remote::RemoteArgs;
use crate::authoring::export::export;
use crate::authoring::yaml;
use crate::client::Client;

/// Writes what is live for a tenant as a bundle that `apply` takes. Secrets stay where they are.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The tenant, by its name in URLs. With --server it is the key's own.
    #[arg(required_unless_present = "server")]
    tenant: Option<String>,
    /// JSON instead of YAML.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Prints the bundle.
pub async fn run(args: ExportArgs) -> anyhow::Result<ExitCode> {
    let bundle = match args.remote.client()? {
        Some(client) => export_from_gateway(&client, args.tenant.as_deref()).await?,
        None => export_from_database(&args.tenant.unwrap_or_default()).await?,
    };
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&bundle)?)
    } else {
        yaml::write(&bundle)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn export_from_database(slug: &str) -> anyhow::Result<Value> {
    let local = database::open().await?;
    let mut platform = local.database.platform().await?;
    let tenant = platform.tenant_by_slug(slug).await?;
    platform.commit().await?;
    let Some(tenant) = tenant else {
        bail!("there is no tenant `{slug}`")
    };
    let mut tx = local.database.tenant(tenant).await?;
    let Some(bundle) = export(&mut tx).await? else {
        bail!("there is no tenant `{slug}`")
    };
    Ok(bundle)
}

async fn export_from_gateway(client: &Client, slug: Option<&str>) -> anyhow::Result<Value> {
    let bundle = client.export().await?;
    if let Some(slug) = slug
        && bundle.get("tenant").and_then(Value::as_str) != Some(slug)
    {
        bail!("the key does not belong to the tenant `{slug}`")
    }
    Ok(bundle)
}
