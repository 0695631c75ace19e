//! Documents: what admins write and release.

/// The kinds of documents, in the order in which bundles are applied: each kind refers only to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    Snippet,
    Persona,
    Context,
}

impl DocumentKind {
    pub const ALL: [Self; 3] = [Self::Snippet, Self::Persona, Self::Context];

    /// The word in the API, the database and bundles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snippet => "snippet",
            Self::Persona => "persona",
            Self::Context => "context",
        }
    }

    /// The member of a bundle that holds documents of this kind.
    pub fn section(self) -> &'static str {
        match self {
            Self::Snippet => "snippets",
            Self::Persona => "personas",
            Self::Context => "contexts",
        }
    }

    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
