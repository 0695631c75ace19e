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
use super::winner::Winner;

/// The key of the context that answers for unknown ones.
pub const DEFAULT_CONTEXT: &str = "default";

/// The live state of one tenant at one revision; immutable.
#[derive(Debug)]
pub struct Snapshot {
    pub tenant: TenantId,
    /// Grows with every change; see the table `config_revision`.
    pub revision: i64,
    /// Locks, defaults, origins, preference fields.
    pub policy: Policy,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// Live personas.
    pub personas: BTreeMap<Key, LivePersona>,
    /// Live contexts by key.
    pub contexts: BTreeMap<Key, LiveContext>,
    /// Versions that are rolled out to a share of the users.
    pub rollouts: Rollouts,
    /// Other names of contexts.
    pub aliases: BTreeMap<Key, Key>,
    /// When the next scheduled release goes live, so that this snapshot is out of date.
    pub next_change: Option<DateTime<Utc>>,
    /// `{"name", "slug"}`, as templates see the tenant.
    pub tenant_words: Value,
}

/// Versions that are rolled out to a share of the users, beside the live ones.
#[derive(Debug, Default)]
pub struct Rollouts {
    pub personas: BTreeMap<Key, Rollout<LivePersona>>,
    /// Of contexts. They have the live version's aliases: a request names its context before anybody knows whose it is.
    pub contexts: BTreeMap<Key, Rollout<LiveContext>>,
}

/// A version that is rolled out to a share of the users.
#[derive(Debug)]
pub struct Rollout<T> {
    /// How many of a hundred users, 1 to 99.
    pub percent: u8,
    pub version: T,
}

/// A persona version with the tenant's locks and defaults merged in.
#[derive(Debug)]
pub struct LivePersona {
    pub version: i32,
    /// SHA-256 of its content, hex.
    pub hash: String,
    /// Merged settings: the gateway's defaults, the policy's defaults, the version, the policy's locks; the later wins.
    pub settings: Settings,
    /// The source of each member that is set.
    pub winners: BTreeMap<String, Winner>,
    pub persona: Persona,
    /// The pinned snippets that the prompt includes, compiled.
    pub snippets: Vec<(Key, Arc<Template>)>,
    /// `{"key"}`, as templates see it.
    pub words: Value,
}

/// A live context version.
#[derive(Debug)]
pub struct LiveContext {
    pub version: i32,
    /// SHA-256 of its content, hex.
    pub hash: String,
    pub context: Context,
    /// `{"key"}`, as templates see it.
    pub words: Value,
}

impl LivePersona {
    /// Merges a version with the gateway's and the tenant's defaults and the tenant's locks.
    pub fn new(
        key: &Key,
        version: i32,
        hash: String,
        mut persona: Persona,
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
        let texts = [&mut persona.name, &mut persona.prompt].into_iter();
        texts
            .chain(&mut persona.greeting)
            .for_each(Template::forget_repetitions);
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
    /// The context for a request: by key, by alias, else the one named `default`.
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
