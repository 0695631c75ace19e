//! Applying bundles without a service, and two tenants that share everything that can be shared.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use persona_gateway::authoring::apply::{Applier, ApplyError, ApplyOptions};
use persona_gateway::authoring::bundle::{Bundle, SecretRef};
use persona_gateway::authoring::export::export;
use persona_gateway::authoring::plan::Plan;
use persona_gateway::authoring::yaml::Source;
use persona_gateway::clock::Clock;
use persona_gateway::config::Settings;
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::domain::fault::Fault;
use persona_gateway::store::{Database, DatabaseOptions};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::app::MASTER_KEY;
use super::postgres::TestDatabase;
use super::sql;

/// Settings of a service on a database, on free ports.
pub(crate) fn settings(database_url: &SecretString, more: &[(&str, &str)]) -> Settings {
    let env: BTreeMap<String, String> = [
        ("DATABASE_URL", database_url.expose_secret()),
        ("GATEWAY_MASTER_KEY", MASTER_KEY),
        ("GATEWAY__SERVER__HOST", "127.0.0.1"),
        ("GATEWAY__SERVER__PORT", "0"),
        ("GATEWAY__SERVER__OPS_PORT", "0"),
        ("GATEWAY__SERVER__WORKERS", "1"),
        ("GATEWAY__SERVER__DRAIN_GRACE_MS", "0"),
    ]
    .iter()
    .chain(more)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    Settings::load(&env, Path::new("config")).unwrap()
}

/// A store as the service has it.
pub(crate) fn store(url: &SecretString) -> Database {
    let options = DatabaseOptions {
        max_connections: 8,
        acquire_timeout: Duration::from_secs(20),
        statement_timeout: Duration::from_secs(20),
        lock_timeout: Duration::from_secs(20),
    };
    Database::new(url, options).unwrap()
}

/// A database and the tools to apply bundles to it, without a service.
pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) store: Database,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Clock,
    /// What references in bundles lead to.
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        Self {
            store: store(&database.login_url),
            keys: KeyRing::new(&settings(&database.login_url, &[]).master_keys),
            clock: Clock::system(),
            secrets: BTreeMap::new(),
            database,
        }
    }

    /// Applies a bundle that reads.
    pub(crate) async fn apply(&self, yaml: &str) -> Result<Plan, ApplyError> {
        self.apply_with(yaml, |_| {}).await
    }

    /// Applies a bundle that reads, otherwise than usual.
    pub(crate) async fn apply_with(
        &self,
        yaml: &str,
        change: impl FnOnce(&mut ApplyOptions),
    ) -> Result<Plan, ApplyError> {
        let bundle =
            Bundle::parse(&Source::parse(yaml).unwrap().value).map_err(ApplyError::Faults)?;
        let find_secret = |reference: &SecretRef| match reference {
            SecretRef::Env(name) | SecretRef::File(name) => self
                .secrets
                .get(name)
                .map(|secret| SecretString::from(secret.as_str()))
                .ok_or_else(|| format!("{name} is not set")),
            SecretRef::Stored => Err("stored".into()),
        };
        let applier = Applier {
            database: &self.store,
            clock: &self.clock,
            keys: &self.keys,
            find_secret: &find_secret,
        };
        let mut options = ApplyOptions {
            dry_run: false,
            prune: false,
            actor: "test".into(),
            message: String::new(),
        };
        change(&mut options);
        applier.apply(&bundle, &options).await
    }

    /// The faults for which a bundle is refused.
    pub(crate) async fn faults(&self, yaml: &str) -> Vec<Fault> {
        match self.apply(yaml).await {
            Err(ApplyError::Faults(faults)) => faults,
            other => panic!("{other:?} is no refusal"),
        }
    }

    /// What is live, as a bundle.
    pub(crate) async fn export(&self, slug: &str) -> Value {
        let mut platform = self.store.platform().await.unwrap();
        let tenant = platform.tenant_by_slug(slug).await.unwrap().unwrap();
        platform.commit().await.unwrap();
        let mut tx = self.store.tenant(tenant).await.unwrap();
        export(&mut tx, self.clock.now()).await.unwrap().unwrap()
    }

    /// A tenant's id, as text.
    pub(crate) async fn tenant(&self, slug: &str) -> String {
        let mut owner = self.database.owner().await;
        let query = format!("select id from tenant where slug = '{slug}'");
        sql::texts(&mut owner, &query).await.remove(0)
    }
}
