//! What a template may speak of, and how far each part is trusted.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Fence, Rendered};
use crate::domain::caller::Facts;

/// The top-level names of templates. Trust goes with the name, so no caller of this module can get it wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Facts from the verified token.
    User,
    /// What the user chose.
    Preferences,
    /// What the page sent.
    Metadata,
    /// The requested context (key, title, ...).
    Context,
    /// The persona that was chosen (key, name, ...).
    Persona,
    /// The tenant (name, ...).
    Tenant,
    /// The moment of the session, already in words (date, weekday, ...).
    Time,
    /// Pinned snippets, rendered beforehand.
    Snippets,
}

impl Root {
    /// Every root, in the order that messages list them.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Preferences,
        Self::Metadata,
        Self::Context,
        Self::Persona,
        Self::Tenant,
        Self::Time,
        Self::Snippets,
    ];

    /// The name in templates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Preferences => "preferences",
            Self::Metadata => "metadata",
            Self::Context => "context",
            Self::Persona => "persona",
            Self::Tenant => "tenant",
            Self::Time => "time",
            Self::Snippets => "snippets",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|root| root.name() == name)
    }

    /// Whose words are in there.
    pub(super) const fn trust(self) -> Trust {
        match self {
            Self::Preferences | Self::Metadata => Trust::Caller,
            Self::User => Trust::Issuer,
            Self::Context | Self::Persona | Self::Tenant | Self::Time | Self::Snippets => {
                Trust::Tenant
            }
        }
    }
}

/// Whose words a text is. Ordered: a text made of several has the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// The tenant's admins or the gateway.
    Tenant,
    /// The issuer of the user's token; often typed by the user once.
    Issuer,
    /// Whoever sent the request.
    Caller,
}

/// The values of one rendering, borrowed from whoever holds them. A root that was not set is empty.
#[derive(Debug, Clone)]
pub struct TemplateInput<'a> {
    pub(super) fence: Fence,
    pub(super) user: Option<&'a Facts>,
    pub(super) snippets: BTreeMap<String, Rendered>,
    pub(super) notes_origins: bool,
    preferences: Option<&'a Json>,
    metadata: Option<&'a Json>,
    context: Option<&'a Json>,
    persona: Option<&'a Json>,
    tenant: Option<&'a Json>,
    time: Option<&'a Json>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $root:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $root(mut self, tree: &'a Json) -> Self {
            self.$root = Some(tree);
            self
        }
    )+};
}

impl<'a> TemplateInput<'a> {
    /// No values yet.
    pub fn new(fence: Fence) -> Self {
        Self {
            fence,
            user: None,
            snippets: BTreeMap::new(),
            notes_origins: false,
            preferences: None,
            metadata: None,
            context: None,
            persona: None,
            tenant: None,
            time: None,
        }
    }

    /// Has renderings note where each piece of their text comes from, which mints have no use for.
    #[must_use]
    pub fn noting_origins(mut self) -> Self {
        self.notes_origins = true;
        self
    }

    /// Facts from the verified token: `user.name`, `user.roles`.
    #[must_use]
    pub fn user(mut self, facts: &'a Facts) -> Self {
        self.user = Some(facts);
        self
    }

    setters! {
        /// The user's preferences, an object. Caller-supplied.
        preferences,
        /// The request's metadata, an object. Caller-supplied.
        metadata,
        /// The context, an object of the tenant's own words.
        context,
        /// The persona, an object of the tenant's own words.
        persona,
        /// The tenant, an object of its own words.
        tenant,
        /// The moment, an object.
        time,
    }

    /// Adds a snippet that was rendered with this same input (so with the same fence). What it printed of
    /// caller-supplied text counts against the budget of whatever is rendered afterwards.
    pub fn add_snippet(&mut self, key: impl Into<String>, text: Rendered) {
        self.snippets.insert(key.into(), text);
    }

    /// The tree under a root; none for `user` and `snippets`, which are no trees.
    pub(super) fn tree(&self, root: Root) -> Option<&'a Json> {
        match root {
            Root::Preferences => self.preferences,
            Root::Metadata => self.metadata,
            Root::Context => self.context,
            Root::Persona => self.persona,
            Root::Tenant => self.tenant,
            Root::Time => self.time,
            Root::User | Root::Snippets => None,
        }
    }
}
