//! `migrate`: prepares the database.

use std::path::Path;
use std::process::ExitCode;

use crate::config::{MigrateSettings, environment};
use crate::store::migrate::{EarlierRoles, forget_sessions, migrate};
use crate::telemetry::logging;

/// Prepares the database: roles, tables, row security, the ledger's months.
///
/// Run it at each deployment: besides new migrations it makes the ledger's next months and drops those older than
/// `ledger.retention_months`. Safe to run again, and by several at once.
///
/// `MIGRATE_DATABASE_URL` is the owner's URL. With `DATABASE_URL` beside it, the login role named there is made too, unless
/// it exists, with its password and no rights but to take the two run-time roles. Without it, `DATABASE_URL` itself is migrated.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    /// Take their rights from roles of earlier versions, or of the database that this is a copy of. When no instance serves with them any more.
    #[arg(long)]
    revoke_earlier_roles: bool,
}

pub async fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let settings = match MigrateSettings::load(&environment(), Path::new("config")) {
        Ok(settings) => settings,
        Err(errors) => {
            use std::io::Write;
            writeln!(std::io::stderr(), "{errors}")?;
            return Ok(ExitCode::from(2));
        }
    };
    logging::init(&settings.log)?;
    let earlier = if args.revoke_earlier_roles {
        EarlierRoles::Revoke
    } else {
        EarlierRoles::Keep
    };
    let migrated = migrate(&settings.url, settings.login_url.as_ref(), earlier).await?;
    if let Some(months) = settings.retention_months {
        forget_sessions(&settings.url, months).await?;
    }
    if !migrated.earlier_roles.is_empty() {
        super::say(format_args!(
            "Roles of an earlier version, or of the database that this is a copy of, may still read it, so that instances that run go on: {}. \
             When all are of this version, run `migrate --revoke-earlier-roles`.",
            migrated.earlier_roles.join(", ")
        ))?;
    }
    match &settings.login_url {
        Some(url) => {
            super::say(format_args!(
                "The database is ready. `serve` may log in as {}.",
                url.user()
            ))?;
        }
        None => super::say(
            "The database is ready. Now make a login role for `serve`, which must not be the owner: run this again with \
             MIGRATE_DATABASE_URL=<the owner's URL> and DATABASE_URL=<the URL that `serve` will use>.",
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
