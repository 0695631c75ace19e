//! The explanation of a decision: which rule, which arm, whose value, and what was passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::winner::Winner;

/// Why a user got what they got. Holds no value that a user typed, so it outlives the session's inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The tenant's revision that was live.
    pub revision: i64,
    /// The key of the context that was used.
    pub context: Versioned,
    /// How the request named it.
    pub context_found: ContextFound,
    /// Rules in the order they were tried, up to the one that held.
    pub rules: Vec<RuleTried>,
    /// How the persona was drawn, where a split decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitDrawn>,
    /// The persona that the rules gave.
    pub persona: Versioned,
    /// Rollouts of that context and persona that were under way, and whether the user is in them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rollouts: Vec<RolloutDrawn>,
    /// Snippets that went into the prompt, with their versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub snippets: BTreeMap<Key, i32>,
    /// For each field sent: who won.
    pub fields: BTreeMap<String, Winner>,
    /// Preferences that had no effect, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub passed_over: Vec<PassedOver>,
    /// Anything else worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

/// A document at a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned {
    pub key: Key,
    pub version: i32,
    /// SHA-256 of its content, hex.
    pub hash: String,
}

/// How a request's context was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContextFound {
    ByKey,
    /// By one of its aliases.
    ByAlias,
    /// The request names no context.
    NotNamed,
    /// It is unknown, so the context `default` answered.
    Unknown,
}

/// One rule and its result.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTried {
    pub rule: String,
    /// Position of the first clause that did not hold; absent where all held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_clause: Option<usize>,
    /// The attribute of that clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_attribute: Option<String>,
    /// By position of the clause, what could not be compared: "a text was compared with a number".
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub remarks: BTreeMap<usize, String>,
}

/// A draw among weighted arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitDrawn {
    /// Position of the arm.
    pub arm: usize,
    /// The sum of the weights.
    pub weights: u64,
    /// The user's score of each arm, `null` for one without weight: the arm with the smallest is theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Option<f64>>,
    /// In sessions of earlier releases: where the user fell, 0 up to the sum of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u64>,
}

/// Whether a user is in a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutDrawn {
    /// `context` or `persona`.
    pub kind: String,
    /// The document's key.
    pub key: Key,
    /// The version that is rolled out.
    pub version: i32,
    /// To how many of a hundred users.
    pub percent: u8,
    /// Where the user falls, 0 to 99: in the rollout below `percent`. The same for every rollout of the document.
    pub bucket: u8,
    /// Whether the user got the version.
    pub included: bool,
}

/// A preference without effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassedOver {
    pub field: String,
    pub reason: PassedOverReason,
}

/// Why a preference had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PassedOverReason {
    /// The tenant's policy locks the field.
    Locked,
    /// The persona does not list the field as overridable.
    NotOverridable,
    /// The catalogue no longer has the value.
    NotInCatalogue,
    /// The setting does not take the value.
    OutOfRange,
    /// The chosen avatar can't be rendered by the persona's model, or its own model does not suit the persona's settings.
    AvatarLacksModel,
    /// The persona wants zero data retention, and the chosen voice or LLM is not known to offer it.
    MayRetainData,
}
