//! What a tenant allows: avatars, voices, LLMs, languages and tools.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::catalogue_kind::CatalogueKind;
use super::settings::AvatarModel;

/// One thing that may be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// Anam's id, or a language code.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// What Anam's lists say beside: `provider` of a voice, `availableVersions` of an avatar, pictures.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

impl CatalogueEntry {
    /// A voice's provider, where known.
    pub fn provider(&self) -> Option<&str> {
        self.attributes.get("provider").and_then(Value::as_str)
    }

    /// The model that renders an avatar where nobody names one, if known.
    pub fn active_model(&self) -> Option<AvatarModel> {
        serde_json::from_value(self.attributes.get("activeVersion")?.clone()).ok()
    }

    /// Whether a voice or an LLM is known to take part in zero data retention.
    pub fn retains_nothing(&self) -> bool {
        self.attributes.get("isZdr").and_then(Value::as_bool) == Some(true)
    }

    /// Whether an avatar can be rendered by `model`; unknown counts as yes.
    pub fn can_render(&self, model: AvatarModel) -> bool {
        match self
            .attributes
            .get("availableVersions")
            .and_then(Value::as_array)
        {
            Some(models) => models.iter().any(|m| m.as_str() == Some(model.as_str())),
            None => true,
        }
    }
}

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatalogueSource {
    /// An admin or a bundle typed it in; its name and attributes are theirs.
    Typed,
    /// It was found in Anam's lists, and is kept as they say.
    Anam,
}

impl CatalogueSource {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Anam => "anam",
        }
    }
}

/// What may be chosen at a tenant, in the tenant's order: what its admins allow and Anam has not retired.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    entries: BTreeMap<CatalogueKind, Vec<CatalogueEntry>>,
    /// What admins allow, but Anam no longer lists.
    retired: BTreeMap<CatalogueKind, BTreeSet<String>>,
}

impl Catalogue {
    /// Adds an entry behind those of its kind.
    pub fn push(&mut self, kind: CatalogueKind, entry: CatalogueEntry) {
        self.entries.entry(kind).or_default().push(entry);
    }

    /// Notes something that admins allow, but Anam no longer lists.
    pub fn push_retired(&mut self, kind: CatalogueKind, id: String) {
        self.retired.entry(kind).or_default().insert(id);
    }

    pub fn entries(&self, kind: CatalogueKind) -> &[CatalogueEntry] {
        self.entries.get(&kind).map_or(&[], Vec::as_slice)
    }

    pub fn find(&self, kind: CatalogueKind, id: &str) -> Option<&CatalogueEntry> {
        self.entries(kind).iter().find(|entry| entry.id == id)
    }

    /// Whether personas are held to the catalogue's entries of a kind. A tenant without entries of a kind may use whatever
    /// Anam has; one whose last entry was retired may not suddenly do so.
    pub fn limits(&self, kind: CatalogueKind) -> bool {
        !self.entries(kind).is_empty() || self.retired.get(&kind).is_some_and(|ids| !ids.is_empty())
    }
}
