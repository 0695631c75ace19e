//! `api-key`: credentials of machines.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde_json::json;

use super::admin::parse_role;
use super::database;
use crate::clock::Clock;
use crate::domain::role::Role;
use crate::store::api_keys::StoredKey;
use crate::tenants::api_keys::{self, NewKey};

/// API keys of machines that administer a tenant. Owners make, rotate and revoke them over /v1/admin/api-keys too.
#[derive(Debug, clap::Subcommand)]
pub enum ApiKeyCommand {
    /// Makes a key and prints it, this once.
    #[command(
        after_help = "Example:\n  persona-gateway api-key create --tenant acme --name ci --role publisher --expires 90d"
    )]
    Create(CreateArgs),
    /// Lists a tenant's keys, newest first: what each is for, what it may, until when, and when it was used last.
    List(ListArgs),
    /// Takes a key back: it is refused from now on.
    #[command(after_help = "Example:\n  persona-gateway api-key revoke --tenant acme pgk_7Yd3mZ0q")]
    Revoke(RevokeArgs),
}

/// Whose keys.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// The tenant, by its name in URLs.
    #[arg(long)]
    tenant: String,
    /// Prints JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Which key.
#[derive(Debug, clap::Args)]
pub struct RevokeArgs {
    /// The tenant, by its name in URLs.
    #[arg(long)]
    tenant: String,
    /// Its id, or its first twelve characters as `list` and the audit trail show them.
    key: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A key to make.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// The tenant, by its name in URLs.
    #[arg(long)]
    tenant: String,
    /// What the key is for.
    #[arg(long)]
    name: String,
    /// What it may: viewer, editor, publisher or owner.
    #[arg(long, value_parser = parse_role)]
    role: Role,
    /// How long it is good, in days or hours: 90d, 12h; two years at most. Without it the key has no end.
    #[arg(long, value_parser = parse_life)]
    expires: Option<TimeDelta>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

fn parse_life(text: &str) -> Result<TimeDelta, String> {
    let unit = |suffix: char, of: fn(i64) -> Option<TimeDelta>| {
        let number: i64 = text.strip_suffix(suffix)?.parse().ok()?;
        of(number).filter(|life| *life > TimeDelta::zero())
    };
    unit('d', TimeDelta::try_days)
        .or_else(|| unit('h', TimeDelta::try_hours))
        .ok_or_else(|| "must be a number of days or hours, such as 90d or 12h".to_owned())
}

pub async fn run(command: ApiKeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        ApiKeyCommand::Create(args) => create(args).await,
        ApiKeyCommand::List(args) => list(args).await,
        ApiKeyCommand::Revoke(args) => revoke(args).await,
    }
}

async fn create(args: CreateArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let mut change = local.change(&args.tenant).await?;
    let expires_at = args.expires.map(|life| change.now + life);
    let new = NewKey {
        name: args.name,
        role: args.role,
        expires_at,
    };
    let (row, key) = api_keys::create(&mut change, new)
        .await
        .map_err(|refusal| super::refused(&refusal))?;
    let details = json!({ "id": row.id, "role": row.role.as_str(), "tenant": args.tenant });
    let target = format!("api_key/{}", row.prefix);
    change.note_platform("api_key.create", &target, details);
    change.commit().await?;
    if args.json {
        super::say(json!({
            "id": row.id, "name": row.name, "role": row.role.as_str(), "prefix": row.prefix, "expiresAt": row.expires_at,
            "key": key.expose_secret(),
        }))?;
    } else {
        writeln!(
            std::io::stderr(),
            "Keep this: it is not shown again. The audit trail calls it {}.",
            row.prefix
        )?;
        super::say(key.expose_secret())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let tenant = local.tenant(&args.tenant).await?;
    let mut tx = local.database.tenant(tenant).await?;
    let keys = tx.api_keys(None, i64::MAX).await?;
    tx.commit().await?;
    let now = Clock::system().now();
    for key in keys {
        let usable = api_keys::is_usable(&key, now);
        if args.json {
            super::say(json!({
                "id": key.id, "prefix": key.prefix, "name": key.name, "role": key.role.as_str(), "usable": usable,
                "createdBy": key.created_by, "createdAt": key.created_at, "expiresAt": key.expires_at,
                "revokedAt": key.revoked_at, "lastUsedAt": key.last_used_at, "replaces": key.replaces,
            }))?;
        } else {
            super::say(format_args!(
                "{}  {}  {}  {}  {}",
                key.id,
                key.prefix,
                key.role.as_str(),
                key.name,
                state(&key, usable)
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a key is taken, in words.
fn state(key: &StoredKey, usable: bool) -> String {
    let day = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d").to_string();
    let end = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if usable => format!("until {}", day(at)),
        (None, Some(at)) => format!("ended {}", day(at)),
        (None, None) => "no end".to_owned(),
    };
    match key.last_used_at {
        Some(at) => format!("{end}, last used {}", day(at)),
        None => format!("{end}, never used"),
    }
}

async fn revoke(args: RevokeArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let mut change = local.change(&args.tenant).await?;
    let keys = change.tx.api_keys(None, i64::MAX).await?;
    let mut named = keys
        .into_iter()
        .filter(|key| key.id.0.to_string() == args.key || key.prefix == args.key);
    let key = match (named.next(), named.next()) {
        (Some(key), None) => key,
        (Some(_), Some(_)) => bail!("several keys begin with {}: name one by its id", args.key),
        (None, _) => bail!(
            "{} has no key {}; `persona-gateway api-key list --tenant {}` shows them",
            args.tenant,
            args.key,
            args.tenant
        ),
    };
    if key.revoked_at.is_none() {
        api_keys::revoke(&mut change, key.id)
            .await
            .map_err(|refusal| super::refused(&refusal))?;
        let details = json!({ "id": key.id, "tenant": args.tenant });
        let target = format!("api_key/{}", key.prefix);
        change.note_platform("api_key.revoke", &target, details);
        change.commit().await?;
    }
    if args.json {
        super::say(json!({ "id": key.id, "prefix": key.prefix, "name": key.name }))?;
    } else {
        super::say(format_args!("Revoked {} ({}).", key.prefix, key.name))?;
    }
    Ok(ExitCode::SUCCESS)
}
