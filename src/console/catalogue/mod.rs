//! The catalogue: which avatars, voices, LLMs, languages and tools there are, and which of them may be chosen.

pub mod entry;
pub mod kind;
pub mod overview;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::media;
use super::parts::{At, words_of};

/// The kinds of entries.
pub const KINDS: [&str; 5] = ["avatar", "voice", "llm", "language", "tool"];

/// An entry of the catalogue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub kind: String,
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub attributes: Map<String, Value>,
    pub enabled: bool,
    pub source: String,
    #[serde(default)]
    pub seen_at: Option<At>,
    #[serde(default)]
    pub retired_at: Option<At>,
    #[serde(default)]
    pub used_by: Option<Usage>,
}

/// Who would miss it.
#[derive(Debug, Default, Deserialize)]
pub struct Usage {
    #[serde(default)]
    pub places: Vec<EntryUse>,
    #[serde(default)]
    pub users: i64,
}

#[derive(Debug, Deserialize)]
pub struct EntryUse {
    pub kind: String,
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub version: Option<i32>,
    pub pointer: String,
}

impl Entry {
    /// Two letters in place of a picture.
    pub fn initials(&self) -> String {
        let words = self.name.split_whitespace();
        let letters = words.filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
        letters.take(2).flat_map(char::to_uppercase).collect()
    }

    /// What is known of it, in one line.
    pub fn about(&self) -> String {
        let words = [
            "variantName",
            "provider",
            "gender",
            "country",
            "type",
            "description",
        ];
        let known = words.iter().filter_map(|name| self.attributes.get(*name));
        let known: Vec<String> = known
            .map(words_of)
            .filter(|text| !text.is_empty())
            .collect();
        known.join(" · ")
    }

    /// A picture of it.
    pub fn picture(&self) -> Option<&str> {
        media::picture(&self.attributes)
    }

    /// A sample of how it sounds.
    pub fn sound(&self) -> Option<&str> {
        media::sound(&self.attributes)
    }

    /// An address that one can look at or listen to.
    pub fn sample(&self) -> Option<&str> {
        let names = [
            "sampleUrl",
            "previewSampleUrl",
            "imageUrl",
            "portraitImageUrl",
            "landscapeImageUrl",
        ];
        let found = names.iter().find_map(|name| self.attributes.get(*name));
        found?.as_str().filter(|url| url.starts_with("https://"))
    }

    /// Whether it may be chosen, as the end of a text's name.
    pub fn state(&self) -> &'static str {
        match (&self.retired_at, self.enabled) {
            (Some(_), _) => "retired",
            (None, true) => "allowed",
            (None, false) => "not-allowed",
        }
    }

    /// The colour of that.
    pub fn colour(&self) -> &'static str {
        match self.state() {
            "retired" => "warn",
            "allowed" => "good",
            _ => "",
        }
    }

    /// Everything that is known of it.
    pub fn all(&self) -> Vec<(&str, String)> {
        let known = self.attributes.iter();
        known
            .map(|(name, value)| (name.as_str(), words_of(value)))
            .collect()
    }
}
