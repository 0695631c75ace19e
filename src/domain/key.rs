//! Names that admins give: of documents, snippets, contexts.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name of a document: 1 to 64 of `a-z 0-9 - _`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// What a key must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is 1 to 64 characters of a-z, 0-9, '-' and '_', and starts with a letter or digit")]
pub struct BadKey;

impl Key {
    /// Longest key, in characters.
    pub const MAX_CHARS: usize = 64;

    /// What keys look like, as an ECMAScript pattern.
    pub const PATTERN: &str = "^[a-z0-9][a-z0-9_-]{0,63}$";

    /// The key named `text`.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let spelled_well = text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if starts_well && spelled_well && text.len() <= Self::MAX_CHARS {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadKey)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        Self::parse(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Most characters of a tenant's name in URLs.
pub const MAX_SLUG_CHARS: usize = 63;

/// A tenant's name in URLs: 1 to 63 of `a-z 0-9 -`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

/// What a tenant's name in URLs must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_SLUG_CHARS} of a-z, 0-9 and -, a letter or digit first")]
pub struct BadSlug;

impl Slug {
    /// What slugs look like, as an ECMAScript pattern.
    pub const PATTERN: &str = "^[a-z0-9][a-z0-9-]{0,62}$";

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = BadSlug;

    fn from_str(text: &str) -> Result<Self, BadSlug> {
        is_slug(text).then(|| Self(text.to_owned())).ok_or(BadSlug)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text can be a tenant's name in URLs.
pub fn is_slug(text: &str) -> bool {
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let spelled_well = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    starts_well && spelled_well && text.len() <= MAX_SLUG_CHARS
}
