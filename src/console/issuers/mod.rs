//! Issuers: whose tokens are taken, with which keys, and what is wrong with a token.

pub mod check;
pub mod form;
pub mod issuer;
pub mod list;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::parts::{At, words_of};

/// An issuer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    pub id: String,
    pub config: Map<String, Value>,
    #[serde(default)]
    pub has_shared_secret: bool,
    pub enabled: bool,
    pub created_at: At,
    #[serde(default)]
    pub audiences: Vec<Audience>,
}

/// An audience of an issuer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    pub audience: String,
    pub state: String,
    #[serde(default)]
    pub claimed_by: Option<String>,
}

impl Audience {
    /// Whether its tokens are refused until somebody proves it.
    pub fn is_pending(&self) -> bool {
        self.state == "pending"
    }
}

impl Issuer {
    /// Its `iss`.
    pub fn name(&self) -> String {
        self.config.get("issuer").map(words_of).unwrap_or_default()
    }

    /// Whether some of its tokens are refused for want of a proof.
    pub fn is_pending(&self) -> bool {
        self.audiences.iter().any(Audience::is_pending)
    }

    /// Whether it has keys that can be fetched or typed in: with introspection there are none.
    pub fn has_keys(&self) -> bool {
        let keys = self.config.get("keys");
        keys.is_none_or(|keys| keys.get("introspection").is_none())
    }
}

/// What there is of an issuer's keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    pub state: String,
    pub usable: u64,
    #[serde(default)]
    pub fetched_at: Option<At>,
    #[serde(default)]
    pub problem: Option<String>,
}

impl Keys {
    /// The colour of their state; the words are beside it.
    pub fn colour(&self) -> &'static str {
        match self.state.as_str() {
            "good" => "good",
            "failing" => "warn",
            "missing" => "bad",
            _ => "",
        }
    }
}
