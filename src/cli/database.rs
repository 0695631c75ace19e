//! The database and master keys for commands that work on them directly.

use secrecy::SecretString;

use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::seal::KeyRing;
use crate::domain::encoding;
use crate::domain::ids::TenantId;
use crate::domain::role::Role;
use crate::store::rights::Schema;
use crate::store::{Database, DatabaseOptions};
use crate::tenants::actor::Actor;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::master_keys::recognise;
use crate::tenants::operators::Operator;

/// The database and the keys that such a command needs.
pub(super) struct Local {
    pub(super) database: Database,
    pub(super) schema: Schema,
    pub(super) keys: KeyRing,
}

impl Local {
    /// Whoever has the installation's settings runs it.
    pub(super) fn operator<'a>(&'a self, clock: &'a Clock, label: &'a str) -> Operator<'a> {
        Operator {
            database: &self.database,
            clock,
            label,
            request_id: None,
        }
    }

    /// A change of a tenant, by whoever runs the command, with all rights there.
    pub(super) async fn change(&self, slug: &str) -> anyhow::Result<Change> {
        let admin = Admin {
            tenant: self.tenant(slug).await?,
            role: Role::Owner,
            actor: Actor {
                label: actor(),
                person: None,
            },
            request_id: None,
            proven_at: None,
        };
        let clock = Clock::system();
        Ok(Change::with(&self.database, &clock, &self.keys, admin).await?)
    }

    /// The tenant of that name in URLs.
    pub(super) async fn tenant(&self, slug: &str) -> anyhow::Result<TenantId> {
        let mut platform = self.database.platform().await?;
        let tenant = platform.tenant_by_slug(slug).await?;
        platform.commit().await?;
        tenant.ok_or_else(|| {
            anyhow::anyhow!("there is no tenant `{slug}`; `persona-gateway tenant list` shows them")
        })
    }
}

/// From the same settings as `serve`, with the rights and the master key checked like there.
pub(super) async fn open() -> anyhow::Result<Local> {
    let settings = Settings::from_environment()?;
    let options = DatabaseOptions {
        acquire_timeout: settings.database.acquire_timeout * 5,
        // An import writes many rows in one statement.
        statement_timeout: settings.database.statement_timeout * 30,
        lock_timeout: settings.database.lock_timeout * 5,
        transaction_timeout: settings.database.transaction_timeout * 30,
    };
    let database = Database::new(
        &settings.database.url,
        settings.database.direct_url.as_ref(),
        "command",
        2,
        options,
    );
    let schema = database.check_rights().await?;
    let keys = KeyRing::new(&settings.master_keys);
    recognise(&database, &keys).await?;
    Ok(Local {
        database,
        schema,
        keys,
    })
}

/// Who runs the command, for the audit trail.
pub(super) fn actor() -> String {
    let environment = crate::config::environment();
    let user = environment
        .get("USER")
        .or_else(|| environment.get("LOGNAME"));
    format!("cli:{}", user.map_or("unknown", String::as_str))
}

/// The secret that a bundle's reference names.
pub(super) fn find_secret(
    reference: &crate::authoring::bundle::SecretRef,
) -> Result<SecretString, String> {
    use crate::authoring::bundle::SecretRef;
    let text = match reference {
        SecretRef::Env(name) => crate::config::environment()
            .remove(name)
            .ok_or_else(|| format!("the environment variable {name} is not set"))?,
        SecretRef::File(path) => {
            let bytes = std::fs::read(path)
                .map_err(|error| format!("the file {path} can't be read: {error}"))?;
            encoding::text(&bytes).map_err(|fault| format!("{path}: {fault}"))?
        }
        SecretRef::Stored => return Err("is in the database only".into()),
        SecretRef::Sent(_) => return Err("is not sent to this command".into()),
    };
    match encoding::value(&text)? {
        "" => Err("is empty".into()),
        text => Ok(SecretString::from(text)),
    }
}
