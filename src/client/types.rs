//! What the API answers, as far as programs look at it. Members that are not listed here are passed over, so that a newer
//! gateway can tell more.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Fault;

/// The kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Persona,
    Context,
    Snippet,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Persona => "persona",
            Self::Context => "context",
            Self::Snippet => "snippet",
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// As the audit trail says it.
    pub actor: String,
    /// `viewer`, `editor`, `publisher` or `owner`.
    pub role: String,
    /// The tenant's name in URLs.
    pub tenant: String,
    pub tenant_name: String,
}

/// A persona, context or snippet as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    pub kind: Kind,
    /// Its name within the kind.
    pub key: String,
    /// The version that is live, which mints get.
    #[serde(default)]
    pub live_version: Option<i32>,
    /// The version that a share of the users gets instead.
    #[serde(default)]
    pub rollout: Option<Rollout>,
    /// Versions that were released later and can't be served, the newest first.
    #[serde(default)]
    pub passed_over: Vec<PassedOver>,
    /// The newest sealed version.
    #[serde(default)]
    pub latest_version: Option<i32>,
    /// When it was taken out of use.
    #[serde(default)]
    pub archived_at: Option<DateTime<Utc>>,
}

/// A version that is rolled out to a share of the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Rollout {
    pub version: i32,
    /// How many of a hundred users.
    pub percent: u8,
}

/// A released version that is not served.
#[derive(Debug, Clone, Deserialize)]
pub struct PassedOver {
    pub version: i32,
    /// Why: each fault with its place in the document.
    pub reasons: Vec<Fault>,
}

/// A draft, with the state in which it was read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    pub id: Uuid,
    pub kind: Kind,
    pub key: String,
    /// The version that it builds on.
    #[serde(default)]
    pub base_version: Option<i32>,
    pub title: String,
    /// The content, which sealing makes a version.
    pub content: Map<String, Value>,
    /// Its `ETag`, which changes of it send along.
    #[serde(skip)]
    pub etag: String,
}

/// A sealed version.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub kind: Kind,
    pub key: String,
    pub number: i32,
    /// What it says; lists leave it out.
    #[serde(default)]
    pub content: Map<String, Value>,
    /// SHA-256 of the content.
    pub hash: String,
    /// Who sealed it.
    pub author: String,
    pub message: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    pub id: Uuid,
    /// The number of the version that it makes live.
    pub version: i32,
    pub live_from: DateTime<Utc>,
    /// How many of a hundred users get it; `None` for everybody.
    #[serde(default)]
    pub percent: Option<u8>,
    /// The release that a cancellation calls off.
    #[serde(default)]
    pub cancels: Option<Uuid>,
    /// The cancellation that called this release off.
    #[serde(default)]
    pub cancelled_by: Option<Uuid>,
    pub actor: String,
    pub note: String,
}

/// A bundle to apply.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewBundle {
    pub bundle: Value,
    /// The secrets that it refers to, by the pointer of the reference.
    #[serde(serialize_with = "exposed", skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretString>,
    /// Tell the plan, and change nothing.
    pub dry_run: bool,
    /// Remove what the bundle does not have, from the sections that it does have.
    pub prune: bool,
    /// The reason, for the history.
    pub message: String,
}

fn exposed<S: Serializer>(
    secrets: &BTreeMap<String, SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        secrets
            .iter()
            .map(|(at, secret)| (at, secret.expose_secret())),
    )
}

/// A token for Anam.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Minted {
    /// The token, for the page's SDK.
    pub session_token: SecretString,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The session's id in the ledger.
    pub session_id: Uuid,
    pub persona: Persona,
    pub context: String,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("session_id", &self.session_id)
            .field("persona", &self.persona)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// The persona of a session.
#[derive(Debug, Clone, Deserialize)]
pub struct Persona {
    pub key: String,
    pub version: i32,
    pub name: String,
}

/// The situations that a page may ask for.
#[derive(Debug, Clone, Deserialize)]
pub struct Contexts {
    pub contexts: Vec<OpenContext>,
}

/// A context that users can ask for.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenContext {
    pub key: String,
    pub aliases: Vec<String>,
    pub description: String,
}
