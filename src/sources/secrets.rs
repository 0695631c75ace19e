//! The secrets that a tenant's live personas refer to, opened once with its snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;

use super::SourceError;
use crate::crypto::seal::KeyRing;
use crate::domain::decide::PersonaConfig;
use crate::domain::key::Key;
use crate::domain::snapshot::Snapshot;
use crate::store::sealed::SealedColumn;
use crate::store::secrets::SecretRow;

/// Secrets by name; those that are not set or can't be opened are not there.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<Key, SecretString>);

impl Secrets {
    /// Opens those that `snapshot` refers to. What can't be had fails the mints that need it, and no others.
    pub(super) fn open(sealed: Vec<SecretRow>, keys: &KeyRing, snapshot: &Snapshot) -> Self {
        let rollouts = snapshot.rollouts.personas.values();
        let rollouts = rollouts.map(|rollout| &rollout.version);
        let personas = snapshot.personas.values().chain(rollouts);
        let wanted: BTreeSet<Key> = personas
            .flat_map(|persona| persona.settings.secret_references())
            .map(|(_, name)| name)
            .collect();
        let tenant = snapshot.tenant;
        let mut opened = BTreeMap::new();
        for row in sealed {
            let Some(name) = wanted.get(row.name.as_str()) else {
                continue;
            };
            match keys.open(&row.sealed, &SealedColumn::Secret.place(tenant, row.id)) {
                Ok(secret) => {
                    opened.insert(name.clone(), secret);
                }
                Err(error) => {
                    tracing::error!(tenant.id = %tenant, secret = %name, %error, "a secret can't be opened");
                }
            }
        }
        for name in wanted.iter().filter(|name| !opened.contains_key(*name)) {
            tracing::error!(tenant.id = %tenant, secret = %name, "a live persona refers to a secret that can't be had");
        }
        Self(opened)
    }

    /// The configuration with its secrets in their places. `written` is its JSON, where the names of secrets stand there.
    pub fn reveal<'a>(
        &self,
        config: &PersonaConfig,
        written: &'a RawValue,
    ) -> Result<Revealed<'a>, SourceError> {
        let settings = &config.settings;
        if settings.secret_references().next().is_none() {
            return Ok(Revealed::Written(written));
        }
        let secret = |name: &Key| self.0.get(name).map(ExposeSecret::expose_secret);
        let tools = settings.tools.iter().flatten();
        let tools: Result<Vec<_>, Key> = tools.map(|tool| tool.revealed(&secret)).collect();
        let mut config = config.clone();
        config.settings.tools = Some(tools.map_err(SourceError::SecretMissing)?);
        Ok(Revealed::Filled(Box::new(config)))
    }
}

/// A persona's configuration with secrets in it: it can be written into the body for Anam, and shown nowhere.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Revealed<'a> {
    /// One without secrets, as JSON.
    Written(&'a RawValue),
    /// With its secrets.
    Filled(Box<PersonaConfig>),
}

impl fmt::Debug for Revealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(***)")
    }
}
