//! `tenant`: customers of the installation.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use super::database;
use crate::clock::Clock;
use crate::config::{MigrateSettings, environment};
use crate::domain::key::Slug;

/// Tenants, the customers of this installation. For operators.
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
    /// Deletes a tenant for good, with everything of it: documents, users' choices, sessions, keys, its audit trail, and the
    /// accounts of people who belong nowhere else.
    ///
    /// Asks for the tenant's name first, unless --yes is given. Export what must be kept before: `persona-gateway export`, and
    /// `persona-gateway audit export`. The tenant is suspended, then all goes in one step; the platform's audit trail keeps who did it and
    /// the last hash of the tenant's. Beside the settings of `serve` it needs `MIGRATE_DATABASE_URL`, the owner's URL as for `migrate`:
    /// `serve` itself may delete nothing that is append-only.
    #[command(
        after_help = "Examples:\n  persona-gateway audit export --tenant acme > acme-audit.ndjson\n  \
                      persona-gateway tenant delete acme"
    )]
    Delete(DeleteArgs),
}

/// A tenant to make.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Its name in URLs and bundles, which it keeps: a-z, 0-9 and hyphens, such as `acme`.
    slug: Slug,
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
    slug: String,
}

/// Which tenant to delete.
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// Its name in URLs.
    slug: String,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    /// Prints JSON: how many rows went, by table.
    #[arg(long)]
    json: bool,
}

pub async fn run(command: TenantCommand) -> anyhow::Result<ExitCode> {
    match command {
        TenantCommand::Create(args) => create(args).await,
        TenantCommand::List(args) => list(args).await,
        TenantCommand::Suspend(args) => set_active(&args.slug, false).await,
        TenantCommand::Resume(args) => set_active(&args.slug, true).await,
        TenantCommand::Delete(args) => delete(args).await,
    }
}

async fn create(args: CreateArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    let id = local
        .operator(&clock, &label)
        .create_tenant(
            &args.slug,
            args.name.as_deref().unwrap_or(args.slug.as_str()),
        )
        .await
        .map_err(|refusal| super::refused(&refusal))?;
    if args.json {
        super::say(json!({ "id": id, "slug": args.slug.as_str() }))?;
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

async fn delete(args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let slug = args.slug.as_str();
    let local = database::open().await?;
    let tenant = local.tenant(slug).await?;
    let settings = MigrateSettings::load(&environment(), Path::new("config"))?;
    if settings.login_url.is_none() {
        bail!(
            "set MIGRATE_DATABASE_URL to the owner's URL, as for `migrate`: the login of `serve` may delete no audit trail and no session"
        );
    }
    if !args.yes && !confirm(slug)? {
        bail!("that is not `{slug}`: nothing was deleted");
    }
    let (clock, label) = (Clock::system(), database::actor());
    let gone = local
        .operator(&clock, &label)
        .delete_tenant(&settings.url, slug)
        .await
        .map_err(|refusal| super::refused(&refusal))?;
    if args.json {
        super::say(json!({ "id": tenant, "slug": slug, "rows": gone }))?;
    } else {
        let of = |table: &str| gone.get(table).copied().unwrap_or(0);
        super::say(format_args!(
            "Deleted the tenant {slug}, with all there was (documents: {}, users' choices: {}, sessions: {}) and accounts of people who belong nowhere \
             else: {}.",
            of("document"),
            of("preference"),
            of("session"),
            of("admin")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for confirmation at the terminal.
fn confirm(slug: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("this deletes the tenant {slug} for good: say that you mean it with --yes");
    }
    let mut screen = std::io::stderr().lock();
    write!(
        screen,
        "This deletes the tenant {slug} for good, with all documents, sessions, users' choices, keys and its audit trail.\n\
         Type its name to go on: "
    )?;
    screen.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == slug)
}
