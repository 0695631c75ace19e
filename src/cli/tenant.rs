//! `tenant`: customers of the installation.

use std::process::ExitCode;

use serde_json::json;

use super::database;
use crate::clock::Clock;

/// Tenants, the customers of this installation. For whoever runs it.
#[derive(Debug, clap::Subcommand)]
pub enum TenantCommand {
    /// Makes a tenant. Then make its first owner: `persona-gateway admin create --tenant SLUG --role owner --email ...`
    Create(CreateArgs),
    /// Lists the tenants.
    List(ListArgs),
    /// Stops serving a tenant, its users and its admins. Nothing of it is lost.
    Suspend(SlugArgs),
    /// Serves a suspended tenant again.
    Resume(SlugArgs),
}

/// A tenant to make.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Its name in URLs and bundles, which it keeps: a-z, 0-9 and hyphens, such as `acme`.
    slug: String,
    /// Its name for people; the slug unless given.
    #[arg(long)]
    name: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// How to list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Prints JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Which tenant.
#[derive(Debug, clap::Args)]
pub struct SlugArgs {
    /// Its name in URLs.
    slug: String,
}

/// Does it.
pub async fn run(command: TenantCommand) -> anyhow::Result<ExitCode> {
    match command {
        TenantCommand::Create(args) => create(args).await,
        TenantCommand::List(args) => list(args).await,
        TenantCommand::Suspend(args) => set_active(&args.slug, false).await,
        TenantCommand::Resume(args) => set_active(&args.slug, true).await,
    }
}

async fn create(args: CreateArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    let id = local
        .operator(&clock, &label)
        .create_tenant(&args.slug, args.name.as_deref().unwrap_or(&args.slug))
        .await
        .map_err(|refusal| super::refused(&refusal))?;
    if args.json {
        super::say(json!({ "id": id, "slug": args.slug }))?;
    } else {
        super::say(format_args!("Made the tenant {} ({id}).", args.slug))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let mut tx = local.database.platform().await?;
    let tenants = tx.tenants_page(None, i64::MAX).await?;
    tx.commit().await?;
    for tenant in tenants {
        if args.json {
            super::say(json!({
                "id": tenant.id, "slug": tenant.slug, "name": tenant.name, "active": tenant.active,
                "createdAt": tenant.created_at,
            }))?;
        } else {
            let state = if tenant.active { "" } else { "  suspended" };
            super::say(format_args!(
                "{}  {}  {}{state}",
                tenant.id, tenant.slug, tenant.name
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn set_active(slug: &str, active: bool) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    local.tenant(slug).await?;
    let (clock, label) = (Clock::system(), database::actor());
    local
        .operator(&clock, &label)
        .set_active(slug, active)
        .await
        .map_err(|refusal| super::refused(&refusal))?;
    let done = if active { "Served again" } else { "Suspended" };
    super::say(format_args!("{done}: {slug}."))?;
    Ok(ExitCode::SUCCESS)
}
