//! `api-key`: credentials of machines.

use std::io::Write;
use std::process::ExitCode;

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde_json::json;

use super::admin::parse_role;
use super::database;
use crate::clock::Clock;
use crate::domain::role::Role;
use crate::tenants::admin::{Actor, Admin};
use crate::tenants::api_keys::{self, NewKey};
use crate::tenants::change::Change;

/// API keys of machines that administer a tenant. Owners make, rotate and revoke them over /v1/admin/api-keys too.
#[derive(Debug, clap::Subcommand)]
pub enum ApiKeyCommand {
    /// Makes a key and prints it, this once.
    #[command(
        after_help = "Example:\n  persona-gateway api-key create --tenant acme --name ci --role publisher --expires 90d"
    )]
    Create(CreateArgs),
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

/// Does it.
pub async fn run(command: ApiKeyCommand) -> anyhow::Result<ExitCode> {
    let ApiKeyCommand::Create(args) = command;
    let local = database::open().await?;
    let admin = Admin {
        tenant: local.tenant(&args.tenant).await?,
        role: Role::Owner,
        actor: Actor {
            label: database::actor(),
            person: None,
        },
        request_id: None,
    };
    let clock = Clock::system();
    let mut change = Change::with(&local.database, &clock, &local.keys, admin).await?;
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
    change
        .note_platform("api_key.create", &target, details)
        .await?;
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
