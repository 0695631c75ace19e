//! All settings, read and checked at once.

use std::{collections::BTreeMap, num::NonZeroU32, path::Path};

use super::{
    database_url::DatabaseUrl,
    environment,
    error::ConfigErrors,
    layers::Layers,
    master_key::MasterKeys,
    read::Reader,
    sections::{Parts, master_keys},
    settings::{
        AnamSettings, AuthSettings, ConsoleSettings, DatabaseSettings, LedgerSettings,
        LimitSettings, LogSettings, MailSettings, MetricsSettings, OutageSettings, ServerSettings,
        TraceSettings,
    },
    web_proxy::WebProxy,
};

/// Everything that serving needs.
#[derive(Debug)]
pub struct Settings {
    /// The listeners.
    pub server: ServerSettings,
    /// Postgres.
    pub database: DatabaseSettings,
    /// The upstream.
    pub anam: AnamSettings,
    /// Tokens and key sets.
    pub auth: AuthSettings,
    /// What https goes through.
    pub proxy: Option<WebProxy>,
    /// Rates and numbers in flight.
    pub limits: LimitSettings,
    /// The session ledger.
    pub ledger: LedgerSettings,
    /// Serving while Postgres is away; `None` is not to.
    pub outage: Option<OutageSettings>,
    /// Mail to people who administer; `None` sends none.
    pub mail: Option<MailSettings>,
    /// The pages for people.
    pub console: ConsoleSettings,
    /// What `/metrics` says.
    pub metrics: MetricsSettings,
    /// Where traces are sent; `None` makes none.
    pub traces: Option<TraceSettings>,
    pub log: LogSettings,
    /// Seal the secrets in the database.
    pub master_keys: MasterKeys,
    effective: String,
}

/// What `migrate` needs: no master key, and the owner's URL rather than the server's.
#[derive(Debug)]
pub struct MigrateSettings {
    /// `database.migrate_url`, else `database.direct_url`, else `database.url`.
    pub url: DatabaseUrl,
    /// `database.url`, where it names another login than the owner's: the one that `serve` uses.
    pub login_url: Option<DatabaseUrl>,
    /// Months of sessions to keep; `None` keeps all.
    pub retention_months: Option<NonZeroU32>,
    pub log: LogSettings,
}

impl Settings {
    /// Reads the built-in defaults, the environment's file in `folder` (or in
    /// `GATEWAY_CONFIG_DIR`), then `env`; reports every mistake at once.
    pub fn load(env: &BTreeMap<String, String>, folder: &Path) -> Result<Self, ConfigErrors> {
        let layers = Layers::read(env, folder);
        let mut read = Reader::new(&layers);
        let parts = Parts::read(&mut read);
        let url = read.required("database.url", parts.database_url, "a postgres:// URL");
        let master_keys = master_keys(&mut read);
        finish(read, || {
            Some(Self {
                server: parts.server?,
                database: parts
                    .database
                    .zip(url)
                    .map(|(pool, url)| pool.with(url, parts.direct_url))?,
                anam: parts.anam?,
                auth: parts.auth?,
                proxy: parts.proxy,
                limits: parts.limits?,
                ledger: parts.ledger?,
                outage: parts.outage,
                mail: parts.mail,
                console: parts.console?,
                metrics: parts.metrics?,
                traces: parts.traces,
                log: parts.log?,
                master_keys: master_keys?,
                effective: layers.describe(),
            })
        })
    }

    /// [`Settings::load`] from the process environment and `./config`.
    pub fn from_environment() -> Result<Self, ConfigErrors> {
        Self::load(&environment(), Path::new("config"))
    }

    /// The configuration in force as TOML, each line with its source, secrets as `***`.
    pub fn effective(&self) -> &str {
        &self.effective
    }
}

impl MigrateSettings {
    /// Like [`Settings::load`]: mistakes in settings that migrating does not need count too.
    pub fn load(env: &BTreeMap<String, String>, folder: &Path) -> Result<Self, ConfigErrors> {
        let layers = Layers::read(env, folder);
        let mut read = Reader::new(&layers);
        let parts = Parts::read(&mut read);
        let login_url = parts.migrate_url.as_ref().and(parts.database_url.clone());
        let either = parts
            .migrate_url
            .or(parts.direct_url)
            .or(parts.database_url);
        let keys = [
            "database.migrate_url",
            "database.direct_url",
            "database.url",
        ];
        let url = read.one_of(&keys, either, "a postgres:// URL");
        finish(read, || {
            Some(Self {
                url: url?,
                login_url,
                retention_months: parts.ledger?.retention_months,
                log: parts.log?,
            })
        })
    }
}

/// A part that is missing has left an error behind.
fn finish<T>(read: Reader<'_>, build: impl FnOnce() -> Option<T>) -> Result<T, ConfigErrors> {
    if read.errors.is_empty()
        && let Some(built) = build()
    {
        return Ok(built);
    }
    Err(ConfigErrors(read.errors))
}
