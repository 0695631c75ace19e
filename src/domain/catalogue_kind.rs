//! The kinds of things that a tenant's catalogue lists.

use serde::{Deserialize, Serialize};

/// The kinds of things that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
