//! Everything live for one tenant, ready to decide with: templates compiled, settings merged, rules parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::catalogue::Catalogue;
use super::context::Context;
use super::ids::TenantId;
use super::key::Key;
use super::persona::Persona;
use super::policy::Policy;
use super::settings::Settings;
use super::template::Template;

/// The key of the context that answers for unknown ones.
pub const DEFAULT_CONTEXT: &str = "default";

/// An immutable picture of one tenant at one revision.
#[derive(Debug)]
pub struct Snapshot {
    /// Whose.
    pub tenant: TenantId,
    /// Its name in URLs and bundles.
    pub slug: String,
    /// Grows with every change; see the table `config_revision`.
    pub revision: i64,
    /// Locks, defaults, origins, preference fields.
    pub policy: Policy,
    /// What may be chosen.
    pub catalogue: Catalogue,
    /// Live personas.
    pub personas: BTreeMap<Key, LivePersona>,
    /// Live contexts by key.
    pub contexts: BTreeMap<Key, LiveContext>,
    /// Versions that a share of the users gets instead.
    pub rollouts: Rollouts,
    /// Other names of contexts.
    pub aliases: BTreeMap<Key, Key>,
    /// When the next scheduled release goes live, so that this picture is no longer true.
    pub next_change: Option<DateTime<Utc>>,
    /// `{"name", "slug"}`, as templates see the tenant.
    pub tenant_words: Value,
}

/// Versions that a share of the users gets, beside what is live.
#[derive(Debug, Default)]
pub struct Rollouts {
    /// Of personas.
    pub personas: BTreeMap<Key, Rollout<LivePersona>>,
    /// Of contexts. They have the live version's aliases: a request names its context before anybody knows whose it is.
    pub contexts: BTreeMap<Key, Rollout<LiveContext>>,
}

/// A version that a share of the users gets.
#[derive(Debug)]
pub struct Rollout<T> {
    /// How many of a hundred users, 1 to 99.
    pub percent: u8,
    /// What they get.
    pub version: T,
}

/// A persona version with the tenant's locks and defaults laid in.
#[derive(Debug)]
pub struct LivePersona {
    /// Its number.
    pub version: i32,
    /// SHA-256 of its content, hex.
    pub hash: String,
    /// What the gateway says under the policy's defaults under the version under its locks.
    pub settings: Settings,
    /// For each settings member that is set: who won.
    pub winners: BTreeMap<String, Winner>,
    /// The version itself.
    pub persona: Persona,
    /// The pinned snippets that the prompt includes, compiled.
    pub snippets: Vec<(Key, Arc<Template>)>,
    /// Templates' view: `{"key"}`.
    pub words: Value,
}

/// A live context version.
#[derive(Debug)]
pub struct LiveContext {
    /// Its number.
    pub version: i32,
    /// SHA-256 of its content, hex.
    pub hash: String,
    /// The version itself.
    pub context: Context,
    /// Templates' view: `{"key"}`.
    pub words: Value,
}

/// Whose value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Winner {
    /// The tenant's policy locks it.
    Lock,
    /// The user's preference.
    Preference,
    /// The persona version.
    Persona,
    /// The tenant's policy fills it in.
    Default,
    /// The gateway, where nobody says anything and Anam's own default is unclear or costly.
    Gateway,
}

impl LivePersona {
    /// Lays a version between the tenant's defaults, with what the gateway says below them, and its locks.
    pub fn new(
        key: &Key,
        version: i32,
        hash: String,
        persona: Persona,
        policy: &Policy,
        mut snippets: Vec<(Key, Arc<Template>)>,
    ) -> Self {
        let included: BTreeSet<&str> = persona
            .prompt
            .snippets()
            .iter()
            .map(String::as_str)
            .collect();
        snippets.retain(|(key, _)| included.contains(key.as_str()));
        let layers = [
            (&*policy.defaults, Winner::Default),
            (&persona.settings, Winner::Persona),
            (&*policy.locks, Winner::Lock),
        ];
        let mut settings = Settings::fallback();
        let mut winners = settings.winners(Winner::Gateway);
        for (layer, winner) in layers {
            settings = settings.overlaid(layer);
            winners.extend(layer.winners(winner));
        }
        Self {
            version,
            hash,
            settings,
            winners,
            persona,
            snippets,
            words: json!({ "key": key.as_str() }),
        }
    }
}

impl Snapshot {
    /// The context that a request means: by key, by alias, else the one named `default`.
    pub fn context(&self, requested: Option<&str>) -> Option<(&Key, &LiveContext)> {
        let requested = requested.unwrap_or(DEFAULT_CONTEXT);
        let by_key = |name: &str| self.contexts.get_key_value(name);
        by_key(requested)
            .or_else(|| {
                self.aliases
                    .get(requested)
                    .and_then(|key| by_key(key.as_str()))
            })
            .or_else(|| by_key(DEFAULT_CONTEXT))
    }
}
