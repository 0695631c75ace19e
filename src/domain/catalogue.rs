//! What a tenant allows: avatars, voices, LLMs, languages and tools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::settings::AvatarModel;

/// The kinds of things that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CatalogueKind {
    Avatar,
    Voice,
    Llm,
    Language,
    Tool,
}

impl CatalogueKind {
    /// Every kind, in the order in which people read them.
    pub const ALL: [Self; 5] = [
        Self::Avatar,
        Self::Voice,
        Self::Llm,
        Self::Language,
        Self::Tool,
    ];

    /// The name in the database and in bundles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avatar => "avatar",
            Self::Voice => "voice",
            Self::Llm => "llm",
            Self::Language => "language",
            Self::Tool => "tool",
        }
    }

    /// The kind named `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One thing that may be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// Anam's id, or a language code.
    pub id: String,
    /// What people read.
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

/// All entries of a tenant that are not retired, in the tenant's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue(BTreeMap<CatalogueKind, Vec<CatalogueEntry>>);

impl Catalogue {
    /// Adds an entry behind those of its kind.
    pub fn push(&mut self, kind: CatalogueKind, entry: CatalogueEntry) {
        self.0.entry(kind).or_default().push(entry);
    }

    /// The entries of a kind.
    pub fn of(&self, kind: CatalogueKind) -> &[CatalogueEntry] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The entry with this id.
    pub fn find(&self, kind: CatalogueKind, id: &str) -> Option<&CatalogueEntry> {
        self.of(kind).iter().find(|entry| entry.id == id)
    }

    /// Whether any kind has an entry.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }
}
